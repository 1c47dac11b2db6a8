import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { StoreOptions, StoreStep } from "../../src/client/index.js";
import { expectError } from "../piece/helpers.js";
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
    expect(await readdir(join(cheap.dataDir, "pieces"))).to.have.length(1);
  });

  it("stores where, and with whom, it was told to", async () => {
    const california = await net.addProvider(priced(net.token, 4n, { regions: ["US-CA"] }));
    const client = net.clientOf(await net.rich());
    const { payload } = await testPiece(1_000, 2);
    const store = async (wishes: Partial<StoreOptions>) => {
      const fixed = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 4_000n };
      const { deals } = await client.store(new Blob([payload]), { ...fixed, ...wishes });
      return deals.map(({ terms }) => terms.provider);
    };
    expect(await store({ regions: ["US"] })).to.deep.equal([california.wallet.address]);
    expect(await store({ providers: [dear.wallet.address.toLowerCase()] })).to.deep.equal([dear.wallet.address]);
    expect(await store({ exclude: [cheap.wallet.address] })).to.deep.equal([dear.wallet.address]);
    const error = await expectError("TOO_FEW_PROVIDERS", () => store({ regions: ["FR"] }));
    expect(error.message).to.match(/^0 of 1 copies were placed: .*0x\w+: it names no region/);
    expect(error.message).to.include(`${california.wallet.address}: the piece may lie in US-CA`);
  });
});
