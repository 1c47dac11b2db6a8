import { expect } from "chai";
import { concat, keccak256, toBeHex, Wallet, ZeroAddress, ZeroHash } from "ethers";
import fc from "fast-check";
import {
  checkTerms,
  DEAL_TERMS_TYPES,
  type DealTerms,
  dealDomain,
  dealIdOf,
  escrowOf,
  isAccount,
  isIdAlias,
  MAX_PERIODS,
  signTerms,
  TermsError,
  type TermsFault,
} from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { runs } from "../support/effort.js";
import { address, anyTerms, hex } from "./arbitraries.js";
import { ethers, ledgerHarness } from "./harness.js";

const TIER = { period: 100, window: 10, challenges: 3, maxMisses: 3 };
const MARKET = "0x00000000000000000000000000000000000000a1";
const ALIAS = "0xff000000000000000000000000000000000004d2";
const GOOD: DealTerms = {
  client: "0x00000000000000000000000000000000000000c1",
  provider: "0x00000000000000000000000000000000000000d1",
  root: ZeroHash,
  leafCount: 5n,
  tier: 0,
  periods: 3,
  maxPeriods: 9,
  token: ZeroAddress,
  pricePerPeriod: 100n,
  collateral: 3n,
  egressPricePerGiB: 0n,
  validUntil: 1_000n,
  salt: ZeroHash,
};

function fault(change: Partial<DealTerms>, tier: typeof TIER | undefined = TIER): TermsFault {
  try {
    checkTerms({ ...GOOD, ...change }, tier, { now: 1_000n, protocol: [MARKET] });
  } catch (error) {
    expect(error).to.be.instanceOf(TermsError);
    return (error as TermsError).fault;
  }
  throw new Error("the terms passed");
}

describe("protocol: terms", () => {
  it("hash as the contracts hash them", async () => {
    const harness = await ledgerHarness();
    const { TypedDataEncoder } = ethers;
    await fc.assert(
      fc.asyncProperty(fc.array(anyTerms, { minLength: 25, maxLength: 25 }), async (terms) => {
        const mirrored = terms.map((t) => TypedDataEncoder.hashStruct("DealTerms", DEAL_TERMS_TYPES, t));
        expect(mirrored).to.deep.equal([...(await harness.hashes(terms))]);
      }),
      { numRuns: runs(20) },
    );
  });

  it("have the whole EIP-712 digest as their id", () => {
    const domain = dealDomain(31_337n, MARKET);
    const separator = ethers.TypedDataEncoder.hashDomain(domain);
    const struct = ethers.TypedDataEncoder.hashStruct("DealTerms", DEAL_TERMS_TYPES, GOOD);
    expect(dealIdOf(domain, GOOD)).to.equal(BigInt(keccak256(concat(["0x1901", separator, struct]))));
    expect(dealIdOf(dealDomain(1n, MARKET), GOOD)).to.not.equal(dealIdOf(domain, GOOD));
    expect(dealIdOf(dealDomain(31_337n, ALIAS), GOOD)).to.not.equal(dealIdOf(domain, GOOD));
  });

  it("are signed over that id", async () => {
    const wallet = Wallet.createRandom();
    const domain = dealDomain(31_337n, MARKET);
    const signature = await signTerms(wallet, domain, GOOD);
    expect(ethers.recoverAddress(toBeHex(dealIdOf(domain, GOOD), 32), signature)).to.equal(wallet.address);
  });

  it("lock price times periods", () => {
    expect(escrowOf(GOOD)).to.equal(300n);
  });

  it("pass where the contract takes them, to the edge", () => {
    const top = (1n << 128n) - 1n;
    const edges: Partial<DealTerms>[] = [
      {},
      { leafCount: 1n << 40n },
      { maxPeriods: MAX_PERIODS },
      { collateral: 0n },
      { pricePerPeriod: top / 9n },
      { collateral: top / 4n },
      { periods: 9 },
    ];
    for (const change of edges) checkTerms({ ...GOOD, ...change }, TIER, { now: 1_000n, protocol: [MARKET] });
    checkTerms({ ...GOOD, validUntil: 0n }, TIER);
  });

  it("fail where the contract reverts, by the name of its error", () => {
    expect(fault({ validUntil: 999n })).to.equal("TermsExpired");
    for (const account of [ZeroAddress, ALIAS, MARKET]) {
      expect(fault({ client: account })).to.equal("InvalidAccount");
      expect(fault({ provider: account })).to.equal("InvalidAccount");
    }
    for (const leafCount of [0n, (1n << 40n) + 1n]) expect(fault({ leafCount })).to.equal("InvalidLeafCount");
    for (const bit of ["80", "40"]) expect(fault({ root: `0x${"00".repeat(31)}${bit}` })).to.equal("InvalidRoot");
    expect(fault({ periods: 2 })).to.equal("InvalidPeriods");
    expect(fault({ periods: 10 })).to.equal("InvalidPeriods");
    expect(fault({ maxPeriods: MAX_PERIODS + 1 })).to.equal("InvalidPeriods");
    expect(fault({ collateral: 2n })).to.equal("InvalidCollateral");
    expect(fault({ pricePerPeriod: ((1n << 128n) - 1n) / 9n + 1n })).to.equal("AmountTooLarge");
    expect(fault({ collateral: ((1n << 128n) - 1n) / 4n + 3n })).to.equal("AmountTooLarge");
  });

  it("fail without a tier", async () => {
    const error = await expectError("UNKNOWN_TIER", () => checkTerms(GOOD, undefined));
    expect((error as TermsError).fault).to.equal("UnknownTier");
  });

  it("fail where a value does not fit its type", async () => {
    const misfits: Partial<DealTerms>[] = [{ leafCount: -1n }, { tier: 256 }, { root: "0x00" }, { client: "0x12" }];
    for (const change of misfits) await expectError("INVALID_TERMS", () => checkTerms({ ...GOOD, ...change }, TIER));
  });
});

describe("protocol: accounts", () => {
  it("tell an id alias by its first twelve bytes", () => {
    fc.assert(fc.property(hex(8), (id) => isIdAlias(`0xff${"00".repeat(11)}${id.slice(2)}`)));
    expect(isIdAlias(`0xff${"00".repeat(10)}01${"00".repeat(8)}`)).to.equal(false);
    expect(isIdAlias(`0xfe${"00".repeat(19)}`)).to.equal(false);
  });

  it("are neither zero nor an alias", () => {
    expect([ZeroAddress, ALIAS, MARKET].map(isAccount)).to.deep.equal([false, false, true]);
    fc.assert(fc.property(address, (account) => isAccount(account) || BigInt(account) === 0n || isIdAlias(account)));
  });
});
