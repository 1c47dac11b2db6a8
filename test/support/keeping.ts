/** Deals with real pieces on a real chain, for tests of keepers. */
import { setTimeout as sleep } from "node:timers/promises";
import { hexlify, toBeHex, type Wallet, ZeroAddress } from "ethers";
import { type Chain, openChain } from "../../src/chain/chain.js";
import { type SenderOptions, TransactionSender } from "../../src/chain/sender.js";
import {
  FundingKeeper,
  type FundingKeeperOptions,
  ProvingKeeper,
  type ProvingKeeperOptions,
  type RestoreLimits,
  RestoringKeeper,
  WatchingKeeper,
  type WatchingKeeperOptions,
} from "../../src/keeper/index.js";
import { type Commitment, commitWithLayer, type TreeLayer } from "../../src/piece/index.js";
import { type DealTerms, dealDomain, dealIdOf, signTerms } from "../../src/protocol/index.js";
import type { PieceSource } from "../../src/store/types.js";
import { type DevChain, testLogger } from "./dev-chain.js";

export const COIN = ZeroAddress;
export const PRICE = 10_000n;
export const COLLATERAL = 60_000n;

/** Pieces in memory; bytes can be lost, and changed. */
export class MemoryPieces implements PieceSource {
  readonly #pieces = new Map<string, { payload: Uint8Array; layer: TreeLayer }>();

  async add(payload: Uint8Array): Promise<Commitment> {
    const { commitment, layer } = await commitWithLayer(payload);
    this.#pieces.set(keyOf(commitment.root, commitment.leafCount), { payload, layer });
    return commitment;
  }

  /** Forgets a piece; what is given back brings it back. */
  lose({ root, leafCount }: Commitment): () => void {
    const key = keyOf(root, leafCount);
    const piece = this.#pieces.get(key)!;
    this.#pieces.delete(key);
    return () => this.#pieces.set(key, piece);
  }

  payloadOf({ root, leafCount }: Commitment): Uint8Array {
    return this.#pieces.get(keyOf(root, leafCount))!.payload;
  }

  async open(root: Uint8Array, leafCount: bigint) {
    const piece = this.#pieces.get(keyOf(root, leafCount));
    if (piece === undefined) return undefined;
    const { layer, payload } = piece;
    return { layer, read: (offset: number, length: number) => payload.slice(offset, offset + length) };
  }
}

function keyOf(root: Uint8Array, leafCount: bigint): string {
  return `${hexlify(root)}/${leafCount}`;
}

/** Distinct bytes for each number. */
export function bytesOf(number: number, length = 1_000): Uint8Array {
  return new Uint8Array(length).map((_, i) => (i * 31 + number * 97 + (i >> 8) * number + (number >> 8)) & 0xff);
}

/** A client with money and a provider with stake on a chain. */
export class Parties {
  readonly chain: DevChain;
  readonly client: Wallet;
  readonly provider: Wallet;
  readonly pieces = new MemoryPieces();
  #salt = 0;

  private constructor(chain: DevChain, client: Wallet, provider: Wallet) {
    this.chain = chain;
    this.client = client;
    this.provider = provider;
  }

  static async on(chain: DevChain): Promise<Parties> {
    const parties = new Parties(chain, await chain.account(), await chain.account());
    const { vault, registry } = chain.contracts;
    const { market } = chain.deployment;
    const money = 10n ** 18n;
    await (await vault.connect(parties.client).depositAndApprove(COIN, money, market, { value: money })).wait();
    const own = vault.connect(parties.provider);
    await (await own.depositAndApprove(COIN, money, chain.deployment.registry, { value: money })).wait();
    const profile = { name: "p", url: "", peerId: "", region: "0x000000000000", tiers: 7, offerUri: "" };
    await (await registry.connect(parties.provider).register(profile)).wait();
    await (await registry.connect(parties.provider).provision(market, COIN, money)).wait();
    return parties;
  }

  /** Terms that both sign, with defaults for what a test does not care about. */
  terms(commitment: Commitment, changes: Partial<DealTerms> = {}): DealTerms {
    return {
      client: this.client.address,
      provider: this.provider.address,
      root: hexlify(commitment.root),
      leafCount: commitment.leafCount,
      tier: 0,
      periods: 6,
      maxPeriods: 12,
      token: COIN,
      pricePerPeriod: PRICE,
      collateral: COLLATERAL,
      egressPricePerGiB: 0n,
      validUntil: 2n ** 63n,
      salt: toBeHex(this.#salt++, 32),
      ...changes,
    };
  }

  /** Opens deals, all in as few blocks as they fit in; gives their ids. Leaves automine off. */
  async open(terms: readonly DealTerms[]): Promise<bigint[]> {
    const { chain, client, provider } = this;
    const domain = dealDomain(chain.deployment.chainId, chain.deployment.market);
    const market = chain.contracts.market.connect(client);
    await chain.automine(false);
    let nonce = await client.getNonce();
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 9n, gasLimit: 400_000n };
    const sent = [];
    for (const one of terms) {
      const signature = await signTerms(provider, domain, one);
      sent.push(await market.open(one, "0x", signature, { nonce: nonce++, ...fees }));
    }
    for (const response of sent) {
      while ((await chain.provider.getTransactionReceipt(response.hash)) === null) await chain.mine();
    }
    return terms.map((one) => dealIdOf(domain, one));
  }
}

/** The chain as a service has it, over an endpoint of its own. */
export function serviceChain(chain: DevChain, url = chain.anvil.url): Promise<Chain> {
  return openChain(url, chain.deployment, { logger: testLogger(), pollMs: 5 });
}

interface Running<K> {
  readonly keeper: K;
  readonly account: Wallet;
  stop(): Promise<void>;
}

