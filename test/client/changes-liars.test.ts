import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { readDeal } from "../../src/client/index.js";
import { type Amendment, dealDomain, Status, signAmendment } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 4_000;

/** What a liar makes of a node's answer to a path. */
type Lie = (answer: Record<string, unknown>, asked: Record<string, unknown>) => unknown;

describe("client: providers that lie when deals are changed", () => {
  let net: StorageNet;
  let honest: TestProvider;
  let liar: TestProvider;
  let owner: Wallet;
  let lies: Map<string, Lie>;
  let front: Server;

  const store = async (node: TestProvider, { payload }: TestPiece) => {
    const wishes = { tier: 0, periods: 8, token: net.token, maxPricePerPeriod: BigInt(SIZE), urls: [node.url] };
    const { deals } = await net.clientOf(owner).store(new Blob([payload]), wishes);
    return deals[0]?.id as bigint;
  };
  const money = async () =>
    (await net.tokensOf(owner.address)) + (await net.contracts.vault.balanceOf(owner.address, BigInt(net.token)));
  const most = { maxPricePerPeriod: 10n * BigInt(SIZE) };

  before(async () => {
    net = await startStorageNet();
    [honest, liar] = [await net.addProvider(), await net.addProvider()];
    // The liar's node, and what it says in front of it.
    front = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const { method = "GET", url = "/" } = request;
      const init = method === "GET" || method === "HEAD" ? { method } : { method, body };
      const answer = await fetch(`${liar.url}${url}`, init);
      const bytes = Buffer.from(await answer.arrayBuffer());
      const lie = lies.get(url);
      const location = answer.headers.get("location");
      response.writeHead(answer.status, location === null ? {} : { location });
      if (!lie || !answer.ok) response.end(bytes);
      else response.end(JSON.stringify(lie(JSON.parse(bytes.toString()), JSON.parse(body.toString() || "{}"))));
    }).listen(0, "127.0.0.1");
    await once(front, "listening");
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const profile = { name: "", url, peerId: "", region: "0x000000000000", tiers: 3, offerUri: "" };
    await (await net.contracts.registry.connect(liar.wallet).updateProfile(profile)).wait();
  });
  beforeEach(async () => {
    lies = new Map();
    owner = await net.rich();
  });
  after(async () => {
    front.closeAllConnections();
    front.close();
    await net.stop();
    await removeFolders();
  });

  it("are found out when an amendment is signed by somebody else, for something else, or not at all", async () => {
    const id = await store(liar, await testPiece(SIZE, 1));
    const next = await testPiece(2 * SIZE, 2);
    const domain = dealDomain(net.deployment.chainId, net.deployment.market);
    const before = await money();
    const { amendments } = await readDeal(net, id);
    const signed = (changes: Partial<Amendment>, by: Wallet) => {
      const amendment: Amendment = {
        dealId: id,
        root: `0x${"11".repeat(32)}`,
        leafCount: next.commitment.leafCount,
        pricePerPeriod: 1n,
        nonce: 0,
        validUntil: 4_000_000_000n,
        ...changes,
      };
      return signAmendment(by, domain, amendment);
    };
    const signatures = [
      await signed({}, liar.wallet),
      await signed({ pricePerPeriod: 10n ** 12n }, liar.wallet),
      await signed({}, honest.wallet),
      "0x",
      `0x${"00".repeat(65)}`,
    ];
    for (const providerSignature of signatures) {
      lies.set("/amendments", () => ({ providerSignature }));
      const payload = new Blob([next.payload]);
      const error = await expectError("PROVIDER_REFUSED", () => net.clientOf(owner).amend(id, payload, most));
      expect(error.message).to.match(/its signature is neither the provider's/);
    }
    lies.set("/amendments", () => ({ signature: "0x" }));
    await expectError("INVALID_REQUEST", () => net.clientOf(owner).amend(id, next.cid, most));
    expect((await readDeal(net, id)).amendments).to.equal(amendments);
    expect(await money()).to.equal(before);
    lies.clear();
    expect((await net.clientOf(owner).amend(id, next.cid, most)).url).to.contain("127.0.0.1");
  });

  it("are found out when their proof, its block or their signature is wrong; the deal stays as it was", async () => {
    const id = await store(honest, await testPiece(SIZE, 3));
    const before = await money();
    const providers = [liar.wallet.address];
    const found: [Lie, RegExp][] = [
      [(answer) => ({ ...answer, proof: `0x${"00".repeat(32)}` }), /its proof of possession is wrong/],
      [({ proof, ...answer }) => ({ ...answer, proof: `${String(proof).slice(0, -64)}${"0".repeat(64)}` }), /is wrong/],
      [({ epoch, ...answer }) => ({ ...answer, epoch: Number(epoch) + 64 }), /answers the challenge of block/],
      [(answer) => ({ ...answer, providerSignature: "0x" }), /its signature is neither the provider's/],
      [() => ({}), /providerSignature/],
    ];
    for (const [lie, text] of found) {
      lies.set("/migrations", lie);
      const error = await expectError("MIGRATION_FAILED", () =>
        net.clientOf(owner).migrate(id, { ...most, providers }),
      );
      expect(error.message).to.match(text);
    }
    lies.set("/pulls", () => ({}));
    const patient = { ...most, providers, pullMs: 100 };
    const never = await expectError("MIGRATION_FAILED", () => net.clientOf(owner).migrate(id, patient));
    expect(never.message).to.match(/did not get the piece within/);
    expect(await readDeal(net, id)).to.include({ status: Status.Open, successor: undefined });
    expect(await money()).to.equal(before);
    lies.clear();
    const { successor } = await net.clientOf(owner).migrate(id, { ...most, providers });
    expect((await readDeal(net, successor)).provider).to.equal(liar.wallet.address);
  });
});
