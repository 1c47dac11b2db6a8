import { expect } from "chai";
import { hexlify, randomBytes, Wallet } from "ethers";
import {
  type DealTerms,
  dealDomain,
  dealIdOf,
  offersFromJson,
  regionBytes,
  signTerms,
} from "../../src/protocol/index.js";
import { DealDesk, type Policy } from "../../src/provider/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { STAKE, type StorageNet, startStorageNet, testPolicy } from "../support/storage-net.js";

const NOW = 1_900_000_000n;

describe("provider: the deal desk", () => {
  let net: StorageNet;
  let provider: Wallet;
  let client: Wallet;
  let store: BlobPieceStore;
  let piece: TestPiece;
  let good: DealTerms;

  const deskOf = (changes: { signer?: Wallet; policy?: Partial<Policy>; provider?: string } = {}) =>
    new DealDesk({
      provider: changes.provider ?? provider.address,
      signer: changes.signer ?? provider,
      deployment: net.deployment,
      contracts: net.contracts,
      store,
      policy: testPolicy(net.token, changes.policy),
      now: async () => NOW,
    });
  const domain = () => dealDomain(net.deployment.chainId, net.deployment.market);
  const refuses = async (changes: Partial<DealTerms>, text: RegExp, desk = deskOf()) => {
    const error = await expectError("DEAL_REFUSED", () => desk.accept({ ...good, ...changes }));
    expect(error.message).to.match(text);
  };

  before(async () => {
    net = await startStorageNet();
    [provider, client] = [await net.rich(), await net.rich()];
    await net.register(provider, "http://127.0.0.1:1");
    store = await BlobPieceStore.open(await tempFolder());
    piece = await testPiece(10_000);
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(piece.payload), 10_000);
    await store.finishUpload(id, piece.cid);
    good = {
      client: client.address,
      provider: provider.address,
      root: hexlify(piece.commitment.root),
      leafCount: piece.commitment.leafCount,
      tier: 0,
      periods: 6,
      maxPeriods: 100,
      token: net.token,
      pricePerPeriod: 10_000n,
      collateral: 100_000n,
      egressPricePerGiB: 7n,
      validUntil: NOW + 1_800n,
      salt: hexlify(randomBytes(32)),
    };
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("signs terms within its policy, at its bounds as well", async () => {
    const bounds: Partial<DealTerms>[] = [
      {},
      { validUntil: NOW },
      { validUntil: NOW + 3_600n },
      { collateral: 0n },
      { pricePerPeriod: 50_000n, collateral: 500_000n, egressPricePerGiB: 8n },
      { periods: 100 },
    ];
    for (const changes of bounds) {
      const terms = { ...good, ...changes };
      const { dealId, providerSignature } = await deskOf().accept(terms);
      expect(BigInt(dealId)).to.equal(dealIdOf(domain(), terms));
      expect(dealId).to.have.length(66);
      expect(providerSignature).to.equal(await signTerms(provider, domain(), terms));
    }
  });

  const refusals: [string, () => Partial<DealTerms>, RegExp][] = [
    ["another provider", () => ({ provider: client.address }), /the provider here is 0x/],
    ["another token", () => ({ token: client.address }), /the token here is 0x/],
    ["a tier that it does not offer", () => ({ tier: 2 }), /tier 2 is not offered/],
    ["a tier that the market does not have", () => ({ tier: 9 }), /tier 9 is not offered/],
    [
      "a price that is too low",
      () => ({ pricePerPeriod: 9_999n, collateral: 0n }),
      /a period of this piece costs 10000/,
    ],
    ["a collateral that is too high", () => ({ collateral: 100_001n }), /at most 100000 of collateral/],
    ["more periods than it offers", () => ({ maxPeriods: 101 }), /at most 100 periods/],
    ["an egress price that is too low", () => ({ egressPricePerGiB: 6n }), /egress costs 7 a GiB/],
    ["terms that have expired", () => ({ validUntil: NOW - 1n }), /valid until/],
    ["terms that are valid for too long", () => ({ validUntil: NOW + 3_601n }), /3600 seconds at most/],
    ["a piece that is not there", () => ({ root: `0x${"11".repeat(32)}` }), /no piece with this root and leafCount/],
    ["a false leafCount", () => ({ leafCount: good.leafCount - 1n }), /no piece with this root and leafCount/],
    ["an impossible leafCount", () => ({ leafCount: 0n }), /can't have 0 leaves/],
    ["an impossible root", () => ({ root: `0x${"ff".repeat(32)}` }), /no piece has the root/],
    ["too few periods", () => ({ periods: 5 }), /5 periods/],
    ["a client that is a contract of the protocol", () => ({ client: net.deployment.vault }), /can't be the client/],
    ["amounts that overflow", () => ({ pricePerPeriod: 1n << 127n }), /don't fit in 128 bits/],
    ["values that fit no type", () => ({ salt: "0x" }), /can't be encoded/],
  ];
  for (const [what, changes, text] of refusals) {
    it(`refuses ${what}`, () => refuses(changes(), text));
  }

  it("keeps to the bounds of its offers, whatever they are, and says the same everywhere", async () => {
    const policy = { minPieceBytes: 10_000, maxPieceBytes: 10_000, minPeriods: 7, maxPeriods: 9, regions: ["US-CA"] };
    const desk = deskOf({ policy });
    const { offers } = offersFromJson(await desk.offers());
    expect(desk.info()).to.deep.include(policy);
    for (const [i, { offer }] of offers.entries()) {
      const { tier, pricePerGiBPerPeriod, egressPricePerGiB, collateralRatio } = desk.info().tiers[i]!;
      expect(offer).to.deep.include({ tier, collateralRatio, minSize: 10_000n, maxSize: 10_000n });
      expect(offer).to.deep.include({ minPeriods: 7, maxPeriods: 9, regions: [regionBytes("US-CA")] });
      expect([offer.pricePerGiBPerPeriod, offer.egressPricePerGiB].map(String)).to.deep.equal([
        pricePerGiBPerPeriod,
        egressPricePerGiB,
      ]);
    }
    await desk.accept({ ...good, periods: 7, maxPeriods: 9 });
    await refuses({ periods: 6, maxPeriods: 9 }, /at least 7 periods/, desk);
    await refuses({ periods: 7, maxPeriods: 10 }, /at most 9 periods/, desk);
    const larger = deskOf({ policy: { minPieceBytes: 10_001 } });
    await refuses({}, /at least 10001 bytes/, larger);
    await refuses({}, /at most 9999 bytes/, deskOf({ policy: { maxPieceBytes: 9_999 } }));
  });

  it("refuses a tier of its own policy that the market does not have", async () => {
    const [offer] = testPolicy(net.token).tiers;
    const desk = deskOf({ policy: { tiers: [{ ...(offer as object), tier: 9 } as Policy["tiers"][number]] } });
    await refuses({ tier: 9 }, /tier 9 is not offered/, desk);
  });

  it("refuses what its free stake does not cover", async () => {
    const collateral = STAKE + 1n;
    await refuses({ pricePerPeriod: collateral / 10n + 1n, collateral }, new RegExp(`only ${STAKE} of stake is free`));
  });

  it("signs with the key that the provider registered, and with no other", async () => {
    const other = await net.rich();
    await net.register(other, "http://127.0.0.1:2");
    const [signer, next] = [await net.rich(), await net.rich()];
    const terms = { provider: other.address };
    const desk = deskOf({ provider: other.address, signer });
    await refuses(terms, /not the signer that the provider registered/, desk);
    const registry = net.contracts.registry.connect(other);
    await (await registry.setSigner(signer.address)).wait();
    const { providerSignature } = await desk.accept({ ...good, ...terms });
    expect(providerSignature).to.equal(await signTerms(signer, domain(), { ...good, ...terms }));
    await (await registry.setSigner(next.address)).wait();
    await refuses(terms, /not the signer that the provider registered/, desk);
  });

  it("refuses while the provider has less stake than the market's least", async () => {
    const strict = new DealDesk({
      provider: provider.address,
      signer: provider,
      deployment: { ...net.deployment, stakeToken: net.token, minStake: STAKE + 1n },
      contracts: net.contracts,
      store,
      policy: testPolicy(net.token),
      now: async () => NOW,
    });
    await refuses({}, /less stake than the market asks for/, strict);
  });

  it("signs nothing when the chain can't be asked", async () => {
    const { registry } = net.contracts;
    const broken = { ...net.contracts, registry: registry.connect(null) as typeof registry };
    const desk = new DealDesk({
      provider: provider.address,
      signer: Wallet.createRandom() as unknown as Wallet,
      deployment: net.deployment,
      contracts: broken,
      store,
      policy: testPolicy(net.token),
      now: async () => NOW,
    });
    const error = await desk.accept(good).catch((thrown: Error) => thrown);
    expect(error).to.have.property("code", "UNSUPPORTED_OPERATION");
  });
});
