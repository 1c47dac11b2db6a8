/**
 * Ids of many records that differ in their content alone.
 *
 * @packageDocumentation
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { getBytes, type TypedDataDomain } from "ethers";
import { type ProvenanceRecord, RECORD_TYPES, recordPreimage } from "../../protocol/index.js";

const WORD = 32;
/** Where a member is in what is hashed: a word each, after separator, prefix and the word that says where they begin. */
const offsetOf = (member: keyof ProvenanceRecord): number =>
  WORD + 1 + WORD * (1 + RECORD_TYPES.Record.findIndex(({ name }) => name === member));

const CONTENT_AT = offsetOf("contentHash");
/** A uint64 is at the end of its word. */
const SIZE_AT = offsetOf("size") + WORD - 8;

/**
 * What `recordIdOf` gives for records like one, many times as fast: everything but the content is encoded once.
 *
 * @param like - what all records claim; its content does not matter
 * @returns gives the id, 32 bytes, of the record of a content: its SHA-256, 32 bytes, and its size, below 2^64
 * @throws TypeError where a value does not fit its Solidity type
 *
 * @example
 * const idOf = recordIds(provenanceDomain(31337, registry), record);
 * hexlify(idOf(getBytes(other.contentHash), other.size)) === recordIdOf(domain, { ...record, ...other });
 */
export function recordIds(
  domain: TypedDataDomain,
  like: ProvenanceRecord,
): (contentHash: Uint8Array, size: bigint) => Uint8Array {
  const preimage = getBytes(recordPreimage(domain, like));
  const size = new DataView(preimage.buffer, preimage.byteOffset + SIZE_AT, 8);
  return (contentHash, bytes) => {
    preimage.set(contentHash, CONTENT_AT);
    size.setBigUint64(0, bytes);
    return keccak_256(preimage);
  };
}
