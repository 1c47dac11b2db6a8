import { expect } from "chai";
import { AbiCoder, concat, keccak256, recoverAddress, toBeHex, toUtf8Bytes, Wallet, ZeroHash } from "ethers";
import {
  AMENDMENT_TYPES,
  type Amendment,
  amendmentDigest,
  checkAmendment,
  dealDomain,
  MIGRATION_TYPES,
  migrationDigest,
  migrationQuestionId,
  possessionEpoch,
  signAmendment,
  signMigration,
  TermsError,
} from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { ethers } from "./harness.js";

const MARKET = "0x00000000000000000000000000000000000000a1";
const PROVIDER = "0x00000000000000000000000000000000000000d1";
const DOMAIN = dealDomain(31_337n, MARKET);
const GOOD: Amendment = {
  dealId: 7n,
  root: ZeroHash,
  leafCount: 5n,
  pricePerPeriod: 100n,
  nonce: 2,
  validUntil: 1_000n,
};
const MIGRATION = { dealId: 7n, successor: 8n };
const coder = AbiCoder.defaultAbiCoder();

/** The digest from EIP-712's own words, over a type string written out. */
function digest(type: string, types: string[], values: unknown[]): string {
  const struct = keccak256(coder.encode(["bytes32", ...types], [keccak256(toUtf8Bytes(type)), ...values]));
  return keccak256(concat(["0x1901", ethers.TypedDataEncoder.hashDomain(DOMAIN), struct]));
}

describe("protocol: amendments", () => {
  it("have the digest of their type string", () => {
    const type =
      "Amendment(uint256 dealId,bytes32 root,uint64 leafCount,uint128 pricePerPeriod,uint32 nonce,uint64 validUntil)";
    const types = ["uint256", "bytes32", "uint64", "uint128", "uint32", "uint64"];
    const { dealId, root, leafCount, pricePerPeriod, nonce, validUntil } = GOOD;
    const values = [dealId, root, leafCount, pricePerPeriod, nonce, validUntil];
    expect(amendmentDigest(DOMAIN, GOOD)).to.equal(digest(type, types, values));
    expect(ethers.TypedDataEncoder.from(AMENDMENT_TYPES).encodeType("Amendment")).to.equal(type);
  });

  it("are signed over that digest", async () => {
    const wallet = Wallet.createRandom();
    const signature = await signAmendment(wallet, DOMAIN, GOOD);
    expect(recoverAddress(amendmentDigest(DOMAIN, GOOD), signature)).to.equal(wallet.address);
    expect(amendmentDigest(dealDomain(1n, MARKET), GOOD)).to.not.equal(amendmentDigest(DOMAIN, GOOD));
  });

  it("pass where the contract takes them, to the edge", () => {
    const top = (1n << 128n) - 1n;
    const edges: Partial<Amendment>[] = [{}, { leafCount: 1n << 40n }, { pricePerPeriod: top / 9n }];
    for (const change of edges) checkAmendment({ ...GOOD, ...change }, { maxPeriods: 9, nonce: 2, now: 1_000n });
    checkAmendment({ ...GOOD, validUntil: 0n, nonce: 9 }, { maxPeriods: 9 });
  });

  it("fail where the contract reverts", async () => {
    const check = (change: Partial<Amendment>) => () =>
      checkAmendment({ ...GOOD, ...change }, { maxPeriods: 9, nonce: 2, now: 1_000n });
    await expectError("AMENDMENT_EXPIRED", check({ validUntil: 999n }));
    for (const nonce of [1, 3]) await expectError("WRONG_NONCE", check({ nonce }));
    for (const leafCount of [0n, (1n << 40n) + 1n]) await expectError("INVALID_LEAF_COUNT", check({ leafCount }));
    for (const bit of ["80", "40"]) await expectError("INVALID_ROOT", check({ root: `0x${"00".repeat(31)}${bit}` }));
    const pricePerPeriod = ((1n << 128n) - 1n) / 9n + 1n;
    expect(await expectError("AMOUNT_TOO_LARGE", check({ pricePerPeriod }))).to.be.instanceOf(TermsError);
    for (const misfit of [{ leafCount: -1n }, { nonce: 2 ** 32 }, { root: "0x00" }]) {
      await expectError("INVALID_AMENDMENT", check(misfit));
    }
  });
});

describe("protocol: migrations", () => {
  it("have the digest of their type string, and are signed over it", async () => {
    const type = "Migration(uint256 dealId,uint256 successor)";
    expect(migrationDigest(DOMAIN, MIGRATION)).to.equal(digest(type, ["uint256", "uint256"], [7n, 8n]));
    expect(ethers.TypedDataEncoder.from(MIGRATION_TYPES).encodeType("Migration")).to.equal(type);
    const wallet = Wallet.createRandom();
    const signature = await signMigration(wallet, DOMAIN, MIGRATION);
    expect(recoverAddress(migrationDigest(DOMAIN, MIGRATION), signature)).to.equal(wallet.address);
  });

  it("ask the new provider a question that is no deal's and no other migration's", () => {
    const domain = keccak256(toUtf8Bytes("Holdfast migration"));
    const packed = concat([domain, toBeHex(7n, 32), toBeHex(PROVIDER, 32)]);
    expect(migrationQuestionId(7n, PROVIDER)).to.equal(BigInt(keccak256(packed)));
    expect(migrationQuestionId(8n, PROVIDER)).to.not.equal(migrationQuestionId(7n, PROVIDER));
    expect(migrationQuestionId(7n, MARKET)).to.not.equal(migrationQuestionId(7n, PROVIDER));
  });

  it("are asked with the seed of the last multiple of 64 before the block", () => {
    expect([1, 64, 65, 128, 129, 200].map(possessionEpoch)).to.deep.equal([0, 0, 64, 64, 128, 192]);
  });
});