async function senderOn(dev: DevChain, chain: Chain): Promise<{ account: Wallet; sender: TransactionSender }> {
  const account = (await dev.account()).connect(chain.provider);
  const sender = new TransactionSender({ provider: chain.provider, signer: account, logger: testLogger(), pollMs: 5 });
  return { account, sender };
}

function started<K extends { run(signal: AbortSignal): Promise<void> }>(
  keeper: K,
  account: Wallet,
  chain: Chain,
): Running<K> {
  const stopping = new AbortController();
  const running = keeper.run(stopping.signal);
  return {
    keeper,
    account,
    async stop() {
      stopping.abort();
      await running;
      chain.provider.destroy();
    },
  };
}

/** Starts a keeper for the provider of `parties`. `listen` is called before it runs, so that it hears everything. */
export async function startProving(
  parties: Parties,
  options: Partial<ProvingKeeperOptions> & { url?: string; listen?: (keeper: ProvingKeeper) => void } = {},
): Promise<Running<ProvingKeeper>> {
  const chain = await serviceChain(parties.chain, options.url);
  const { account, sender } = await senderOn(parties.chain, chain);
  const keeper = new ProvingKeeper({
    chain,
    sender,
    pieces: parties.pieces,
    provider: parties.provider.address,
    logger: testLogger(),
    ...options,
  });
  options.listen?.(keeper);
  return started(keeper, account, chain);
}

/** Starts a keeper that settles. */
export async function startWatching(
  dev: DevChain,
  options: Partial<WatchingKeeperOptions> & { url?: string; listen?: (keeper: WatchingKeeper) => void } = {},
): Promise<Running<WatchingKeeper>> {
  const chain = await serviceChain(dev, options.url);
  const { account, sender } = await senderOn(dev, chain);
  const keeper = new WatchingKeeper({ chain, sender, logger: testLogger(), ...options });
  options.listen?.(keeper);
  return started(keeper, account, chain);
}

/** Starts a keeper that bonds stake anew for the provider of `parties`. */
export async function startRestoring(
  parties: Parties,
  limits: RestoreLimits,
  listen: (keeper: RestoringKeeper) => void,
  options: Partial<Pick<SenderOptions, "journal" | "pollMs">> & {
    pieces?: PieceSource;
    chain?: (chain: Chain) => Chain;
  } = {},
): Promise<Running<RestoringKeeper>> {
  const { pieces = parties.pieces, chain: changed = (same: Chain) => same, ...sending } = options;
  const chain = changed(await serviceChain(parties.chain));
  const signer = parties.provider.connect(chain.provider);
  const logger = testLogger();
  const sender = new TransactionSender({ provider: chain.provider, signer, logger, pollMs: 5, ...sending });
  const keeper = new RestoringKeeper({ chain, sender, provider: signer.address, pieces, limits, logger: testLogger() });
  listen(keeper);
  return started(keeper, signer, chain);
}

/** Starts a keeper that keeps deals alive, for an account of its own or `payer`. */
export async function startFunding(
  dev: DevChain,
  options: Omit<FundingKeeperOptions, "chain" | "access" | "logger"> & {
    payer?: Wallet;
    chain?: (chain: Chain) => Chain;
    listen?: (keeper: FundingKeeper) => void;
  },
): Promise<Running<FundingKeeper>> {
  const opened = await serviceChain(dev);
  const chain = options.chain?.(opened) ?? opened;
  const signer = (options.payer ?? (await dev.account())).connect(chain.provider);
  const sender = new TransactionSender({ provider: chain.provider, signer, logger: testLogger(), pollMs: 5 });
  const { deployment, contracts } = chain;
  const access = { address: signer.address, sender, deployment, contracts };
  const keeper = new FundingKeeper({ ...options, chain, access, logger: testLogger() });
  options.listen?.(keeper);
  return started(keeper, signer, chain);
}

type AnyKeeper = ProvingKeeper | WatchingKeeper | FundingKeeper | RestoringKeeper;

/**
 * Mines blocks, and waits until every keeper has looked at the last of them and none is busy but with waiting for the
 * next one.
 */
export async function step(dev: DevChain, blocks: number, ...keepers: readonly AnyKeeper[]): Promise<void> {
  const target = (await dev.provider.getBlockNumber()) + blocks;
  let looked = 0;
  const unhook = keepers.map((keeper) => {
    const listen = ({ number }: { number: number }) => {
      if (number < target) return;
      looked++;
      keeper.off("head", listen);
    };
    keeper.on("head", listen);
    return () => keeper.off("head", listen);
  });
  const isIdle = () =>
    looked === keepers.length && keepers.every((keeper) => !(keeper instanceof ProvingKeeper) || keeper.inFlight === 0);
  await dev.mine(blocks);
  // A keeper that waits for its own transaction goes on when that is in a block.
  while (!isIdle() && (await pendingOn(dev)) === 0) await sleep(5);
  for (const off of unhook) off();
}

/** Transactions that wait for a block. */
export async function pendingOn(dev: DevChain): Promise<number> {
  const { pending } = await dev.provider.send("txpool_status", []);
  return Number(pending);
}

/** Steps until a block number. */
export async function stepTo(dev: DevChain, block: number, ...keepers: readonly AnyKeeper[]): Promise<void> {
  while ((await dev.provider.getBlockNumber()) < block) await step(dev, 1, ...keepers);
}

/** Steps, two blocks at once, until something is so; fails after so many blocks. */
export async function stepUntil(
  dev: DevChain,
  isSo: () => boolean,
  blocks: number,
  ...keepers: readonly AnyKeeper[]
): Promise<void> {
  for (let mined = 0; !isSo(); mined += 2) {
    if (mined >= blocks) throw new Error(`not so after ${blocks} blocks`);
    await step(dev, 2, ...keepers);
  }
}
