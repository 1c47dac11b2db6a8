import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { hexlify, randomBytes, type Wallet } from "ethers";
import { seedAfter } from "../../src/chain/seeds.js";
import { dealIdText, upload } from "../../src/client/index.js";
import {
  type DealTerms,
  dealDomain,
  migrationAnswerFromJson,
  migrationQuestionId,
  signTerms,
  termsToJson,
} from "../../src/protocol/index.js";
import { IProofVerifier__factory } from "../../typechain-types/index.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { besideNode, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 30_000;

describe("provider: deals that move here", () => {
  let net: StorageNet;
  let from: TestProvider;
  let to: TestProvider;
  let owner: Wallet;

  const openDeal = async (seed: number) => {
    const piece = await testPiece(SIZE, seed);
    const { deals } = await net.clientOf(owner).store(new Blob([piece.payload]), {
      tier: 1,
      periods: 6,
      token: net.token,
      maxPricePerPeriod: BigInt(SIZE),
      urls: [from.url],
    });
    const [deal] = deals as [(typeof deals)[number]];
    return { ...deal, piece };
  };
  const termsHere = (old: DealTerms, changes: Partial<DealTerms> = {}): DealTerms => ({
    ...old,
    provider: to.wallet.address,
    salt: hexlify(randomBytes(32)),
    ...changes,
  });
  const post = async (node: TestProvider, path: string, body: unknown) => {
    const response = await fetch(`${node.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, text };
  };
  const pull = (id: bigint, node = to) => post(node, "/pulls", { dealId: dealIdText(id) });
  const migrate = (id: bigint, terms: DealTerms, node = to) =>
    post(node, "/migrations", { dealId: dealIdText(id), terms: termsToJson(terms) });
  const pulled = async (id: bigint) => {
    for (;;) {
      const answer = await pull(id);
      if (answer.status !== 202) return answer;
      expect(answer.text).to.equal("{}");
      await sleep(10);
    }
  };

  before(async () => {
    net = await startStorageNet();
    [from, to] = [await net.addProvider(), await net.addProvider()];
    owner = await net.rich();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("fetches the piece from the deal's provider, and answers with its CID once it is here", async () => {
    const { id, piece } = await openDeal(1);
    const first = await pull(id);
    expect(first.status, first.text).to.equal(202);
    const done = await pulled(id);
    expect(done.status, done.text).to.equal(200);
    expect(JSON.parse(done.text)).to.deep.equal({ pieceCid: piece.cid });
    const served = await fetch(`${to.url}/piece/${piece.cid}`);
    expect(new Uint8Array(await served.arrayBuffer())).to.deep.equal(piece.payload);
  });

  it("signs the terms that follow, and proves possession as the chain asks for it", async () => {
    const { id, terms: old, piece } = await openDeal(2);
    await upload(to.url, piece.cid, new Blob([piece.payload]));
    const terms = termsHere(old);
    const { status, text } = await migrate(id, terms);
    expect(status, text).to.equal(200);
    const { epoch, proof, providerSignature } = migrationAnswerFromJson(JSON.parse(text));
    const { chainId, market } = net.deployment;
    expect(providerSignature).to.equal(await signTerms(to.wallet, dealDomain(chainId, market), terms));
    const head = await net.provider.getBlockNumber();
    expect(epoch).to.equal(head - (head % 64));
    const verifier = IProofVerifier__factory.connect(await net.contracts.market.proofVerifier(), net.provider);
    const question = {
      root: terms.root,
      leafCount: terms.leafCount,
      market,
      dealId: migrationQuestionId(id, to.wallet.address),
      window: 0,
      seed: await seedAfter(net.contracts, epoch, head),
      challenges: net.deployment.tiers[1]!.challenges,
    };
    expect(await verifier.verify(question, proof)).to.equal(true);
    // It answers this question only: neither another provider's, nor one of the deal itself.
    for (const dealId of [
      migrationQuestionId(id, from.wallet.address),
      migrationQuestionId(id + 1n, to.wallet.address),
      id,
    ]) {
      expect(await verifier.verify({ ...question, dealId }, proof)).to.equal(false);
    }
  });

  it("proves with the seed of the latest block, which is readable in the next one", async () => {
    const { id, terms: old, piece } = await openDeal(7);
    await upload(to.url, piece.cid, new Blob([piece.payload]));
    const head = await net.mine(64 - ((await net.provider.getBlockNumber()) % 64));
    const { status, text } = await migrate(id, termsHere(old));
    expect(status, text).to.equal(200);
    // A provider may have proven something since: the seed is of the same block.
    expect(migrationAnswerFromJson(JSON.parse(text)).epoch).to.equal(Math.floor(head / 64) * 64);
  });

  it("refuses without the piece, and says so", async () => {
    const { id, terms } = await openDeal(3);
    const { status, text } = await migrate(id, termsHere(terms));
    expect(status).to.equal(422);
    expect(text).to.match(/no piece with this root and leafCount is here/);
  });

  describe("gives no proof", () => {
    let id: bigint;
    let old: DealTerms;

    before(async () => {
      const deal = await openDeal(4);
      [id, old] = [deal.id, deal.terms];
      await upload(to.url, deal.piece.cid, new Blob([deal.piece.payload]));
    });
    const refuses = async (answer: { status: number; text: string }, text: RegExp) => {
      expect(answer.text).to.match(text);
      expect(answer.status).to.equal(422);
    };

    it("for a deal that does not exist", async () => {
      await refuses(await migrate(1n, termsHere(old)), /the market has no such deal/);
    });
    it("for a deal that is here already", async () => {
      await refuses(
        await migrate(id, termsHere(old, { provider: from.wallet.address }), from),
        /with this provider already/,
      );
      await refuses(await pull(id, from), /with this provider already/);
    });
    it("for somebody else's deal", async () => {
      await refuses(await migrate(id, termsHere(old, { client: to.wallet.address })), /is owned by 0x/);
    });
    it("for another piece", async () => {
      await refuses(await migrate(id, termsHere(old, { leafCount: old.leafCount - 1n })), /another piece/);
      await refuses(await migrate(id, termsHere(old, { root: `0x${"11".repeat(32)}` })), /another piece/);
    });
    it("for terms that it would not sign", async () => {
      await refuses(
        await migrate(id, termsHere(old, { pricePerPeriod: 1n, collateral: 0n })),
        /a period of this piece costs/,
      );
      await refuses(await migrate(id, termsHere(old, { provider: from.wallet.address })), /the provider here is/);
    });
    it("for a deal that is ending", async () => {
      await net.clientOf(owner).terminate(id);
      await refuses(await migrate(id, termsHere(old)), /not open, or not any more/);
      await refuses(await pull(id), /not open, or not any more/);
    });
    it("for a request that is malformed", async () => {
      const { status, text } = await post(to, "/migrations", { dealId: "0x12", terms: {} });
      expect(status).to.equal(400);
      expect(text).to.match(/dealId: 32 bytes in hex/);
      expect((await post(to, "/pulls", { dealId: 7 })).status).to.equal(400);
    });
  });

  it("fetches nothing that is larger than it takes", async () => {
    const small = await net.addProvider({ maxPieceBytes: SIZE - 100 });
    const { id } = await openDeal(6);
    const { status, text } = await pull(id, small);
    expect(status).to.equal(422);
    expect(text).to.match(/pieces have at most 29900 bytes/);
  });

  it("says why a piece could not be fetched, and does not try again at once", async () => {
    const { id } = await openDeal(5);
    const { wallet } = from;
    const { registry } = net.contracts;
    const profile = { name: "", peerId: "", region: "0x000000000000", tiers: 3, offerUri: "" };
    const moveTo = (url: string) => besideNode(() => registry.connect(wallet).updateProfile({ ...profile, url }));
    await moveTo("http://127.0.0.1:1");
    expect((await pull(id)).status).to.equal(202);
    const failed = await pulled(id);
    expect(failed.status).to.equal(422);
    expect(failed.text).to.match(/could not be fetched: no source served the piece/);
    await moveTo(from.url);
    expect((await pull(id)).status).to.equal(422);
  });
});
