import { randomUUID } from "node:crypto";
import { decodePieceCid } from "../../piece/index.js";
import type { Lease } from "./leases.js";
import { type IndexedPiece, type PieceIndex, type PieceTree, type PlacedPiece, treeKey } from "./types.js";

interface Entry extends PlacedPiece {
  readonly layer: Uint8Array | undefined;
  readonly promisedUntil: bigint | undefined;
}

/** An index that lasts as long as its process: for benches, and for tests of other things. */
export class MemoryPieceIndex implements PieceIndex {
  readonly #pieces = new Map<string, Entry>();
  readonly #trees = new Map<string, Set<string>>();
  readonly #leased = new Set<string>();
  #places = 0;

  async lease(name: string): Promise<Lease | undefined> {
    if (this.#leased.has(name)) return undefined;
    this.#leased.add(name);
    const { signal } = new AbortController();
    let held = true;
    const release = async () => {
      if (held) this.#leased.delete(name);
      held = false;
    };
    return { name, holder: randomUUID(), signal, check: () => undefined, release };
  }

  async get(pieceCid: string): Promise<IndexedPiece | undefined> {
    return this.#pieces.get(pieceCid);
  }

  async ofTree(tree: PieceTree): Promise<IndexedPiece[]> {
    return this.#ofTree(tree);
  }

  async put({ pieceCid, layer }: IndexedPiece): Promise<void> {
    const known = this.#pieces.get(pieceCid);
    const { place = ++this.#places, promisedUntil } = known ?? {};
    this.#pieces.set(pieceCid, { pieceCid, layer, place, promisedUntil });
    const key = treeKey(decodePieceCid(pieceCid));
    this.#trees.set(key, (this.#trees.get(key) ?? new Set()).add(pieceCid));
  }

  async drop(pieceCid: string, _: Lease, freeAt?: number): Promise<boolean> {
    const known = this.#pieces.get(pieceCid);
    if (freeAt !== undefined && (known?.promisedUntil ?? -1n) >= BigInt(freeAt)) return false;
    this.#pieces.delete(pieceCid);
    this.#trees.get(treeKey(decodePieceCid(pieceCid)))?.delete(pieceCid);
    return true;
  }

  async keepLayer({ pieceCid, layer }: IndexedPiece): Promise<void> {
    const known = this.#pieces.get(pieceCid);
    if (known) this.#pieces.set(pieceCid, { ...known, layer });
  }

  async promise(tree: PieceTree, until: bigint): Promise<IndexedPiece[]> {
    for (const { pieceCid } of this.#ofTree(tree)) {
      const known = this.#pieces.get(pieceCid) as Entry;
      const before = known.promisedUntil ?? -1n;
      this.#pieces.set(pieceCid, { ...known, promisedUntil: until > before ? until : before });
    }
    return this.#ofTree(tree);
  }

  async list(after = -1): Promise<PlacedPiece[]> {
    return [...this.#pieces.values()].filter(({ place }) => place > after).sort((a, b) => a.place - b.place);
  }

  #ofTree(tree: PieceTree): Entry[] {
    const cids = [...(this.#trees.get(treeKey(tree)) ?? [])];
    return cids.map((cid) => this.#pieces.get(cid) as Entry).sort((a, b) => a.place - b.place);
  }
}
