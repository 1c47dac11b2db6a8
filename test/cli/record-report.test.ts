import { expect } from "chai";
import { encodeBytes32String, getBytes, sha256 } from "ethers";
import { CID } from "multiformats/cid";
import {
  findingLines,
  historyLines,
  holdingLines,
  knownLines,
  knownReport,
  saidLines,
  timeText,
  topicText,
} from "../../src/cli/record-report.js";
import { rawCidOf } from "../../src/protocol/index.js";
import { lineageOf } from "../../src/provenance/lineage/index.js";
import { ATTESTER, idOf, knownOf, NOW, REGISTRANT, recordOf, saidBy, setOf } from "../provenance/lineage/sample.js";

const SELF = idOf(1);
const TIME = 1_790_000_000;
const TIME_TEXT = "2026-09-21 14:13:20 UTC";
const ESCAPE = "\u001b[2J";

describe("cli: records in words", () => {
  it("reports what is claimed of a record, and no more", () => {
    const plain = recordOf(SELF, [[idOf(2), "input"]]);
    expect(knownReport(plain, TIME)).to.deep.equal({
      ...{ id: SELF, form: "record", registrant: REGISTRANT, registeredAt: TIME, kind: "derived" },
      ...{ license: "CC-BY-4.0", aiTraining: "allowed", sha256: SELF.slice(2), bytes: 1_000_000n },
      parents: [{ id: idOf(2), kind: "input" }],
    });
    const [pieceId, manifestHash, anchoredIn] = [idOf(7), idOf(8), idOf(9)];
    const more = { pieceId, manifestHash, anchoredIn, withdrawn: "", supersededBy: idOf(3) };
    const cid = rawCidOf(sha256("0x12"));
    const report = knownReport(recordOf(SELF, [], { ...more, cid }), TIME);
    expect(report).to.deep.include(more);
    expect(CID.parse(report.cid as string).bytes).to.deep.equal(getBytes(cid));
    // Nobody checked that it is one.
    expect(knownReport(recordOf(SELF, [], { cid: "0x1234" }), 0).cid).to.equal("0x1234");
  });

  it("reports what is claimed of a set", () => {
    const report = knownReport(setOf(SELF), TIME);
    expect(report).to.include({ form: "set", count: 1_000n, license: "", aiTraining: "allowed" });
    expect(report).to.not.have.any.keys("sha256", "bytes", "pieceId", "cid", "anchoredIn");
    expect(knownLines(setOf(SELF), TIME).join("\n")).to.match(/kind {8}[\w-]+, a set of 1000 records/);
  });

  it("says it in lines, with strangers' text made harmless", () => {
    const lines = knownLines(
      recordOf(SELF, [], {
        license: `MIT${ESCAPE}`,
        withdrawn: `no${ESCAPE}`,
        aiTraining: "unstated",
        anchoredIn: idOf(4),
      }),
      TIME,
    );
    expect(lines).to.deep.equal([
      `claimed by  ${REGISTRANT} at ${TIME_TEXT}`,
      "kind        derived",
      "licence     MIT\\x1b[2J",
      "AI training not stated",
      `in set      ${idOf(4)}`,
      "withdrawn   “no\\x1b[2J”",
    ]);
    expect(knownLines(recordOf(SELF, [], { license: "", withdrawn: "" }), TIME)).to.include.members([
      ...["licence     not stated", "withdrawn   no reason given"],
    ]);
  });

  it("tells sources, the nearest first, those that it can't read too, and not more than a person reads", () => {
    const parents = Array.from({ length: 25 }, (_, i) => idOf(10 + i));
    const known = knownOf(
      recordOf(
        SELF,
        parents.map((id) => [id, "derivation"]),
      ),
      ...parents.slice(1).map((id) => recordOf(id, [], { license: ESCAPE, aiTraining: "refused" })),
    );
    const lines = historyLines(lineageOf(known, SELF, NOW).nodes);
    expect(lines).to.have.length(21);
    expect(lines[0]).to.equal(`sources     ${parents[0]} ?: unknown`);
    expect(lines[1]).to.equal(
      `            ${parents[1]} derived, \\x1b[2J, AI training refused by ${REGISTRANT}: standing`,
    );
    expect(lines[20]).to.equal("            and 5 more");
    expect(historyLines(lineageOf(known, parents[1]!, NOW).nodes.slice(0, 1))).to.deep.equal([
      "sources     none named",
    ]);
  });

  it("tells what others say, disputes first, then the latest", () => {
    const topic = encodeBytes32String("origin");
    expect(saidLines([])).to.deep.equal([]);
    expect(
      saidLines([saidBy(ATTESTER), saidBy(ATTESTER, "vouches", { topic, expires: BigInt(TIME), reason: ESCAPE })]),
    ).to.deep.equal([
      `others say  ${ATTESTER} disputes: no reason given`,
      `            ${ATTESTER} vouches (origin), until ${TIME_TEXT}: “\\x1b[2J”`,
    ]);
    const many = saidLines(Array.from({ length: 25 }, (_, i) => saidBy(ATTESTER, "vouches", { reason: String(i) })));
    expect(many).to.have.length(21);
    expect(many[0]).to.include("“24”");
    expect(many[20]).to.equal("            and 5 more");
    const buried = [saidBy(ATTESTER), ...Array.from({ length: 25 }, () => saidBy(ATTESTER, "vouches"))];
    expect(saidLines(buried)[0]).to.include("disputes");
  });

  it("tells who holds it, and when that was proven", () => {
    expect(holdingLines([])).to.deep.equal(["held by     nobody that a live deal shows"]);
    const holding = { dealId: 5n, provider: ATTESTER, url: "", lastProvenEpoch: 77, lastProvenAt: TIME, linked: true };
    expect(holdingLines([holding, { ...holding, url: `https://x/${ESCAPE}`, lastProvenAt: 0 }])).to.deep.equal([
      `held by     ${ATTESTER}, last proven ${TIME_TEXT} (block 77), deal 0x00000000`,
      `            ${ATTESTER} at https://x/\\x1b[2J, last proven (block 77), deal 0x00000000`,
    ]);
  });

  it("tells warnings and notes", () => {
    const finding = { code: "X", message: `so it is${ESCAPE}` };
    expect(
      findingLines([
        { ...finding, level: "warning" },
        { ...finding, level: "note" },
      ]),
    ).to.deep.equal(["WARNING     so it is\\x1b[2J", "note        so it is\\x1b[2J"]);
  });

  it("has times for people, as far as there are years, and topics as they were written", () => {
    expect(timeText(TIME)).to.equal(TIME_TEXT);
    expect(timeText(0)).to.equal("1970-01-01 00:00:00 UTC");
    expect(timeText(253_402_300_799)).to.equal("9999-12-31 23:59:59 UTC");
    for (const seconds of [253_402_300_800, 8.64e12, 2 ** 48]) expect(timeText(seconds)).to.equal(`second ${seconds}`);
    expect(topicText(encodeBytes32String("origin"))).to.equal("origin");
    expect(topicText(encodeBytes32String("a\u202eb"))).to.equal("a\\u{202e}b");
    for (const topic of [`0x${"ab".repeat(32)}`, `0xff${"00".repeat(31)}`]) expect(topicText(topic)).to.equal(topic);
  });
});
