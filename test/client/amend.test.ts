import { expect } from "chai";
import { hexlify, type Wallet } from "ethers";
import type { ChainError } from "../../src/chain/errors.js";
import { type AmendStep, type DealInfo, type HoldfastClient, readDeal, upload } from "../../src/client/index.js";
import { askAmendment } from "../../src/client/providers.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { type Amendment, dealDomain, Status, signAmendment, windowOf } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { step, stepTo } from "../support/keeping.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SMALL = 5_000;
const LARGE = 8_000;

describe("client: amending", () => {
  let net: StorageNet;
  let node: TestProvider;
  let owner: Wallet;
  let client: HoldfastClient;
  let small: TestPiece;
  let large: TestPiece;

  const store = async (piece: TestPiece, periods = 6) => {
    const wishes = { tier: 0, periods, maxPeriods: 20, token: net.token, maxPricePerPeriod: BigInt(LARGE) };
    const { deals } = await client.store(new Blob([piece.payload]), { ...wishes, urls: [node.url] });
    return deals[0]?.id as bigint;
  };
  const read = (id: bigint): Promise<DealInfo> => readDeal(net, id);
  const windowBlocks = ({ firstEpoch, tier }: DealInfo, k: number) =>
    windowOf(firstEpoch, net.deployment.tiers[tier]!, k);
  const most = { maxPricePerPeriod: BigInt(LARGE) };
  const domain = () => dealDomain(net.deployment.chainId, net.deployment.market);
  const amendmentOf = (id: bigint, { commitment }: TestPiece, changes: Partial<Amendment> = {}): Amendment => ({
    dealId: id,
    root: hexlify(commitment.root),
    leafCount: commitment.leafCount,
    pricePerPeriod: commitment.payloadSize,
    nonce: 0,
    validUntil: 4_000_000_000n,
    ...changes,
  });

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
    [small, large] = [await testPiece(SMALL, 1), await testPiece(LARGE, 2)];
  });
  beforeEach(async () => {
    owner = await net.rich();
    client = net.clientOf(owner);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("has the old piece proven until its last window has closed, the new one from then on, and misses nothing", async () => {
    const keeper = node.keeper as ProvingKeeper;
    const proven: { window: number; root: string }[] = [];
    const missed: number[] = [];
    const id = await store(small);
    keeper.on("missed", ({ window }) => missed.push(window));
    const deal = await read(id);
    await stepTo(net, windowBlocks(deal, 1).firstBlock, keeper);
    const steps: AmendStep["step"][] = [];
    const { from, amendment, pieceCid } = await client.amend(id, new Blob([large.payload]), {
      ...most,
      onProgress: ({ step }) => steps.push(step),
    });
    expect(steps).to.deep.equal(["committed", "uploaded", "signed"]);
    expect(pieceCid).to.equal(large.cid);
    expect(amendment.pricePerPeriod).to.equal(BigInt(LARGE));
    expect(from).to.be.within(2, 3);
    const amended = await read(id);
    expect(amended).to.include({ amendments: 1, root: hexlify(small.commitment.root), pricePerPeriod: BigInt(SMALL) });
    expect(amended.pending).to.deep.equal({
      from,
      root: hexlify(large.commitment.root),
      leafCount: large.commitment.leafCount,
      pricePerPeriod: BigInt(LARGE),
    });
    for (let k = 1; k <= 6; k++) {
      await stepTo(net, windowBlocks(deal, k).lastBlock, keeper);
      const { root, proven: count } = await read(id);
      proven.push({ window: k, root });
      expect(count, `window ${k}`).to.equal(k);
    }
    await step(net, 2, keeper);
    const roots = proven.map(({ root }) => root);
    const [old, next] = [hexlify(small.commitment.root), hexlify(large.commitment.root)];
    expect(roots).to.deep.equal(proven.map(({ window }) => (window < from ? old : next)));
    expect(missed).to.deep.equal([]);
    const end = await read(id);
    expect(end).to.include({ status: Status.Completed, missed: 0, proven: 6 });
    const [before, since] = [BigInt(from - 1), BigInt(7 - from)];
    const { funded, paid, fee, refunded, escrow } = end.totals;
    expect(funded).to.equal(before * BigInt(SMALL) + since * BigInt(LARGE));
    expect({ gross: paid + fee, refunded, escrow }).to.deep.equal({ gross: funded, refunded: 0n, escrow: 0n });
  });

  it("pays the difference for the windows concerned only, and gets it back where the new piece is smaller", async () => {
    const id = await store(small);
    const money = async () => (await net.tokensOf(owner.address)) + (await client.balance(net.token));
    const wealth = await money();
    const { from } = await client.amend(id, new Blob([large.payload]), most);
    expect(wealth - (await money())).to.equal(BigInt(7 - from) * BigInt(LARGE - SMALL));
    const other = await store(large);
    const before = await money();
    const back = await client.amend(other, small.cid, most);
    expect((await money()) - before).to.equal(BigInt(7 - back.from) * BigInt(LARGE - SMALL));
    // Extending costs what the windows will cost.
    await client.extend(other, 1, BigInt(SMALL));
    await expectError("COST_TOO_HIGH", () => client.extend(id, 1, BigInt(LARGE) - 1n));
  });

  it("is refused while another amendment waits, and works again after it", async () => {
    const keeper = node.keeper as ProvingKeeper;
    const id = await store(small);
    // Before the first window's challenge is near, an amendment would take effect at once.
    await stepTo(net, windowBlocks(await read(id), 1).firstBlock, keeper);
    const { from } = await client.amend(id, new Blob([large.payload]), most);
    const error = await expectError("AMENDMENT_PENDING", () => client.amend(id, small.cid, most));
    expect(error.message).to.contain(`window ${from}`);
    await stepTo(net, windowBlocks(await read(id), from).firstBlock, keeper);
    const again = await client.amend(id, small.cid, most);
    expect(again.amendment.nonce).to.equal(1);
    expect(again.from > from).to.equal(true);
    expect(await read(id)).to.include({ amendments: 2, root: hexlify(large.commitment.root) });
  });

  it("is refused to others, after the deal, too late, and over its price; nothing is paid then", async () => {
    const id = await store(small);
    const wealth = await net.tokensOf(owner.address);
    const dear = await expectError("PRICE_TOO_HIGH", () =>
      client.amend(id, new Blob([large.payload]), { maxPricePerPeriod: BigInt(LARGE) - 1n }),
    );
    expect(dear.message).to.contain("costs 8000 base units, over 7999");
    const stranger = net.clientOf(await net.rich());
    await expectError("NOT_OWNER", () => stranger.amend(id, large.cid, most));
    await expectError("UNKNOWN_DEAL", () => client.amend(1n, large.cid, most));
    await expectError("INVALID_PIECE_CID", () => client.amend(id, "bafy", most));
    const keeper = node.keeper as ProvingKeeper;
    const deal = await read(id);
    await stepTo(net, windowBlocks(deal, 6).epoch, keeper);
    await expectError("TOO_LATE", () => client.amend(id, large.cid, most));
    await client.terminate(id);
    await expectError("DEAL_NOT_OPEN", () => client.amend(id, large.cid, most));
    expect(await net.tokensOf(owner.address)).to.equal(wealth);
  });

  it("tells what the provider refuses: a piece that it does not have, a size that it does not offer", async () => {
    const id = await store(small);
    const unknown = await testPiece(7_000, 77);
    const error = await expectError("PROVIDER_REFUSED", () => client.amend(id, unknown.cid, most));
    expect(error.message).to.match(/no piece with this root and leafCount is here/);
    const only = await net.addProvider(priced(net.token, 1n, { maxPieceBytes: SMALL }));
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: BigInt(SMALL), urls: [only.url] };
    const { deals } = await client.store(new Blob([small.payload]), wishes);
    const large_ = () => client.amend(deals[0]?.id as bigint, new Blob([large.payload]), most);
    expect((await expectError("PROVIDER_REFUSED", large_)).message).to.match(/offers nothing for 8000 bytes/);
  });

  it("takes both signatures: with one of them the market refuses", async () => {
    const id = await store(small);
    await upload(node.url, large.cid, new Blob([large.payload]));
    const amendment = amendmentOf(id, large, { validUntil: BigInt(Math.floor(Date.now() / 1_000)) + 600n });
    const { providerSignature } = await askAmendment(node.url, amendment, owner.address);
    expect(providerSignature).to.equal(await signAmendment(node.wallet, domain(), amendment));
    const ownerSignature = await signAmendment(owner, domain(), amendment);
    const { market } = net.contracts;
    const stranger = await net.rich();
    const attempts: [Wallet, string, string, string][] = [
      [owner, "0x", "0x", "InvalidProviderSignature"],
      [owner, "0x", ownerSignature, "InvalidProviderSignature"],
      [node.wallet, "0x", "0x", "InvalidClientSignature"],
      [stranger, "0x", providerSignature, "InvalidClientSignature"],
      [stranger, ownerSignature, "0x", "InvalidProviderSignature"],
      [stranger, providerSignature, ownerSignature, "InvalidClientSignature"],
    ];
    for (const [sender, owners, providers, name] of attempts) {
      const call = await market.amend.populateTransaction(amendment, owners, providers);
      const refused = await failure<ChainError>(net.senderOf(sender).send(call, "amend a deal"));
      expect(refused.revert?.name).to.equal(name);
    }
    expect((await read(id)).amendments).to.equal(0);
  });
});
