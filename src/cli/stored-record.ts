/**
 * What `holdfast store` registers of what it stores.
 *
 * @packageDocumentation
 */
import { hexlify } from "ethers";
import type { CID } from "multiformats/cid";
import { type Claims, type Deal, linkDeals, recordOf, registerRecord } from "../client/index.js";
import { HoldfastError } from "../errors.js";
import { ProvenanceBook } from "../provenance/book.js";
import { type Content, contentOf } from "../provenance/content.js";
import { type ClaimFlags, claimsFrom } from "./claims.js";
import { type Session, tell } from "./context.js";

/** `--no-provenance` leaves the record out. */
export interface StoredClaimFlags extends ClaimFlags {
  readonly provenance: boolean;
}

/**
 * What is to be claimed of what is stored, checked before anything is paid for; undefined where nothing is.
 *
 * @throws HoldfastError `INVALID_LICENSE`, `INVALID_EDGE`, `UNKNOWN_RECORD`, …
 */
export async function storedClaims({ chain }: Session, flags: StoredClaimFlags): Promise<Claims | undefined> {
  if (!flags.provenance) return undefined;
  const claims = await claimsFrom(flags, async () => (await ProvenanceBook.open(chain)).known.keys());
  for (const { parent } of claims.parents) {
    if ((await chain.contracts.provenance.stateOf(parent)).form !== 0n) continue;
    throw new HoldfastError("UNKNOWN_RECORD", `there is no record or set ${parent} here`, "check the id of the parent");
  }
  return claims;
}

/**
 * Registers what was stored and links it to its deals. What is stored is paid for: that it could not be registered is
 * told, and no error.
 *
 * @param root - of a folder
 * @returns the record's id; undefined where there is none
 */
export async function registerStored(
  { access }: Session,
  payload: Blob | Content,
  claims: Claims | undefined,
  deals: readonly Pick<Deal, "id">[],
  root?: CID,
): Promise<string | undefined> {
  if (claims === undefined) return undefined;
  try {
    const content = payload instanceof Blob ? await contentOf(payload) : payload;
    const cid = root === undefined ? {} : { cid: hexlify(root.bytes) };
    const record = recordOf(access.address, content, { ...claims, ...cid });
    const { id } = await registerRecord(access, record);
    tell(`record ${id} says where it came from`);
    if (deals.length > 0) {
      await linkDeals(
        access,
        record,
        deals.map((deal) => deal.id),
      );
    }
    return id;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    tell(`it is stored, and not registered: ${error.message}; see \`holdfast provenance register\``);
    return undefined;
  }
}
