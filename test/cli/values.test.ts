import { expect } from "chai";
import { InvalidArgumentError } from "commander";
import { devTiers } from "../../src/chain/deploy.js";
import { tierIndex, tierName } from "../../src/chain/tiers.js";
import { parseAddress, parseCount, parseSize } from "../../src/cli/values.js";
import { expectError } from "../piece/helpers.js";

describe("cli: values", () => {
  it("reads sizes with units of either kind, and without", () => {
    const sizes: [string, bigint][] = [
      ["1", 1n],
      ["1500B", 1_500n],
      ["10MiB", 10n << 20n],
      ["10mib", 10n << 20n],
      ["1.5 GiB", 3n << 29n],
      ["20GB", 20_000_000_000n],
      ["0.5KB", 500n],
      ["2PiB", 2n << 50n],
      ["1.9", 1n],
    ];
    for (const [text, bytes] of sizes) expect(parseSize(text), text).to.equal(bytes);
    for (const text of ["", "0", "0MiB", "-1", "1e3", "MiB", "10 Mi", "10iB", "1..5GB", "ten", `${"9".repeat(16)}`]) {
      expect(() => parseSize(text), text).to.throw(InvalidArgumentError);
    }
  });

  it("reads counts, and nothing that is none", () => {
    expect(parseCount("4294967295")).to.equal(2 ** 32 - 1);
    for (const text of ["0", "-1", "1.5", "", "4294967296", "1e3", " 1"]) {
      expect(() => parseCount(text), text).to.throw(InvalidArgumentError);
    }
  });

  it("reads addresses, and notices a wrong digit", () => {
    const address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    expect(parseAddress(address.toLowerCase())).to.equal(address);
    for (const text of [
      address.replace("f39", "F39"),
      "0x12",
      address.slice(2),
      "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS",
    ]) {
      expect(() => parseAddress(text), text).to.throw(InvalidArgumentError);
    }
  });

  it("reads addresses of Filecoin's form, and says what those that nobody can act as are", () => {
    const [address, text] = [
      "0xd388aB098ed3E84c0D808776440B48F685198498",
      "410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy",
    ];
    for (const network of ["f", "t"]) expect(parseAddress(`${network}${text}`)).to.equal(address);
    for (const [wrong, said] of [
      [`f${text.replace("2oek", "2oel")}`, "its checksum differs"],
      ["f01234", "id of an actor"],
      ["0xff000000000000000000000000000000000004d2", "alias of the Filecoin actor f01234"],
      ["t1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za", "no Ethereum form"],
    ] as const) {
      expect(() => parseAddress(wrong), wrong).to.throw(InvalidArgumentError, said);
    }
  });

  it("knows tiers by index, and by name where they are the named ones", async () => {
    const named = { tiers: devTiers() };
    expect(["hot", "Warm", "archive", "1"].map((text) => tierIndex(text, named))).to.deep.equal([0, 1, 2, 1]);
    expect([0, 1, 2, 7].map((tier) => tierName(tier, named))).to.deep.equal(["hot", "warm", "archive", "7"]);
    const own = { tiers: devTiers().slice(0, 2) };
    expect(tierName(0, own)).to.equal("0");
    expect((await expectError("UNKNOWN_TIER", () => tierIndex("hot", own))).hint).to.equal("it has these: 0, 1");
    const error = await expectError("UNKNOWN_TIER", () => tierIndex("3", named));
    expect(error.hint).to.equal("it has these: 0 (hot), 1 (warm), 2 (archive)");
    for (const text of ["", "-1", "cold"]) await expectError("UNKNOWN_TIER", () => tierIndex(text, named));
  });
});
