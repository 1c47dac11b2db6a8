/** What a proving keeper knows of its deals: where each stands, which of its windows is next, and when to look again. */
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import type { HeadUpdate } from "../chain/follower.js";
import type { Tier } from "../protocol/index.js";
import type { Duties, DutyRef, PlannedDuty } from "../store/duties.js";
import { Agenda } from "./agenda.js";
import { type Deal, DealBook, hasEnded, readDeals } from "./deals.js";
import { Duty, type DutyBlocks, nextDuty, nextWindow } from "./duty.js";
import { MissTeller } from "./misses.js";
import type { OpenDuties } from "./open-duties.js";

/** Told of what is learnt. */
export interface RosterListener {
  /** Deals as they stand at the head, before anything else is told of them. */
  read(deals: readonly Deal[], absent: readonly bigint[]): void;
  found(deal: Deal): void;
  ended(deal: Deal): void;
  /** A window is open; again where its proof was taken back. */
  due(duty: Duty): void;
  /** Somebody else has proven it. */
  proven(duty: Duty): void;
  /** Its time is over without a proof. */
  over(duty: Duty): void;
  missed(miss: DutyRef, duty: Duty | undefined): void;
}

export interface RosterOptions {
  readonly chain: Chain;
  readonly provider: string;
  readonly duties: Duties;
  readonly open: OpenDuties;
  readonly listener: RosterListener;
  readonly logger: Logger;
}

/** What is remembered of a deal. */
interface Kept {
  /** The head at which it was read. */
  readonly readAt: number;
  readonly ended: boolean;
  /** Its last window that has opened, as long as it matters. */
  readonly duty: Duty | undefined;
  /** The epoch of the duty that was planned last: a reorganisation may move a window to another. */
  planned: number;
}

/** Deals that are read before what was learnt is noted. */
const PORTION = 400;
/** Blocks after which a deal is asked for again whose opening is in no block any more. */
const ASK_AGAIN = 8;

export class Roster {
  readonly #o: RosterOptions;
  readonly #book: DealBook;
  readonly #misses: MissTeller;
  readonly #agenda = new Agenda();
  readonly #kept = new Map<bigint, Kept>();
  #toPlan: PlannedDuty[] = [];
  #telling: Promise<void> = Promise.resolve();
  /** Deals whose misses could not be told of. */
  #untold: readonly Deal[] = [];
  #head = 0;

  constructor(options: RosterOptions) {
    this.#o = options;
    this.#book = new DealBook(options.chain, options.provider);
    this.#misses = new MissTeller(options.chain, options.duties);
  }

  /**
   * Learns what a head has brought.
   *
   * @throws what the node or the duties throw; called with the same update again, it goes on
   */
  async look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { open } = this.#o;
    const { head, ancestor } = update;
    this.#head = head.number;
    if (ancestor !== undefined) this.#forgetAfter(ancestor);
    await this.#book.sync(update, signal);
    for (const id of this.#book.takeFound()) this.#agenda.put(id, 0);
    for (const { deal } of await open.vanished(head.number)) this.#agenda.put(deal.id, 0);
    // Before somebody is told that a proof is late: another keeper's may be in a block.
    for (const { deal, state } of open.late(head.number)) if (state !== "busy") this.#agenda.put(deal.id, 0);
    await this.#read(signal);
  }

