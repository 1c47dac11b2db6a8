import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { id, keccak256, solidityPackedKeccak256, TypedDataEncoder, verifyTypedData, Wallet } from "ethers";
import {
  dealDomain,
  MAX_OFFERS,
  NO_REGION,
  OFFER_TYPES,
  type Offer,
  offerDigest,
  offerMisfit,
  offersFromJson,
  offersToJson,
  regionBytes,
  regionText,
  signOffer,
} from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";

const MARKET = "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9";
const CHAIN_ID = 31_337;
const wallet = new Wallet(id("a provider"));

const offer: Offer = {
  provider: wallet.address,
  tier: 1,
  token: "0x0000000000000000000000000000000000000000",
  pricePerGiBPerPeriod: (1n << 128n) - 1n,
  egressPricePerGiB: 7n,
  minSize: 1_024n,
  maxSize: (1n << 64n) - 1n,
  minPeriods: 4,
  maxPeriods: 100,
  collateralRatio: 30,
  regions: ["0x444500000000", "0x55532d434100"],
  validUntil: 1_900_000_000n,
};
const page = { chainId: CHAIN_ID, market: MARKET, offers: [{ offer, signature: "0x1234" }] };

describe("protocol: offers", () => {
  it("have the type that docs/quote.md gives them", async () => {
    const page = await readFile(new URL("../../docs/quote.md", import.meta.url), "utf8");
    const [documented = ""] = /^Offer\([^)]+\)/m.exec(page) ?? [];
    expect(TypedDataEncoder.from(OFFER_TYPES).encodeType("Offer")).to.equal(documented.replaceAll(/\n\s+/g, ""));
  });

  it("are signed in the domain of one market of one chain", async () => {
    const domain = dealDomain(CHAIN_ID, MARKET);
    const signature = await signOffer(wallet, domain, offer);
    expect(verifyTypedData(domain, OFFER_TYPES, offer, signature)).to.equal(wallet.address);
    // EIP-712 by hand: the domain, the struct, regions as the hash of padded words.
    const word = (value: bigint | number | string) => BigInt(value).toString(16).padStart(64, "0");
    const regions = keccak256(`0x${offer.regions.map((region) => region.slice(2).padEnd(64, "0")).join("")}`);
    const { provider, tier, token, pricePerGiBPerPeriod, egressPricePerGiB, minSize, maxSize } = offer;
    const { minPeriods, maxPeriods, collateralRatio, validUntil } = offer;
    const values = [id(TypedDataEncoder.from(OFFER_TYPES).encodeType("Offer")), provider, tier, token];
    const rest = [pricePerGiBPerPeriod, egressPricePerGiB, minSize, maxSize, minPeriods, maxPeriods, collateralRatio];
    const struct = keccak256(`0x${[...values, ...rest, regions, validUntil].map(word).join("")}`);
    const separator = TypedDataEncoder.hashDomain(domain);
    const digest = solidityPackedKeccak256(["bytes2", "bytes32", "bytes32"], ["0x1901", separator, struct]);
    expect(offerDigest(domain, offer)).to.equal(digest);
    for (const other of [dealDomain(CHAIN_ID + 1, MARKET), dealDomain(CHAIN_ID, wallet.address)]) {
      expect(offerDigest(other, offer)).not.to.equal(digest);
    }
  });

  it("mean something else when any member is another", () => {
    const domain = dealDomain(CHAIN_ID, MARKET);
    const changes: { [K in keyof Offer]: Offer[K] } = {
      provider: MARKET,
      tier: 2,
      token: MARKET,
      pricePerGiBPerPeriod: 1n,
      egressPricePerGiB: 8n,
      minSize: 1n,
      maxSize: 2n,
      minPeriods: 5,
      maxPeriods: 101,
      collateralRatio: 31,
      regions: [],
      validUntil: 1n,
    };
    const digests = Object.entries(changes).map(([name, value]) => offerDigest(domain, { ...offer, [name]: value }));
    expect(new Set([...digests, offerDigest(domain, offer)]).size).to.equal(Object.keys(offer).length + 1);
  });

  it("travel as JSON and come back the same", () => {
    const json = JSON.parse(JSON.stringify(offersToJson(page)));
    expect(json.offers[0].offer).to.include({ pricePerGiBPerPeriod: `${2n ** 128n - 1n}`, validUntil: 1_900_000_000 });
    expect(json.offers[0].offer.regions).to.deep.equal(["DE", "US-CA"]);
    expect(offersFromJson(json)).to.deep.equal(page);
    const small = JSON.parse(JSON.stringify(json).replaceAll(wallet.address, wallet.address.toLowerCase()));
    expect(offersFromJson(small)).to.deep.equal(page);
  });

  const malformed: Record<string, [(json: ReturnType<typeof offersToJson>) => unknown, RegExp]> = {
    "no object": [() => "offers", /^body: /],
    "no chain": [({ chainId: _, ...rest }) => rest, /^chainId: /],
    "no market": [(json) => ({ ...json, market: "0x12" }), /^market: an address/],
    "no list": [(json) => ({ ...json, offers: {} }), /^offers: /],
    "more offers than a market has tiers": [
      ({ offers, ...json }) => ({ ...json, offers: Array(MAX_OFFERS + 1).fill(offers[0]) }),
      /^offers: /,
    ],
  };
  const members: Record<string, [unknown, RegExp]> = {
    pricePerGiBPerPeriod: [`${2n ** 128n}`, /128 bits/],
    egressPricePerGiB: [7, /egressPricePerGiB: /],
    minSize: ["-1", /a decimal amount/],
    maxSize: [`${2n ** 64n}`, /64 bits/],
    minPeriods: [1.5, /minPeriods: /],
    maxPeriods: [2 ** 32, /maxPeriods: /],
    tier: [256, /tier: /],
    regions: [["Germany"], /an ISO 3166 code/],
    validUntil: [2 ** 53, /validUntil: /],
    surprise: [1, /surprise/],
  };
  for (const [name, [value, reason]] of Object.entries(members)) {
    malformed[`${name} ${JSON.stringify(value)}`] = [
      (json) => ({ ...json, offers: [{ signature: "0x", offer: { ...json.offers[0]?.offer, [name]: value } }] }),
      reason,
    ];
  }
  for (const [what, [change, reason]] of Object.entries(malformed)) {
    it(`are refused with ${what}`, async () => {
      const error = await expectError("INVALID_REQUEST", () => offersFromJson(change(offersToJson(page))));
      expect(error.message).to.match(reason);
    });
  }

  it("cover a need within their bounds, and say which one they don't keep to", () => {
    const need = { size: 1_024n, periods: 4, maxPeriods: 100 };
    expect(offerMisfit(offer, need)).to.equal(undefined);
    expect(offerMisfit({ ...offer, maxSize: 1_024n }, need)).to.equal(undefined);
    expect(offerMisfit(offer, { ...need, size: 1_023n })).to.match(/at least 1024 bytes/);
    expect(offerMisfit({ ...offer, maxSize: 1_024n }, { ...need, size: 1_025n })).to.match(/at most 1024 bytes/);
    expect(offerMisfit(offer, { ...need, periods: 3 })).to.match(/at least 4 periods/);
    expect(offerMisfit(offer, { ...need, maxPeriods: 101 })).to.match(/at most 100 periods/);
  });
});

describe("protocol: regions", () => {
  it("are six bytes for the contracts, and text for people", async () => {
    const known: [string, string][] = [
      ["DE", "0x444500000000"],
      ["US-CA", "0x55532d434100"],
      ["GB-ENG", "0x47422d454e47"],
      ["FR-2A", "0x46522d324100"],
    ];
    for (const [text, bytes] of known) {
      expect(regionBytes(text)).to.equal(bytes);
      expect(regionText(bytes)).to.equal(text);
    }
    expect(regionText(NO_REGION)).to.equal("");
    for (const text of ["", "D", "de", "DEU", "DE-", "US-CALI", "US_CA", "DE\n"]) {
      await expectError("INVALID_REGION", () => regionBytes(text));
    }
  });
});
