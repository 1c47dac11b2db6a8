/** The contracts under test: deployed once on a chain in this process, put back between histories. */
import { ethers as core, type Result as Decoded, type Interface } from "ethers";
import { network } from "hardhat";
import { commitWithLayer, prove } from "../../src/piece/index.js";
import { type DealTerms, dealDomain, phaseOf, type Tier } from "../../src/protocol/index.js";
import { pseudoRandom } from "../piece/helpers.js";
import { addClaim, type Config, deposit, emptyState, type State, stakeOf } from "./model.js";

const { ethers, networkHelpers } = await network.create();

export { ethers, networkHelpers };

export const ALIAS = core.getAddress("0xff000000000000000000000000000000000004d2");
export const FEE_BPS = 100n;
export const FINALITY = 3;
/** Short periods; a window of one block, one that fills its period, a single miss allowed. */
export const TIERS: readonly Tier[] = [
  { period: 16, window: 5, challenges: 3, maxMisses: 3 },
  { period: 19, window: 1, challenges: 2, maxMisses: 2 },
  { period: 17, window: 16, challenges: 4, maxMisses: 1 },
];
const DEPOSIT = 400_000n;
const STAKE = 20_000n;

/** The honest provider is the first: each of its windows is proven, whatever else happens. */
const NAMES = [
  "honest",
  "shaky",
  "fraud",
  "ann",
  "ben",
  "cat",
  "keeper",
  "signer",
  "stranger",
  "treasury",
  "payee",
] as const;
export type Name = (typeof NAMES)[number];
/** Tiers that the chain may prove: all but the one with windows of a single block. */
export const CHAIN_TIERS: readonly number[] = [0, 2];
export const PROVIDERS = ["honest", "shaky", "fraud"] as const;
export const CLIENTS = ["ann", "ben", "cat"] as const;

export interface Sent {
  readonly block: number;
  readonly timestamp: bigint;
  /** Name of the error that the contracts reverted with; undefined: it went through. */
  readonly error: string | undefined;
  readonly hash: string | undefined;
}

export type World = Awaited<ReturnType<typeof deployWorld>>;

export async function deployWorld() {
  const signers = await ethers.getSigners();
  const accounts = Object.fromEntries(NAMES.map((name, i) => [name, signers[i]])) as Record<Name, (typeof signers)[0]>;
  const vault = await ethers.deployContract("Vault");
  const registry = await ethers.deployContract("ProviderRegistry", [vault]);
  const randomness = await ethers.deployContract("SteadyRandomness");
  const token = await ethers.deployContract("TestToken", ["Test Dollar", "TUSD", 6]);
  const tokens = [await token.getAddress(), core.ZeroAddress] as const;
  const protocol = [await vault.getAddress(), await registry.getAddress()];
  const config = {
    feeBps: FEE_BPS,
    stakeToken: tokens[0],
    minStake: 500n,
    treasury: accounts.treasury.address,
  };
  const market = await ethers.deployContract("StorageMarket", [
    {
      vault,
      registry,
      randomness,
      ...config,
      challengeFinality: FINALITY,
      demandWindow: 16,
      tiers: [...TIERS],
      chainProofs: await ethers.deployContract("VouchingChain"),
      chainTiers: CHAIN_TIERS.reduce((bits, tier) => bits | (1 << tier), 0),
    },
  ]);
  const lens = await ethers.deployContract("MarketLens", [market]);
  const probe = await ethers.deployContract("MarketProbe", [lens]);
  const marketAddress = await market.getAddress();
  const { chainId } = await ethers.provider.getNetwork();
  const contracts = { vault, registry, market, randomness, token, probe };
  const state = await prime(contracts, accounts, tokens);
  const pieces = await Promise.all([100, 127, 130, 1_240, 9_000].map(makePiece));
  return {
    ...contracts,
    accounts,
    tokens,
    chainId,
    marketAddress,
    domain: dealDomain(chainId, marketAddress),
    config: {
      ...config,
      tiers: TIERS,
      chainTiers: CHAIN_TIERS,
      finality: FINALITY,
      protocol: [...protocol, marketAddress],
    } satisfies Config,
    state,
    pieces,
    /** Of every contract whose errors may come up. */
    interfaces: [market, registry, vault, randomness].map((contract): Interface => contract.interface),
    snapshot: await networkHelpers.takeSnapshot(),
  };
}

/** Money for everybody, stake for the providers, on the chain and in the model; the stranger approves nobody. */
async function prime(
  { vault, registry, market, token }: Pick<World, "vault" | "registry" | "market" | "token">,
  accounts: World["accounts"],
  tokens: readonly [string, string],
): Promise<State> {
  const state = emptyState();
  for (const [name, account] of Object.entries(accounts)) {
    await token.mint(account, DEPOSIT * 2n);
    await token.connect(account).approve(vault, core.MaxUint256);
    await vault.connect(account).deposit(tokens[0], account, DEPOSIT);
    await vault.connect(account).deposit(tokens[1], account, DEPOSIT, { value: DEPOSIT });
    for (const tokenAt of tokens) deposit(state, tokenAt, account.address, DEPOSIT);
    if (name === "stranger") continue;
    await vault.connect(account).setOperator(market, true);
    state.operators.add(account.address);
  }
  const profile = { name: "", url: "", peerId: "", region: "0x000000000000", tiers: 7, offerUri: "" };
  for (const name of PROVIDERS) {
    const account = accounts[name];
    await registry.connect(account).register(profile);
    await vault.connect(account).setOperator(registry, true);
    for (const tokenAt of tokens) {
      await registry.connect(account).provision(market, tokenAt, STAKE);
      addClaim(state, tokenAt, account.address, -STAKE);
      stakeOf(state, tokenAt, account.address).free = STAKE;
    }
  }
  return state;
}

