/** The keeper that anybody can run for the open market: what is lost is posted again, what is over is paid back. */
import { EventEmitter } from "node:events";
import { getAddress, type TransactionReceipt } from "ethers";
import type { Logger } from "pino";
import type { Chain } from "../chain/chain.js";
import { ChainError, chainError } from "../chain/errors.js";
import type { Head, HeadUpdate } from "../chain/follower.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import { Status, type Tier, windowOf } from "../protocol/index.js";
import { type Deal, DealBook, dueFrom, hasEnded, idText, nextChange } from "./deals.js";
import type { RepairEvents } from "./events.js";
import { watchHeads } from "./heads.js";
import { type SettlePolicy, settleAlways } from "./policy.js";
import { inBatches, isOver, type KnownRequest, RequestBook, type Vacancy } from "./requests.js";
import { settleGuard } from "./settle-guard.js";

export interface RepairKeeperOptions {
  readonly chain: Chain;
  /** Pays for the repairs, and gets their bounties. */
  readonly sender: TransactionSender;
  readonly logger: Logger;
  /** Which defaulted deals are worth a repair; all, by default. */
  readonly policy?: SettlePolicy;
  /**
   * Accounts of the operator's own. The client's requests are repaired whatever the policy says, and what is over goes back
   * to it; the provider's stake is unlocked. Neither account's key is needed.
   */
  readonly own?: { readonly client?: string; readonly provider?: string };
  /**
   * Blocks on top of the last window of an ended deal before anything is done about it, so that nobody is slashed, or replaced, for
   * what a reorganisation takes away; the deployment's challenge finality by default.
   */
  readonly depth?: number;
}

/** A replica with its deal as it stands. */
interface Case {
  readonly known: KnownRequest;
  readonly provider: string;
  readonly deal: Deal;
}

/** What this keeper calls of `StorageRequests`. */
type Call =
  | { readonly method: "repair" | "collect" | "unlock"; readonly provider: string; readonly dealId: bigint }
  | { readonly method: "refund" }
  | { readonly method: "refundSlot"; readonly slot: bigint };

/**
 * Follows all requests and does what is due about their replicas.
 *
 * A deal defaults when one of its windows closes and at no other time, so each is read once for each of its windows.
 *
 * @example
 * ```ts
 * const keeper = new RepairKeeper({ chain, sender, logger, policy: bountyAtLeast(new Map([[token, 10n ** 16n]])) });
 * keeper.on("repaired", ({ dealId, reposted }) => console.log(`deal ${dealId}: ${reposted ? "posted again" : "over"}`));
 * await keeper.run(signal);
 * ```
 */
export class RepairKeeper extends EventEmitter<RepairEvents> {
  readonly #options: RepairKeeperOptions;
  readonly #logger: Logger;
  readonly #policy: SettlePolicy;
  readonly #client: string | undefined;
  readonly #provider: string | undefined;
  readonly #book: RequestBook;
  readonly #deals: DealBook;
  /** The head at which a deal has to be looked at again; Infinity where nothing is left to do about it. */
  readonly #lookAt = new Map<bigint, number>();
  /** What is unfilled of the own client's requests, as last read. */
  readonly #unfilled = new Map<bigint, readonly Vacancy[]>();
  /** Own requests that have to be read. */
  readonly #unsure = new Set<bigint>();

  constructor(options: RepairKeeperOptions) {
    super();
    const { client, provider } = options.own ?? {};
    this.#options = options;
    this.#logger = options.logger.child({ keeper: "repairing" });
    this.#policy = options.policy ?? settleAlways;
    this.#client = client === undefined ? undefined : getAddress(client);
    this.#provider = provider === undefined ? undefined : getAddress(provider);
    this.#book = new RequestBook(options.chain);
    this.#deals = new DealBook(options.chain);
  }

