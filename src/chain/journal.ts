/**
 * What a sender has signed, kept before it is sent: so that whoever goes on after a crash sends the same bytes again, and
 * never two for one thing.
 *
 * @packageDocumentation
 */
import type { Call } from "./call.js";
import type { Fees } from "./fees.js";
import { Mutex } from "./mutex.js";

/** What is to be sent, before it has a nonce. */
export interface Intent {
  /** The account that pays. */
  readonly from: string;
  readonly call: Call;
  /** What it is for, in messages. */
  readonly doing: string;
  readonly gasLimit: bigint;
  /** Names of what it does, of which no two transactions may be on their way: `prove 0x…/12`. */
  readonly guards: readonly string[];
}

/** One transaction, signed. */
export interface SignedAttempt {
  readonly hash: string;
  /** The bytes, in hex. */
  readonly raw: string;
  readonly fees: Fees;
}

/** An intent with its nonce and the bytes that were signed for it: one transaction, or, replaced, several of one nonce. */
export interface JournalEntry extends Intent {
  readonly id: string;
  /** That it was mined in, as far as it is known. */
  readonly block?: number;
  readonly nonce: number;
  /** The oldest first; at least one. */
  readonly attempts: readonly SignedAttempt[];
}

/** An entry, or the one that does some of the same: on its way, or mined so lately that it may have been taken back. */
export type Recorded = { readonly entry: JournalEntry } | { readonly guardedBy: JournalEntry };

/**
 * Keeps entries: live from when they are recorded until they are mined, or dropped because they never can be. Accounts are
 * those of one chain.
 */
export interface Journal {
  /**
   * Gives an intent a nonce and keeps what is signed for it, before it resolves. Of all that record for an account, in
   * whatever process, one does at a time.
   *
   * A journal that outlives its process also gives, once, what was mined lately by the same account and which this process has not seen in
   * its block yet: whoever looks for it there, and notes it by {@link mined}, may record.
   *
   * @param nonceAt - chooses the nonce; `next` follows on the highest live one, and is undefined where none is live
   * @param sign - signs with that nonce
   * @throws what `sign` throws; nothing is kept then
   */
  record(
    intent: Intent,
    nonceAt: (next: number | undefined) => number,
    sign: (nonce: number) => Promise<SignedAttempt>,
  ): Promise<Recorded>;
  /** Keeps another transaction of an entry's nonce, before it is sent. */
  add(id: string, attempt: SignedAttempt): Promise<void>;
  /** It is in a block: what it guarded is free, unless that block goes. */
  mined(id: string, block: number): Promise<void>;
  /** It never will be in a block: its nonce is somebody else's, or no node takes it. */
  drop(id: string): Promise<void>;
  /** An entry as it is now, with what others have signed for its nonce; undefined where it was dropped, or forgotten. */
  find(id: string): Promise<JournalEntry | undefined>;
  /** Entries of an account that are live, by nonce. */
  live(from: string): Promise<JournalEntry[]>;
  /** Nonces of an account, from one on, that are live or were mined: of all others it used, nobody here knows. */
  nonces(from: string, least: number): Promise<number[]>;
  /** Entries that were mined after a block, by nonce. */
  minedAfter(from: string, block: number): Promise<JournalEntry[]>;
  /** Makes those live again that were mined after a block, which are in none any more; gives them, by nonce. */
  reopen(from: string, ancestor: number): Promise<JournalEntry[]>;
  /** Forgets entries that were mined up to a block, and dropped ones: nothing will make them live again. */
  forget(from: string, block: number): Promise<void>;
}

interface Kept {
  entry: JournalEntry;
  block: number | undefined;
}

/** A journal that lasts as long as the process: for commands and browsers, where the same work is begun anew by a person. */
export class MemoryJournal implements Journal {
  readonly #recording = new Mutex();
  readonly #kept = new Map<string, Kept>();
  #ids = 0;

  record(...[intent, nonceAt, sign]: Parameters<Journal["record"]>): Promise<Recorded> {
    return this.#recording.run(async () => {
      const wanted = new Set(intent.guards);
      for (const { entry, block } of this.#kept.values()) {
        if (block === undefined && entry.guards.some((guard) => wanted.has(guard))) return { guardedBy: entry };
      }
      const last = this.#of(intent.from, ({ block }) => block === undefined).at(-1);
      const nonce = nonceAt(last === undefined ? undefined : last.nonce + 1);
      const entry = { ...intent, id: String(this.#ids++), nonce, attempts: [await sign(nonce)] };
      this.#kept.set(entry.id, { entry, block: undefined });
      return { entry };
    });
  }

  async add(id: string, attempt: SignedAttempt): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept) kept.entry = { ...kept.entry, attempts: [...kept.entry.attempts, attempt] };
  }

  async mined(id: string, block: number): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept) kept.block = block;
  }

  async drop(id: string): Promise<void> {
    this.#kept.delete(id);
  }

  async find(id: string): Promise<JournalEntry | undefined> {
    const kept = this.#kept.get(id);
    return kept && { ...kept.entry, ...(kept.block !== undefined && { block: kept.block }) };
  }

  async nonces(from: string, least: number): Promise<number[]> {
    return this.#of(from, ({ entry }) => entry.nonce >= least).map(({ nonce }) => nonce);
  }

  async live(from: string): Promise<JournalEntry[]> {
    return this.#of(from, ({ block }) => block === undefined);
  }

  async minedAfter(from: string, after: number): Promise<JournalEntry[]> {
    return this.#of(from, ({ block }) => block !== undefined && block > after);
  }

  async reopen(from: string, ancestor: number): Promise<JournalEntry[]> {
    const gone = this.#of(from, ({ block }) => block !== undefined && block > ancestor);
    for (const { id } of gone) (this.#kept.get(id) as Kept).block = undefined;
    return gone;
  }

  async forget(from: string, block: number): Promise<void> {
    for (const { id } of this.#of(from, (kept) => kept.block !== undefined && kept.block <= block)) {
      this.#kept.delete(id);
    }
  }

  #of(from: string, wanted: (kept: Kept) => boolean): JournalEntry[] {
    return [...this.#kept.values()]
      .filter((kept) => kept.entry.from === from && wanted(kept))
      .map(({ entry, block }) => ({ ...entry, ...(block !== undefined && { block }) }))
      .sort((a, b) => a.nonce - b.nonce);
  }
}
