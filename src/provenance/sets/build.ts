import { getAddress, getBytes, hexlify, toUtf8Bytes } from "ethers";
import { HoldfastError } from "../../errors.js";
import { AnchorTree, MAX_LICENSE_BYTES, NO_HASH, sortEdges } from "../../protocol/index.js";
import {
  domainOf,
  type Registry,
  type SetContent,
  type SetHead,
  type SharedClaims,
  setHead,
  setRecord,
} from "./claims.js";
import { CONTENT_BYTES, packContent, unpackContent } from "./layout.js";
import { recordIds } from "./record-ids.js";

export interface SetPlan extends Registry {
  /** Who claims it, and has to send or sign the set. */
  readonly registrant: string;
  readonly shared: SharedClaims;
  /** In any order, the same content as often as it comes. */
  readonly entries: Iterable<SetContent>;
}

/** A set with all that its file holds. */
export interface BuiltSet extends SetHead {
  /** What is in it, packed, in ascending order of SHA-256: see `docs/sets.md`. */
  readonly contents: Uint8Array;
  readonly tree: AnchorTree;
}

const HASH_FORM = /^0x[0-9a-f]{64}$/;
const MAX_SIZE = 2n ** 64n - 1n;

/**
 * Makes one set of many contents: a record for each that is different, in ascending order of SHA-256, so that its place
 * is found by search, and so that the same contents give the same set. It takes 5 seconds or more for 100,000, in one go;
 * 104 bytes of memory a record are kept.
 *
 * @throws HoldfastError `EMPTY_SET` without entries; `CONTENT_CONFLICT` where one hash comes with two sizes;
 *   `TOO_MANY_PARENTS`, `INVALID_LICENSE` as the contract would refuse its records
 * @throws TypeError where a hash, a size or a claim has not its form
 *
 * @example
 * const entries = await hashFolder("photos");
 * const set = buildSet({ chainId, registry, registrant, shared, entries });
 * await contract.anchor(anchorStruct(set.set));
 */
export function buildSet(plan: SetPlan): BuiltSet {
  const registry = { chainId: plan.chainId, registry: getAddress(plan.registry) };
  const registrant = getAddress(plan.registrant);
  const shared = checkedClaims(plan.shared);
  const contents = packSorted(plan.entries);
  const like = setRecord(registrant, shared, { sha256: NO_HASH, size: 0n });
  const tree = AnchorTree.of(idsOf(contents, recordIds(domainOf(registry), like)));
  const head = setHead(registry, registrant, shared, { root: hexlify(tree.root), count: tree.count });
  return { ...head, contents, tree };
}

/** In the one form that they have in a set file, and without what else the caller's object holds. */
function checkedClaims({ kind, license, aiTraining, parents, manifestHash }: SharedClaims): SharedClaims {
  if (toUtf8Bytes(license).length > MAX_LICENSE_BYTES) throw longLicense();
  return { kind, license, aiTraining, parents: sortEdges(parents), manifestHash: manifestHash.toLowerCase() };
}

function* idsOf(contents: Uint8Array, idOf: ReturnType<typeof recordIds>): Generator<Uint8Array> {
  for (let at = 0; at < contents.length; at += CONTENT_BYTES) {
    const { hash, size } = unpackContent(contents, at);
    yield idOf(hash, size);
  }
}

/** Each content once, packed. */
function packSorted(entries: Iterable<SetContent>): Uint8Array {
  const sorted = Array.from(entries, checked).sort((a, b) => (a.sha256 < b.sha256 ? -1 : a.sha256 > b.sha256 ? 1 : 0));
  const contents = new Uint8Array(CONTENT_BYTES * sorted.length);
  let end = 0;
  for (const [i, { sha256, size }] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before?.sha256 === sha256) {
      if (before.size !== size) throw conflict(sha256, before.size, size);
      continue;
    }
    packContent(contents, end, { hash: getBytes(sha256), size });
    end += CONTENT_BYTES;
  }
  return contents.slice(0, end);
}

function checked({ sha256, size }: SetContent): SetContent {
  const hash = sha256.toLowerCase();
  if (!HASH_FORM.test(hash)) throw new TypeError(`${sha256} is not 32 bytes in hex`);
  if (size < 0n || size > MAX_SIZE) throw new TypeError(`a size of ${size} bytes does not fit in 64 bits`);
  return { sha256: hash, size };
}

function conflict(sha256: string, ...sizes: bigint[]): HoldfastError {
  const message = `${sha256} comes with two sizes: ${sizes.join(" and ")} bytes`;
  return new HoldfastError("CONTENT_CONFLICT", message, "hash the files again: the same bytes have one size");
}

function longLicense(): HoldfastError {
  const hint = "name it by its SPDX id, or as LicenseRef- and a short name";
  return new HoldfastError("INVALID_LICENSE", `a licence takes at most ${MAX_LICENSE_BYTES} bytes`, hint);
}
