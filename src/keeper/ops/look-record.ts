/** Whether keepers come to the end of what they have to do at a head. One that fails at each does nothing, and says nothing. */

/** Heads that have to have come meanwhile: a chain that is quick, or wound on at will, brings many blocks between two looks. */
const HEADS = 3;

interface Look {
  /** The block that the keeper was done with last; 0 before the first. */
  readonly at: number;
  /** Heads that were seen since. */
  heads: number;
}

export class LookRecord {
  readonly #patience: number;
  readonly #looks = new Map<string, Look>();

  /** @param patience - blocks that a keeper may be behind */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /** A keeper from which looks are expected. */
  expect(keeper: string): void {
    this.looked(keeper, 0);
  }

  /** It is done with a head, or has got something done after it. */
  looked(keeper: string, at: number): void {
    this.#looks.set(keeper, { at, heads: 0 });
  }

  /** One more head was seen. */
  seen(): void {
    for (const look of this.#looks.values()) look.heads++;
  }

  /** Keepers that have not looked yet, or are too far behind a head, and the last block that they were done with. */
  late(head: number): { readonly keeper: string; readonly at: number }[] {
    const isLate = ({ at, heads }: Look) => at === 0 || (heads >= HEADS && head - at > this.#patience);
    return [...this.#looks].filter(([, look]) => isLate(look)).map(([keeper, { at }]) => ({ keeper, at }));
  }
}
