/** The duties whose window is open, by the epoch of their challenge, and the block that each epoch is drawn from. */
import type { Logger } from "pino";
import { blockAt, epochKey } from "../chain/blocks.js";
import type { Chain } from "../chain/chain.js";
import type { Head } from "../chain/follower.js";
import type { Duties } from "../store/duties.js";
import type { Duty } from "./duty.js";

/** Blocks for which the proof of a window is kept that is proven: as many as are followed. */
const KEPT_BLOCKS = 64;

/** The duties of one epoch that are not proven, by deal. */
export class OpenEpoch {
  readonly epoch: number;
  readonly duties = new Map<bigint, Duty>();
  /** What tells the epoch's block from others, see `epochKey`; undefined before it was asked for. */
  key: string | undefined;
  /** Whether that has to be asked again: the block may be another. */
  isUnsure = true;
  /** Whether they are being done. */
  isBusy = false;

  constructor(epoch: number) {
    this.epoch = epoch;
  }
}

export class OpenDuties {
  readonly #chain: Chain;
  readonly #duties: Duties;
  readonly #logger: Logger;
  readonly #epochs = new Map<number, OpenEpoch>();
  /** Blocks with proofs of ours that were not seen in the chain yet, by hash, and the duties. */
  readonly #landed = new Map<string, { readonly number: number; readonly duties: Duty[] }>();
  /** Duties whose proofs are kept, in case a reorganisation asks for them again. */
  #built: Duty[] = [];

  constructor(chain: Chain, duties: Duties, logger: Logger) {
    this.#chain = chain;
    this.#duties = duties;
    this.#logger = logger;
  }

  epochs(): OpenEpoch[] {
    return [...this.#epochs.values()];
  }

  at(epoch: number): OpenEpoch | undefined {
    return this.#epochs.get(epoch);
  }

  add(duty: Duty): void {
    const open = this.#epochs.get(duty.epoch) ?? new OpenEpoch(duty.epoch);
    this.#epochs.set(duty.epoch, open);
    open.duties.set(duty.deal.id, duty);
  }

  remove(duty: Duty): void {
    const open = this.#epochs.get(duty.epoch);
    open?.duties.delete(duty.deal.id);
    if (open !== undefined) this.prune(open);
  }

  /** Forgets an epoch of which nothing is left to do. */
  prune(open: OpenEpoch): void {
    if (open.duties.size === 0 && !open.isBusy) this.#epochs.delete(open.epoch);
  }

  /** Those that are late by one step more at a head. */
  late(head: number): Duty[] {
    const late: Duty[] = [];
    for (const { duties } of this.#epochs.values()) {
      for (const duty of duties.values()) if (duty.isLate(head)) late.push(duty);
    }
    return late;
  }

  /** Blocks after this one are others by now. */
  forgetAfter(ancestor: number): void {
    for (const open of this.#epochs.values()) if (open.epoch > ancestor) open.isUnsure = true;
  }

  /**
   * The key of an epoch's block, which the duties are told of; undefined where the node does not know it at this head. Where it is
   * another than before, what was built for the old one is of no use any more.
   *
   * @throws what the node throws
   */
  async keyOf(open: OpenEpoch, head: Head): Promise<string | undefined> {
    const { epoch, key, isUnsure } = open;
    if (!isUnsure) return key;
    const present = epoch === head.number ? head.hash : await epochKey(this.#chain.provider, epoch);
    if (present === undefined) return undefined;
    if (key !== undefined && key !== present)
      this.#logger.warn({ epoch, was: key, is: present }, "challenges are drawn anew");
    open.key = present;
    await this.#draw(open, present);
    return present;
  }

  /** Where the duties can't be told, nobody claims any of the epoch, and they are told the next time. */
  async #draw(open: OpenEpoch, key: string): Promise<void> {
    const { epoch } = open;
    try {
      await this.#duties.draw(epoch, key);
      open.isUnsure = false;
    } catch (err) {
      this.#logger.warn({ err, epoch }, "the block that challenges are drawn from could not be noted");
    }
  }

  /** Notes that a proof of ours is in a block. */
  landed(block: number, hash: string, duty: Duty): void {
    this.#built.push(duty);
    const there = this.#landed.get(hash);
    if (there === undefined) this.#landed.set(hash, { number: block, duties: [duty] });
    else there.duties.push(duty);
  }

  /**
   * Duties whose proof was in a block that the chain does not have, and that nobody followed: a receipt may come from a block that is
   * gone before it was anybody's head.
   */
  async vanished(head: number): Promise<Duty[]> {
    this.#dropProofs(head);
    const gone: Duty[] = [];
    const seen: string[] = [];
    for (const [hash, { number, duties }] of this.#landed) {
      if (number > head) continue;
      const block = await blockAt(this.#chain.provider, number);
      if (block?.hash !== hash) gone.push(...duties);
      seen.push(hash);
    }
    // Only now: where one can't be asked about, all are the next time.
    for (const hash of seen) this.#landed.delete(hash);
    return gone;
  }

  /** Proofs of ten thousand duties are a lot of memory. */
  #dropProofs(head: number): void {
    const isOld = (duty: Duty) => head - (duty.provenIn ?? head) > KEPT_BLOCKS;
    const [first] = this.#built;
    if (first === undefined || (first.state === "proven" && !isOld(first))) return;
    for (const duty of this.#built) if (duty.state === "proven" && isOld(duty)) duty.proof = undefined;
    this.#built = this.#built.filter((duty) => duty.state === "proven" && duty.proof !== undefined);
  }
}
