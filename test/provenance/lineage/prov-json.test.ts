import { expect } from "chai";
import { getAddress } from "ethers";
import type { Known } from "../../../src/provenance/known.js";
import { lineageJson, lineageOf, provJson } from "../../../src/provenance/lineage/index.js";
import {
  ATTESTER,
  idOf,
  knownOf,
  NOW,
  REGISTRANT,
  recordOf,
  SAMPLE_IDS,
  saidBy,
  sampleLineage,
  setOf,
} from "./sample.js";

const REGISTRY = getAddress(`0x${"5a".repeat(20)}`);
const OPTIONS = { chainId: 314, registry: REGISTRY };

type Attributes = Readonly<Record<string, unknown>>;

const provOf = (known: ReadonlyMap<string, Known>, n: number) =>
  provJson(lineageOf(known, idOf(n), NOW), OPTIONS) as Readonly<Record<string, Readonly<Record<string, Attributes>>>>;
const sample = provJson(sampleLineage(), OPTIONS) as ReturnType<typeof provOf>;
const record = (id: string) => `record:${id}`;
const all = (document: ReturnType<typeof provOf>, relation: string) => Object.values(document[relation] ?? {});
const name = ($: string) => ({ $, type: "xsd:QName" });

/** Attributes that a relation must have, and that refer to something in the document. */
const REFERENCES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  alternateOf: { "prov:alternate1": "entity", "prov:alternate2": "entity" },
  hadMember: { "prov:collection": "entity", "prov:entity": "entity" },
  used: { "prov:activity": "activity", "prov:entity": "entity" },
  wasAssociatedWith: { "prov:activity": "activity", "prov:agent": "agent" },
  wasAttributedTo: { "prov:entity": "entity", "prov:agent": "agent" },
  wasDerivedFrom: { "prov:generatedEntity": "entity", "prov:usedEntity": "entity" },
  wasGeneratedBy: { "prov:entity": "entity", "prov:activity": "activity" },
  wasInvalidatedBy: { "prov:entity": "entity", "prov:activity": "activity" },
};

