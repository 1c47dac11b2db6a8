import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { StoreStep } from "../../src/client/index.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

describe("client: storing", () => {
  let net: StorageNet;
  let cheap: TestProvider;
  let dear: TestProvider;

  before(async () => {
    net = await startStorageNet();
    dear = await net.addProvider(priced(net.token, 3n));
    cheap = await net.addProvider(priced(net.token, 2n));
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("stores with the cheapest, pays into escrow, opens deals, fetches back", async () => {
    const wallet = await net.rich();
    const client = net.clientOf(wallet);
    const { payload, cid } = await testPiece(1_000_003);
    const steps: StoreStep["step"][] = [];
    const stored = await client.store(new Blob([payload]), {
      tier: 0,
      periods: 6,
      maxPeriods: 8,
      copies: 2,
      token: net.token.toLowerCase(),
      maxPricePerPeriod: 3n * 1_000_003n,
      onProgress: ({ step }) => steps.push(step),
    });
    expect(stored.pieceCid).to.equal(cid);
    expect(stored.deals.map(({ url }) => url)).to.deep.equal([cheap.url, dear.url]);
    expect(steps).to.deep.equal(["committed", "uploaded", "opened", "uploaded", "opened"]);
    for (const [i, { id, terms }] of stored.deals.entries()) {
      const view = await net.contracts.lens.dealOf(id);
      expect(view.owner).to.equal(wallet.address);
      expect(view.provider).to.equal([cheap, dear][i]?.wallet.address);
      expect(view.price).to.equal([2n, 3n][i]! * 1_000_003n);
      expect(view.collateral).to.equal(10n * view.price);
      expect(view.gift).to.equal(false);
      expect(terms.token).to.equal(net.token);
    }
    expect(await client.balance(net.token)).to.equal(0n);
    const { value, url } = await client.fetch(
      cid,
      stored.deals.map(({ url }) => url),
    );
    expect(value).to.deep.equal(payload);
    expect(url).to.equal(cheap.url);
    expect(await readdir(join(cheap.dataDir, "pieces"))).to.have.length(2);
  });
});
