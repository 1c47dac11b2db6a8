/** A real anvil with a Holdfast on it, where blocks are mined when a test says so. */
import { randomBytes } from "node:crypto";
import { type JsonRpcProvider, parseEther, toQuantity, Wallet, ZeroAddress } from "ethers";
import { type Logger, pino } from "pino";
import { startLocalChain } from "../../scripts/profiles/local-chain.js";
import { type ChainProfile, tiersAt } from "../../scripts/profiles/profiles.js";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { type Contracts, connect } from "../../src/chain/contracts.js";
import { type DeployOptions, deployHoldfast, devTiers } from "../../src/chain/deploy.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { connectChain } from "../../src/chain/provider.js";

export const CHAIN_ID = 31_337;

export interface DevChain {
  readonly anvil: Anvil;
  readonly provider: JsonRpcProvider;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  /** An account with coin, under a nonce that nothing else uses. */
  account(): Promise<Wallet>;
  /** Mines blocks, and says what the head is then. */
  mine(blocks?: number): Promise<number>;
  /** Blocks for each transaction, as they come (true), or only when mined (false). */
  automine(on: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Errors only, unless HOLDFAST_LOG asks for more. */
export function testLogger(): Logger {
  return pino({ level: process.env.HOLDFAST_LOG ?? "silent" });
}

export interface DevChainOptions {
  readonly anvilArgs?: readonly string[];
  readonly chainId?: number;
  /** What the chain is like; a plain anvil by default. */
  readonly profile?: ChainProfile | undefined;
  /** What has to be there before the contracts are. */
  readonly prepare?: (provider: JsonRpcProvider, account: Wallet) => Promise<unknown>;
}

/** Starts a chain, deploys with automine on, and leaves it on. */
export async function startDevChain({
  anvilArgs = [],
  profile,
  chainId = profile?.chainId ?? CHAIN_ID,
  prepare,
  ...options
}: Partial<DeployOptions> & DevChainOptions = {}): Promise<DevChain> {
  const anvil = await (profile === undefined
    ? startAnvil({ chainId, args: anvilArgs })
    : startLocalChain(profile, { args: anvilArgs }));
  // On a busy machine, thousands of blocks take anvil a while.
  const provider = await connectChain(anvil.url, chainId, { pollingMs: 20, timeoutMs: 60_000 });
  const account = async () => {
    const wallet = new Wallet(`0x${randomBytes(32).toString("hex")}`, provider);
    await provider.send("anvil_setBalance", [wallet.address, toQuantity(parseEther("1000"))]);
    return wallet;
  };
  const deployer = await account();
  await prepare?.(provider, deployer);
  const deployment = await deployHoldfast(deployer, {
    randomnessKind: profile?.randomnessKind ?? "blockhash",
    ...(profile === undefined ? {} : { challengeFinality: profile.challengeFinality }),
    tiers: profile === undefined ? devTiers() : tiersAt(profile, devTiers()),
    feeBps: 100,
    treasury: deployer.address,
    stakeToken: ZeroAddress,
    ...options,
  });
  return {
    anvil,
    provider,
    deployment,
    contracts: connect(provider, deployment),
    account,
    async mine(blocks = 1) {
      await provider.send("anvil_mine", [toQuantity(blocks)]);
      return provider.getBlockNumber();
    },
    async automine(on) {
      await provider.send("evm_setAutomine", [on]);
    },
    async stop() {
      provider.destroy();
      await anvil.stop();
    },
  };
}
