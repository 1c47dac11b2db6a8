import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { hexlify, type Wallet } from "ethers";
import { devTiers } from "../../src/chain/deploy.js";
import type { ChainError } from "../../src/chain/errors.js";
import { obtainSeed } from "../../src/chain/seeds.js";
import { type Deal, type HoldfastClient, type MigrateStep, readDeal, upload } from "../../src/client/index.js";
import { askMigration } from "../../src/client/providers.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { type DealTerms, possessionEpoch, Status, windowOf } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { step, stepTo } from "../support/keeping.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 6_000;

describe("client: moving deals", () => {
  let net: StorageNet;
  let from: TestProvider;
  let to: TestProvider;
  let owner: Wallet;
  let client: HoldfastClient;
  let piece: TestPiece;
  let seed = 10;

  const store = async (node = from, periods = 8) => {
    piece = await testPiece(SIZE, seed++);
    const wishes = { tier: 0, periods, token: net.token, maxPricePerPeriod: BigInt(2 * SIZE), urls: [node.url] };
    const { deals } = await client.store(new Blob([piece.payload]), wishes);
    return deals[0]?.id as bigint;
  };
  const most = { maxPricePerPeriod: BigInt(2 * SIZE) + 100n };
  const snapshot = async (id: bigint) => ({
    state: await net.contracts.market.stateHash(id),
    status: (await readDeal(net, id)).status,
    money: (await net.tokensOf(owner.address)) + (await client.balance(net.token)),
  });

  before(async () => {
    net = await startStorageNet();
    from = await net.addProvider();
    to = await net.addProvider(priced(net.token, 2n));
  });
  beforeEach(async () => {
    owner = await net.rich();
    client = net.clientOf(owner);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("moves a deal: the new provider fetches, shows that it has the piece, and goes on where the old one ends", async () => {
    const id = await store();
    const steps: MigrateStep["step"][] = [];
    const wealth = (await net.tokensOf(owner.address)) + (await client.balance(net.token));
    const { successor, url, terms } = await client.migrate(id, {
      ...most,
      providers: [to.wallet.address],
      onProgress: ({ step }) => steps.push(step),
    });
    expect(steps).to.deep.equal(["chosen", "there"]);
    expect(url).to.equal(to.url);
    const [old, next] = [await readDeal(net, id), await readDeal(net, successor)];
    expect(old).to.include({ status: Status.Ending, successor });
    expect(next).to.include({
      status: Status.Open,
      owner: owner.address,
      provider: to.wallet.address,
      root: hexlify(piece.commitment.root),
      leafCount: piece.commitment.leafCount,
      tier: 0,
    });
    // What the old one gives back, or a period more where one began on the way.
    expect(next.periods - (8 - old.periods)).to.be.within(0, 1);
    expect(terms.periods).to.equal(next.periods);
    // At twice the price: what the old deal gives back covers half.
    const refund = BigInt(8 - old.periods) * BigInt(SIZE);
    const left = (await net.tokensOf(owner.address)) + (await client.balance(net.token));
    expect(wealth - left).to.equal(next.totals.funded - refund);
    const { value } = await client.fetch(piece.cid, [url]);
    expect(value).to.deep.equal(piece.payload);
    // Both keepers prove to the end; then the old one is Migrated, the new one Completed.
    const keepers = [from.keeper as ProvingKeeper, to.keeper as ProvingKeeper];
    const tier = net.deployment.tiers[0]!;
    await stepTo(net, windowOf(old.firstEpoch, tier, old.periods).lastBlock + 1, ...keepers);
    expect(await readDeal(net, id)).to.include({ status: Status.Migrated, missed: 0, proven: old.periods });
    await stepTo(net, windowOf(next.firstEpoch, tier, next.periods).lastBlock + 1, ...keepers);
    expect(await readDeal(net, successor)).to.include({ status: Status.Completed, missed: 0, proven: next.periods });
  });

  it("deposits more where a period of the old deal begins while it is moved", async () => {
    const id = await store();
    const { firstEpoch } = await readDeal(net, id);
    // The deposit's own block is that of the first challenge: from then on, one period less comes back.
    const sender = net.senderOf(owner);
    let deposits = 0;
    const late = net.clientOf(owner, {
      address: () => sender.address(),
      async send(...args: Parameters<typeof sender.send>) {
        if (/^deposit/.test(args[1]) && deposits++ === 0) {
          await net.mine(Math.max(1, firstEpoch - (await net.provider.getBlockNumber())));
        }
        return sender.send(...args);
      },
    });
    const { successor } = await late.migrate(id, { ...most, providers: [to.wallet.address] });
    expect((await readDeal(net, successor)).provider).to.equal(to.wallet.address);
    expect(deposits).to.equal(2);
  });

  it("hands the piece over where the old provider does not serve it any more", async () => {
    const lossy = await net.addProvider();
    const id = await store(lossy);
    await rm(join(lossy.dataDir, "pieces", `${piece.cid}.piece`));
    const before = await snapshot(id);
    const error = await expectError("MIGRATION_FAILED", () =>
      client.migrate(id, { ...most, providers: [to.wallet.address] }),
    );
    expect(error.message).to.match(/could not be fetched/);
    expect(await snapshot(id)).to.deep.equal(before);
    const payload = new Blob([piece.payload]);
    const { successor } = await client.migrate(id, { ...most, providers: [to.wallet.address], payload });
    expect((await readDeal(net, successor)).provider).to.equal(to.wallet.address);
    const wrong = new Blob([(await testPiece(SIZE, 1)).payload]);
    const next = await store();
    await expectError("PIECE_MISMATCH", () => client.migrate(next, { ...most, payload: wrong }));
  });

  it("goes to the next provider where one can't be had, never to the one that has the deal", async () => {
    const id = await store();
    const gone = await net.addProvider(priced(net.token, 1n));
    await rm(join(gone.dataDir, "uploads"), { recursive: true });
    const refused: string[] = [];
    const { url } = await client.migrate(id, {
      ...most,
      providers: [gone.wallet.address, to.wallet.address, from.wallet.address],
      pullMs: 3_000,
      onProgress: (done) => done.step === "refused" && refused.push(done.url),
    });
    expect(url).to.equal(to.url);
    expect(refused).to.deep.equal([gone.url]);
  });

  it("checkpoints the seed of the proof where the chain's randomness needs that", async () => {
    const options = { randomnessKind: "randao", tiers: devTiers(), anvilArgs: ["--hardfork", "cancun"] } as const;
    const other = await startStorageNet(options);
    try {
      const [old, next] = [await other.addProvider(), await other.addProvider(priced(other.token, 2n))];
      const mover = other.clientOf(await other.rich());
      await other.mine(64 - ((await other.provider.getBlockNumber()) % 64));
      const { payload, cid } = await testPiece(SIZE, seed++);
      const wishes = { tier: 0, periods: 8, token: other.token, maxPricePerPeriod: BigInt(SIZE), urls: [old.url] };
      const { deals } = await mover.store(new Blob([payload]), wishes);
      const { id, terms } = deals[0] as Deal;
      await upload(next.url, cid, new Blob([payload]));
      const later: DealTerms = { ...terms, provider: next.wallet.address, pricePerPeriod: BigInt(2 * SIZE) };
      const early = await expectError("PROVIDER_REFUSED", () => askMigration(next.url, id, later));
      expect(early.message).to.match(/503.*the seed of block \d+ is not there yet/s);
      const { successor } = await mover.migrate(id, most);
      expect((await readDeal(other, successor)).provider).to.equal(next.wallet.address);
    } finally {
      await other.stop();
    }
  });

  it("is refused to others, at the wrong time, for too much; the deal stays as it was", async () => {
    const id = await store();
    const before = await snapshot(id);
    await expectError("NOT_OWNER", async () => net.clientOf(await net.rich()).migrate(id, most));
    await expectError("INVALID_PERIODS", () => client.migrate(id, { ...most, periods: 1 }));
    const dear = await expectError("MIGRATION_FAILED", () =>
      client.migrate(id, { maxPricePerPeriod: 1n, providers: [to.wallet.address] }),
    );
    expect(dear.message).to.match(/a period costs \d+, over 1/);
    const nobody = await expectError("MIGRATION_FAILED", () =>
      client.migrate(id, { ...most, providers: [from.wallet.address] }),
    );
    expect(nobody.message).to.match(/none offers this|left out/);
    expect(await snapshot(id)).to.deep.equal(before);
    const keeper = from.keeper as ProvingKeeper;
    const { firstEpoch } = await readDeal(net, id);
    await stepTo(net, firstEpoch + 1, keeper);
    const { payload } = await testPiece(SIZE, 3);
    await client.amend(id, new Blob([payload]), { maxPricePerPeriod: BigInt(SIZE) });
    await expectError("AMENDMENT_PENDING", () => client.migrate(id, most));
    await client.terminate(id);
    await expectError("DEAL_NOT_OPEN", () => client.migrate(id, most));
  });

  it("reverts with a proof of another provider's, of another deal's, or of an old seed, and leaves the deal", async () => {
    const id = await store();
    const other = await store();
    // The same piece twice, so that nothing but the question differs.
    const third = await net.addProvider(priced(net.token, 2n));
    const { root, leafCount, tier, periods } = await readDeal(net, other);
    const deal = await readDeal(net, other);
    const validUntil = BigInt(Math.floor(Date.now() / 1_000)) + 1_000n;
    const termsOf = (node: TestProvider, salt: string): DealTerms => ({
      client: owner.address,
      provider: node.wallet.address,
      ...{ root, leafCount, tier, periods, maxPeriods: periods, token: net.token },
      pricePerPeriod: BigInt(2 * SIZE),
      collateral: 0n,
      egressPricePerGiB: 7n,
      validUntil,
      salt: `0x${salt.repeat(32)}`,
    });
    const payload = new Blob([piece.payload]);
    for (const node of [to, third]) await upload(node.url, piece.cid, payload);
    const wallet = net.senderOf(owner);
    await (await net.contracts.vault.connect(owner).setOperator(net.deployment.market, true)).wait();
    const head = await net.provider.getBlockNumber();
    const access = { provider: net.provider, deployment: net.deployment, contracts: net.contracts, sender: wallet };
    await obtainSeed(access, possessionEpoch(head + 1));
    const mine = await askMigration(to.url, other, termsOf(to, "11"));
    const theirs = await askMigration(third.url, other, termsOf(third, "22"));
    const send = async (dealId: bigint, proof: string) => {
      const call = await net.contracts.market.migrate.populateTransaction(
        dealId,
        termsOf(to, "11"),
        "0x",
        mine.providerSignature,
        proof,
      );
      return failure<ChainError>(wallet.send(call, "move a deal"));
    };
    const before = [await snapshot(other), await snapshot(id)];
    expect((await send(other, theirs.proof)).revert?.name).to.equal("InvalidPossession");
    expect((await send(other, `0x${"00".repeat(32)}`)).revert?.name).to.equal("InvalidPossession");
    expect((await send(id, mine.proof)).revert?.name).to.equal("PieceMismatch");
    await step(net, 64, from.keeper as ProvingKeeper, to.keeper as ProvingKeeper);
    expect((await send(other, mine.proof)).revert?.name).to.equal("InvalidPossession");
    expect((await readDeal(net, other)).status).to.equal(deal.status);
    expect(before.map(({ status }) => status)).to.deep.equal([Status.Open, Status.Open]);
  });
});
