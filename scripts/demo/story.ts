import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileBlob, fileSink } from "../../src/client/file-node.js";
import {
  actOnReplica,
  type ChainAccess,
  cancelRequest,
  type Deal,
  type HoldfastClient,
  type PostedRequest,
  postRequest,
  type RequestStatus,
  refundRequest,
  requestStatus,
} from "../../src/client/index.js";
import { collateralFor, pricePerPeriodUp, Status, windowOf } from "../../src/protocol/index.js";
import { Cast, type Node, type Watched } from "./cast.js";
import { ChainClock } from "./chain-clock.js";
import type { ChildMessage } from "./child.js";
import { sha256 } from "./files.js";
import { sentence } from "./heard.js";
import { dollars, type Narrator } from "./report.js";
import type { World } from "./world.js";

/** How long the clock stands for somebody who has something to do, in milliseconds. */
const PATIENCE_MS = 20_000;
/** How long for a provider that fetches the file. */
const FETCH_MS = 120_000;
export const REPLICAS = 3;
const PERIODS = 30;
/** Blocks over which the price of a replica rises, at the plain profile's pace. */
const RAMP = 8;
/** Blocks until a posting can be filled (a seed that nobody knew then), and for its price to rise, with some to spare. */
const BLOCKS_TO_FILL = 96;
/** Base units for a GiB and a period, at the posting and at the end of the ramp. */
const [START_PRICE, MAX_PRICE] = [500_000n, 2_000_000n];
/** A provider that keeps nothing loses what so many periods would have paid at the start. */
const COLLATERAL_PERIODS = 30;

export interface StoryOptions {
  readonly world: World;
  readonly client: HoldfastClient;
  readonly access: ChainAccess;
  readonly narrator: Narrator;
}

/** How the replicas stand before the client ends them. */
export type Outcome = Pick<RequestStatus, "replicasProven" | "repaired"> & { readonly repairBlocks: number | null };

/** The demo's plot: ask, prove, lose a provider, repair, fetch, end. */
export class Story {
  readonly #o: StoryOptions;
  readonly #clock: ChainClock;
  readonly #cast = new Cast();
  /** The head up to which a node's filler has done everything. */
  readonly #rested = new Map<string, number>();
  /** Processes that were found gone. */
  readonly #gone = new Set<string>();
  #posted: PostedRequest | undefined;

  constructor(options: StoryOptions) {
    this.#o = options;
    const { provider, profile } = options.world;
    this.#clock = new ChainClock(provider, profile.scale);
  }

  /** A provider opens for business. */
  add(node: Node): void {
    this.#cast.nodes.push(node);
    this.#o.narrator.tell(`${node.child.name} serves at ${node.url}, process ${node.child.ready.pid}`);
  }

  /** What a child process tells. */
  hear(name: string, message: ChildMessage): void {
    // Two heads may be done with in the wrong order.
    if (message.kind === "rested")
      this.#rested.set(name, Math.max(message.number as number, this.#rested.get(name) ?? 0));
    const text = sentence(name, message, this.#cast);
    if (text !== undefined) this.#o.narrator.tell(text);
  }

  /** Posts the request, and lets time pass until three providers hold the file. @param source - where they fetch it */
  async request(path: string, source: string): Promise<PostedRequest> {
    const { access, narrator } = this.#o;
    const payload = await fileBlob(path);
    const priced = (perGiB: bigint) => pricePerPeriodUp(BigInt(payload.size), perGiB);
    const [startPrice, maxPrice] = [priced(START_PRICE), priced(MAX_PRICE)];
    const { maxMisses } = access.deployment.tiers[0] as { maxMisses: number };
    this.#posted = await postRequest(access, payload, {
      tier: 0,
      periods: PERIODS,
      replicas: REPLICAS,
      startPrice,
      maxPrice,
      rampEpochs: RAMP * this.#clock.stride,
      collateral: collateralFor(startPrice, COLLATERAL_PERIODS, maxMisses),
      dataUri: source,
      repair: true,
    });
    narrator.tell(`commitment ${this.#posted.pieceCid}`);
    narrator.tell(`${REPLICAS} replicas wanted, for ${dollars(startPrice)} a period, rising to ${dollars(maxPrice)}`);
    await this.advance(
      async () => (await this.#status()).replicasFilled === REPLICAS,
      BLOCKS_TO_FILL * this.#clock.stride,
    );
    return this.#posted;
  }

