import { parseEther } from "ethers";
import { packProofs } from "../../../src/protocol/batch.js";
import { BenchChain, type Cost } from "./chain.js";
import { measureAgreed } from "./changes.js";
import { measureProvenance } from "./provenance.js";
import { measureRequests } from "./requests.js";
import { type BenchDeal, PERIOD, WINDOW, World } from "./world.js";

/** One line of the table. */
export interface GasRow extends Cost {
  readonly op: string;
}

/** Windows over which the mean of a single proof is taken; each has a seed of its own. */
const SEEDS = 16;
const HEIGHTS = [15, 20, 25] as const;
const PROVE_BATCH = 40;
const SETTLE_BATCH = 50;
const SETTLE_PERIODS = 30;
const STAKE = parseEther("1000");

/** A profile of the lengths that are usual: a host name, an Ed25519 libp2p peer id, offers at the default address. */
const PROFILE = {
  name: "Example Storage Co",
  url: "https://storage.example.com",
  peerId: "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf",
  region: "0x444500000000",
  tiers: 3,
  offerUri: "",
} as const;

/** Measures every row on a chain of its own. Takes some seconds; each run gives the same figures. */
export async function measureGas(): Promise<GasRow[]> {
  const world = await World.deploy(await BenchChain.create());
  const rows: GasRow[] = [];
  const add = (op: string, cost: Cost): void => {
    rows.push({ op, gas: cost.gas, calldataBytes: cost.calldataBytes, calldataFloor: cost.calldataFloor });
  };
  await measureAccounts(world, add);
  const deals = await measureOpening(world, add);
  await measureLife(world, deals, add);
  await measureAgreed(add);
  await measureRequests(add);
  await measureProvenance(add);
  return rows;
}

type Add = (op: string, cost: Cost) => void;

/** Money in and out, and a provider's first steps. Vault and market hold tokens of others already. */
async function measureAccounts(world: World, add: Add): Promise<void> {
  const { client, newcomer, provider, signer, payee, treasury, keeper } = world.roles;
  const { vault, registry, market, token } = world;
  for (const account of [provider, client, newcomer]) await world.fund(account);
  await world.deposit(provider);
  add("deposit.first", await world.deposit(client));
  add("deposit.later", await world.deposit(client));
  add("withdraw", await world.send(client, vault.withdraw.populateTransaction(token, client, parseEther("1"))));
  await world.deposit(newcomer);
  // Whoever is paid has been paid before.
  for (const receiver of [payee, treasury, keeper]) {
    await world.send(client, vault.transfer.populateTransaction(receiver, BigInt(world.addresses.token), 1n));
  }
  for (const account of [client, newcomer]) {
    await world.send(account, vault.setOperator.populateTransaction(market, true));
  }
  add("register", await world.send(provider, registry.register.populateTransaction(PROFILE)));
  await world.send(provider, registry.setSigner.populateTransaction(signer));
  await world.send(provider, registry.setPayee.populateTransaction(payee));
  await world.send(provider, vault.setOperator.populateTransaction(registry, true));
  add("provision", await world.send(provider, registry.provision.populateTransaction(market, token, STAKE)));
}

interface Deals {
  readonly byHeight: ReadonlyMap<number, BenchDeal>;
  readonly batch: readonly BenchDeal[];
  /** Is never proven. */
  readonly lost: BenchDeal;
  /** One each to restore, extend and terminate. */
  readonly changed: readonly [BenchDeal, BenchDeal, BenchDeal];
  /** e_1, the same for all. */
  readonly first: number;
}

