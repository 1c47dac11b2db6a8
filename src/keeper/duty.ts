/** A duty: what is to be proven, when, and how far it has come. */
import { closedAt, type Tier, type WindowBlocks, windowOf } from "../protocol/index.js";
import { type Deal, hasEnded } from "./deals.js";

/** A window that a deal has, and its blocks. */
export interface DutyBlocks extends WindowBlocks {
  readonly window: number;
}

/**
 * The next duty of a deal: the first window that is neither proven nor over when the block after `head` comes. Known long before its
 * challenge is: that depends on the block `epoch`.
 *
 * @returns undefined where the deal has no more windows, as far as it is known: it may be extended until its last challenge
 * @example
 * const duty = nextDuty(deal, tiers[deal.tier], head.number);
 * if (duty && duty.epoch <= head.number) prove(duty);
 */
export function nextDuty(deal: Deal, tier: Tier, head: number): DutyBlocks | undefined {
  const next = nextWindow(deal, tier, head);
  return hasEnded(deal) || next.window > deal.periods ? undefined : next;
}

/** The window after those that are over or proven, whether the deal has one or not: it may be extended meanwhile. */
export function nextWindow({ firstEpoch, lastProven }: Deal, tier: Tier, head: number): DutyBlocks {
  const window = Math.max(closedAt(firstEpoch, tier, Infinity, head + 1), lastProven) + 1;
  return { window, ...windowOf(firstEpoch, tier, window) };
}

/** Share of a window after which somebody is told that its proof is not in a block. */
const WARN_SHARE = 0.5;
/** Shares after which more is paid for it, a quarter each time: three times as much at the end, and no more. */
const HURRY_SHARES = [0.75, 0.8, 0.85, 0.9, 0.95];
const LADDER = [WARN_SHARE, ...HURRY_SHARES];

/** Blocks whose hashes every chain serves; with EIP-2935 there are 8,191. A seed that nobody has read or checkpointed by then is lost. */
const LEAST_HISTORY = 256;

/** `open`: to be done. `busy`: it is being built or sent here. `proven`: as far as it is known. */
export type DutyState = "open" | "busy" | "proven";

/** A duty whose window has opened. */
export class Duty implements DutyBlocks {
  readonly deal: Deal;
  readonly window: number;
  readonly epoch: number;
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly #length: number;
  state: DutyState = "open";
  /** Its proof, and the hash of the epoch's block that it was built for. */
  proof: { readonly key: string; readonly bytes: Uint8Array } | undefined;
  /** The block that its proof is in, where that is known. */
  provenIn: number | undefined;
  tries = 0;
  /** The head before which it is not tried again. */
  retryAt = 0;
  /** The trouble that was reported last. */
  code: string | undefined;
  /** Steps of the ladder that it has come to. */
  #late = 0;

  constructor(deal: Deal, blocks: DutyBlocks, tier: Tier) {
    this.deal = deal;
    this.window = blocks.window;
    this.epoch = blocks.epoch;
    this.firstBlock = blocks.firstBlock;
    this.lastBlock = blocks.lastBlock;
    this.#length = tier.window;
  }

  /** It is to be done, as if for the first time; a proof that fits is kept. */
  reopen(): void {
    this.state = "open";
    this.provenIn = undefined;
    this.retryAt = 0;
  }

  /** Whether somebody may begin it at a head. */
  isDue(head: number): boolean {
    return this.state === "open" && this.retryAt <= head && head < this.lastBlock;
  }

  /** The block at which half of its window is over. */
  get halfway(): number {
    return this.epoch + Math.floor(this.#length * WARN_SHARE);
  }

  /** Whether it may be lost by waiting: half of its window is over, or of the history that its seed may need. */
  isPressing(head: number): boolean {
    return head - this.epoch >= Math.min(this.#length * WARN_SHARE, LEAST_HISTORY / 2);
  }

  /** Whether little of its window is left. */
  isUrgent(head: number): boolean {
    return head - this.epoch >= this.#length * HURRY_SHARES[0]!;
  }

  /** Whether it has come to another step of the ladder. */
  isLate(head: number): boolean {
    const step = LADDER[this.#late];
    return step !== undefined && (head - this.epoch) / this.#length >= step;
  }

  /** The step of the ladder that it comes to at a head, and whether more is paid for it from there; undefined where none. */
  climb(head: number): { readonly share: number; readonly hurries: boolean } | undefined {
    const share = (head - this.epoch) / this.#length;
    let steps = this.#late;
    while (steps < LADDER.length && share >= LADDER[steps]!) steps++;
    if (steps === this.#late) return undefined;
    this.#late = steps;
    return { share: LADDER[steps - 1]!, hurries: steps > 1 };
  }

  /** Counts a failure. @param passing - it may be over at the next head @returns blocks to wait */
  failed(passing: boolean): number {
    const patience = Math.max(1, Math.floor(this.#length / 8));
    return passing ? 1 : Math.min(2 ** this.tries++, patience);
  }
}