async function makePiece(bytes: number) {
  const payload = pseudoRandom(bytes, bytes);
  const { commitment, layer } = await commitWithLayer(payload);
  const read = (offset: number, length: number): Uint8Array => payload.subarray(offset, offset + length);
  return { commitment, root: core.hexlify(commitment.root), prove: (leaves: bigint[]) => prove(layer, read, leaves) };
}

export const seedOf = (epoch: number): bigint => BigInt(core.keccak256(core.toBeHex(epoch, 32)));

export const phaseFor = (terms: DealTerms): number =>
  phaseOf(terms.provider, terms.tier, TIERS[terms.tier]?.period ?? 16);

export const latestBlock = (): Promise<number> => networkHelpers.time.latestBlock();

/** Empty blocks up to `block`; none where the chain is there already. */
export async function mineTo(block: number): Promise<void> {
  if ((await latestBlock()) < block) await networkHelpers.mineUpTo(block);
}

/** Sends a call so that it is in block `block`, and says what came of it. A call that reverts takes its block too. */
export async function send(
  world: World,
  block: number,
  call: { from: string; to: string; data: string; value?: bigint; timestamp?: bigint },
): Promise<Sent> {
  await mineTo(block - 1);
  if (call.timestamp !== undefined) await networkHelpers.time.setNextBlockTimestamp(call.timestamp);
  const { from, to, data, value } = call;
  const params = { from, to, data, gas: "0x989680", ...(value ? { value: core.toQuantity(value) } : {}) };
  let error: string | undefined;
  let hash: string | undefined;
  try {
    hash = (await ethers.provider.send("eth_sendTransaction", [params])) as string;
  } catch (cause) {
    error = errorName(world, cause);
  }
  const latest = (await ethers.provider.send("eth_getBlockByNumber", ["latest", false])) as Record<string, string>;
  if (Number(latest.number) !== block) throw new Error(`the call is in block ${latest.number}, not in ${block}`);
  return { block, timestamp: BigInt(latest.timestamp as string), error, hash };
}

/** Skipped proofs of a batch, in order: deal and name of the reason. */
export async function skippedIn(world: World, hash: string): Promise<{ id: bigint; reason: string }[]> {
  const receipt = await ethers.provider.getTransactionReceipt(hash);
  return (receipt?.logs ?? []).flatMap((log) => {
    const parsed = world.market.interface.parseLog(log);
    if (parsed?.name !== "ProofSkipped") return [];
    return [{ id: parsed.args.id as bigint, reason: nameOf(world, parsed.args.reason as string) }];
  });
}

function errorName(world: World, cause: unknown): string {
  for (let error = cause; error instanceof Object; error = (error as { cause?: unknown }).cause) {
    const data = dataOf(error);
    if (data) return nameOf(world, data);
  }
  throw cause;
}

function dataOf(error: object): string | undefined {
  const { data, error: inner } = error as { data?: unknown; error?: unknown };
  if (typeof data === "string" && data.length >= 10) return data;
  if (data instanceof Object) return dataOf(data);
  return inner instanceof Object ? dataOf(inner) : undefined;
}

/** The error that a selector, or data that begins with one, stands for. */
function nameOf(world: World, data: string): string {
  for (const known of world.interfaces) {
    const fragment = known.getError(data.slice(0, 10));
    if (fragment) return fragment.name;
  }
  return `unknown error ${data.slice(0, 10)}`;
}

/** Everything at the latest block: these deals, and all money. */
export async function look(world: World, ids: readonly bigint[]) {
  const accounts = Object.values(world.accounts).map((account) => account.address);
  const [number, deals, money] = await world.probe.look([...ids], accounts, [...world.tokens]);
  const structs = <T>(list: readonly unknown[]): T[] => list.map((item) => (item as Decoded).toObject(true) as T);
  return {
    number: Number(number),
    deals: new Map(structs<DealShot>(deals).map((deal, i) => [ids[i] as bigint, deal])),
    money: structs<TokenShot>(money),
  };
}

export interface TokenShot {
  readonly held: bigint;
  readonly marketEscrow: bigint;
  readonly registryEscrow: bigint;
  readonly claims: readonly bigint[];
  readonly free: readonly bigint[];
  readonly locked: readonly bigint[];
}

type Amounts<K extends string> = Readonly<Record<K, bigint>>;
export interface DealShot
  extends Amounts<
    "endedPeriods" | "endedRefund" | "extendLast" | "extendRoom" | "extendPrice" | "share" | "restoreRoom"
  > {
  readonly record: Readonly<Record<string, bigint | string | boolean>> & {
    readonly standing: Amounts<"closed" | "open" | "provenClosed" | "missed" | "allowance" | "status">;
  };
  readonly booked: Totals;
  readonly settled: Totals;
  readonly due: Readonly<Record<string, bigint | boolean>>;
  readonly isProven: boolean;
  readonly stateHash: string;
}
export type Totals = Amounts<
  | "funded"
  | "paid"
  | "fee"
  | "refunded"
  | "escrow"
  | "bonded"
  | "slashed"
  | "bounty"
  | "compensation"
  | "returned"
  | "stake"
>;
export type Shot = Awaited<ReturnType<typeof look>>;
