import { expect } from "chai";
import { hexlify, type Wallet } from "ethers";
import { dealIdText, upload } from "../../src/client/index.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { type Amendment, amendmentToJson, dealDomain, signAmendment, windowOf } from "../../src/protocol/index.js";
import { AmendmentDesk, type AmendmentDeskOptions, type Policy } from "../../src/provider/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { stepTo } from "../support/keeping.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider, testPolicy } from "../support/storage-net.js";

const OLD = 4_000;
const NEW = 9_000;

describe("provider: amendments", () => {
  let net: StorageNet;
  let node: TestProvider;
  let elsewhere: TestProvider;
  let owner: Wallet;
  let piece: TestPiece;
  let id: bigint;
  let good: Amendment;
  let now: bigint;

  const store = async (where = node, seed = 1) => {
    const { payload } = await testPiece(OLD, seed);
    const wishes = { tier: 0, periods: 6, maxPeriods: 20, token: net.token, maxPricePerPeriod: BigInt(OLD) };
    const { deals } = await net.clientOf(owner).store(new Blob([payload]), { ...wishes, urls: [where.url] });
    return deals[0]?.id as bigint;
  };
  const ask = async (changes: Partial<Amendment> = {}, by = owner.address) => {
    const body = JSON.stringify({ amendment: amendmentToJson({ ...good, ...changes }), owner: by });
    const response = await fetch(`${node.url}/amendments`, { method: "POST", body });
    return { status: response.status, text: await response.text() };
  };
  const refuses = async (text: RegExp, changes: Partial<Amendment> = {}, by?: string) => {
    const answer = await ask(changes, by);
    expect(answer.text).to.match(text);
    expect(answer.status).to.equal(422);
  };
  /** A desk on the same deals, with a store of its own that has the new piece. */
  const deskOf = async (changes: Partial<AmendmentDeskOptions> = {}, policy: Partial<Policy> = {}) => {
    const pieces = await BlobPieceStore.open(await tempFolder());
    const arrival = await pieces.beginUpload();
    await pieces.writeUpload(arrival, inChunks(piece.payload), NEW);
    await pieces.finishUpload(arrival, piece.cid);
    return new AmendmentDesk({
      provider: node.wallet.address,
      signer: node.wallet,
      deployment: net.deployment,
      contracts: net.contracts,
      store: pieces,
      policy: testPolicy(net.token, policy),
      now: async () => now,
      head: () => net.provider.getBlockNumber(),
      ...changes,
    });
  };

  before(async () => {
    net = await startStorageNet();
    [node, elsewhere] = [await net.addProvider(), await net.addProvider()];
    owner = await net.rich();
    piece = await testPiece(NEW, 2);
    await upload(node.url, piece.cid, new Blob([piece.payload]));
  });
  beforeEach(async () => {
    id = await store();
    now = BigInt((await net.provider.getBlock("latest"))?.timestamp ?? 0);
    good = {
      dealId: id,
      root: hexlify(piece.commitment.root),
      leafCount: piece.commitment.leafCount,
      pricePerPeriod: BigInt(NEW),
      nonce: 0,
      validUntil: now + 1_800n,
    };
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("signs what meets its price for a piece that it has, at a higher price as well", async () => {
    const domain = dealDomain(net.deployment.chainId, net.deployment.market);
    for (const changes of [{}, { pricePerPeriod: BigInt(NEW) * 5n }]) {
      const { status, text } = await ask(changes);
      expect(status, text).to.equal(200);
      const expected = await signAmendment(node.wallet, domain, { ...good, ...changes });
      expect(JSON.parse(text)).to.deep.equal({ providerSignature: expected });
    }
  });

  it("refuses a deal that is not there, not its own, not the asker's, or not open", async () => {
    await refuses(/the market has no such deal/, { dealId: 1n });
    await refuses(/with another provider, 0x/, { dealId: await store(elsewhere) });
    await refuses(/is owned by 0x/, {}, elsewhere.wallet.address);
    // Whoever has bought the deal is asked for, not who opened it.
    const buyer = await net.rich();
    const market = net.contracts.market.connect(owner);
    await (await market.transferFrom(owner.address, buyer.address, id)).wait();
    await refuses(new RegExp(`is owned by ${buyer.address}`));
    expect((await ask({}, buyer.address)).status).to.equal(200);
    await (await net.contracts.market.connect(buyer).terminate(id)).wait();
    await refuses(/not open, or not any more/, {}, buyer.address);
  });

  it("refuses a piece that is not there, or can't be", async () => {
    await refuses(/no piece with this root and leafCount is here/, { root: `0x${"11".repeat(32)}` });
    await refuses(/no piece with this root and leafCount is here/, { leafCount: good.leafCount - 1n });
    await refuses(/can't have 0 leaves/, { leafCount: 0n });
    await refuses(/no piece has the root/, { root: `0x${"ff".repeat(32)}` });
  });

  it("refuses a price below its own, and one that overflows", async () => {
    await refuses(/a period of this piece costs 9000/, { pricePerPeriod: BigInt(NEW) - 1n });
    await refuses(/don't fit in 128 bits/, { pricePerPeriod: 1n << 124n });
  });

  it("refuses what has expired, is valid for too long, or is not the next amendment", async () => {
    await refuses(/was valid until/, { validUntil: now - 60n });
    const desk = await deskOf();
    const longer = { ...good, validUntil: now + 3_601n };
    const error = await expectError("DEAL_REFUSED", () => desk.accept(longer, owner.address));
    expect(error.message).to.match(/3600 seconds at most/);
    await desk.accept({ ...good, validUntil: now + 3_600n }, owner.address);
    await refuses(/has nonce 1, the deal stands at 0/, { nonce: 1 });
  });

  it("refuses while another amendment waits, and when it is too late", async () => {
    const keeper = node.keeper as ProvingKeeper;
    const { firstEpoch } = await net.contracts.lens.dealOf(id);
    const tier = net.deployment.tiers[0]!;
    await stepTo(net, Number(firstEpoch) + 1, keeper);
    const { from } = await net.clientOf(owner).amend(id, piece.cid, { maxPricePerPeriod: BigInt(NEW) });
    const valid = { validUntil: now + 600n, nonce: 1 };
    await refuses(new RegExp(`another amendment of that deal waits until window ${from}`), valid);
    await stepTo(net, windowOf(Number(firstEpoch), tier, 6).epoch, keeper);
    await refuses(/too few periods are left/, valid);
  });

  it("keeps to its policy of now, and signs with the key that is registered", async () => {
    for (const bounds of [{ maxPieceBytes: NEW - 1 }, { minPieceBytes: NEW + 1 }]) {
      const desk = await deskOf({}, bounds);
      const error = await expectError("DEAL_REFUSED", () => desk.accept(good, owner.address));
      expect(error.message).to.match(/pieces have \d+ to \d+ bytes/);
    }
    const [, second] = testPolicy(net.token).tiers;
    const other = await deskOf({}, { tiers: [second as Policy["tiers"][number]] });
    expect((await expectError("DEAL_REFUSED", () => other.accept(good, owner.address))).message).to.match(
      /tier 0 is not offered any more/,
    );
    const stranger = await deskOf({ signer: await net.rich() });
    expect((await expectError("DEAL_REFUSED", () => stranger.accept(good, owner.address))).message).to.match(
      /not the signer that the provider registered/,
    );
  });

  it("says which member of a request is malformed", async () => {
    const amendment = { ...amendmentToJson(good), nonce: "0" };
    for (const [body, text] of [
      [{ amendment, owner: owner.address }, /amendment\.nonce/],
      [{ amendment: amendmentToJson(good), owner: "me" }, /owner/],
      [{ amendment: amendmentToJson(good) }, /owner/],
      [{ dealId: dealIdText(id) }, /amendment/],
    ] as const) {
      const response = await fetch(`${node.url}/amendments`, { method: "POST", body: JSON.stringify(body) });
      expect(response.status).to.equal(400);
      expect(await response.text()).to.match(text);
    }
  });
});