describe("provenance: a lineage as W3C PROV-JSON", () => {
  it("keeps the rules of the submission: names with prefixes, blank ids, typed values", () => {
    const { prefix, ...sections } = sample;
    const isName = (text: string) => {
      const [before, ...local] = text.split(":");
      return ["prov", ...Object.keys(prefix!)].includes(before!) && /^[\w.-]+$/.test(local.join(":"));
    };
    const isValue = (value: unknown): boolean => {
      if (typeof value === "string") return true;
      if (Array.isArray(value)) return value.length > 0 && value.every(isValue);
      const { $, type, ...others } = value as { $: string; type: string };
      if (Object.keys(others).length > 0 || typeof $ !== "string") return false;
      return type === "xsd:QName" ? isName($) : /^xsd:(unsignedLong|boolean)$/.test(type);
    };
    expect(Object.keys(sections)).to.have.members(["entity", "activity", "agent", ...Object.keys(REFERENCES)]);
    for (const [section, records] of Object.entries(sections)) {
      for (const [id, attributes] of Object.entries(records)) {
        expect(section in REFERENCES ? /^_:\w+$/.test(id) : isName(id), id).to.equal(true);
        for (const [key, value] of Object.entries(attributes)) {
          expect(isName(key) && isValue(value), `${id} ${key}`).to.equal(true);
        }
        for (const [key, to] of Object.entries(REFERENCES[section] ?? {})) {
          expect(sections[to]!, `${id} ${key}`).to.have.property(attributes[key] as string);
        }
      }
    }
  });

  it("says where the records are registered, and who their registrants are", () => {
    expect(sample.prefix).to.include({
      record: `eip155:314:${REGISTRY}/record/`,
      account: "did:pkh:eip155:314:",
    });
    expect(Object.keys(sample.agent!)).to.have.members([REGISTRANT, ATTESTER].map((it) => `account:${getAddress(it)}`));
    expect(() => provJson(sampleLineage(), { chainId: 314, registry: "0x12" })).to.throw(TypeError);
  });

  it("has what registrants claim as attributes of entities", () => {
    expect(sample.entity![record(SAMPLE_IDS.scan)]).to.deep.equal({
      "prov:type": [name("holdfast:original")],
      "holdfast:recordId": SAMPLE_IDS.scan,
      "holdfast:state": "standing",
      "holdfast:tainted": { $: "false", type: "xsd:boolean" },
      "holdfast:sha256": SAMPLE_IDS.scan,
      "holdfast:size": { $: "1000000", type: "xsd:unsignedLong" },
      "holdfast:license": "CC0-1.0",
      "holdfast:aiTraining": "allowed",
      "holdfast:block": { $: "1", type: "xsd:unsignedLong" },
    });
    expect(sample.entity![record(SAMPLE_IDS.lost)]).to.deep.equal({
      "holdfast:recordId": SAMPLE_IDS.lost,
      "holdfast:state": "unknown",
      "holdfast:tainted": { $: "false", type: "xsd:boolean" },
    });
    expect(sample.entity![record(SAMPLE_IDS.archive)])
      .to.deep.include({ "prov:type": [name("prov:Collection"), name("holdfast:set")] })
      .and.to.deep.include({ "holdfast:count": { $: "1000", type: "xsd:unsignedLong" } });
    const tainted = sample.entity![record(SAMPLE_IDS.model)]!;
    expect(tainted["holdfast:taintedBy"]).to.deep.equal([name(record(SAMPLE_IDS.photo))]);
  });

  it("has a derivation for each edge but membership, and members for sets and for what contains others", () => {
    const lineage = sampleLineage();
    const edges = lineage.edges.filter(({ kind }) => kind !== "member");
    const derivations = all(sample, "wasDerivedFrom");
    expect(derivations.map((it) => [it["prov:generatedEntity"], it["prov:usedEntity"]])).to.deep.equal(
      edges.map(({ child, parent }) => [record(child), record(parent)]),
    );
    const types = derivations.map((it) => it["prov:type"]);
    expect(types).to.deep.equal(
      edges.map(({ kind }) => [name(kind === "revision" ? "prov:Revision" : `holdfast:${kind}`)]),
    );
    const members = all(sample, "hadMember").map((it) => [it["prov:collection"], it["prov:entity"]]);
    expect(members).to.deep.include([record(SAMPLE_IDS.archive), record(SAMPLE_IDS.page)]);
    expect(members).to.deep.include([record(SAMPLE_IDS.corpus), record(SAMPLE_IDS.captions)]);
    expect(members).to.have.length(6);
  });

  it("has one activity for what was made with inputs or trained, which used them all", () => {
    const both = recordOf(idOf(3), [
      [idOf(1), "input"],
      [idOf(1), "training"],
      [idOf(2), "training"],
    ]);
    const document = provOf(knownOf(recordOf(idOf(1)), recordOf(idOf(2)), both), 3);
    const making = `making:${idOf(3)}`;
    const types = [name("holdfast:Generation"), name("holdfast:Training")];
    expect(document.activity).to.deep.equal({ [making]: { "prov:type": types } });
    expect(all(document, "wasGeneratedBy")).to.deep.equal([
      { "prov:entity": record(idOf(3)), "prov:activity": making },
    ]);
    expect(all(document, "used")).to.deep.equal(
      [1, 2].map((n) => ({ "prov:activity": making, "prov:entity": record(idOf(n)) })),
    );
    expect(all(document, "wasDerivedFrom").map((it) => it["prov:activity"])).to.deep.equal([making, making, making]);
  });

  it("invalidates what was withdrawn, and has what supersedes as an alternate, in the lineage or not", () => {
    const known = knownOf(recordOf(idOf(1), [], { withdrawn: "an error", supersededBy: idOf(9) }));
    const document = provOf(known, 1);
    const withdrawal = `withdrawal:${idOf(1)}`;
    expect(document.activity![withdrawal]).to.deep.equal({
      "prov:type": [name("holdfast:Withdrawal")],
      "holdfast:reason": "an error",
    });
    expect(all(document, "wasInvalidatedBy")).to.deep.equal([
      { "prov:entity": record(idOf(1)), "prov:activity": withdrawal },
    ]);
    expect(all(document, "alternateOf")).to.deep.equal([
      { "prov:alternate1": record(idOf(9)), "prov:alternate2": record(idOf(1)) },
    ]);
    expect(document.entity![record(idOf(9))]).to.deep.equal({});
  });

  it("has attestations as entities of those who made them, those that were taken back invalidated", () => {
    const said = [
      saidBy(ATTESTER, "vouches", { topic: idOf(5), expires: NOW - 1n, reason: "seen" }),
      saidBy(ATTESTER, "disputes", { revoked: "a mistake" }),
      saidBy(REGISTRANT, "vouches"),
    ];
    const document = provOf(knownOf(setOf(idOf(1), { said })), 1);
    const key = (attester: string, topic: number) => `${idOf(1)}-${attester}-${idOf(topic)}`;
    expect(document.entity![`attestation:${key(ATTESTER, 5)}`]).to.deep.equal({
      "prov:type": [name("holdfast:Attestation")],
      "holdfast:subject": name(record(idOf(1))),
      "holdfast:verdict": "vouches",
      "holdfast:counts": { $: "false", type: "xsd:boolean" },
      "holdfast:topic": idOf(5),
      "holdfast:reason": "seen",
      "holdfast:expires": { $: `${NOW - 1n}`, type: "xsd:unsignedLong" },
      "holdfast:block": { $: "2", type: "xsd:unsignedLong" },
    });
    expect(all(document, "wasInvalidatedBy")).to.deep.equal([
      { "prov:entity": `attestation:${key(ATTESTER, 0)}`, "prov:activity": `revocation:${key(ATTESTER, 0)}` },
    ]);
    expect(all(document, "wasAttributedTo").map((it) => it["prov:agent"])).to.deep.equal(
      [REGISTRANT, ATTESTER, ATTESTER, REGISTRANT].map((it) => `account:${getAddress(it)}`),
    );
    expect(document.entity![`attestation:${key(REGISTRANT, 0)}`]!["holdfast:counts"]).to.have.property("$", "true");
  });
});

describe("provenance: a lineage as plain JSON", () => {
  const json = lineageJson(sampleLineage());

  it("has everything that is known, large integers as decimal strings, and counts", () => {
    expect(JSON.parse(JSON.stringify(json))).to.deep.equal(json);
    const { nodes, edges } = sampleLineage();
    expect(json.now).to.equal(`${NOW}`);
    expect(json.edges).to.deep.equal(edges);
    expect(json.nodes.map(({ id }) => id)).to.deep.equal(nodes.map(({ id }) => id));
    const model = json.nodes.find(({ id }) => id === SAMPLE_IDS.model)!;
    expect(model).to.include({ relation: "descendant", depth: 1, state: "standing", tainted: true });
    expect(model.known).to.have.nested.property("record.size", "1000000");
    expect(json.nodes.find(({ id }) => id === SAMPLE_IDS.lost)).to.not.have.property("known");
  });

  it("counts nodes by what they are", () => {
    expect(json.counts).to.deep.equal({
      nodes: 14,
      edges: 16,
      ancestors: 8,
      descendants: 5,
      tainted: 8,
      states: { standing: 10, withdrawn: 1, disputed: 1, superseded: 1, unknown: 1 },
    });
  });
});
