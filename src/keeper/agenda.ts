/** When each deal has to be looked at next. */

/** Deals by the block at which something of them may change. Many share one, since a provider's challenges fall together. */
export class Agenda {
  readonly #at = new Map<bigint, number>();
  readonly #blocks = new Map<number, Set<bigint>>();

  /** Puts a deal down for a block, and for no other any more; Infinity: never again. */
  put(id: bigint, block: number): void {
    this.#remove(id);
    if (block === Infinity) return;
    this.#at.set(id, block);
    const there = this.#blocks.get(block);
    if (there === undefined) this.#blocks.set(block, new Set([id]));
    else there.add(id);
  }

  /** What is to be looked at by a head. It stays until it is put down for another block. */
  due(head: number): bigint[] {
    const due: bigint[] = [];
    for (const [block, ids] of this.#blocks) if (block <= head) for (const id of ids) due.push(id);
    return due;
  }

  #remove(id: bigint): void {
    const block = this.#at.get(id);
    if (block === undefined) return;
    this.#at.delete(id);
    const there = this.#blocks.get(block);
    there?.delete(id);
    if (there?.size === 0) this.#blocks.delete(block);
  }
}
