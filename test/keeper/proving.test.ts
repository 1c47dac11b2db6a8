import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, makeError } from "ethers";
import { openChain } from "../../src/chain/chain.js";
import { TransactionSender } from "../../src/chain/sender.js";
import type { ProvenEvent, ProvingKeeper, Trouble } from "../../src/keeper/index.js";
import type { Commitment } from "../../src/piece/index.js";
import { Status } from "../../src/protocol/index.js";
import type { PieceSource } from "../../src/store/types.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { bytesOf, Parties, serviceChain, startProving, step, stepTo, stepUntil } from "../support/keeping.js";
import { type Fault, startRpcProxy } from "../support/rpc-proxy.js";

/** What a keeper told. */
class Told {
  readonly proven: ProvenEvent[] = [];
  readonly trouble: Trouble[] = [];
  readonly missed: { id: bigint; window: number }[] = [];
  readonly batches: { size: number; proven: number; calldataBytes: number; gasUsed: bigint }[] = [];
  readonly checkpoints: number[] = [];
  readonly ended: { id: bigint; status: Status }[] = [];

  readonly listen = (keeper: ProvingKeeper) => {
    keeper.on("proven", (event) => this.proven.push(event));
    keeper.on("trouble", (event) => this.trouble.push(event));
    keeper.on("missed", (event) => this.missed.push(event));
    keeper.on("batch", (event) => this.batches.push(event));
    keeper.on("checkpointed", ({ epoch }) => this.checkpoints.push(epoch));
    keeper.on("ended", (event) => this.ended.push(event));
  };

  windowsOf(id: bigint): number[] {
    return this.proven.filter((event) => event.id === id).map(({ window }) => window);
  }
}