/** Opens all deals within one period, so that they share their epochs. */
async function measureOpening(world: World, add: Add): Promise<Deals> {
  const { client, newcomer } = world.roles;
  const probe = await world.open(client, "probe", HEIGHTS[0]);
  const start = await world.firstEpochOf(probe);
  await world.chain.mineTo(start);
  const first = await world.open(newcomer, "newcomer", 20);
  add("open.first", first.cost);
  const later = await world.open(newcomer, "newcomer, again", 20);
  add("open.later", later.cost);

  const byHeight = new Map<number, BenchDeal>();
  for (const height of HEIGHTS) byHeight.set(height, await world.open(client, `height ${height}`, height));
  const batch: BenchDeal[] = [];
  for (let i = 0; i < SETTLE_BATCH; i++) batch.push(await world.open(client, `batch ${i}`, 20));
  const lost = await world.open(client, "lost", 20);
  const restored = await world.open(client, "restored", 20);
  const deals = { byHeight, batch, lost, changed: [restored, first, later] as const, first: start + PERIOD };
  for (const deal of [restored, first, ...byHeight.values(), ...batch]) {
    if ((await world.firstEpochOf(deal)) !== deals.first) throw new Error("the deals do not share their epochs");
  }
  return deals;
}

/** Changes of deals of which nothing is due. */
async function measureChanges(
  world: World,
  [restored, extended, terminated]: Deals["changed"],
  add: Add,
): Promise<void> {
  const { newcomer, provider } = world.roles;
  const { market } = world;
  add("restore", await world.send(provider, market.restore.populateTransaction(restored.id, 1)));
  const cost = 10n * extended.terms.pricePerPeriod;
  add("extend", await world.send(newcomer, market.extend.populateTransaction(extended.id, 10, cost)));
  add("terminate", await world.send(newcomer, market.terminate.populateTransaction(terminated.id)));
}

/** Window for window: checkpoint, proofs, settlements. What is measured is never a deal's first proof or payment. */
async function measureLife(world: World, deals: Deals, add: Add): Promise<void> {
  const [low, middle] = [deals.byHeight.get(15), deals.byHeight.get(20)] as [BenchDeal, BenchDeal];
  const proofs = new Map<number, Cost[]>(HEIGHTS.map((height) => [height, []]));
  for (let window = 1; window <= 1 + SETTLE_PERIODS; window++) {
    const epoch = deals.first + (window - 1) * PERIOD;
    const header = await world.chain.mineEpoch(epoch);
    const checkpoint = world.randomness.checkpoint.populateTransaction(epoch, header);
    const checkpointed = await world.send(world.roles.keeper, checkpoint);
    if (window === 1) add("checkpoint", checkpointed);
    for (const [height, deal] of deals.byHeight) {
      if (height !== HEIGHTS[0] && window > 1 + SEEDS) continue;
      const cost = await world.prove(deal, window, epoch);
      if (window > 1 && window <= 1 + SEEDS) proofs.get(height)?.push(cost);
    }
    if (window <= 2) {
      const cost = await proveBatch(world, deals.batch.slice(0, PROVE_BATCH), window, epoch);
      await proveBatch(world, deals.batch.slice(PROVE_BATCH), window, epoch);
      if (window === 2) add("prove.40.h20", cost);
    }
    if (window === 1) await measureChanges(world, deals.changed, add);
    await world.chain.mineTo(epoch + WINDOW);
    if (window === 1) add("settle.slash", await world.settle(deals.lost));
    if (window === 1) await world.settle(low, middle, ...deals.batch);
    if (window === 2) add("settle.1", await world.settle(middle));
    if (window === 2) add("settle.batch50", await world.settle(...deals.batch));
  }
  add("settle.30", await world.settle(low));
  for (const [height, costs] of proofs) add(`prove.1.h${height}`, mean(costs));
}

async function proveBatch(world: World, deals: readonly BenchDeal[], window: number, epoch: number): Promise<Cost> {
  const proofs = await Promise.all(deals.map((deal) => world.proofOf(deal, window, epoch)));
  const ids = deals.map(({ id }) => id);
  return world.send(world.roles.keeper, world.market.proveMany.populateTransaction(ids, packProofs(proofs)));
}

/** Each figure's mean, rounded to a whole number. */
function mean(costs: readonly Cost[]): Cost {
  const of = (figure: keyof Cost): number =>
    Math.round(costs.reduce((sum, cost) => sum + cost[figure], 0) / costs.length);
  return { gas: of("gas"), calldataBytes: of("calldataBytes"), calldataFloor: of("calldataFloor") };
}
