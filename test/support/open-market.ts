/** The open market with real nodes: requests that are posted, sources that serve, blocks at the pace of those who work. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { hexlify, randomBytes, type Wallet } from "ethers";
import { openChain } from "../../src/chain/chain.js";
import { RepairKeeper, type RepairKeeperOptions } from "../../src/keeper/index.js";
import type { PostedRequest } from "../../src/keeper/requests.js";
import { postingCost, requestIdOf } from "../../src/protocol/index.js";
import type { FetchOptions } from "../../src/provider/fetching/index.js";
import type { FillingKeeper, FillingPolicy } from "../../src/provider/index.js";
import { TestToken__factory } from "../../typechain-types/index.js";
import { testLogger } from "./dev-chain.js";
import type { TestPiece } from "./pieces.js";
import type { StorageNet, TestProvider } from "./storage-net.js";

/** What a filler of a test does: gas is free, this machine is a source like any other. */
export const FILLING: FillingPolicy = { coinPrice: 0n, minFreeBytes: 0 };
export const FETCHING: FetchOptions = { allowAddress: () => true, stallMs: 500, resumeAfterMs: 5 };

/** A provider that fills, and what it told. */
export interface Filling extends TestProvider {
  readonly filler: FillingKeeper;
  readonly told: readonly { readonly event: string; readonly [member: string]: unknown }[];
  /** What it told under this name. */
  heard(event: string): readonly { readonly [member: string]: unknown }[];
}

const EVENTS = ["wanted", "declined", "fetched", "filled", "lost", "dropped", "trouble"] as const;

export async function addFiller(
  net: StorageNet,
  filling: Partial<FillingPolicy> = {},
  ...[policy, stake, options]: Parameters<StorageNet["addProvider"]>
): Promise<Filling> {
  const provider = await net.addProvider(policy, stake, {
    fetching: FETCHING,
    ...options,
    filling: { ...FILLING, ...filling },
  });
  const filler = provider.filler as FillingKeeper;
  const told: Filling["told"][number][] = [];
  for (const event of EVENTS) filler.on(event, (said: object) => void told.push({ event, ...said }));
  return { ...provider, filler, told, heard: (event) => told.filter((one) => one.event === event) };
}

export interface Source {
  readonly url: string;
  /** Requests that it had. */
  asked: number;
  close(): Promise<void>;
}

