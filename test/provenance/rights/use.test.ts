import { expect } from "chai";
import fc from "fast-check";
import jsonld from "jsonld";
import { HoldfastError } from "../../../src/errors.js";
import {
  type AiTraining,
  type Edge,
  type Inherited,
  inheritUse,
  odrlPolicy,
} from "../../../src/provenance/rights/index.js";
import { runs } from "../../support/effort.js";

const USES: readonly AiTraining[] = ["allowed", "unstated", "constrained", "refused"];
const rank = (use: AiTraining) => USES.indexOf(use);
const from = (use: AiTraining, edge: Edge = "derivation", via = "P"): Inherited => ({ use, edge, via });

describe("provenance: permitted use", () => {
  it("is the strictest of what is said and what comes down", () => {
    const rows: readonly [own: AiTraining, parents: AiTraining[], effective: AiTraining][] = [
      ["unstated", [], "unstated"],
      ["allowed", [], "allowed"],
      ["unstated", ["allowed"], "allowed"],
      ["unstated", ["allowed", "unstated"], "unstated"],
      ["unstated", ["allowed", "constrained"], "constrained"],
      ["unstated", ["constrained", "refused"], "refused"],
      ["allowed", ["unstated"], "allowed"],
      ["allowed", ["constrained"], "constrained"],
      ["allowed", ["refused", "allowed"], "refused"],
      ["constrained", ["allowed", "unstated"], "constrained"],
      ["constrained", ["refused"], "refused"],
      ["refused", ["allowed"], "refused"],
    ];
    for (const [own, parents, effective] of rows) {
      const use = inheritUse(
        own,
        parents.map((it) => from(it)),
      );
      expect(use.use, `${own} under ${parents}`).to.equal(effective);
    }
  });

  it("warns of what was disregarded, and names who said so", () => {
    expect(inheritUse("allowed", [from("refused", "component", "A")])).to.deep.equal({
      use: "refused",
      via: "A",
      warnings: [{ ancestor: "A", level: "warning", message: "allows AI training, which A refuses" }],
    });
    expect(inheritUse("refused", [from("refused", "training", "A")])).to.deep.equal({
      use: "refused",
      warnings: [{ ancestor: "A", level: "warning", message: "trained on refused data: A refuses AI training" }],
    });
    expect(inheritUse("constrained", [from("refused")]).warnings[0]?.message).to.equal(
      "only constrains AI training, which P refuses",
    );
    const noted = inheritUse("unstated", [from("constrained", "training")]).warnings;
    expect(noted.map(({ level }) => level)).to.deep.equal(["note"]);
  });

  it("warns of nothing where nothing was disregarded", () => {
    for (const edge of ["derivation", "revision", "component", "input"] as const) {
      expect(inheritUse("unstated", [from("refused", edge)]).warnings).to.deep.equal([]);
      expect(inheritUse("refused", [from("refused", edge)]).warnings).to.deep.equal([]);
    }
    expect(inheritUse("allowed", [from("allowed", "training"), from("unstated", "training")]).warnings).to.deep.equal(
      [],
    );
  });

  it("never gets freer where anything above gets stricter, and never frees what an ancestor withholds", () => {
    const use = fc.constantFrom(...USES);
    const edge = fc.constantFrom<Edge>("derivation", "revision", "component", "input", "training");
    const parents = fc.array(fc.record({ use, edge, via: fc.constantFrom("A", "B", "C") }), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(use, parents, use, fc.nat(4), (own, above, other, at) => {
        const before = rank(inheritUse(own, above).use);
        const index = at % above.length;
        const stricter = above.with(index, {
          ...above[index]!,
          use: USES[Math.max(rank(above[index]!.use), rank(other))]!,
        });
        expect(rank(inheritUse(own, stricter).use)).to.be.at.least(before);
        expect(rank(inheritUse(own, [...above, { ...above[0]!, use: other }]).use)).to.be.at.least(before);
        expect(rank(inheritUse(USES[Math.max(rank(own), rank(other))]!, above).use)).to.be.at.least(before);
        for (const it of above) if (it.use !== "unstated") expect(before).to.be.at.least(rank(it.use));
      }),
      { numRuns: runs(500) },
    );
  });
});

describe("provenance: ODRL policies", () => {
  const iri = "urn:holdfast:record:0x12";
  const odrl = "http://www.w3.org/ns/odrl/2/";
  /** The terms of http://www.w3.org/ns/odrl.jsonld that are used, as ODRL 2.2 defines them (W3C TR odrl-vocab, section 5). */
  const context = {
    "@context": {
      "@vocab": odrl,
      uid: "@id",
      ...Object.fromEntries(
        ["target", "profile", "permission", "prohibition", "duty"].map((it) => [it, { "@type": "@id" }]),
      ),
      action: { "@type": "@vocab" },
    },
  };
  const documentLoader = async (url: string) => {
    expect(url).to.equal("http://www.w3.org/ns/odrl.jsonld");
    return { contextUrl: undefined, documentUrl: url, document: context };
  };
  const statements = async (policy: object | undefined) =>
    (await jsonld.toRDF({ ...policy } as jsonld.JsonLdDocument, {
      format: "application/n-quads",
      documentLoader,
    })) as unknown as string;

  it("forbid what is refused", async () => {
    const quads = await statements(odrlPolicy(iri, "refused"));
    expect(quads).to.include(`<${iri}#ai-training> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <${odrl}Set>`);
    expect(quads).to.match(new RegExp(`<${iri}#ai-training> <${odrl}prohibition> _:`));
    expect(quads).to.include(`<${odrl}action> <${odrl}ai-training>`);
    expect(quads).to.include(`<${odrl}target> <${iri}>`);
    expect(quads).to.not.include(`<${odrl}permission>`);
  });

  it("permit what is allowed, and what is constrained with a duty", async () => {
    const allowed = await statements(odrlPolicy(iri, "allowed"));
    expect(allowed).to.include(`<${odrl}permission>`);
    expect(allowed).to.not.match(/duty|prohibition/);
    const constrained = await statements(odrlPolicy(`${iri}#1`, "constrained"));
    expect(constrained).to.include(`<${iri}#1-ai-training> <${odrl}permission>`);
    expect(constrained).to.include(`<${odrl}action> <${odrl}reviewPolicy>`);
  });

  it("say nothing for who says nothing, and are of a proper IRI", () => {
    expect(odrlPolicy(iri, "unstated")).to.equal(undefined);
    for (const bad of ["", "0x12", "no scheme:x", "urn:a b", "urn:", 'urn:"x"']) {
      expect(() => odrlPolicy(bad, "allowed"), bad)
        .to.throw(HoldfastError)
        .with.property("code", "INVALID_IRI");
    }
  });
});
