import { LRUCache } from "lru-cache";

/** Which pieces the index had, and when: who serves a small range need not ask a database first, each time. */
export class Seen {
  /** Milliseconds of `performance.now()`, by name. */
  readonly #at = new LRUCache<string, number>({ max: 10_000 });

  /** @param at - when the index was asked, not when it answered */
  note(name: string, at: number): void {
    this.#at.set(name, at);
  }

  isFresh(name: string, maxAgeMs: number): boolean {
    const at = this.#at.get(name);
    return at !== undefined && performance.now() - at < maxAgeMs;
  }

  forget(name: string): void {
    this.#at.delete(name);
  }
}
