import { expect } from "chai";
import { NO_HASH, rawCidOf } from "../../src/protocol/index.js";
import type { Content } from "../../src/provenance/content.js";
import type { Holding } from "../../src/provenance/evidence.js";
import { findingsOf, isWarning, type Shown, shortId } from "../../src/provenance/findings.js";
import type { Known, KnownRecord } from "../../src/provenance/known.js";
import { lineageOf } from "../../src/provenance/lineage/index.js";
import { rightsOf } from "../../src/provenance/verify.js";
import { ATTESTER, idOf, knownOf, NOW, recordOf, saidBy, setOf } from "./lineage/sample.js";

const SELF = idOf(1);
const PIECE = idOf(99);
/** Of a folder: version 1, dag-pb, sha2-256. */
const FOLDER = "0x01701220";
const OTHER_MAKER = "0x00000000000000000000000000000000000000cc";
const HELD: Holding = {
  ...{ dealId: 1n, provider: ATTESTER, url: "", lastProvenEpoch: 5, lastProvenAt: 5, linked: true },
};

/** A record that nothing speaks against, and what it came from. */
function found(
  changes: Parameters<typeof recordOf>[2],
  others: readonly Known[] = [],
  { shown, ...more }: Partial<Content> & { readonly shown?: Shown } = {},
) {
  const parents = others.filter(({ id }) => !(changes?.anchoredIn === id)).map(({ id }) => [id, "derivation"] as const);
  const record = recordOf(
    SELF,
    [...parents].map((edge) => [...edge]),
    { pieceId: PIECE, ...changes },
  ) as KnownRecord;
  const known = knownOf(record, ...others);
  const content: Content = {
    ...{ contentHash: SELF, size: record.record.size, pieceId: PIECE, commitment: undefined },
    ...more,
  };
  const [lineage, rights] = [lineageOf(known, SELF, NOW), rightsOf(known, SELF)];
  return findingsOf({ ...shown, record, content, lineage, rights, holdings: [HELD] });
}
const codes = (findings: ReturnType<typeof found>) => findings.map(({ code }) => code);
const parent = (changes: Parameters<typeof recordOf>[2] = {}) => recordOf(idOf(2), [], changes);

