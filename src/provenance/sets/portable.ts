/**
 * The proof of one file, by itself: a text that whoever has the file can verify without the set.
 *
 * @packageDocumentation
 */
import { concat, getAddress, getBytes, hexlify, toUtf8Bytes, toUtf8String } from "ethers";
import { base64url } from "multiformats/bases/base64";
import { z } from "zod";
import { HoldfastError } from "../../errors.js";
import { anchorRootOf } from "../../protocol/anchor-tree.js";
import {
  AI_TRAINING,
  anchorDepth,
  EDGE_KINDS,
  type Edge,
  MAX_LICENSE_BYTES,
  MAX_PARENTS,
  RECORD_KINDS,
  recordIdOf,
} from "../../protocol/index.js";
import {
  domainOf,
  MAX_RECORDS,
  type Membership,
  type SetHead,
  type SharedClaims,
  setHead,
  setRecord,
} from "./claims.js";
import { ByteReader, varint } from "./varint.js";

/** What a text is that has passed: a membership, and the set it is in. */
export interface ProvenMembership {
  readonly membership: Membership;
  readonly head: SetHead;
}

const FORM = "membership/1";
const HASH_BYTES = 32;
const ADDRESS_BYTES = 20;
const MAX_SIZE = 2n ** 64n - 1n;
/** The longest has 64 parents, a licence of 128 bytes and 31 siblings: some 4,700 characters. */
const MAX_TEXT = 8_192;

const envelope = z.strictObject({ holdfast: z.literal(FORM), proof: z.string() });

/**
 * A membership as a text that carries all that the contract's `isAnchored` takes: 949 characters in a set of 100,000, with
 * a licence of 9 characters and no parents; 44 more for each parent.
 *
 * @param head - the set in which it was found: a built one, or a set file
 */
export function formatMembership({ record, index, proof }: Membership, head: SetHead): string {
  const license = toUtf8Bytes(record.license);
  const bytes = concat([
    varint(BigInt(head.chainId)),
    head.registry,
    head.id,
    head.set.registrant,
    varint(head.set.count),
    varint(BigInt(RECORD_KINDS.indexOf(record.kind))),
    varint(BigInt(AI_TRAINING.indexOf(record.aiTraining))),
    varint(BigInt(license.length)),
    license,
    record.manifestHash,
    varint(BigInt(record.parents.length)),
    ...record.parents.flatMap(({ parent, kind }) => [parent, varint(BigInt(EDGE_KINDS.indexOf(kind)))]),
    varint(BigInt(index)),
    record.contentHash,
    varint(record.size),
    ...proof,
  ]);
  return JSON.stringify({ holdfast: FORM, proof: base64url.baseEncode(getBytes(bytes)) });
}

/**
 * Reads and verifies a membership: the siblings lead from the record to a root, and a set with that root and these claims
 * has the id that it names. Whether that set is anchored, in a registry that the reader trusts, only the chain can tell.
 *
 * @throws HoldfastError `PROOF_INVALID`
 *
 * @example
 * const { membership, head } = parseMembership(await readFile("a.jpg.proof", "utf8"));
 * membership.record.contentHash === (await hashFile("a.jpg")).sha256;
 */
export function parseMembership(text: string): ProvenMembership {
  if (text.length > MAX_TEXT) throw invalidProof(`it has over ${MAX_TEXT} characters`);
  let proven: ProvenMembership;
  let named: string;
  try {
    const bytes = new Uint8Array(base64url.baseDecode(envelope.parse(JSON.parse(text)).proof));
    ({ named, ...proven } = unpack(new ByteReader(bytes)));
  } catch (cause) {
    throw invalidProof("it is not in the form of one", cause);
  }
  if (proven.head.id === named) return proven;
  throw invalidProof(`it does not lead to the set ${named} that it names`);
}

function unpack(reader: ByteReader): ProvenMembership & { named: string } {
  const chainId = reader.number(Number.MAX_SAFE_INTEGER);
  const registry = getAddress(hexlify(reader.take(ADDRESS_BYTES)));
  const named = hexlify(reader.take(HASH_BYTES));
  const registrant = getAddress(hexlify(reader.take(ADDRESS_BYTES)));
  const count = reader.number(MAX_RECORDS);
  const shared = unpackClaims(reader);
  const index = reader.number(count - 1);
  const sha256 = hexlify(reader.take(HASH_BYTES));
  const size = reader.varint(MAX_SIZE);
  const siblings = Array.from({ length: anchorDepth(count) }, () => reader.take(HASH_BYTES));
  reader.end();
  const record = setRecord(registrant, shared, { sha256, size });
  const id = recordIdOf(domainOf({ chainId, registry }), record);
  const root = hexlify(anchorRootOf(getBytes(id), index, siblings));
  const head = setHead({ chainId, registry }, registrant, shared, { root, count });
  return { named, head, membership: { record, id, index, proof: siblings.map((sibling) => hexlify(sibling)) } };
}

function unpackClaims(reader: ByteReader): SharedClaims {
  const kind = reader.oneOf(RECORD_KINDS);
  const aiTraining = reader.oneOf(AI_TRAINING);
  const license = toUtf8String(reader.take(reader.number(MAX_LICENSE_BYTES)));
  const manifestHash = hexlify(reader.take(HASH_BYTES));
  const parents = Array.from({ length: reader.number(MAX_PARENTS) }, (): Edge => {
    const parent = hexlify(reader.take(HASH_BYTES));
    return { parent, kind: reader.oneOf(EDGE_KINDS) };
  });
  return { kind, license, aiTraining, parents, manifestHash };
}

function invalidProof(reason: string, cause?: unknown): HoldfastError {
  const hint = "ask for it again, from whoever made it of the set file";
  return new HoldfastError("PROOF_INVALID", `this is no proof of a file: ${reason}`, hint, { cause });
}
