/**
 * The disk that bytes arrive on: so much of it is left alone, whoever sends or fetches, and however many at once.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";

export interface DiskRoomOptions {
  /** Bytes that are free where bytes arrive. */
  readonly freeBytes: () => Promise<number>;
  /** Bytes that are left alone. */
  readonly minFreeBytes: number;
}

/** Bytes of one transfer that were announced and have not come. */
interface Claim {
  missing: number;
}

/** What all that arrives on one disk is counted in. */
interface Books {
  readonly freeBytes: () => Promise<number>;
  readonly claims: Set<Claim>;
  /** Bytes that have come since the disk was last found to have room. */
  since: number;
}

export type Bytes = AsyncIterable<Uint8Array>;

/** Has `body`'s bytes counted as they come. @throws HoldfastError `DISK_FULL`, out of the iteration */
export type Meter = (body: Bytes) => AsyncGenerator<Uint8Array, void, undefined>;

/** Bytes between two looks at the disk, of all transfers together. */
const STRIDE = 16 << 20;

/**
 * Decides whether bytes may come. What is announced has its place from the moment that it is asked about until it is here, or
 * the transfer is over; what the file system says is looked at again all the way, since others write there too.
 */
export class DiskRoom {
  readonly #books: Books;
  readonly #minFree: number;

  constructor({ freeBytes, minFreeBytes }: DiskRoomOptions, books?: Books) {
    this.#books = books ?? { freeBytes, claims: new Set(), since: 0 };
    this.#minFree = minFreeBytes;
  }

  /** The same disk, of which another number of bytes is left alone. */
  keeping(minFreeBytes: number): DiskRoom {
    return new DiskRoom({ freeBytes: this.#books.freeBytes, minFreeBytes }, this.#books);
  }

  /** Whether so much is free as has to stay so, whatever is announced. @throws HoldfastError `DISK_FULL` */
  async checkFree(): Promise<void> {
    if ((await this.#books.freeBytes()) < this.#minFree) throw full();
  }

  /** Whether so many bytes could come, beside what is announced. @throws HoldfastError `DISK_FULL` */
  async check(bytes: number): Promise<void> {
    const free = await this.#books.freeBytes();
    // What is announced is added up now, and not before the wait.
    if (free - this.#missing() - bytes < this.#minFree) throw full();
  }

  /** Of two that come at once, the first has the room. */
  async #checkClaim(claim: Claim): Promise<void> {
    const free = await this.#books.freeBytes();
    if (free - this.#missing(claim) < this.#minFree) throw full();
  }

  /**
   * Runs a transfer for which there is room.
   *
   * @param bytes - that are announced; 0 where nobody knows
   * @param take - takes the bytes, each body of them by way of `meter`
   * @throws HoldfastError `DISK_FULL` where there is none; what `take` throws
   */
  async during<T>(bytes: number, take: (meter: Meter) => Promise<T>): Promise<T> {
    const claim: Claim = { missing: bytes };
    const { claims } = this.#books;
    // Before anything is waited for, so that who comes next sees it.
    claims.add(claim);
    try {
      await this.#checkClaim(claim);
      return await take((body) => this.#metered(body, claim));
    } finally {
      claims.delete(claim);
    }
  }

  async *#metered(body: Bytes, claim: Claim): AsyncGenerator<Uint8Array, void, undefined> {
    const books = this.#books;
    for await (const chunk of body) {
      books.since += chunk.length;
      if (books.since >= STRIDE) await this.#look(claim, chunk.length);
      claim.missing = Math.max(0, claim.missing - chunk.length);
      yield chunk;
    }
  }

  /** What was not announced makes way for what was; that one ends only where the disk itself has too little. */
  async #look(claim: Claim, bytes: number): Promise<void> {
    if (claim.missing > 0) await this.checkFree();
    else await this.check(bytes);
    this.#books.since = 0;
  }

  /** Announced and not here: all of it, or what was up to and with a claim. */
  #missing(last?: Claim): number {
    let bytes = 0;
    for (const claim of this.#books.claims) {
      bytes += claim.missing;
      if (claim === last) break;
    }
    return bytes;
  }
}

function full(): HoldfastError {
  const hint = "try later, or another provider; its operator can free some space";
  return new HoldfastError("DISK_FULL", "there is no space for this piece", hint);
}
