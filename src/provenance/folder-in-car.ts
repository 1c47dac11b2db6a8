/**
 * The folder that bytes are, as a CAR: what its CID names is computed from them, block by block.
 *
 * @packageDocumentation
 */
import { hexlify } from "ethers";
import { HoldfastError } from "../errors.js";
import { type CarSource, FolderArchive } from "../piece/car/index.js";
import { rawCidOf } from "../protocol/index.js";
import type { KnownRecord } from "./known.js";

export interface FolderInCar {
  /** Binary CID of the root that the CAR names, in hex. */
  readonly cid: string;
  /** Why that is not whole in there, where it isn't. */
  readonly fault?: string;
}

/** How CIDs begin that are a hash of the bytes themselves. */
const RAW_CID = rawCidOf("0x");

/** Whether a record names a CID that is no hash of the bytes themselves: one of blocks that they hold, or were split into. */
export function namesBlocks({ record: { cid } }: Pick<KnownRecord, "record">): boolean {
  return cid !== "0x" && !cid.startsWith(RAW_CID);
}

/**
 * Reads bytes as a CAR, and hashes each block that its root leads to.
 *
 * @returns undefined where they are no CAR
 * @throws what reading the source throws
 * @example
 * const folder = await folderInCar(blob);
 * const isWhole = folder?.cid === record.cid && folder.fault === undefined;
 */
export async function folderInCar(source: CarSource | Blob): Promise<FolderInCar | undefined> {
  let cid: string | undefined;
  try {
    const archive = await FolderArchive.open(source);
    cid = hexlify(archive.root.bytes);
    await archive.verify();
    return { cid };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return cid === undefined ? undefined : { cid, fault: error.message };
  }
}
