/** Names that are remembered. */
const MAX_NAMES = 10_000;

/** Which pieces the index had, and when: who serves a small range need not ask a database first, each time. */
export class Seen {
  /** Milliseconds of `performance.now()`, by name; the oldest first. */
  readonly #at = new Map<string, number>();

  /** @param at - when the index was asked, not when it answered */
  note(name: string, at: number): void {
    this.#at.delete(name);
    this.#at.set(name, at);
    const [oldest] = this.#at.keys();
    if (this.#at.size > MAX_NAMES && oldest !== undefined) this.#at.delete(oldest);
  }

  isFresh(name: string, maxAgeMs: number): boolean {
    const at = this.#at.get(name);
    return at !== undefined && performance.now() - at < maxAgeMs;
  }

  forget(name: string): void {
    this.#at.delete(name);
  }
}