  /** Lets time pass until every replica has this many windows proven and closed. */
  provePeriods(windows: bigint): Promise<void> {
    return this.advance(async () => {
      const live = [...this.#cast.deals.values()].filter(({ node }) => node.child.alive);
      const views = await Promise.all(live.map(({ id }) => this.#view(id)));
      return views.every(({ standing }) => standing.provenClosed >= windows);
    });
  }

  /**
   * One provider goes, process and disk, and never comes back. Time passes until what it held is held and proven by
   * another one, or nobody is left who could.
   */
  async loseProvider(): Promise<void> {
    const { narrator } = this.#o;
    const lost = [...this.#cast.deals.values()].find(({ node }) => node.child.alive);
    if (!lost) return;
    await lost.node.child.kill();
    await rm(lost.node.dataDir, { recursive: true, force: true });
    narrator.tell(`${lost.node.child.name} is gone, with everything on its disk; its stake and its promise stay`);
    this.#gone.add(lost.node.child.name);
    await this.advance(async () => {
      if (Number((await this.#view(lost.id)).standing.status) !== Status.Defaulted) return false;
      if (!(await this.#isReposted(lost.id))) return false;
      const newcomers = [...this.#cast.deals.values()].filter(({ slot, node }) => slot !== 0n && node.child.alive);
      const views = await Promise.all(newcomers.map(({ id }) => this.#view(id)));
      const proven = views.every(({ standing }) => standing.provenClosed > 0n);
      return proven && (newcomers.some(({ slot }) => slot === lost.id) || !this.#cast.canFill());
    });
  }

  /** How the replicas stand now. */
  async outcome(): Promise<Outcome> {
    const { replicasProven, repaired } = await this.#status();
    const took = [...this.#cast.deals.values()].filter(({ slot }) => slot !== 0n).at(-1);
    if (!took) return { replicasProven, repaired, repairBlocks: null };
    const { contracts, deployment } = this.#o.world;
    const [proof] = await contracts.market.queryFilter(contracts.market.filters.Proven(took.id), deployment.block);
    const from = this.#cast.deals.get(took.slot)?.defaulted;
    const repairBlocks = proof === undefined || from === undefined ? null : proof.blockNumber - from;
    return { replicasProven, repaired, repairBlocks };
  }

  /** The client stores another file, by a deal of its own with the provider that ranks best. Gives the deal's id. */
  async storeBeside(path: string): Promise<bigint> {
    const { client, narrator } = this.#o;
    const payload = await fileBlob(path);
    const maxPricePerPeriod = pricePerPeriodUp(BigInt(payload.size), MAX_PRICE);
    const { deals } = await client.store(payload, { tier: 0, periods: PERIODS, maxPricePerPeriod });
    const [{ id, url, terms }] = deals as [Deal];
    const name = basename(path);
    this.#cast.enter({ id, slot: 0n, beside: name }, terms.provider);
    const price = dollars(terms.pricePerPeriod);
    narrator.tell(`the client stores ${name}: a deal of its own with ${this.#cast.nameAt(url)}, at ${price} a period`);
    return id;
  }

  /** The deals that hold replicas now. */
  async replicaDeals(): Promise<bigint[]> {
    const { replicas } = await this.#status();
    return replicas.filter(({ deal }) => deal.status === Status.Open).map(({ deal }) => deal.id);
  }

  /** Fetches the file, from those that are gone first, and gives back its sha-256. */
  async fetch(path: string): Promise<string> {
    const { client, narrator } = this.#o;
    const holders = [...new Set(this.#cast.replicas.map(({ node }) => node))];
    const urls = holders.sort((a, b) => Number(a.child.alive) - Number(b.child.alive)).map(({ url }) => url);
    const { url, failures } = await client.fetch((this.#posted as PostedRequest).pieceCid, urls, () => fileSink(path));
    for (const failure of failures)
      narrator.tell(`${this.#cast.nameAt(failure.url)} has nothing: ${failure.error.message}`);
    narrator.tell(`${this.#cast.nameAt(url)} serves the file, verified against its commitment`);
    return sha256(path);
  }

  /** The client ends what still runs and takes back what nobody filled; when the last owed period is over, all is settled. */
  async end(): Promise<void> {
    const { access, narrator } = this.#o;
    const { id } = this.#posted as PostedRequest;
    for (const { id: dealId, node, beside } of this.#cast.deals.values()) {
      if (Number((await this.#view(dealId)).standing.status) !== Status.Open) continue;
      if (beside === undefined) await actOnReplica(access, "terminate", id, node.actor.owner.address);
      else await this.#o.client.terminate(dealId);
      narrator.tell(`the client ends the deal with ${this.#cast.nameOfDeal(dealId)}: the rest comes back at once`);
    }
    const { unfilled, replicas } = await this.#status();
    if (unfilled > 0 || replicas.some(({ waiting }) => waiting)) {
      const lastBlock = await cancelRequest(access, id);
      await this.advance(async () => (await this.#clock.now()) > lastBlock);
      narrator.tell(`the client takes back ${dollars(await refundRequest(access, id))} for what nobody filled`);
    }
    await this.advance(async () => {
      const views = await Promise.all([...this.#cast.deals.keys()].map((dealId) => this.#view(dealId)));
      return views.every(({ standing }) => Number(standing.status) >= Status.Completed);
    });
    for (const watched of this.#cast.deals.values()) await this.#takeBack(watched);
  }

  /** The client takes what a deal that has ended gives back. */
  async #takeBack({ id, node, beside }: Watched): Promise<void> {
    const { access } = this.#o;
    const { market, requests } = access.contracts;
    if (beside !== undefined) {
      await access.sender.send(await market.settle.populateTransaction([id], access.address), "settle a deal");
      return;
    }
    const { closed } = await requests.replicaOf(id);
    const defaulted = Number((await this.#view(id)).standing.status) === Status.Defaulted;
    const { id: request } = this.#posted as PostedRequest;
    if (!closed) await actOnReplica(access, defaulted ? "repair" : "collect", request, node.actor.owner.address);
  }

  /** Every deal there was, whoever held it. */
  get deals(): readonly bigint[] {
    return [...this.#cast.deals.keys()];
  }

  /**
   * Lets time pass until `over`, or until so many blocks have; the clock stands while a proof, a slash or a fill is due, and
   * goes on by strides while somebody may fill, otherwise to whatever comes next.
   */
  async advance(over: () => Promise<boolean>, blocks = Infinity): Promise<void> {
    for (let passed = 0, stride: number; passed < blocks; passed += stride) {
      await this.#discover();
      if (await over()) return;
      stride = (await this.#isFilling()) ? this.#clock.stride : await this.#untilNext();
      await this.#clock.tick(stride);
      await this.#letFill();
      await this.letProve();
    }
  }

  /** Blocks until a window of a deal that lives opens, or closes. */
  async #untilNext(): Promise<number> {
    const { deployment } = this.#o.world;
    const head = await this.#clock.now();
    const views = await Promise.all([...this.#cast.deals.keys()].map((id) => this.#view(id)));
    const turns = views.filter(isLive).flatMap(({ firstEpoch, tier, standing }) => {
      const next = Number(standing.closed) + 1;
      const { firstBlock, lastBlock } = windowOf(Number(firstEpoch), deployment.tiers[Number(tier)]!, next);
      return [firstBlock, lastBlock + 1].filter((block) => block > head);
    });
    return turns.length === 0 ? this.#clock.stride : Math.min(...turns) - head;
  }

  /** Whether there is a replica that somebody may fill. */
  async #isFilling(): Promise<boolean> {
    if (!this.#cast.canFill()) return false;
    const { unfilled, replicas } = await this.#status();
    return unfilled > 0 || replicas.some(({ waiting }) => waiting);
  }

  /** Stands still until everybody has proven what is open, and what is missed is settled. */
  async letProve(): Promise<void> {
    await this.#discover();
    for (const watched of this.#cast.deals.values()) await this.#attend(watched);
  }

  /** Notes the deals that filled replicas since. */
  async #discover(): Promise<void> {
    if (!this.#posted) return;
    const { contracts, deployment } = this.#o.world;
    const filter = contracts.requests.filters.Filled(this.#posted.id);
    for (const { args } of await contracts.requests.queryFilter(filter, deployment.block)) {
      const { dealId: id, slot, provider } = args;
      this.#cast.enter({ id, slot, beside: undefined }, provider);
    }
  }

  /** Stands still while somebody may be about to fill. */
  async #letFill(): Promise<void> {
    if (!(await this.#isFilling())) return;
    const head = await this.#clock.now();
    const atRest = () =>
      this.#cast.nodes.every(({ child }) => !child.alive || (this.#rested.get(child.name) ?? 0) >= head);
    if (!(await this.#clock.waitFor(atRest, FETCH_MS))) this.#o.narrator.tell("a provider is busy for too long");
  }

  async #attend(watched: Watched): Promise<void> {
    const { id, node } = watched;
    const { narrator } = this.#o;
    const view = await this.#view(id);
    const { standing } = view;
    if (Number(standing.status) === Status.Defaulted && watched.defaulted === undefined) {
      watched.defaulted = await this.#clock.now();
      narrator.tell(`the deal with ${this.#cast.nameOfDeal(id)} has defaulted: all of its stake in it is gone`);
    }
    if (standing.missed > view.slashedMisses || (await this.#awaitsRepair(watched))) await this.#letWatch(watched);
    if (!node.child.alive && !this.#gone.has(node.child.name)) {
      this.#gone.add(node.child.name);
      narrator.tell(`${node.child.name}'s process has stopped`);
    }
    if (!isLive(view) || standing.open === 0n || view.lastProven >= standing.open || !node.child.alive) return;
    const proven = async () => !node.child.alive || (await this.#view(id)).lastProven >= standing.open;
    if (!(await this.#clock.waitFor(proven, PATIENCE_MS))) {
      narrator.tell(`${node.child.name} did not prove window ${standing.open}${this.#cast.ofFile(id)}`);
    }
  }

  /** Stands still until the watcher has slashed what is missed, and had a default repaired. */
  async #letWatch(watched: Watched): Promise<void> {
    const booked = async () => {
      const { standing, slashedMisses } = await this.#view(watched.id);
      return slashedMisses >= standing.missed && !(await this.#awaitsRepair(watched));
    };
    if (!(await this.#clock.waitFor(booked, PATIENCE_MS))) this.#o.narrator.tell("the watcher did not settle a miss");
  }

  async #awaitsRepair({ id, beside, defaulted }: Watched): Promise<boolean> {
    return beside === undefined && defaulted !== undefined && !(await this.#isReposted(id));
  }

  /** Whether all that can be done about a defaulted deal was done. */
  async #isReposted(id: bigint): Promise<boolean> {
    return (await this.#o.world.contracts.requests.replicaOf(id)).closed;
  }

  #status(): Promise<RequestStatus> {
    return requestStatus(this.#o.world, (this.#posted as PostedRequest).id);
  }

  #view(id: bigint) {
    return this.#o.world.contracts.lens.dealOf(id);
  }
}

function isLive({ standing: { status } }: { readonly standing: { readonly status: bigint } }): boolean {
  return Number(status) === Status.Open || Number(status) === Status.Ending;
}
