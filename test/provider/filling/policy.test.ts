import { expect } from "chai";
import { hexlify } from "ethers";
import type { Deployment } from "../../../src/chain/deployment.js";
import type { PostedRequest, Vacancy } from "../../../src/keeper/requests.js";
import { payloadBounds } from "../../../src/provider/fetching/index.js";
import { isFillable, priceNow } from "../../../src/provider/filling/filler.js";
import { blockOfPrice, judge, type Terms } from "../../../src/provider/filling/policy.js";
import { GIB, testPolicy } from "../../support/storage-net.js";

const TOKEN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const COIN = 10n ** 18n;
/** A leafCount whose largest payload is 1,016 bytes. */
const LEAVES = 32n;
const US = "0x555300000000";
const US_CA = "0x55532d434100";

const request: PostedRequest = {
  client: OTHER,
  root: hexlify(new Uint8Array(32)),
  leafCount: LEAVES,
  tier: 0,
  periods: 10,
  maxPeriods: 20,
  token: TOKEN,
  startPrice: 1_000n,
  maxPrice: 3_000n,
  rampEpochs: 100,
  collateral: 0n,
  maxEgressPricePerGiB: 7n,
  replicas: 2,
  minStake: 0n,
  expires: 1_000n,
  repair: false,
  regions: [],
  dataUri: "",
  salt: hexlify(new Uint8Array(32)),
};

function vacancyOf(changes: Partial<PostedRequest> = {}, rest: Partial<Vacancy> = {}): Vacancy {
  const asked = { ...request, ...changes };
  const { periods, maxPrice, expires } = asked;
  const posting = { id: 1n, slot: 0n, requestedEpoch: 200, postedEpoch: 200, lastEpoch: undefined };
  return { ...posting, request: asked, periods, maxPrice, expires, ...rest };
}

function termsOf(changes: Partial<Terms> = {}): Terms {
  const tiers = [
    { period: 16, window: 8, challenges: 3, maxMisses: 6 },
    { period: 32, window: 16, challenges: 5, maxMisses: 4 },
    { period: 64, window: 32, challenges: 10, maxMisses: 3 },
  ];
  const deployment = { feeBps: 100, tiers } as unknown as Deployment;
  return { policy: testPolicy(TOKEN), deployment, region: US_CA, gasPrice: 0n, coinPrice: COIN, ...changes };
}

function declineOf(vacancy: Vacancy, terms = termsOf()): string | undefined {
  const verdict = judge(vacancy, terms);
  return "decline" in verdict ? verdict.decline.code : undefined;
}

function floorOf(vacancy: Vacancy, terms = termsOf()): bigint {
  const verdict = judge(vacancy, terms);
  if ("decline" in verdict) throw new Error(verdict.decline.message);
  return verdict.floor;
}

