import { hexlify } from "ethers";
import { anchorZeros } from "../../protocol/anchor-tree.js";
import { recordIdOf } from "../../protocol/index.js";
import { domainOf, type Membership, type SetHead, setRecord, verifyMembership } from "./claims.js";
import { CONTENT_BYTES, invalidSetFile, type Layout, unpackContent } from "./layout.js";

/** Gives bytes of a set file, counted from the end of its header; as many as were asked for, or it fails. */
export type ReadRange = (offset: number, length: number) => Promise<Uint8Array>;

const HASH_BYTES = 32;
/** As many contents are read at once when the search has come so near: 2.5 KiB. */
const BLOCK = 64;

/** Places among which a content has to be, from `low` up to and without `high`. */
interface Span {
  readonly low: number;
  readonly high: number;
  /** SHA-256 at the first and at the last of them, as far as they were seen. */
  readonly first?: string;
  readonly last?: string;
}

/** Looks contents up in a set, by reading a few small ranges of it. Nothing that is read is believed. */
export class SetSearch {
  readonly #head: SetHead;
  readonly #count: number;
  readonly #layout: Layout;
  readonly #read: ReadRange;

  constructor(head: SetHead, layout: Layout, read: ReadRange) {
    this.#head = head;
    this.#count = Number(head.set.count);
    this.#layout = layout;
    this.#read = read;
  }

  /**
   * The record of a content, its proof verified against the set's root. That there is none is verified as well: by the
   * proofs of the records between which it would be.
   *
   * @param sha256 - 32 bytes in lower-case hex
   * @throws HoldfastError `SET_FILE_INVALID`
   */
  async find(sha256: string): Promise<Membership | undefined> {
    const { low, high } = await this.#narrow(sha256);
    const hashes = await this.#hashes(low, high);
    requireAscending(hashes);
    const place = hashes.findIndex((hash) => hash >= sha256);
    const index = place < 0 ? high : low + place;
    const above = index < this.#count ? await this.#membership(index) : undefined;
    if (above?.record.contentHash === sha256) return above;
    const below = index > 0 ? await this.#membership(index - 1) : undefined;
    requireAscending([below?.record.contentHash, sha256, above?.record.contentHash]);
    return undefined;
  }

  /** Halves the span until the rest is small. */
  async #narrow(sha256: string): Promise<Span> {
    let span: Span = { low: 0, high: this.#count };
    while (span.high - span.low > BLOCK) {
      const middle = Math.floor((span.low + span.high) / 2);
      const [hash] = (await this.#hashes(middle, middle + 1)) as [string];
      requireAscending([span.first, hash, span.last]);
      span = hash < sha256 ? { ...span, low: middle, first: hash } : { ...span, high: middle + 1, last: hash };
    }
    return span;
  }

  async #hashes(low: number, high: number): Promise<string[]> {
    const bytes = await this.#read(CONTENT_BYTES * low, CONTENT_BYTES * (high - low));
    return Array.from({ length: high - low }, (_, i) => hexlify(unpackContent(bytes, CONTENT_BYTES * i).hash));
  }

  async #membership(index: number): Promise<Membership> {
    const { hash, size } = unpackContent(await this.#read(CONTENT_BYTES * index, CONTENT_BYTES), 0);
    const { set, shared } = this.#head;
    const record = setRecord(set.registrant, shared, { sha256: hexlify(hash), size });
    const id = recordIdOf(domainOf(this.#head), record);
    const membership: Membership = { record, id, index, proof: await this.#proof(index) };
    if (verifyMembership(membership, this.#head)) return membership;
    throw invalidSetFile(`what it says of record ${index} does not lead to the set's root`);
  }

  async #proof(index: number): Promise<string[]> {
    const below = this.#layout.layers.slice(0, -1);
    const zeros = anchorZeros(below.length);
    const siblings = below.map(async ({ at, nodes }, level) => {
      const place = Math.floor(index / 2 ** level) ^ 1;
      return place < nodes ? this.#read(at + HASH_BYTES * place, HASH_BYTES) : (zeros[level] as Uint8Array);
    });
    return (await Promise.all(siblings)).map((sibling) => hexlify(sibling));
  }
}

function requireAscending(hashes: readonly (string | undefined)[]): void {
  const seen = hashes.filter((hash) => hash !== undefined);
  if (seen.some((hash, i) => i > 0 && (seen[i - 1] as string) >= hash)) {
    throw invalidSetFile("what is in it does not ascend");
  }
}