  /** Works until the signal is aborted. Only listeners can make it fail. */
  run(signal: AbortSignal): Promise<void> {
    return watchHeads(this.#options.chain.follower, this.#logger, signal, (update) => this.#look(update, signal));
  }

  async #look(update: HeadUpdate, signal: AbortSignal): Promise<void> {
    const { head, ancestor } = update;
    if (ancestor !== undefined) this.#lookAt.clear();
    for (const id of await this.#book.sync(update, signal)) this.#unsure.add(id);
    const cases = await this.#cases(head, signal);
    await Promise.all(cases.map((one) => this.#tend(one, head, signal)));
    await this.#refund(head, signal);
    this.emit("head", { number: head.number });
  }

  /** Replicas that may need something, with their deals. */
  async #cases(head: Head, signal: AbortSignal): Promise<Case[]> {
    const asked = new Map<bigint, Omit<Case, "deal">>();
    for (const known of this.#book.requests) {
      for (const { dealId, provider } of known.replicas.values()) {
        const matters = known.request.repair || provider === this.#provider;
        if (matters && (this.#lookAt.get(dealId) ?? 0) <= head.number) asked.set(dealId, { known, provider });
      }
    }
    const deals = await this.#deals.read([...asked.keys()], signal);
    return deals.map((deal) => ({ ...asked.get(deal.id)!, deal }));
  }

  async #tend(one: Case, head: Head, signal: AbortSignal): Promise<void> {
    const { deal, known } = one;
    const tier = this.#options.chain.deployment.tiers[deal.tier]!;
    if (!hasEnded(deal)) {
      this.#lookAt.set(deal.id, nextChange(deal, tier));
      return;
    }
    const deepAt = this.#deepAt(deal, tier);
    if (deepAt > head.number) {
      this.#lookAt.set(deal.id, deepAt);
      return;
    }
    const { calls, later } = await this.#callsFor(one);
    // Whatever fails leaves the deal to be looked at again at the next head.
    const done = await inBatches(calls, signal, (call) => this.#do(known, call, signal));
    if (done.every(Boolean)) this.#lookAt.set(deal.id, later ? head.number + tier.period : Infinity);
  }

  /** The head at which the end of a deal is as deep as it has to be. */
  #deepAt({ firstEpoch, standing }: Deal, tier: Tier): number {
    const { chain, depth = chain.deployment.challengeFinality } = this.#options;
    return windowOf(firstEpoch, tier, Math.max(1, standing.closed)).lastBlock + 1 + depth;
  }

  /** What an ended deal calls for. `later`: there is more, which is not worth it for now. */
  async #callsFor({ known, provider, deal }: Case): Promise<{ calls: Call[]; later: boolean }> {
    const { request } = known;
    const { contracts } = this.#options.chain;
    const { closed, unlocked } = await contracts.requests.replicaOf(deal.id);
    const whose = { provider, dealId: deal.id };
    const calls: Call[] = [];
    if (provider === this.#provider && request.minStake > 0n && !unlocked) calls.push({ method: "unlock", ...whose });
    if (!request.repair || closed) return { calls, later: false };
    const own = request.client === this.#client;
    if (deal.standing.status !== Status.Defaulted) {
      if (own && (await this.#isAnyDue(known, provider))) calls.push({ method: "collect", ...whose });
      return { calls, later: false };
    }
    const worth = own || this.#policy({ deal, due: dueFrom(await contracts.lens.dueOf(deal.id)) });
    if (worth) calls.push({ method: "repair", ...whose });
    return { calls, later: !worth };
  }

  async #isAnyDue({ request }: KnownRequest, provider: string): Promise<boolean> {
    const { chain, sender } = this.#options;
    const from = await sender.address();
    return (await chain.contracts.requests.collect.staticCall(request, provider, { from })) > 0n;
  }

  /** Gives back to the own client what nobody filled in time. */
  async #refund(head: Head, signal: AbortSignal): Promise<void> {
    const own = [...this.#unsure].filter((id) => this.#book.get(id)?.request.client === this.#client);
    for (const id of own) this.#unfilled.set(id, await this.#book.vacancies([id], signal));
    this.#unsure.clear();
    for (const [id, vacancies] of this.#unfilled) {
      const over = vacancies.filter((vacancy) => isOver(vacancy, head));
      const done = await inBatches(over, signal, ({ slot }) =>
        this.#do(this.#book.get(id)!, slot === 0n ? { method: "refund" } : { method: "refundSlot", slot }, signal),
      );
      if (done.length > 0 && done.every(Boolean)) this.#unsure.add(id);
    }
  }

  /** Makes one call. False where it has to be made again. */
  async #do(known: KnownRequest, call: Call, signal: AbortSignal): Promise<boolean> {
    const { chain, sender } = this.#options;
    const doing = `${call.method} of request ${idText(known.id)}`;
    try {
      const data = this.#encode(known, call);
      const sent = await sender.send(
        { to: chain.deployment.requests, data },
        doing,
        signal,
        this.#guardsOf(known, call),
      );
      if (sent.status === "mined") this.#tell(known, call, sent.receipt);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      // A node simulates in the latest block, where it can be a block too early.
      if (error instanceof ChainError && error.revert?.name === "NotOverYet") return false;
      // Another keeper with this journal does it; what that comes to is seen at the next head.
      if (error instanceof ChainError && error.code === "IN_FLIGHT") return false;
      const { code, message } = error instanceof HoldfastError ? error : chainError(error, doing);
      this.#logger.error({ err: error, request: idText(known.id) }, `${call.method} failed`);
      this.emit("trouble", { id: known.id, doing: call.method, code, message });
      return false;
    }
  }

  /** Of several keepers with one journal, one does it; a repair settles the deal as well. */
  #guardsOf({ id }: KnownRequest, call: Call): string[] {
    const { market, requests } = this.#options.chain.deployment;
    const { method } = call;
    if (method === "refund") return [`refund ${requests} ${id}`];
    if (method === "refundSlot") return [`refund ${requests} ${id} ${call.slot}`];
    const own = `${method} ${requests} ${call.dealId}`;
    return method === "repair" ? [own, settleGuard(market, call.dealId)] : [own];
  }

  #encode({ request }: KnownRequest, call: Call): string {
    const { interface: abi } = this.#options.chain.contracts.requests;
    switch (call.method) {
      case "refund":
        return abi.encodeFunctionData("refund", [request]);
      case "refundSlot":
        return abi.encodeFunctionData("refundSlot", [request, call.slot]);
      case "repair":
        return abi.encodeFunctionData("repair", [request, call.provider]);
      case "collect":
        return abi.encodeFunctionData("collect", [request, call.provider]);
      case "unlock":
        return abi.encodeFunctionData("unlock", [request, call.provider]);
    }
  }

  /** Tells what the events of a receipt say. */
  #tell({ id }: KnownRequest, call: Call, receipt: TransactionReceipt): void {
    const { contracts, deployment } = this.#options.chain;
    const { hash, blockNumber: block, gasUsed } = receipt;
    const at = { id, hash, block };
    let [bounty, reposted] = [0n, false];
    for (const log of receipt.logs) {
      const event =
        log.address === deployment.market
          ? contracts.market.interface.parseLog(log)
          : log.address === deployment.requests && contracts.requests.interface.parseLog(log);
      if (!event) continue;
      const { dealId, slot, amount } = event.args;
      if (event.name === "Settled") bounty += event.args.moved.bounty;
      if (event.name === "Reposted") reposted = true;
      if (event.name === "Collected") this.emit("collected", { ...at, dealId, amount });
      if (event.name === "Refunded") this.emit("refunded", { ...at, slot, amount });
      if (event.name === "Unlocked") this.emit("unlocked", { ...at, dealId, amount });
    }
    this.#logger.info({ request: idText(id), hash, gasUsed: gasUsed.toString() }, `${call.method} done`);
    if (call.method !== "repair") return;
    this.emit("repaired", { ...at, dealId: call.dealId, provider: call.provider, reposted, bounty });
  }
}