describe("provider: which requests are wanted", () => {
  it("takes what its policy offers, and nothing else", () => {
    expect(declineOf(vacancyOf())).to.equal(undefined);
    const policy = testPolicy(TOKEN, { maxPieceBytes: 980 });
    const cases: [Partial<PostedRequest>, Terms?][] = [
      [{ tier: 2 }],
      [{ tier: 9 }],
      [{ token: OTHER }],
      [{ maxPeriods: 101 }],
      [{ maxEgressPricePerGiB: 6n }],
      [{ collateral: 30_001n }],
      [{}, termsOf({ policy })],
      [{}, termsOf({ policy: testPolicy(TOKEN, { minPieceBytes: 1_017 }) })],
      [{}, termsOf({ policy: testPolicy(TOKEN, { minPeriods: 11 }) })],
    ];
    for (const [changes, terms] of cases) {
      expect(declineOf(vacancyOf(changes), terms), JSON.stringify(Object.keys(changes))).to.equal("NOT_OFFERED");
    }
    expect(declineOf(vacancyOf({ maxEgressPricePerGiB: 7n, maxPeriods: 100, collateral: 30_000n }))).to.equal(
      undefined,
    );
    const free = testPolicy(TOKEN);
    const tiers = free.tiers.map((tier) => ({ ...tier, collateralRatio: 0 }));
    const unstaked = termsOf({ policy: { ...free, tiers } });
    expect(declineOf(vacancyOf(), unstaked)).to.equal(undefined);
    expect(declineOf(vacancyOf({ collateral: 6n }), unstaked)).to.equal("NOT_OFFERED");
  });

  it("stays in its region", () => {
    expect(declineOf(vacancyOf({ regions: [US] }))).to.equal(undefined);
    expect(declineOf(vacancyOf({ regions: ["0x444500000000", US_CA] }))).to.equal(undefined);
    expect(declineOf(vacancyOf({ regions: ["0x444500000000"] }))).to.equal("NOT_ELIGIBLE");
    expect(declineOf(vacancyOf({ regions: [US] }), termsOf({ region: "0x000000000000" }))).to.equal("NOT_ELIGIBLE");
  });

  it("wants what storing costs, of the largest payload with this leafCount", () => {
    expect(payloadBounds(LEAVES).most).to.equal(1_016n);
    expect(floorOf(vacancyOf())).to.equal(1_016n);
    expect(declineOf(vacancyOf({ startPrice: 0n, maxPrice: 1_015n }))).to.equal("UNPROFITABLE");
    expect(declineOf(vacancyOf({ startPrice: 0n, maxPrice: 1_016n }))).to.equal(undefined);
  });

  it("adds the gas of the fill and of a proof a period, by the rate of the coin, and the fee on that", () => {
    // 600,000 + 10 · 100,000 units at 10 wei, 16,000,000 wei; a coin is worth 10^15 base units: 16,000 over 10 periods.
    const terms = termsOf({ gasPrice: 10n, coinPrice: 10n ** 15n });
    const gas = (1_600n * 10_000n + 9_899n) / 9_900n;
    expect(floorOf(vacancyOf({ maxPrice: 10_000n }), terms)).to.equal(1_016n + gas);
    expect(declineOf(vacancyOf(), termsOf({ gasPrice: 10n, coinPrice: COIN }))).to.equal("UNPROFITABLE");
    // The fill's gas is spread over more of them.
    const longer = vacancyOf({ maxPrice: 10_000n, periods: 20 });
    expect(floorOf(longer, terms) < 1_016n + gas).to.equal(true);
    expect(floorOf(vacancyOf(), termsOf({ gasPrice: 10n ** 12n, coinPrice: 0n }))).to.equal(1_016n);
  });

  it("wants a price that is worth the collateral", () => {
    expect(floorOf(vacancyOf({ collateral: 25_001n }))).to.equal(2_501n);
    expect(floorOf(vacancyOf({ collateral: 100n }))).to.equal(1_016n);
    // The least that makes shares is offered at any price.
    const cheap = termsOf({
      policy: testPolicy(TOKEN, {
        tiers: [{ ...testPolicy(TOKEN).tiers[0]!, pricePerGiBPerPeriod: `${GIB / 1_016n}` }],
      }),
    });
    expect(floorOf(vacancyOf({ startPrice: 0n, maxPrice: 1n, collateral: 6n }), cheap)).to.equal(1n);
    expect(declineOf(vacancyOf({ startPrice: 0n, maxPrice: 1n, collateral: 11n }), cheap)).to.equal("NOT_OFFERED");
  });

  it("knows the first block of a price, as the contract counts", () => {
    const vacancy = vacancyOf();
    expect(blockOfPrice(vacancy, 999n)).to.equal(200);
    expect(blockOfPrice(vacancy, 3_000n)).to.equal(300);
    for (const floor of [1_000n, 1_001n, 1_020n, 1_021n, 2_999n]) {
      const block = blockOfPrice(vacancy, floor);
      expect(priceNow(vacancy, block) >= floor, `${floor}`).to.equal(true);
      if (block > 200) expect(priceNow(vacancy, block - 1) < floor, `${floor}`).to.equal(true);
    }
    // A replica that was posted again has a ramp of its own, which may begin below the request's.
    const slot = vacancyOf({}, { slot: 5n, postedEpoch: 500, maxPrice: 800n });
    expect(blockOfPrice(slot, 800n)).to.equal(500);
    expect(priceNow(slot, 500)).to.equal(800n);
    expect(blockOfPrice(vacancyOf({}, { slot: 5n, postedEpoch: 500, maxPrice: 2_000n }), 1_500n)).to.equal(550);
  });

  it("fills where the seed is old enough and stays the same for a while, and before the notice is over", () => {
    const vacancy = vacancyOf({}, { requestedEpoch: 190 });
    const at = (head: number, one = vacancy) => isFillable(one, head, 2);
    // 190 + 2 is a multiple of 64: its seed counts from block 193 on.
    expect([192, 193, 200, 254, 255, 256, 257].map((head) => at(head))).to.deep.equal([
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
    expect(at(193, vacancyOf({}, { requestedEpoch: 191 }))).to.equal(false);
    const cancelled = vacancyOf({}, { requestedEpoch: 190, lastEpoch: 201 });
    expect([200, 201].map((head) => at(head, cancelled))).to.deep.equal([true, false]);
  });
});