describe("provenance: findings", () => {
  it("has none where nothing speaks against a record", () => {
    expect(found({}, [parent()])).to.deep.equal([]);
  });

  const cases: [string, () => ReturnType<typeof found>, string, "warning" | "note"][] = [
    ["it was withdrawn", () => found({ withdrawn: "wrong" }), "WITHDRAWN", "warning"],
    ["it was superseded", () => found({ supersededBy: idOf(9) }), "SUPERSEDED", "warning"],
    ["somebody disputes it", () => found({ said: [saidBy(ATTESTER)] }), "DISPUTED", "warning"],
    ["a source was withdrawn", () => found({}, [parent({ withdrawn: "" })]), "ANCESTOR_WITHDRAWN", "warning"],
    ["a source is disputed", () => found({}, [parent({ said: [saidBy(ATTESTER)] })]), "ANCESTOR_DISPUTED", "warning"],
    ["there is a newer source", () => found({}, [parent({ supersededBy: SELF })]), "ANCESTOR_SUPERSEDED", "note"],
    [
      "the set that it is in was withdrawn",
      () => found({ anchoredIn: idOf(3) }, [setOf(idOf(3), { withdrawn: "wrong folder" })]),
      "ANCESTOR_WITHDRAWN",
      "warning",
    ],
    [
      "its licence does not go with a source's",
      () => found({ license: "CC0-1.0" }, [parent({ license: "CC-BY-NC-ND-4.0", registrant: OTHER_MAKER })]),
      "LICENSE_CONFLICT",
      "warning",
    ],
    ["a source's licence is not stated", () => found({}, [parent({ license: "" })]), "LICENSE_UNCLEAR", "note"],
    ["a source refuses AI training", () => found({}, [parent({ aiTraining: "refused" })]), "AI_TRAINING", "warning"],
    [
      "a source constrains it",
      () => found({ aiTraining: "unstated" }, [parent({ aiTraining: "constrained" })]),
      "AI_TRAINING_UNCLEAR",
      "note",
    ],
    ["it has another size", () => found({}, [], { size: 7n }), "OTHER_SIZE", "warning"],
    ["it names another piece", () => found({ pieceId: idOf(98) }), "OTHER_PIECE", "warning"],
    ["it names another raw CID", () => found({ cid: rawCidOf(idOf(5)) }), "OTHER_CID", "warning"],
    ["it names a CID that is not computed", () => found({ cid: FOLDER }), "CID_UNCHECKED", "note"],
    [
      "the folder in the bytes is another",
      () => found({ cid: FOLDER }, [], { shown: { folder: { cid: `${FOLDER}00` } } }),
      "OTHER_CID",
      "warning",
    ],
    [
      "the folder is not all there",
      () => found({ cid: FOLDER }, [], { shown: { folder: { cid: FOLDER, fault: "a block is missing" } } }),
      "FOLDER_BROKEN",
      "warning",
    ],
    ["its manifest is not at hand", () => found({ manifestHash: idOf(70) }), "MANIFEST_UNCHECKED", "note"],
    [
      "a manifest lies there that is another",
      () => found({ manifestHash: idOf(70) }, [], { shown: { manifests: [idOf(71)] } }),
      "MANIFEST_UNCHECKED",
      "note",
    ],
    [
      "the manifest is said to be another",
      () => found({ manifestHash: idOf(70) }, [], { shown: { manifest: idOf(71), manifests: [idOf(70)] } }),
      "OTHER_MANIFEST",
      "warning",
    ],
    [
      "the manifest is said to be one, and it names none",
      () => found({}, [], { shown: { manifest: idOf(71) } }),
      "OTHER_MANIFEST",
      "warning",
    ],
  ];
  for (const [when, act, code, level] of cases) {
    it(`${code} where ${when}`, () => {
      const findings = act();
      expect(codes(findings)).to.deep.equal([code]);
      expect(findings[0]).to.include({ level }).and.to.have.property("message").that.is.a("string").and.not.empty;
      expect(findings.some(isWarning)).to.equal(level === "warning");
    });
  }

  it("ANCESTOR_UNKNOWN where a source could not be read", () => {
    const record = recordOf(SELF, [[idOf(2), "derivation"]], { pieceId: PIECE });
    const known = knownOf(record);
    const content = { contentHash: SELF, size: record.record.size, pieceId: PIECE, commitment: undefined };
    const [lineage, rights] = [lineageOf(known, SELF, NOW), rightsOf(known, SELF)];
    const findings = findingsOf({ record, content, lineage, rights, holdings: [HELD] });
    expect(codes(findings)).to.include("ANCESTOR_UNKNOWN");
    expect(findings.some(isWarning)).to.equal(false);
  });

  it("NOT_HELD where no deal holds it, and says why", () => {
    for (const [pieceId, why] of [
      [PIECE, /no live deal has proven/],
      [NO_HASH, /names no piece/],
    ] as const) {
      const record = recordOf(SELF, [], { pieceId });
      const known = knownOf(record);
      const content = { contentHash: SELF, size: record.record.size, pieceId: PIECE, commitment: undefined };
      const [lineage, rights] = [lineageOf(known, SELF, NOW), rightsOf(known, SELF)];
      const findings = findingsOf({ record, content, lineage, rights, holdings: [] });
      expect(codes(findings)).to.deep.equal(["NOT_HELD"]);
      expect(findings[0]?.message).to.match(why);
    }
  });

  it("has nothing against the CID that the bytes have of themselves, or that their folder has", () => {
    expect(found({ cid: rawCidOf(SELF) })).to.deep.equal([]);
    expect(found({ cid: FOLDER }, [], { shown: { folder: { cid: FOLDER } } })).to.deep.equal([]);
  });

  it("has nothing against a manifest that is at hand", () => {
    const manifestHash = idOf(70);
    for (const shown of [{ manifests: [idOf(71), manifestHash] }, { manifest: manifestHash }]) {
      expect(found({ manifestHash }, [], { shown })).to.deep.equal([]);
    }
  });

  it("HELD_WITHIN where all that is held is pieces that contain it, as its registrant says", () => {
    const within = { ...HELD, within: idOf(50) };
    const record = recordOf(SELF, [], { pieceId: PIECE });
    const known = knownOf(record);
    const content = { contentHash: SELF, size: record.record.size, pieceId: PIECE, commitment: undefined };
    const [lineage, rights] = [lineageOf(known, SELF, NOW), rightsOf(known, SELF)];
    const codesOf = (holdings: Holding[]) => codes(findingsOf({ record, content, lineage, rights, holdings }));
    expect(codesOf([within])).to.deep.equal(["HELD_WITHIN"]);
    expect(codesOf([within, HELD])).to.deep.equal([]);
  });

  it("says warnings first, and of one kind no more than a person reads", () => {
    const sources = Array.from({ length: 40 }, (_, i) => recordOf(idOf(10 + i), [], { withdrawn: "no" }));
    const newer = Array.from({ length: 3 }, (_, i) => recordOf(idOf(60 + i), [], { supersededBy: SELF }));
    const findings = found({ withdrawn: "" }, [...newer, ...sources]);
    const levels = findings.map(({ level }) => level);
    expect(levels).to.deep.equal([...levels].sort().reverse());
    expect(codes(findings).filter((code) => code === "ANCESTOR_WITHDRAWN")).to.have.length(9);
    expect(findings.map(({ message }) => message)).to.include("and 32 more of this kind");
    expect(codes(findings).filter((code) => code === "ANCESTOR_SUPERSEDED")).to.have.length(3);
  });

  it("names records by their first digits, and repeats a reason", () => {
    expect(shortId(SELF)).to.equal("0x00000000");
    expect(found({ withdrawn: "wrong picture" })[0]?.message).to.equal(
      "its registrant has withdrawn it: wrong picture",
    );
    expect(found({ withdrawn: "" })[0]?.message).to.equal("its registrant has withdrawn it");
  });
});
