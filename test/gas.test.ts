import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { artifacts } from "hardhat";
import { calldataFloor } from "../scripts/bench/gas/chain.js";
import { type GasRow, measureGas } from "../scripts/bench/gas/rows.js";
import { publishedTable, readSnapshot, regressions, tableOf } from "../scripts/bench/gas/snapshot.js";
import { brokenTargets, TARGETS } from "../scripts/bench/gas/targets.js";
import { ROOT } from "../src/cli/root.js";

/** EIP-170. */
const CODE_LIMIT = 24_576;
/** Leaves both parts of the market room for what they are to learn. */
const MARKET_LIMIT = 21_000;
const MARKET = /:(StorageMarket|MarketChanges)$/;

/** Rows of the comparison in docs/benchmarks.md, as they begin, and whose figures they give. */
const COMPARED = [
  ["start storing", "open.first", "open.later"],
  ["store more", "amend.1000", "open.later"],
  ["prove, 5 challenges, height 15", "prove.1.h15"],
  ["prove, 5 challenges, height 25", "prove.1.h25"],
  ["prove 100 pieces", "prove.1.h20"],
  ["settle 1", "settle.1", "settle.30"],
  ["terminate", "terminate"],
  ["deposit, first / later", "deposit.first", "deposit.later"],
  ["register a provider", "register"],
] as const;

const row = (op: string, gas: number, floor = gas): GasRow => ({ op, gas, calldataBytes: 0, calldataFloor: floor });

describe("gas", () => {
  let rows: GasRow[];
  before(async () => {
    rows = await measureGas();
  });

  it("has grown by no more than 1 % anywhere; if it should, run: npm run gas:update", () => {
    expect(regressions(readSnapshot(), rows)).to.deep.equal([]);
  });

  it("is within every target", () => {
    expect(brokenTargets(rows)).to.deep.equal([]);
  });

  it("is the same for an amendment that adds 1,000 files and for one that adds a single one, within 2 %", () => {
    const [one, many] = ["amend.1", "amend.1000"].map((op) => rows.find((measured) => measured.op === op)?.gas ?? 0);
    expect(Math.abs((many as number) - (one as number))).to.be.below(0.02 * (one as number));
    expect(one).to.be.greaterThan(0);
  });

  it("is never below what calldata alone costs", () => {
    for (const { op, gas, calldataFloor: floor } of rows) expect(gas, op).to.be.at.least(floor);
  });

  it("is what docs/benchmarks.md compares with others, rounded to hundreds", () => {
    const page = readFileSync(join(ROOT, "docs/benchmarks.md"), "utf8");
    const compared = page.slice(page.indexOf("### Beside others"));
    const rounded = (op: string) => {
      const gas = readSnapshot().find((row) => row.op === op)?.gas ?? 0;
      return (Math.round(gas / 100) * 100).toLocaleString("en-US");
    };
    for (const [operation, ...ops] of COMPARED) {
      const line = compared.split("\n").find((text) => text.startsWith(`| ${operation}`));
      const figures = line?.split("|")[2]?.match(/[\d,]*\d/g);
      expect(figures, operation).to.deep.equal(ops.map(rounded));
    }
  });

  it("is in docs/benchmarks.md as the snapshot has it; if it is not, run: npm run gas:update", () => {
    expect(publishedTable()).to.equal(tableOf(readSnapshot()));
  });
});

describe("gas: the comparison", () => {
  it("counts calldata as EIP-7623 does", () => {
    expect(calldataFloor(new Uint8Array())).to.equal(21_000);
    expect(calldataFloor(Uint8Array.of(0, 0, 7))).to.equal(21_000 + 10 * (2 + 4));
  });

  it("sees a figure grow, appear and go, but not one that falls or grows by 1 %", () => {
    const snapshot = [row("grows", 1000), row("stays", 1000), row("falls", 1000), row("goes", 1000)];
    const now = [row("grows", 1011), row("stays", 1010), row("falls", 900), row("comes", 1)];
    expect(regressions(snapshot, now)).to.deep.equal([
      "goes is not measured any more",
      "grows grew from 1000 to 1011 gas",
      "comes is not in the snapshot",
    ]);
  });

  it("sees a target broken by gas, by the calldata floor, or by not being measured", () => {
    const met = TARGETS.map(({ op, gas }) => row(op, gas));
    expect(brokenTargets(met)).to.deep.equal([]);
    const worse = met.map((good) => {
      if (good.op === "settle.1") return row(good.op, good.gas + 1);
      return good.op === "prove.1.h25" ? row(good.op, good.gas, Math.floor(good.gas / 1.011)) : good;
    });
    expect(brokenTargets(worse.filter(({ op }) => op !== "open.first"))).to.deep.equal([
      "open.first is not measured",
      "prove.1.h25 costs 171000 gas, over 1.01 times its calldata floor of 169139",
      "settle.1 costs 78001 gas, over its target of 78000",
    ]);
  });
});

describe("code size", () => {
  it("is within the limit for every contract, and the market has room to grow", async () => {
    const names = [...(await artifacts.getAllFullyQualifiedNames())].filter((name) => name.startsWith("contracts/"));
    expect(names.filter((name) => MARKET.test(name))).to.have.length(2);
    for (const name of names) {
      const { deployedBytecode } = await artifacts.readArtifact(name);
      const limit = MARKET.test(name) ? MARKET_LIMIT : CODE_LIMIT;
      expect((deployedBytecode.length - 2) / 2, name).to.be.below(limit);
    }
  });
});
