import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Mutex } from "../../chain/mutex.js";
import { type Commitment, decodePieceCid, encodePieceCid } from "../../piece/index.js";
import type { PieceStore } from "../../store/index.js";
import type { Holding } from "../admission.js";

/** A piece that came without a deal. */
export interface UnpaidPiece {
  readonly pieceCid: string;
  readonly commitment: Commitment;
  /** The peer that it counts for. */
  readonly owner: string;
  /** When somebody relied on it last, in milliseconds of `now`. */
  since: number;
  /** Whether an earlier process took it, whose promises nobody remembers. */
  readonly recovered: boolean;
}

export interface UnpaidOptions {
  /** Where it is noted which pieces these are: a small file each, named by its CID. */
  readonly dir: string;
  readonly store: PieceStore;
  /** Milliseconds, as of any clock that only goes forward. */
  readonly now?: () => number;
}

const PART = ".part";

/**
 * Pieces that strangers left here and no deal was seen for. A piece is noted before it is in the store, so that none is
 * there that nobody would ever clear away.
 */
export class UnpaidPieces {
  readonly #dir: string;
  readonly #store: PieceStore;
  readonly #now: () => number;
  readonly #pieces = new Map<string, UnpaidPiece>();
  /** What is forgotten and noted again is noted in the end. */
  readonly #files = new Mutex();
  /** Notes that are being written. */
  readonly #noting = new Map<string, Promise<void>>();
  /** How many are bringing a piece at this moment. */
  readonly #coming = new Map<string, number>();

  private constructor({ dir, store, now = () => performance.now() }: UnpaidOptions) {
    this.#dir = dir;
    this.#store = store;
    this.#now = now;
  }

  /** Reads what was noted, and forgets what is not here any more. @throws what the file system throws */
  static async open(options: UnpaidOptions): Promise<UnpaidPieces> {
    await mkdir(options.dir, { recursive: true });
    const unpaid = new UnpaidPieces(options);
    for (const file of await readdir(options.dir)) await unpaid.#recover(file);
    return unpaid;
  }

  list(): UnpaidPiece[] {
    return [...this.#pieces.values()];
  }

  /** What they count for whom. */
  *holdings(): Generator<Holding> {
    for (const { owner, commitment } of this.#pieces.values()) yield { owner, bytes: Number(commitment.payloadSize) };
  }

  /**
   * Notes a piece while `bring` puts it into the store. One that is here already stays what it was.
   *
   * @throws what `bring` and the file system throw
   */
  async during(pieceCid: string, owner: string, bring: () => Promise<unknown>): Promise<void> {
    this.#coming.set(pieceCid, (this.#coming.get(pieceCid) ?? 0) + 1);
    try {
      if (!(await this.#store.find(pieceCid))) await this.add(pieceCid, owner);
      await bring();
    } finally {
      const others = (this.#coming.get(pieceCid) ?? 1) - 1;
      if (others > 0) this.#coming.set(pieceCid, others);
      else this.#coming.delete(pieceCid);
      if (others === 0 && !(await this.#store.find(pieceCid))) await this.forget(pieceCid);
      this.touch(pieceCid);
    }
  }

  /** Notes a piece, once, for whoever is first. Resolves when that is on disk. */
  async add(pieceCid: string, owner: string): Promise<void> {
    if (!this.#pieces.has(pieceCid)) {
      this.#pieces.set(pieceCid, this.#piece(pieceCid, owner, false));
      const noting = this.#note(pieceCid, owner).finally(() => this.#noting.delete(pieceCid));
      this.#noting.set(pieceCid, noting);
    }
    await this.#noting.get(pieceCid);
  }

  /** Whether somebody is bringing the piece at this moment. */
  isComing(pieceCid: string): boolean {
    return this.#coming.has(pieceCid);
  }

  /** Begins a piece's time anew. */
  touch(pieceCid: string): void {
    const piece = this.#pieces.get(pieceCid);
    if (piece) piece.since = this.#now();
  }

  /** A deal has the piece, or it is gone. */
  async forget(pieceCid: string): Promise<void> {
    if (!this.#pieces.delete(pieceCid)) return;
    await this.#files.run(() => rm(join(this.#dir, pieceCid), { force: true }));
  }

  async #note(pieceCid: string, owner: string): Promise<void> {
    const path = join(this.#dir, pieceCid);
    await this.#files.run(async () => {
      await writeFile(path + PART, owner, { flush: true });
      await rename(path + PART, path);
    });
  }

  async #recover(name: string): Promise<void> {
    const path = join(this.#dir, name);
    if (await this.#isPiece(name)) this.#pieces.set(name, this.#piece(name, await readFile(path, "utf8"), true));
    else await rm(path, { recursive: true, force: true });
  }

  /** Whether a note is of a piece that came. */
  async #isPiece(name: string): Promise<boolean> {
    try {
      return encodePieceCid(decodePieceCid(name)).toString() === name && (await this.#store.find(name)) !== undefined;
    } catch {
      return false; // Something else put it there.
    }
  }

  #piece(pieceCid: string, owner: string, recovered: boolean): UnpaidPiece {
    return { pieceCid, commitment: decodePieceCid(pieceCid), owner, since: this.#now(), recovered };
  }
}