  /** Notes duties that were learnt of, so that they can be claimed. @throws what the duties throw; they are noted the next time then */
  async plan(): Promise<void> {
    const planned = this.#toPlan;
    this.#toPlan = [];
    await this.#o.duties.plan(planned).catch((error: unknown) => {
      this.#toPlan = [...planned, ...this.#toPlan];
      throw error;
    });
  }

  /**
   * Notes that a duty is proven, so that its deal is left alone until the next one.
   *
   * @param own - false where others say so, of a block that is not known here: it is looked at once more, while there is time
   */
  proven(duty: Duty, own: boolean): void {
    const { deal, window } = duty;
    const next = nextWindow({ ...deal, lastProven: window }, this.#tier(deal), this.#head);
    this.#agenda.put(deal.id, own ? next.epoch : Math.min(next.epoch, Math.max(this.#head + 1, duty.halfway)));
    if (next.window <= deal.periods) this.#plan(deal.id, next);
  }

  /** What was read from blocks that are gone is read again. Work that is under way ends by itself. */
  #forgetAfter(ancestor: number): void {
    this.#o.open.forgetAfter(ancestor);
    for (const [id, { readAt, duty }] of this.#kept) {
      if (readAt > ancestor || (duty?.provenIn ?? 0) > ancestor) this.#agenda.put(id, 0);
    }
  }

  /** Reads deals for which the head may change something: new ones, windows that open, windows that are over. */
  async #read(signal: AbortSignal): Promise<void> {
    // What is being sent says by itself what it came to.
    const due = this.#agenda.due(this.#head).filter((id) => this.#kept.get(id)?.duty?.state !== "busy");
    // A portion at a time: what was read stays read where a later one fails.
    for (let at = 0; at < due.length; at += PORTION) await this.#learn(due.slice(at, at + PORTION), signal);
  }

  async #learn(ids: readonly bigint[], signal: AbortSignal): Promise<void> {
    const { chain, duties } = this.#o;
    const deals = await readDeals(chain, ids, signal, this.#head);
    const before = new Map(deals.map(({ id }) => [id, this.#kept.get(id)?.duty]));
    const absent = deals.length === ids.length ? [] : ids.filter((id) => !before.has(id));
    this.#o.listener.read(deals, absent);
    for (const id of ids) this.#agenda.put(id, this.#head + ASK_AGAIN);
    const again = deals.flatMap((deal) => this.#take(deal) ?? []);
    for (const [epoch, some] of Map.groupBy(again, (duty) => duty.epoch)) {
      const forgotten = some.map(({ deal }) => deal.id);
      await duties.reopen(epoch, forgotten);
    }
    this.#tellMisses(deals, before, signal);
  }

  /**
   * Tells of misses beside everything else: to find out which windows they were may take long, and what is due must not wait for it.
   * What fails is tried again with what is read next.
   */
  #tellMisses(deals: readonly Deal[], duties: ReadonlyMap<bigint, Duty | undefined>, signal: AbortSignal): void {
    const head = this.#head;
    this.#telling = this.#telling.then(async () => {
      const all = [...new Map([...this.#untold, ...deals].map((deal) => [deal.id, deal])).values()];
      this.#untold = [];
      try {
        for (const miss of await this.#misses.untold(all, head, signal))
          this.#o.listener.missed(miss, duties.get(miss.id));
      } catch (err) {
        this.#untold = all;
        if (!signal.aborted) this.#o.logger.warn({ err }, "misses can't be told of yet");
      }
    });
  }

  /** Resolves when what is being told has been. */
  settled(): Promise<void> {
    return this.#telling;
  }

  /** Learns where a deal stands; gives its duty where that was proven and is not any more. */
  #take(deal: Deal): Duty | undefined {
    const { id } = deal;
    const { listener, open } = this.#o;
    const known = this.#kept.get(id);
    if (known === undefined) listener.found(deal);
    const tier = this.#tier(deal);
    const next = nextDuty(deal, tier, this.#head);
    const before = known?.duty;
    const isSame = before?.window === next?.window && before?.epoch === next?.epoch;
    if (before !== undefined && !isSame) this.#close(before, deal);
    const isOpen = next !== undefined && next.epoch <= this.#head;
    const duty = isOpen ? (isSame && before ? before : new Duty(deal, next, tier)) : undefined;
    const ended = hasEnded(deal);
    if (ended && known?.ended !== true) listener.ended(deal);
    this.#kept.set(id, { readAt: this.#head, ended, duty, planned: known?.planned ?? 0 });
    if (next !== undefined) this.#plan(id, next);
    // Whatever N is: somebody may have extended the deal by then.
    const upcoming = nextWindow(deal, tier, this.#head).epoch;
    this.#agenda.put(id, ended ? Infinity : (duty?.lastBlock ?? next?.epoch ?? upcoming));
    if (duty === undefined || (duty === before && duty.state !== "proven")) return undefined;
    duty.reopen();
    open.add(duty);
    listener.due(duty);
    return duty === before ? duty : undefined;
  }

  #plan(id: bigint, { window, epoch, lastBlock }: DutyBlocks): void {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.planned === epoch) return;
    kept.planned = epoch;
    this.#toPlan.push({ id, window, epoch, lastBlock });
  }

  /** A duty whose time is over, one way or the other. */
  #close(duty: Duty, { lastProven }: Deal): void {
    const { listener, open } = this.#o;
    if (duty.state === "proven") return;
    open.remove(duty);
    if (lastProven >= duty.window) listener.proven(duty);
    else listener.over(duty);
  }

  #tier(deal: Deal): Tier {
    return this.#o.chain.deployment.tiers[deal.tier]!;
  }
}
