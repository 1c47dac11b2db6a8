import { type ContractTransactionResponse, HDNodeWallet, type JsonRpcProvider, Mnemonic } from "ethers";
import { pino } from "pino";
import type { Anvil } from "../../src/chain/anvil.js";
import { type Contracts, connect } from "../../src/chain/contracts.js";
import { deployHoldfast } from "../../src/chain/deploy.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { connectChain } from "../../src/chain/provider.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { enrol } from "../../src/provider/index.js";
import { type TestToken, TestToken__factory } from "../../typechain-types/index.js";
import { startLocalChain } from "../profiles/local-chain.js";
import { type ChainProfile, profileNamed, tiersAt } from "../profiles/profiles.js";

/** The mnemonic that every development chain knows: its keys are worth nothing anywhere else. */
const MNEMONIC = Mnemonic.fromPhrase("test test test test test test test test test test test junk");
/** The chain answers at once, so look often. */
const POLLING_MS = 25;

/** One tier: a period of 16 blocks at the plain profile's pace, half of it to prove in; three misses end a deal. */
const TIERS: Deployment["tiers"] = [{ period: 16, window: 8, challenges: 5, maxMisses: 3 }];
const FEE_BPS = 100;

/** What client and providers start with, in base units of a dollar of six decimals. */
const CLIENT_FUNDS = 10_000_000_000n;
const STAKE = 500_000_000n;

const PROVIDERS = [
  { name: "Amsterdam", region: "NL" },
  { name: "Bogotá", region: "CO" },
  { name: "Cape Town", region: "ZA" },
  { name: "Dunedin", region: "NZ" },
] as const;

export interface ProviderActor {
  readonly name: string;
  /** ISO 3166-1. */
  readonly region: string;
  /** Owns the stake; the node never sees this key. */
  readonly owner: HDNodeWallet;
  /** Signs deals and sends proofs; moves no money. */
  readonly hot: HDNodeWallet;
}

/** Of the chain's funded accounts: the first four, and two for each provider. */
const ACCOUNTS = 4 + 2 * PROVIDERS.length;

/** The stage: a chain with Holdfast on it, and everybody who acts. */
export interface World {
  readonly profile: ChainProfile;
  readonly anvil: Anvil;
  readonly provider: JsonRpcProvider;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  readonly token: TestToken;
  readonly tokenAddress: string;
  readonly client: HDNodeWallet;
  readonly providers: readonly ProviderActor[];
  readonly watcher: HDNodeWallet;
  readonly treasury: HDNodeWallet;
}

/** Starts a chain, deploys Holdfast and a token on it, and hands out money. */
export async function buildWorld(signal: AbortSignal, profile = profileNamed("local")): Promise<World> {
  const anvil = await startLocalChain(profile, { accounts: ACCOUNTS, signal });
  const provider = await connectChain(anvil.url, profile.chainId, { pollingMs: POLLING_MS });
  const wallet = (i: number) => HDNodeWallet.fromMnemonic(MNEMONIC, `m/44'/60'/0'/0/${i}`).connect(provider);
  const [deployer, client, watcher, treasury] = [wallet(0), wallet(1), wallet(2), wallet(3)];
  const providers = PROVIDERS.map((one, i) => ({ ...one, owner: wallet(4 + 2 * i), hot: wallet(5 + 2 * i) }));
  const token = await new TestToken__factory(deployer).deploy("Test Dollar", "TUSD", 6);
  await token.waitForDeployment();
  const tokenAddress = await token.getAddress();
  const deployment = await deployHoldfast(deployer, {
    randomnessKind: profile.randomnessKind,
    challengeFinality: profile.challengeFinality,
    tiers: tiersAt(profile, TIERS),
    feeBps: FEE_BPS,
    treasury: treasury.address,
    stakeToken: tokenAddress,
  });
  await done(token.mint(client, CLIENT_FUNDS));
  for (const { owner } of providers) await done(token.mint(owner, STAKE));
  const contracts = connect(provider, deployment);
  return { profile, anvil, provider, deployment, contracts, token, tokenAddress, client, providers, watcher, treasury };
}

/** Has a provider registered under `url`, with its hot key as signer and all its money as stake. */
export async function enlist(world: World, actor: ProviderActor, url: string): Promise<void> {
  const { contracts, deployment, tokenAddress: token, provider } = world;
  const { name, region, owner, hot } = actor;
  const logger = pino({ level: "silent" });
  const sender = new TransactionSender({ provider, signer: owner, logger, pollMs: POLLING_MS });
  const access = { address: owner.address, sender, contracts, deployment };
  const profile = { name, url, region, tiers: [0] };
  await enrol(access, { profile, stakes: [{ token, amount: STAKE }], signer: hot.address });
}

/** Waits until a transaction is in a block. */
export async function done(sending: Promise<ContractTransactionResponse>): Promise<void> {
  await (await sending).wait();
}
