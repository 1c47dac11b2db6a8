import { encode, prepare } from "@ipld/dag-pb";
import type { InProgressImportResult } from "ipfs-unixfs-importer";
import type { FileLayout } from "ipfs-unixfs-importer/layout";
import { varint } from "multiformats";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import type { CarWriter } from "./writer.js";

/** A block of content, or a node over some. */
interface Part {
  readonly cid: CID;
  /** Bytes of all blocks below, its own included (dag-pb's Tsize). */
  readonly size: number;
  /** Bytes of content in it. */
  readonly content: number;
}

const DAG_PB = 0x70;
/** Links a node, by the profile unixfs-v1-2025. */
const MAX_LINKS = 1024;

/** The fields of UnixFS that a node of a file has, as they stand in protobuf. */
const TYPE_FILE = [0x08, 2];
const FILE_SIZE = 0x18;
const BLOCK_SIZE = 0x20;

/**
 * How the blocks of a file lie under its root: balanced, as the importer does it, but written here. The importer's encoder
 * (protons-runtime 7 and 8) writes numbers from 2^31 up to 2^32 as other ones, so that files of 2 to 4 GiB could never be read.
 */
export function fileLayout(writer: CarWriter): FileLayout {
  return async (leaves, reduce) => {
    let level: Part[] = [];
    let waiting: Part[] = [];
    for await (const leaf of leaves) {
      // A file of one block is that block.
      if ("single" in leaf && leaf.single) return reduce([leaf]);
      if (waiting.length === MAX_LINKS) level.push(await writeNode(writer, waiting.splice(0)));
      waiting.push(partOf(leaf));
    }
    level.push(await writeNode(writer, waiting));
    while (level.length > 1) {
      waiting = level;
      level = [];
      while (waiting.length > 0) level.push(await writeNode(writer, waiting.splice(0, MAX_LINKS)));
    }
    const [{ cid, size }] = level as [Part];
    return { cid, size: BigInt(size) };
  };
}

/** The importer makes raw leaves by this profile: all content, and nothing else. */
function partOf({ cid, size }: InProgressImportResult): Part {
  return { cid, size: Number(size), content: Number(size) };
}

async function writeNode(writer: CarWriter, parts: readonly Part[]): Promise<Part> {
  const Links = parts.map(({ cid, size }) => ({ Name: "", Hash: cid, Tsize: size }));
  const bytes = encode(prepare({ Data: fileData(parts.map(({ content }) => content)), Links }));
  const cid = await writer.put(CID.createV1(DAG_PB, await sha256.digest(bytes)), bytes);
  const sum = (total: number, part: number) => total + part;
  return {
    cid,
    size: parts.map(({ size }) => size).reduce(sum, bytes.length),
    content: parts.map(({ content }) => content).reduce(sum, 0),
  };
}

/** UnixFS of a file whose parts have these sizes, in bytes. */
export function fileData(sizes: readonly number[]): Uint8Array {
  const fields = sizes.map((size): [number, number] => [BLOCK_SIZE, size]);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return Uint8Array.from([
    ...TYPE_FILE,
    ...[[FILE_SIZE, total] as const, ...fields].flatMap(([tag, size]) => numberField(tag, size)),
  ]);
}

function numberField(tag: number, value: number): number[] {
  return [tag, ...varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))];
}