/** An HTTP server of the client's own. */
export async function serveSource(listener: RequestListener, host = "127.0.0.1"): Promise<Source> {
  const server = createServer((request, response) => {
    source.asked++;
    listener(request, response);
  }).listen(0, host);
  await once(server, "listening");
  const source = {
    url: `http://${host}:${(server.address() as AddressInfo).port}/`,
    asked: 0,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return source;
}

/** Serves a payload. */
export function servePiece({ payload }: TestPiece): Promise<Source> {
  return serveSource((_, response) => response.end(payload));
}

export interface PostedOnNet {
  readonly id: bigint;
  readonly request: PostedRequest;
  /** Block of the posting. */
  readonly block: number;
}

/** Posts a request of the client's, with defaults for what a test does not care about, and pays for it. */
export async function postOnNet(
  net: StorageNet,
  client: Wallet,
  { commitment, payload }: TestPiece,
  changes: Partial<PostedRequest> = {},
): Promise<PostedOnNet> {
  const { deployment, contracts, token } = net;
  const head = await net.provider.getBlock("latest");
  // A policy of a test asks for one base unit a byte and period.
  const price = 2n * BigInt(payload.length);
  const request: PostedRequest = {
    client: client.address,
    root: hexlify(commitment.root),
    leafCount: commitment.leafCount,
    tier: 0,
    periods: 12,
    maxPeriods: 24,
    token,
    startPrice: price,
    maxPrice: price,
    rampEpochs: 1,
    collateral: 60_000n,
    maxEgressPricePerGiB: 7n,
    replicas: 1,
    minStake: 0n,
    expires: BigInt((head?.timestamp ?? 0) + 100_000),
    repair: false,
    regions: [],
    dataUri: "",
    salt: hexlify(randomBytes(32)),
    ...changes,
  };
  await pay(net, client, request);
  const receipt = await (await contracts.requests.connect(client).post(request)).wait();
  return {
    id: requestIdOf(deployment.chainId, deployment.requests, request),
    request,
    block: receipt?.blockNumber ?? 0,
  };
}

/** Deposits what a posting locks, and lets `StorageRequests` take it. */
export async function pay(net: StorageNet, client: Wallet, request: PostedRequest): Promise<void> {
  await deposit(net, client, postingCost(request), net.deployment.requests);
}

/** More stake of a provider's, within reach of `market`. */
export async function provision(net: StorageNet, provider: Wallet, market: string, amount: bigint): Promise<void> {
  await deposit(net, provider, amount, net.deployment.registry);
  await (await net.contracts.registry.connect(provider).provision(market, net.token, amount)).wait();
}

/** Money of an account in the vault, within reach of `operator`. */
export async function deposit(net: StorageNet, account: Wallet, amount: bigint, operator: string): Promise<void> {
  const { deployment, contracts, token } = net;
  await (await TestToken__factory.connect(token, account).approve(deployment.vault, amount)).wait();
  await (await contracts.vault.connect(account).depositAndApprove(token, amount, operator)).wait();
}

/** A keeper that repairs, and what it told. */
export async function startRepairing(net: StorageNet, options: Partial<RepairKeeperOptions> = {}) {
  const chain = await openChain(net.anvil.url, net.deployment, { logger: testLogger(), pollMs: 20 });
  const wallet = await net.account();
  const keeper = new RepairKeeper({ chain, sender: net.senderOf(wallet), logger: testLogger(), ...options });
  const told: { readonly event: string; readonly [member: string]: unknown }[] = [];
  for (const event of ["repaired", "collected", "refunded", "unlocked", "trouble"] as const) {
    keeper.on(event, (said: object) => void told.push({ event, ...said }));
  }
  const stopping = new AbortController();
  const running = keeper.run(stopping.signal);
  const heard = (event: string) => told.filter((one) => one.event === event);
  return {
    ...{ keeper, wallet, told, heard },
    async stop() {
      stopping.abort();
      await running;
      chain.provider.destroy();
    },
  };
}

/** A service that looks at heads, and may have work under way. */
export interface Service {
  on(event: "head", listener: (head: { readonly number: number }) => void): unknown;
  readonly inFlight?: number;
}

/** Blocks, some at a time, the next ones once every service has looked at those before and is done with its work. */
export class Pace {
  readonly #net: StorageNet;
  readonly #seen = new Map<Service, number>();

  constructor(net: StorageNet, ...services: readonly Service[]) {
    this.#net = net;
    for (const service of services) this.add(service);
  }

  add(service: Service): void {
    // It may have looked at the present head before it was listened to.
    this.#seen.set(service, Infinity);
    service.on("head", ({ number }) => this.#seen.set(service, number));
  }

  /** Mines until something is so, `stride` blocks at once; fails after so many. Gives the block at which it was. */
  async until(isSo: () => boolean | Promise<boolean>, blocks = 200, stride = 5): Promise<number> {
    for (let mined = 0; mined <= blocks; mined += stride) {
      await this.#settled();
      if (await isSo()) return this.#net.provider.getBlockNumber();
      await this.#net.mine(stride);
    }
    throw new Error(`not so after ${blocks} blocks`);
  }

  /** Mines blocks. */
  async pass(blocks: number): Promise<void> {
    const end = (await this.#net.provider.getBlockNumber()) + blocks;
    await this.until(async () => (await this.#net.provider.getBlockNumber()) >= end, blocks + 5);
  }

  async #settled(): Promise<void> {
    const end = performance.now() + 20_000;
    for (;;) {
      const head = await this.#net.provider.getBlockNumber();
      const services = [...this.#seen];
      if (services.every(([service, seen]) => seen >= head && !service.inFlight)) return;
      if (performance.now() > end) throw new Error(`a service does not get to block ${head}`);
      await sleep(5);
    }
  }
}
