import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { id, verifyTypedData, Wallet } from "ethers";
import { devTiers } from "../../src/chain/deploy.js";
import { dealDomain, OFFER_TYPES, offersFromJson } from "../../src/protocol/index.js";
import { OfferBook, type OfferBookOptions } from "../../src/provider/index.js";
import { expectError } from "../piece/helpers.js";
import { testPolicy } from "../support/storage-net.js";

const MARKET = "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9";
const TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
/** A look at the chain's time is good for this long. */
const LOOK_MS = 1_050;

describe("provider: its offers", () => {
  let time: bigint;
  let signed: number;
  let looks: number;
  const wallet = new Wallet(id("a provider"));
  const domain = dealDomain(5, MARKET);

  const bookOf = (changes: Partial<OfferBookOptions> = {}) => {
    const signer = new Proxy(wallet, {
      get(target, name) {
        if (name === "signTypedData") signed++;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const now = async () => {
      looks++;
      return time;
    };
    const deployment = { chainId: 5, market: MARKET, tiers: devTiers() };
    return new OfferBook({ provider: wallet.address, signer, deployment, policy: testPolicy(TOKEN), now, ...changes });
  };

  beforeEach(() => {
    time = 1_900_000_000n;
    signed = 0;
    looks = 0;
  });

  it("are its policy, one for each tier, signed for an hour", async () => {
    const policy = testPolicy(TOKEN, { minPieceBytes: 100, minPeriods: 7, regions: ["DE", "US-CA"] });
    const { chainId, market, offers } = offersFromJson(await bookOf({ policy }).page());
    expect({ chainId, market }).to.deep.equal({ chainId: 5, market: MARKET });
    expect(offers.map(({ offer }) => offer.tier)).to.deep.equal([0, 1]);
    for (const { offer, signature } of offers) {
      expect(offer).to.deep.include({
        provider: wallet.address,
        token: TOKEN,
        regions: ["0x444500000000", "0x55532d434100"],
      });
      expect(offer).to.include({ pricePerGiBPerPeriod: 1n << 30n, egressPricePerGiB: 7n, collateralRatio: 10 });
      expect(offer).to.include({ minSize: 100n, maxSize: 128n << 20n, minPeriods: 7, maxPeriods: 100 });
      expect(offer.validUntil).to.equal(time + 3_600n);
      expect(verifyTypedData(domain, OFFER_TYPES, offer, signature)).to.equal(wallet.address);
    }
  });

  it("leave out tiers that the market does not have", () => {
    const { tiers } = testPolicy(TOKEN);
    const policy = testPolicy(TOKEN, { tiers: [...tiers, { ...tiers[0]!, tier: 3 }] });
    expect(bookOf({ policy }).offers.map(({ tier }) => tier)).to.deep.equal([0, 1]);
  });

  it("cost neither a signature nor a look at the chain for each who asks", async () => {
    const book = bookOf();
    const pages = await Promise.all(Array.from({ length: 100 }, () => book.page()));
    expect(new Set(pages).size).to.equal(1);
    expect([signed, looks]).to.deep.equal([2, 1]);
  });

  it("are signed again when half of their time is over, so that each holds for half an hour", async function () {
    this.timeout(10_000);
    const book = bookOf();
    const first = await book.page();
    time += 1_800n;
    await sleep(LOOK_MS);
    expect(await book.page()).to.equal(first);
    time += 1n;
    await sleep(LOOK_MS);
    const next = await book.page();
    expect(next.offers[0]?.offer.validUntil).to.equal(Number(time + 3_600n));
    expect(signed).to.equal(4);
  });

  it("come again after the chain could not be asked", async () => {
    let fails = true;
    const now = async () => {
      if (fails) throw new Error("no answer");
      return time;
    };
    const book = bookOf({ now });
    expect(await book.page().catch((error: Error) => error.message)).to.equal("no answer");
    fails = false;
    await sleep(LOOK_MS);
    expect((await book.page()).offers).to.have.length(2);
  });

  it("are not made of a policy that no offer can have", async () => {
    await expectError("INVALID_REGION", () => bookOf({ policy: testPolicy(TOKEN, { regions: ["Berlin"] }) }));
    const tiers = [{ tier: 0, pricePerGiBPerPeriod: `${2n ** 128n}`, egressPricePerGiB: "0", collateralRatio: 1 }];
    for (const changes of [
      { tiers },
      { maxPieceBytes: -1 },
      { minPeriods: 2 ** 32 },
      { maxPeriods: 1.5 },
      { regions: Array(17).fill("DE") },
    ]) {
      await expectError("INVALID_POLICY", () => bookOf({ policy: testPolicy(TOKEN, changes) }));
    }
  });
});
