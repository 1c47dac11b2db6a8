import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { parseEther, toQuantity } from "ethers";
import { sql } from "kysely";
import { chainError } from "../../src/chain/errors.js";
import { obtainSeed } from "../../src/chain/seeds.js";
import { TransactionSender } from "../../src/chain/sender.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { DatabaseDuties, openDatabase } from "../../src/store/database/index.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";
import { bytesOf, Parties, startProving, step, stepUntil } from "../support/keeping.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

describe("Seeds that would run out", () => {
  let chain: DevChain;
  let parties: Parties;
  let first: number;
  const stops: (() => unknown)[] = [];

  /** Before Prague a chain serves the hashes of 256 blocks; the window is longer. */
  beforeEach(async () => {
    const tiers = [{ period: 600, window: 560, challenges: 1, maxMisses: 1 }];
    chain = await startDevChain({ randomnessKind: "randao", tiers, anvilArgs: ["--hardfork", "cancun"] });
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  after(removeFolders);

  async function open(): Promise<void> {
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]);
    first = Number((await chain.contracts.lens.dealOf(id!)).firstEpoch);
    await chain.mine(first - (await chain.provider.getBlockNumber()));
  }

  async function keep(options: Parameters<typeof startProving>[1]) {
    const told = { checkpoints: [] as number[], proven: [] as number[] };
    const listen = (keeper: ProvingKeeper) => {
      keeper.on("checkpointed", ({ epoch }) => told.checkpoints.push(epoch));
      keeper.on("proven", ({ block }) => told.proven.push(block!));
    };
    const { keeper, account, stop } = await startProving(parties, { listen, ...options });
    stops.push(stop);
    return { keeper, account, told };
  }

  /** Time passes, until the chain does not serve the epoch's hash any more. */
  async function outlive(keeper: ProvingKeeper): Promise<void> {
    while ((await chain.provider.getBlockNumber()) < first + 300) await step(chain, 20, keeper);
    expect(await chain.contracts.randao!.checkpointable(first)).to.equal(false);
  }

  it("are checkpointed though the piece is missing, and answered when it is back", async function () {
    this.timeout(60_000);
    await open();
    const restore = parties.pieces.lose(await parties.pieces.add(bytesOf(1)));
    const { keeper, told } = await keep({});
    await outlive(keeper);
    expect(told.checkpoints).to.deep.equal([first]);
    restore();
    await stepUntil(chain, () => told.proven.length === 1, 80, keeper);
  });

  it("are checkpointed though the duty is another keeper's, and answered when that has died", async function () {
    this.timeout(60_000);
    await open();
    const database = await openDatabase({ dir: await tempFolder() });
    stops.push(() => database.destroy());
    const { chainId, market } = chain.deployment;
    const scope = { chainId, market, provider: parties.provider.address };
    const other = new DatabaseDuties(database, scope);
    await other.beat();
    const key = (await chain.provider.getBlock(first))!.hash!;
    const [{ id }] = await Promise.all([
      chain.contracts.market.queryFilter(chain.contracts.market.filters.Opened()),
    ]).then(([events]) => events.map(({ args }) => args) as unknown as [{ id: bigint }]);
    await other.plan([{ id, window: 1, epoch: first, lastBlock: first + 560 }]);
    await other.draw(first, key);
    expect(await other.claim({ epoch: first, key, head: first + 1, limit: 1 })).to.have.length(1);
    const { keeper, told } = await keep({ duties: new DatabaseDuties(database, scope) });
    await outlive(keeper);
    expect(told).to.deep.equal({ checkpoints: [first], proven: [] });
    await sql`update workers set seen_at = now() - interval '1 minute' where id = ${other.worker}`.execute(database);
    await stepUntil(chain, () => told.proven.length === 1, 8, keeper);
  });

  it("are checkpointed again where a reorganisation dropped what somebody else had sent", async function () {
    this.timeout(60_000);
    await open();
    const restore = parties.pieces.lose(await parties.pieces.add(bytesOf(1)));
    await chain.mine(5);
    const sender = new TransactionSender({ ...chain, signer: await chain.account(), logger: testLogger(), pollMs: 5 });
    const sent: string[] = [];
    const checkpointing = obtainSeed({ ...chain, sender }, first, { onCheckpoint: (_, hash) => sent.push(hash) });
    while (sent.length === 0) {
      await chain.mine();
      await sleep(20);
    }
    await checkpointing;
    const { blockNumber } = (await chain.provider.getTransactionReceipt(sent[0]!))!;
    const { keeper, account, told } = await keep({});
    await step(chain, 2, keeper);
    // The epoch's own block stays as it is.
    const depth = (await chain.provider.getBlockNumber()) - blockNumber + 1;
    await chain.provider.send("anvil_reorg", [depth, []]);
    // What it was given for gas is in none of the new blocks.
    await chain.provider.send("anvil_setBalance", [account.address, toQuantity(parseEther("1"))]);
    expect(chainError(await failure(chain.contracts.randao!.seed(first)), "").revert?.name).to.equal("SeedUnavailable");
    restore();
    await stepUntil(chain, () => told.proven.length === 1, 80, keeper);
    expect(told.checkpoints).to.deep.equal([first]);
  });

  it("are checkpointed though the keeper stands back for somebody with its key", async function () {
    this.timeout(60_000);
    await open();
    const { keeper, told } = await keep({ guard: { standsBack: true } });
    await step(chain, 100, keeper);
    expect(told.checkpoints).to.deep.equal([]);
    await outlive(keeper);
    expect(told.checkpoints).to.deep.equal([first]);
    expect(told.proven).to.have.length(1);
  });
});
