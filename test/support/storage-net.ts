/** Providers and clients on a {@link DevChain}: real servers, real transactions, a token of their own. */
import { type ContractTransactionResponse, isError, Wallet } from "ethers";
import { type Chain, openChain } from "../../src/chain/chain.js";
import { connect } from "../../src/chain/contracts.js";
import { type DeployOptions, deployHoldfast, devTiers } from "../../src/chain/deploy.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { type ChainSender, HoldfastClient } from "../../src/client/index.js";
import { type Policy, type ProviderOptions, type RunningProvider, startProvider } from "../../src/provider/index.js";
import type { Database } from "../../src/store/database/index.js";
import { type TestToken, TestToken__factory } from "../../typechain-types/index.js";
import { newDatabase } from "./databases.js";
import { type DevChain, startDevChain, testLogger } from "./dev-chain.js";
import { tempFolder } from "./pieces.js";

export const GIB = 1n << 30n;
export const STAKE = 1_000_000_000n;
const WEALTH = 1_000_000_000_000n;

export interface StorageNet extends DevChain {
  readonly token: string;
  /** An account with coin, and with tokens in its wallet. */
  rich(): Promise<Wallet>;
  /** A sender that looks for receipts often. */
  senderOf(wallet: Wallet): TransactionSender;
  clientOf(wallet: Wallet, sender?: ChainSender): HoldfastClient;
  /** Deposits, provisions stake to the market, registers. */
  register(wallet: Wallet, url: string, stake?: bigint, tiers?: number): Promise<void>;
  /** A provider that is registered and serves. */
  addProvider(policy?: Partial<Policy>, stake?: bigint, options?: Partial<ProviderOptions>): Promise<TestProvider>;
  tokensOf(account: string): Promise<bigint>;
}

export interface TestProvider extends RunningProvider {
  readonly wallet: Wallet;
  readonly dataDir: string;
}

export function testPolicy(token: string, changes: Partial<Policy> = {}): Policy {
  const offer = { pricePerGiBPerPeriod: String(GIB), egressPricePerGiB: "7", collateralRatio: 10 };
  const tiers = [0, 1].map((tier) => ({ tier, ...offer }));
  return { token, maxPieceBytes: 128 << 20, maxPeriods: 100, tiers, ...changes };
}

/** A policy at another price: base units for each byte and period. */
export function priced(token: string, price: bigint, changes: Partial<Policy> = {}): Policy {
  const policy = testPolicy(token, changes);
  return { ...policy, tiers: policy.tiers.map((offer) => ({ ...offer, pricePerGiBPerPeriod: String(GIB * price) })) };
}

/** What a provider has of the chain: a connection of its own, looked at often, and a key that does everything. */
export async function ownAccess(
  { anvil, deployment }: Pick<DevChain, "anvil" | "deployment">,
  { privateKey }: Pick<Wallet, "privateKey">,
): Promise<{ readonly chain: Chain; readonly signer: Wallet; readonly sender: TransactionSender }> {
  const logger = testLogger();
  const chain = await openChain(anvil.url, deployment, { logger, pollMs: 20 });
  const signer = new Wallet(privateKey, chain.provider);
  return { chain, signer, sender: new TransactionSender({ provider: chain.provider, signer, logger, pollMs: 20 }) };
}

/** Sends as an account that a node sends proofs with as well: it may take the nonce in between. */
export async function besideNode(send: () => Promise<ContractTransactionResponse>): Promise<void> {
  for (let left = 5; ; left--) {
    try {
      await (await send()).wait();
      return;
    } catch (error) {
      const isTaken = isError(error, "NONCE_EXPIRED") || isError(error, "REPLACEMENT_UNDERPRICED");
      if (!isTaken || left === 0) throw error;
    }
  }
}

export async function startStorageNet(options: Parameters<typeof startDevChain>[0] = {}): Promise<StorageNet> {
  const chain = await startDevChain(options);
  const deployer = await chain.account();
  const testToken = await new TestToken__factory(deployer).deploy("Test Dollar", "TUSD", 6);
  return storageNetOn(chain, testToken);
}

/** Another market on the chain of a net, with the same token, its own providers; to be stopped before the net is. */
export async function startMarketBeside(net: StorageNet, options: Partial<DeployOptions> = {}): Promise<StorageNet> {
  const deployer = await net.account();
  const { randomnessKind } = net.deployment;
  const deployment = await deployHoldfast(deployer, { randomnessKind, tiers: devTiers(), ...options });
  const contracts = connect(net.provider, deployment);
  const chain: DevChain = { ...net, deployment, contracts, stop: async () => undefined };
  return storageNetOn(chain, TestToken__factory.connect(net.token, deployer));
}

async function storageNetOn(chain: DevChain, testToken: TestToken): Promise<StorageNet> {
  const token = await testToken.getAddress();
  const { vault: vaultAddress, registry: registryAddress, market } = chain.deployment;
  const nodes: RunningProvider[] = [];
  const chains: Chain[] = [];
  const databases: Database[] = [];
  const senderOf = (signer: Wallet) =>
    new TransactionSender({ provider: chain.provider, signer, logger: testLogger(), pollMs: 10 });
  const rich = async () => {
    const wallet = await chain.account();
    await (await testToken.mint(wallet, WEALTH)).wait();
    return wallet;
  };
  const register = async (wallet: Wallet, url: string, stake = STAKE, tiers = 3) => {
    const vault = chain.contracts.vault.connect(wallet);
    const registry = chain.contracts.registry.connect(wallet);
    const profile = { name: "", url, peerId: "", region: "0x000000000000", tiers, offerUri: "" };
    await (await registry.register(profile)).wait();
    if (stake === 0n) return;
    await (await testToken.connect(wallet).approve(vaultAddress, stake)).wait();
    await (await vault.depositAndApprove(token, stake, registryAddress)).wait();
    await (await registry.provision(market, token, stake)).wait();
  };
  return {
    ...chain,
    token,
    rich,
    senderOf,
    register,
    clientOf: (wallet, sender = senderOf(wallet)) =>
      new HoldfastClient({
        address: wallet.address,
        sender,
        deployment: chain.deployment,
        contracts: chain.contracts,
      }),
    async addProvider(policy = {}, stake = STAKE, options = {}) {
      const wallet = await rich();
      const dataDir = await tempFolder();
      const access = await ownAccess(chain, wallet);
      const database = await newDatabase();
      chains.push(access.chain);
      databases.push(database);
      const node = await startProvider({
        dataDir,
        database,
        ...access,
        policy: testPolicy(token, policy),
        fetching: { allowAddress: (address) => address === "127.0.0.1", resumeAfterMs: 10 },
        logger: testLogger(),
        ...options,
      });
      nodes.push(node);
      await register(wallet, node.url, stake);
      return { ...node, wallet, dataDir };
    },
    tokensOf: (account) => testToken.balanceOf(account),
    async stop() {
      await Promise.all(nodes.map((node) => node.close()));
      for (const { provider } of chains) provider.destroy();
      await Promise.all(databases.map((database) => database.destroy()));
      await chain.stop();
    },
  };
}
