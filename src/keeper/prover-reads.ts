/** Reads of pieces side by side, so that those that hang, or are slow, hold up no other. */
import { Places } from "./places.js";

export interface PieceReadsOptions {
  /** Reads at a time; as many more of pieces that were slow before. */
  readonly readers: number;
  /** Milliseconds that one read may take. */
  readonly limitMs: number;
  /** What is said of one that takes longer. */
  readonly late: (id: bigint, ms: number) => Error;
}

/** A read that has begun, or waits among those that were slow before. */
export interface Reading<T> {
  /** What it came to, or why it did not. */
  readonly result: Promise<T>;
  /** Resolves where it takes long and is waited for beside the others; it may never. */
  readonly setAside: Promise<void>;
}

/** A twentieth of what a read may take: after that it is slow, and its place is another's. */
const PATIENCE_SHARE = 20;
/** Reads that are waited for beside the others, for each reader. More than that keep their places until they are given up. */
const ASIDE_PER_READER = 8;

export class PieceReads {
  readonly #o: PieceReadsOptions;
  readonly #places: Places;
  /** Of those that were slow when they were read last: a place of the others is too good for them. */
  readonly #slowPlaces: Places;
  readonly #slow = new Set<bigint>();
  /** Reads that are slow and have not come to an end, those that were given up included. */
  #overdue = 0;

  constructor(options: PieceReadsOptions) {
    this.#o = options;
    this.#places = new Places(options.readers);
    this.#slowPlaces = new Places(options.readers);
  }

  /**
   * Begins a read. Resolves when it has a place, or at once where the piece was slow when it was read last: it waits for a place
   * among those that were.
   *
   * @param id - names the piece
   */
  async begin<T>(id: bigint, read: () => Promise<T>): Promise<Reading<T>> {
    if (this.#slow.has(id)) {
      const result = this.#slowPlaces.enter().then(() => this.#read(id, read, this.#slowPlaces).result);
      return { result, setAside: Promise.resolve() };
    }
    await this.#places.enter();
    return this.#read(id, read, this.#places);
  }

  #read<T>(id: bigint, read: () => Promise<T>, places: Places): Reading<T> {
    const { limitMs, late } = this.#o;
    let holds = true;
    const leave = () => {
      if (holds) places.leave();
      holds = false;
    };
    const work = read();
    const setAside = new Promise<void>((resolve) => {
      let isSlow = false;
      const patience = setTimeout(() => {
        isSlow = true;
        if (!this.#mayStandAside(id, work)) return;
        leave();
        resolve();
      }, limitMs / PATIENCE_SHARE).unref();
      const over = () => {
        clearTimeout(patience);
        if (!isSlow) this.#slow.delete(id);
      };
      work.then(over, over);
    });
    // What comes after it was given up is nobody's.
    const result = within(limitMs, work, () => late(id, limitMs));
    result.then(leave, leave);
    return { result, setAside };
  }

  /** Notes that a read is slow; gives whether it may be waited for beside the others. */
  #mayStandAside(id: bigint, work: Promise<unknown>): boolean {
    this.#slow.add(id);
    this.#overdue++;
    const over = () => {
      this.#overdue--;
    };
    work.then(over, over);
    return this.#overdue <= this.#o.readers * ASIDE_PER_READER;
  }
}

/** Waits no longer than `ms`. */
async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms).unref();
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
  }
}