describe("ProvingKeeper", () => {
  let chain: DevChain;
  let parties: Parties;
  let told: Told;
  const stops: (() => Promise<void>)[] = [];

  async function begin(options: Parameters<typeof startDevChain>[0] = {}): Promise<void> {
    chain = await startDevChain(options);
    stops.push(() => chain.stop());
    parties = await Parties.on(chain);
    told = new Told();
  }

  async function keep(options: Parameters<typeof startProving>[1] = {}, by = told): Promise<ProvingKeeper> {
    const { keeper, stop } = await startProving(parties, { listen: by.listen, ...options });
    stops.push(stop);
    return keeper;
  }

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** The pieces, and how often one was opened to build a proof. */
  function counted(): { pieces: PieceSource; opened: () => number } {
    let opened = 0;
    const open: PieceSource["open"] = (root, leafCount) => {
      opened++;
      return parties.pieces.open(root, leafCount);
    };
    return { pieces: { open }, opened: () => opened };
  }

  async function firstEpochOf(id: bigint): Promise<number> {
    return Number((await chain.contracts.lens.dealOf(id)).firstEpoch);
  }

  it("proves every window of several deals, from the first to the last", async () => {
    await begin();
    const terms = [];
    for (const [i, size] of [1, 127, 5_000, 300_000].entries()) {
      const tier = i % 2;
      terms.push(parties.terms(await parties.pieces.add(bytesOf(i, size)), { tier, periods: 6 - 2 * tier }));
    }
    const ids = await parties.open(terms);
    const keeper = await keep();
    await stepUntil(chain, () => told.ended.length === ids.length, 400, keeper);
    for (const [i, id] of ids.entries()) {
      const periods = 6 - 2 * (i % 2);
      expect(told.windowsOf(id)).to.deep.equal(Array.from({ length: periods }, (_, k) => k + 1));
      const { proven, standing } = await chain.contracts.lens.dealOf(id);
      expect(proven).to.equal(BigInt(periods));
      expect(standing.missed).to.equal(0n);
      expect(Number(standing.status)).to.equal(Status.Completed);
    }
    expect(told.missed).to.deep.equal([]);
    expect(told.trouble).to.deep.equal([]);
    expect(told.proven.every(({ own, hash }) => own && hash !== undefined)).to.equal(true);
  });

  it("proves 200 deals of one provider inside one window", async function () {
    this.timeout(240_000);
    await begin();
    const terms = [];
    for (let i = 0; i < 200; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i, 20_000)), { tier: 1 }));
    const ids = await parties.open(terms);
    const first = Math.max(...(await Promise.all([ids[0]!, ids.at(-1)!].map(firstEpochOf))));
    await chain.mine(first - (await chain.provider.getBlockNumber()));
    const keeper = await keep();
    const began = Date.now();
    const from = await chain.provider.getBlockNumber();
    await stepUntil(chain, () => new Set(told.proven.map(({ id }) => id)).size === 200, 15, keeper);
    const took = Date.now() - began;
    const blocks = (await chain.provider.getBlockNumber()) - from;
    const gas = told.batches.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
    console.log(
      `      200 deals in ${took} ms, ${blocks} blocks, ${told.batches.length} transactions, ${gas / 200n} gas a deal, ` +
        `batches of ${told.batches.map(({ size, calldataBytes, gasUsed }) => `${size}/${calldataBytes} B/${gasUsed}`)}`,
    );
    expect(told.missed).to.deep.equal([]);
    expect(told.trouble).to.deep.equal([]);
    for (const { proven } of await chain.contracts.lens.dealsOf(ids)) expect(proven).to.equal(1n);
    for (const { calldataBytes } of told.batches) expect(calldataBytes).to.be.at.most(120 * 1024);
  });

  it("proves the others where the bytes of some are missing, says why, and goes on once they are back", async () => {
    await begin();
    const pieces = [];
    for (let i = 0; i < 5; i++) pieces.push(await parties.pieces.add(bytesOf(i, 2_000)));
    const ids = await parties.open(pieces.map((piece) => parties.terms(piece)));
    const restore = parties.pieces.lose(pieces[1]!);
    parties.pieces.payloadOf(pieces[3]!).fill(0xee);
    const keeper = await keep();
    await stepUntil(chain, () => told.proven.length === 3, 40, keeper);
    await stepUntil(chain, () => told.trouble.length === 2, 3, keeper);
    const codes = new Map(told.trouble.map(({ id, code }) => [id, code]));
    expect(codes.get(ids[1]!)).to.equal("MISSING_PIECE");
    expect(codes.get(ids[3]!)).to.equal("CORRUPT_BYTES");
    restore();
    await stepUntil(chain, () => told.windowsOf(ids[1]!).length === 1, 4, keeper);
    await stepUntil(chain, () => told.missed.length === 1, 10, keeper);
    expect(told.missed).to.deep.equal([{ id: ids[3], window: 1 }]);
    expect(told.trouble.length).to.equal(2);
  });

  it("proves the others where the bytes of one never come, and says so", async () => {
    await begin();
    const pieces = [];
    for (let i = 0; i < 5; i++) pieces.push(await parties.pieces.add(bytesOf(i, 2_000)));
    const ids = await parties.open(pieces.map((piece) => parties.terms(piece)));
    const silent = new Promise<never>(() => undefined);
    const stuck = hexlify(pieces[2]!.root);
    const open: PieceSource["open"] = async (root, leafCount) =>
      hexlify(root) === stuck ? silent : parties.pieces.open(root, leafCount);
    const keeper = await keep({ pieces: { open }, proofMs: 200 });
    await stepUntil(chain, () => told.proven.length === 4 && told.trouble.length > 0, 80, keeper);
    expect(told.trouble[0]).to.include({ id: ids[2], code: "SLOW_PIECE" });
    expect(told.proven.map(({ id }) => id)).to.have.members(ids.filter((id) => id !== ids[2]));
  });

  it("proves all others in a few blocks where the bytes of many never come", async function () {
    this.timeout(60_000);
    await begin({ tiers: [{ period: 64, window: 48, challenges: 1, maxMisses: 6 }] });
    const pieces = [];
    for (let i = 0; i < 48; i++) pieces.push(await parties.pieces.add(bytesOf(i, 500)));
    const ids = await parties.open(pieces.map((piece) => parties.terms(piece)));
    const silent = new Promise<never>(() => undefined);
    const isStuck = (i: number) => i % 4 === 1;
    const stuck = new Set(pieces.filter((_, i) => isStuck(i)).map(({ root }) => hexlify(root)));
    let hung = 0;
    const open: PieceSource["open"] = async (root, leafCount) => {
      if (!stuck.has(hexlify(root))) return parties.pieces.open(root, leafCount);
      hung++;
      return silent;
    };
    const proofMs = 4_000;
    await keep({ pieces: { open }, proofMs, readers: 2 });
    await chain.mine((await firstEpochOf(ids[0]!)) + 1 - (await chain.provider.getBlockNumber()));
    const began = Date.now();
    while (told.proven.length < 36) {
      expect(Date.now() - began, "a read that hangs held up others").to.be.lessThan(proofMs * 0.9);
      await sleep(100);
      await chain.mine();
    }
    expect(told.proven.map(({ id }) => id)).to.have.members(ids.filter((_, i) => !isStuck(i)));
    expect(hung).to.equal(12);
    expect(told.missed).to.deep.equal([]);
  });

  it("sends at the next head what was read too late to go with the others", async () => {
    await begin();
    const pieces: Commitment[] = [];
    for (let i = 0; i < 3; i++) pieces.push(await parties.pieces.add(bytesOf(i, 2_000)));
    const ids = await parties.open(pieces.map((piece) => parties.terms(piece)));
    const { promise: arrival, resolve: arrive } = held();
    let read = 0;
    const open: PieceSource["open"] = async (root, leafCount) => {
      if (hexlify(root) === hexlify(pieces[1]!.root)) {
        read++;
        await arrival;
      }
      return parties.pieces.open(root, leafCount);
    };
    await keep({ pieces: { open }, proofMs: 5_000 });
    await chain.mine((await firstEpochOf(ids[0]!)) + 1 - (await chain.provider.getBlockNumber()));
    for (let looks = 0; looks < 40 && told.proven.length < 2; looks++) {
      await sleep(100);
      if (looks % 4 === 3) await chain.mine();
    }
    expect(told.proven.map(({ id }) => id)).to.have.members([ids[0], ids[2]]);
    arrive();
    for (let looks = 0; looks < 20 && told.proven.length < 3; looks++) {
      await sleep(100);
      if (looks % 4 === 3) await chain.mine();
    }
    expect(told.windowsOf(ids[1]!)).to.deep.equal([1]);
    expect(read, "it was read once").to.equal(1);
    expect(told.trouble).to.deep.equal([]);
  });

  it("halves what the node finds too large, and says of one that is too large by itself", async () => {
    await begin();
    const pieces: Commitment[] = [];
    for (const [i, size] of [500, 500, 500, 500, 3_000_000].entries())
      pieces.push(await parties.pieces.add(bytesOf(i, size)));
    // A window of 16 blocks: each of the halves may wait for two of its own.
    const ids = await parties.open(pieces.map((piece) => parties.terms(piece, { tier: 1 })));
    const service = await serviceChain(chain);
    stops.push(async () => service.provider.destroy());
    const { provider } = service;
    const send = provider.send.bind(provider);
    let refused = 0;
    provider.send = async (method, params) => {
      const [raw] = params as string[];
      if (method !== "eth_sendRawTransaction" || raw!.length < 3_600) return send(method, params);
      refused++;
      const error = { code: -32_000, message: "oversized data: transaction size 1900, limit 1800" };
      throw makeError("could not coalesce error", "UNKNOWN_ERROR", { error } as never);
    };
    const signer = (await chain.account()).connect(provider);
    const sender = new TransactionSender({ provider, signer, logger: testLogger(), pollMs: 5 });
    const keeper = await keep({ chain: service, sender });
    await stepUntil(chain, () => told.proven.length === 4 && told.trouble.length > 0, 40, keeper);
    expect(told.proven.map(({ id }) => id)).to.have.members(ids.slice(0, 4));
    expect(told.trouble.map(({ id, code }) => ({ id, code }))).to.deep.equal([{ id: ids[4], code: "TOO_LARGE" }]);
    expect(refused).to.be.greaterThan(1);
  });

  it("warns at half of a window, and pays more in its last quarter", async () => {
    await begin();
    const piece = await parties.pieces.add(bytesOf(1));
    const restore = parties.pieces.lose(piece);
    const [id] = await parties.open([parties.terms(piece, { tier: 2 })]);
    const keeper = await keep();
    const late: { window: number; share: number; blocksLeft: number }[] = [];
    keeper.on("late", ({ window, share, blocksLeft }) => late.push({ window, share, blocksLeft }));
    const first = await firstEpochOf(id!);
    // A window of 32 blocks.
    await stepTo(chain, first + 15, keeper);
    expect(late).to.deep.equal([]);
    await stepTo(chain, first + 27, keeper);
    expect(late.map(({ share }) => share)).to.deep.equal([0.5, 0.75, 0.8]);
    expect(late[0]).to.deep.equal({ window: 1, share: 0.5, blocksLeft: 16 });
    restore();
    await stepUntil(chain, () => told.proven.length === 1, 8, keeper);
    const [own] = told.proven;
    const hurried = await chain.provider.getTransaction(own!.hash!);
    await stepTo(chain, first + 66, keeper);
    await stepUntil(chain, () => told.proven.length === 2, 8, keeper);
    const usual = await chain.provider.getTransaction(told.proven[1]!.hash!);
    expect(hurried!.maxPriorityFeePerGas! * 4n).to.be.at.least(usual!.maxPriorityFeePerGas! * 5n);
    expect(late.filter(({ window }) => window === 2)).to.deep.equal([]);
    expect(told.missed).to.deep.equal([]);
  });

  it("finds deals that are opened while it runs, and windows that were added", async () => {
    await begin();
    const keeper = await keep();
    await step(chain, 1, keeper);
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]);
    await stepUntil(chain, () => told.windowsOf(id!).length === 5, 150, keeper);
    const market = chain.contracts.market.connect(parties.client);
    await market.extend(id!, 2, PRICE_OF_TWO, { gasLimit: 400_000 });
    await stepUntil(chain, () => told.ended.length === 1, 80, keeper);
    expect(told.windowsOf(id!)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(told.missed).to.deep.equal([]);
  });

  it("stops proving what its owner has ended, and what defaulted", async () => {
    await begin();
    const lost = await parties.pieces.add(bytesOf(2));
    const [ended, defaulted] = await parties.open([
      parties.terms(await parties.pieces.add(bytesOf(1))),
      parties.terms(lost),
    ]);
    parties.pieces.lose(lost);
    const keeper = await keep();
    await stepUntil(chain, () => told.windowsOf(ended!).length === 2, 80, keeper);
    await chain.contracts.market.connect(parties.client).terminate(ended!, { gasLimit: 400_000 });
    await stepUntil(chain, () => told.ended.length === 2, 120, keeper);
    expect(new Map(told.ended.map(({ id, status }) => [id, status]))).to.deep.equal(
      new Map([
        [ended, Status.Completed],
        [defaulted, Status.Defaulted],
      ]),
    );
    expect(told.windowsOf(ended!).length).to.be.at.most(3);
    expect(told.missed.map(({ id }) => id)).to.deep.equal(Array(6).fill(defaulted));
  });

  it("goes on over an endpoint that fails, is slow to say so, and forgets to answer", async function () {
    this.timeout(120_000);
    await begin();
    const terms = [];
    for (let i = 0; i < 8; i++)
      terms.push(parties.terms(await parties.pieces.add(bytesOf(i)), { tier: 1, periods: 4 }));
    const ids = await parties.open(terms);
    const faults: readonly Fault[] = ["cut", 500, "lost", 503, 429];
    let calm = true;
    // At distances that change, or a keeper that asks in a rhythm would always lose the same answer.
    const distances = [7, 11, 8, 12, 9, 10];
    let wrong = 0;
    let untilNext = distances[0]!;
    const proxy = await startRpcProxy(chain.anvil.url, () => {
      if (calm || --untilNext > 0) return undefined;
      untilNext = distances[++wrong % distances.length]!;
      return faults[wrong % faults.length];
    });
    stops.push(() => proxy.stop());
    await keep({ url: proxy.url });
    calm = false;
    // Nobody waits for the keeper here: blocks come at a pace of their own, and it has to keep up over the windows of
    // sixteen of them. While something is to be proven that pace is slow, for machines that are.
    const isDue = async () => {
      const deals = await chain.contracts.lens.dealsOf(ids);
      return deals.some(({ standing, lastProven }) => standing.open > lastProven);
    };
    for (let block = 0; told.ended.length < ids.length && block < 300; block++) {
      await chain.mine();
      await sleep(50);
      for (let waited = 0; waited < 15 && (await isDue()); waited++) await sleep(100);
    }
    expect(proxy.failed).to.be.greaterThan(10);
    expect(told.missed).to.deep.equal([]);
    for (const { proven } of await chain.contracts.lens.dealsOf(ids)) expect(proven).to.equal(4n);
  });

  it("takes it for success where another keeper was there first", async () => {
    await begin();
    const terms = [];
    for (let i = 0; i < 6; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i))));
    const ids = await parties.open(terms);
    const rival = new Told();
    const keepers = [await keep(), await keep({}, rival)];
    await stepUntil(chain, () => told.ended.length + rival.ended.length === 12, 200, ...keepers);
    for (const by of [told, rival]) {
      expect(by.trouble).to.deep.equal([]);
      expect(by.missed).to.deep.equal([]);
      for (const id of ids) expect(by.windowsOf(id)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    }
    for (const id of ids) {
      const owners = [told, rival].map((by) => by.proven.filter((event) => event.id === id && event.own).length);
      expect(owners[0]! + owners[1]!).to.equal(6);
    }
  });

  it("proves again what a reorganisation dropped", async () => {
    await begin();
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)), { tier: 1 })]);
    const { pieces, opened } = counted();
    const keeper = await keep({ pieces });
    await stepUntil(chain, () => told.proven.length === 1, 80, keeper);
    const depth = (await chain.provider.getBlockNumber()) - told.proven[0]!.block! + 1;
    await chain.provider.send("anvil_reorg", [depth, []]);
    expect((await chain.contracts.lens.dealOf(id!)).lastProven).to.equal(0n);
    await stepUntil(chain, () => told.proven.length === 2, 8, keeper);
    expect((await chain.contracts.lens.dealOf(id!)).lastProven).to.equal(1n);
    expect(told.windowsOf(id!)).to.deep.equal([1, 1]);
    expect(told.missed).to.deep.equal([]);
    expect(opened(), "the block of the challenge is the same, and so is the proof").to.equal(1);
  });

  it("proves again what was in a block that was gone before anybody followed it", async () => {
    await begin();
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)), { tier: 1 })]);
    await chain.mine((await firstEpochOf(id!)) + 1 - (await chain.provider.getBlockNumber()));
    // Heads are looked for seldom here, receipts often.
    const slow = await openChain(chain.anvil.url, chain.deployment, { logger: testLogger(), pollMs: 1_500 });
    stops.push(async () => slow.provider.destroy());
    await keep({ chain: slow });
    for (let pending = 0n; pending === 0n; await sleep(5)) {
      pending = BigInt((await chain.provider.send("txpool_status", [])).pending);
    }
    await chain.mine();
    while (told.proven.length === 0) await sleep(5);
    await chain.provider.send("anvil_reorg", [1, []]);
    expect((await chain.contracts.lens.dealOf(id!)).lastProven).to.equal(0n);
    for (let looks = 0; looks < 100 && told.proven.length < 2; looks++) {
      await sleep(100);
      if (looks % 15 === 14) await chain.mine();
    }
    expect(told.windowsOf(id!)).to.deep.equal([1, 1]);
    expect((await chain.contracts.lens.dealOf(id!)).lastProven).to.equal(1n);
  });

  it("answers the new challenge where the reorganisation changed the seed itself", async () => {
    await begin();
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1, 9_000)), { tier: 1 })]);
    const { pieces, opened } = counted();
    const keeper = await keep({ pieces });
    await stepUntil(chain, () => told.proven.length === 1, 80, keeper);
    const epoch = await firstEpochOf(id!);
    const seed = await chain.contracts.randomness.seed(epoch);
    await chain.provider.send("anvil_reorg", [(await chain.provider.getBlockNumber()) - epoch + 2, []]);
    await stepUntil(chain, () => told.proven.length === 2, 10, keeper);
    expect(await chain.contracts.randomness.seed(epoch)).not.to.equal(seed);
    expect(opened(), "a proof for another block is of no use").to.equal(2);
    expect((await chain.contracts.lens.dealOf(id!)).lastProven).to.equal(1n);
  });

  it("checkpoints the seeds that RANDAO needs, once an epoch", async () => {
    await begin({ randomnessKind: "randao" });
    const terms = [];
    for (let i = 0; i < 4; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i))));
    const ids = await parties.open(terms);
    const keeper = await keep();
    await stepUntil(chain, () => told.ended.length === 4, 200, keeper);
    for (const id of ids) expect(told.windowsOf(id)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect(told.missed).to.deep.equal([]);
    expect(told.checkpoints.length).to.equal(6);
    expect(new Set(told.checkpoints).size).to.equal(6);
  });

  it("says so where a seed is lost for ever", async () => {
    // Before Prague a chain serves the hashes of 256 blocks only.
    const tiers = [{ period: 400, window: 390, challenges: 1, maxMisses: 1 }];
    await begin({ randomnessKind: "randao", tiers, anvilArgs: ["--hardfork", "cancun"] });
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]);
    const first = await firstEpochOf(id!);
    await chain.mine(first - (await chain.provider.getBlockNumber()) + 300);
    const keeper = await keep();
    await stepUntil(chain, () => told.trouble.length > 0, 3, keeper);
    expect(told.trouble[0]).to.include({ id, window: 1, code: "SEED_LOST" });
  });

  it("goes on where it stopped", async () => {
    await begin();
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]);
    const before = await startProving(parties, { listen: told.listen });
    await stepUntil(chain, () => told.proven.length === 2, 80, before.keeper);
    await before.stop();
    const after = new Told();
    const keeper = await keep({}, after);
    await stepUntil(chain, () => after.ended.length === 1, 120, keeper);
    expect([...told.windowsOf(id!), ...after.windowsOf(id!)]).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it("waits for as many confirmations as it is told to", async () => {
    await begin();
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1)))]);
    const keeper = await keep({ confirmations: 4 });
    const first = await firstEpochOf(id!);
    await stepTo(chain, first + 4, keeper);
    expect(told.proven).to.deep.equal([]);
    await stepUntil(chain, () => told.proven.length === 1, 3, keeper);
    expect(told.proven[0]!.block).to.be.greaterThan(first + 4);
  });
});

const PRICE_OF_TWO = 20_000n;

function held(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
