/** A chain of its own with a market, a client with money and a provider with stake. */
import { randomBytes } from "node:crypto";
import { type JsonRpcProvider, parseEther, toQuantity, Wallet, ZeroAddress } from "ethers";
import { type Anvil, startAnvil } from "../../../src/chain/anvil.js";
import { type Contracts, connect } from "../../../src/chain/contracts.js";
import { deployHoldfast } from "../../../src/chain/deploy.js";
import type { Deployment } from "../../../src/chain/deployment.js";
import { connectChain } from "../../../src/chain/provider.js";
import { phaseOf, type Tier } from "../../../src/protocol/index.js";

const CHAIN_ID = 31_337;
export const COIN = ZeroAddress;
/** What a block of Ethereum holds; deals are opened in larger ones. */
const BLOCK_GAS = 60_000_000;
const OPENING_BLOCK_GAS = 2_000_000_000;
/** Hundreds of blocks are made at once. */
const TIMEOUT_MS = 300_000;
const MONEY = parseEther("1000000");
/** Deals of one provider and tier are challenged in the same blocks, all at once: the most that a keeper can have to do. */
export const TIER = 0;

export interface World {
  readonly anvil: Anvil;
  readonly provider: JsonRpcProvider;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  readonly client: Wallet;
  readonly owner: Wallet;
  /** Pays for proofs. */
  readonly prover: Wallet;
  readonly tier: Tier;
  /** Accounts of the chain that sign for whoever asks. */
  readonly relayers: readonly string[];
}

export async function buildWorld(tier: Tier): Promise<World> {
  // An order by age spares the node sorting thousands of transactions by fee; states of long ago are asked for by nobody.
  const args = ["--gas-limit", String(OPENING_BLOCK_GAS), "--order", "fifo", "--prune-history", "64"];
  const anvil = await startAnvil({ chainId: CHAIN_ID, args });
  try {
    const provider = await connectChain(anvil.url, CHAIN_ID, { pollingMs: 20, timeoutMs: TIMEOUT_MS });
    const account = async () => {
      const wallet = new Wallet(`0x${randomBytes(32).toString("hex")}`, provider);
      await provider.send("anvil_setBalance", [wallet.address, toQuantity(2n * MONEY)]);
      return wallet;
    };
    const [deployer, client, owner, prover] = [await account(), await account(), await account(), await account()];
    const deployment = await deployHoldfast(deployer, { randomnessKind: "blockhash", tiers: [tier] });
    const contracts = connect(provider, deployment);
    const relayers: string[] = await provider.send("eth_accounts", []);
    const world = { anvil, provider, deployment, contracts, client, owner, prover, tier, relayers };
    await fund(world);
    return world;
  } catch (error) {
    await anvil.stop();
    throw error;
  }
}

async function fund({ contracts, deployment, client, owner }: World): Promise<void> {
  const { market, registry } = deployment;
  const vault = (by: Wallet, operator: string) =>
    contracts.vault.connect(by).depositAndApprove(COIN, MONEY, operator, { value: MONEY });
  await (await vault(client, market)).wait();
  await (await vault(owner, registry)).wait();
  const own = contracts.registry.connect(owner);
  const profile = { name: "bench", url: "", peerId: "", region: "0x000000000000", tiers: 1, offerUri: "" };
  await (await own.register(profile)).wait();
  await (await own.provision(market, COIN, MONEY)).wait();
}

/** Blocks that are made when they are asked for, and of the size that they have elsewhere. */
export class Blocks {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  head(): Promise<number> {
    return this.#world.provider.getBlockNumber();
  }

  async mine(count = 1): Promise<void> {
    if (count > 0) await this.#world.provider.send("anvil_mine", [toQuantity(count)]);
  }

  /** Until no transaction waits. */
  async mineAll(): Promise<void> {
    do await this.mine();
    while (BigInt((await this.#world.provider.send("txpool_status", [])).pending) > 0n);
  }

  /** Right after a challenge: deals that are opened from here on have a period until their first one. */
  async toPeriod(): Promise<void> {
    const { owner, tier } = this.#world;
    await this.#world.provider.send("evm_setAutomine", [false]);
    const after = (await this.head()) - phaseOf(owner.address, TIER, tier.period);
    await this.mine(tier.period - (after % tier.period));
  }

  /** From now on, no block is larger than elsewhere. */
  async shrink(): Promise<void> {
    await this.#world.provider.send("evm_setBlockGasLimit", [toQuantity(BLOCK_GAS)]);
    await this.mine();
  }
}
