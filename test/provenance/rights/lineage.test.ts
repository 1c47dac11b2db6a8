import { expect } from "chai";
import fc from "fast-check";
import { HoldfastError } from "../../../src/errors.js";
import {
  type AiTraining,
  checkRights,
  type Edge,
  type Kind,
  type RightsNode,
} from "../../../src/provenance/rights/index.js";
import { runs } from "../../support/effort.js";

interface Sketch {
  readonly license?: string;
  readonly ai?: AiTraining;
  readonly kind?: Kind;
  readonly registrant?: string;
  readonly from?: readonly (readonly [id: string, edge: Edge])[];
}

/** Records by id, from as little as a test has to say. */
function lineage(sketches: Readonly<Record<string, Sketch>>): Map<string, RightsNode> {
  return new Map(
    Object.entries(sketches).map(
      ([id, { license = "CC0-1.0", ai = "unstated", kind = "derived", from = [], registrant }]) => {
        const node = {
          id,
          license,
          aiTraining: ai,
          kind,
          parents: from.map(([parent, edge]) => ({ id: parent, edge })),
        };
        return [id, registrant === undefined ? node : { ...node, registrant }];
      },
    ),
  );
}

describe("provenance: rights along a lineage", () => {
  it("finds nothing where nothing is wrong", () => {
    const nodes = lineage({
      photo: { license: "CC-BY-4.0", ai: "allowed", kind: "original" },
      crop: { license: "CC-BY-4.0", from: [["photo", "revision"]] },
    });
    expect(checkRights(nodes, "crop")).to.deep.equal({ effectiveAiTraining: "allowed", conflicts: [], warnings: [] });
  });

  it("reports every edge above the target, the nearest first, and none beside it", () => {
    const nodes = lineage({
      photo: { license: "CC-BY-NC-4.0", kind: "original" },
      set: { license: "CC-BY-4.0", kind: "aggregated", from: [["photo", "component"]] },
      derived: { license: "MIT", from: [["set", "derivation"]] },
      target: { license: "CC0-1.0", from: [["derived", "derivation"]] },
      sibling: { license: "CC0-1.0", from: [["photo", "derivation"]] },
    });
    expect(checkRights(nodes, "target").conflicts).to.deep.equal([
      {
        child: "target",
        parent: "derived",
        edge: "derivation",
        severity: "conflict",
        reason: "MIT asks that its author or notice be named, CC0-1.0 asks for nothing",
      },
      {
        child: "set",
        parent: "photo",
        edge: "component",
        severity: "conflict",
        reason: "CC-BY-NC-4.0 forbids commercial use, CC-BY-4.0 permits it",
      },
    ]);
    expect(checkRights(nodes, "photo").conflicts).to.deep.equal([]);
  });

  it("carries a refusal down, and names who refused", () => {
    const nodes = lineage({
      painting: { ai: "refused", kind: "original" },
      sketch: { ai: "constrained", kind: "original" },
      set: {
        kind: "aggregated",
        from: [
          ["painting", "component"],
          ["sketch", "component"],
        ],
      },
      copy: { ai: "allowed", from: [["set", "revision"]] },
      model: { kind: "trained-on", from: [["copy", "training"]] },
      output: { kind: "generated", from: [["model", "derivation"]] },
    });
    const { effectiveAiTraining, warnings } = checkRights(nodes, "output");
    expect(effectiveAiTraining).to.equal("refused");
    expect(warnings).to.deep.equal([
      {
        record: "model",
        ancestor: "painting",
        level: "warning",
        message: "trained on refused data: painting refuses AI training",
      },
      { record: "copy", ancestor: "painting", level: "warning", message: "allows AI training, which painting refuses" },
      {
        record: "output",
        ancestor: "sketch",
        level: "note",
        message: "descends from sketch, which constrains AI training: its conditions go with it",
      },
      {
        record: "output",
        ancestor: "painting",
        level: "warning",
        message: "descends from painting, which refuses AI training",
      },
    ]);
  });

  it("names every ancestor that refused, and each pair of records once", () => {
    const nodes = lineage({
      a: { ai: "refused" },
      b: { ai: "refused" },
      mid: {
        from: [
          ["a", "component"],
          ["b", "component"],
        ],
      },
      target: {
        ai: "allowed",
        from: [
          ["mid", "derivation"],
          ["a", "input"],
        ],
      },
    });
    const pairs = checkRights(nodes, "target").warnings.map(({ record, ancestor }) => `${record} ${ancestor}`);
    expect(pairs).to.have.members(["target a", "target b"]);
  });

  it("does not warn of a refusal that is kept", () => {
    const nodes = lineage({ a: { ai: "refused" }, b: { ai: "refused", from: [["a", "derivation"]] } });
    expect(checkRights(nodes, "b")).to.deep.equal({ effectiveAiTraining: "refused", conflicts: [], warnings: [] });
  });

  it("notes parents that were not read, and survives edges that lead back", () => {
    const nodes = lineage({
      a: {
        ai: "refused",
        from: [
          ["b", "derivation"],
          ["a", "derivation"],
        ],
      },
      b: {
        from: [
          ["a", "derivation"],
          ["lost", "component"],
        ],
      },
    });
    const { effectiveAiTraining, warnings } = checkRights(nodes, "b");
    expect(effectiveAiTraining).to.equal("refused");
    expect(warnings.map(({ record, ancestor, level }) => [record, ancestor, level])).to.deep.equal([
      ["b", "lost", "note"],
      ["a", "b", "note"],
      ["a", "a", "note"],
      ["b", "a", "warning"],
    ]);
  });

  it("takes what a stranger registered as it is", () => {
    const nodes = lineage({
      a: { license: "\u001b[31m© me" },
      b: { license: "MIT", from: [["a", "derivation"]] },
    });
    const [found] = checkRights(nodes, "b").conflicts;
    expect(found).to.include({ severity: "unknown", child: "b", parent: "a" });
    expect(found?.reason).to.include("“?[31m© me” (no SPDX licence)");
  });

  it("leaves it to a person where one registrant may hold the rights in both", () => {
    const by = (registrant: string) =>
      lineage({
        a: { license: "NONE", registrant: "0x1" },
        b: { license: "CC-BY-4.0", registrant, from: [["a", "revision"]] },
      });
    expect(checkRights(by("0x2"), "b").conflicts[0]?.severity).to.equal("conflict");
    const own = checkRights(by("0x1"), "b").conflicts[0];
    expect(own?.severity).to.equal("unknown");
    expect(own?.reason).to.match(/unless who registered both holds the rights/);
  });

  it("needs the target", () => {
    expect(() => checkRights(new Map(), "0x1"))
      .to.throw(HoldfastError)
      .with.property("code", "UNKNOWN_RECORD");
  });

  it("agrees with a plain recursive walk", () => {
    const rank = ["allowed", "unstated", "constrained", "refused"];
    const sketch = fc.record({
      ai: fc.constantFrom<AiTraining>("allowed", "unstated", "constrained", "refused"),
      license: fc.constantFrom("MIT", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "NONE", ""),
      up: fc.uniqueArray(fc.nat(20), { maxLength: 4 }),
      edge: fc.constantFrom<Edge>("derivation", "component", "training"),
    });
    fc.assert(
      fc.property(fc.array(sketch, { minLength: 1, maxLength: 12 }), (sketches) => {
        const nodes = lineage(
          Object.fromEntries(
            sketches.map(({ ai, license, up, edge }, i) => {
              const from = [...new Set(up.map((it) => it % Math.max(i, 1)))].filter((it) => it < i);
              return [`r${i}`, { ai, license, from: from.map((it) => [`r${it}`, edge] as const) }];
            }),
          ),
        );
        const target = `r${sketches.length - 1}`;
        const above = (id: string): string[] => [id, ...nodes.get(id)!.parents.flatMap((it) => above(it.id))];
        const all = [...new Set(above(target))].map((id) => nodes.get(id)!);
        const { effectiveAiTraining, conflicts } = checkRights(nodes, target);
        const strictest = Math.max(...all.map(({ aiTraining }) => rank.indexOf(aiTraining)));
        if (strictest >= 2) expect(effectiveAiTraining).to.equal(rank[strictest]);
        else expect(effectiveAiTraining).to.be.oneOf(["allowed", "unstated"]);
        const edges = all.flatMap((it) => it.parents.map((parent) => `${it.id} ${parent.id}`));
        expect(edges).to.include.members(conflicts.map(({ child, parent }) => `${child} ${parent}`));
        const reserved = all.filter(({ id }) =>
          nodes.get(id)!.parents.some((it) => nodes.get(it.id)!.license === "NONE"),
        );
        expect(conflicts.map(({ child }) => child)).to.include.members(reserved.map(({ id }) => id));
      }),
      { numRuns: runs(200) },
    );
  });
});

describe("provenance: rights of long and wide lineages", () => {
  const timed = (nodes: Map<string, RightsNode>, target: string) => {
    const start = performance.now();
    const report = checkRights(nodes, target);
    return { report, ms: performance.now() - start };
  };
  const chain = (length: number, license: (i: number) => string) =>
    new Map<string, RightsNode>(
      Array.from({ length }, (_, i) => {
        const parents = i === 0 ? [] : [{ id: `${i - 1}`, edge: "derivation" as const }];
        const aiTraining = i % 2 === 0 ? "refused" : "allowed";
        return [`${i}`, { id: `${i}`, license: license(i), aiTraining, kind: "derived", parents }];
      }),
    );

  it("takes a chain of 20,000 records in under 2 s, with a conflict and a warning at every other", () => {
    const { report, ms } = timed(
      chain(20_000, (i) => (i % 2 === 0 ? "CC-BY-NC-4.0" : "MIT")),
      "19999",
    );
    expect(report.conflicts.length).to.equal(10_000);
    expect(report.warnings.length).to.be.at.least(10_000);
    expect(report.effectiveAiTraining).to.equal("refused");
    expect(ms).to.be.lessThan(2_000);
  });

  it("takes 150 layers of 64 records, each with 64 parents, in under 2 s", () => {
    const nodes = new Map<string, RightsNode>();
    for (let layer = 0; layer < 150; layer++) {
      for (let i = 0; i < 64; i++) {
        const parents = Array.from({ length: layer === 0 ? 0 : 64 }, (_, j) => ({
          id: `${layer - 1}.${j}`,
          edge: "component" as const,
        }));
        nodes.set(`${layer}.${i}`, {
          id: `${layer}.${i}`,
          license: "CC-BY-4.0",
          aiTraining: "unstated",
          kind: "aggregated",
          parents,
        });
      }
    }
    nodes.set("0.63", { ...nodes.get("0.63")!, aiTraining: "refused" });
    const { report, ms } = timed(nodes, "149.0");
    expect(report.warnings).to.have.length(1);
    expect(report.effectiveAiTraining).to.equal("refused");
    expect(ms).to.be.lessThan(2_000);
  });

  it("takes 20,000 licences that are all different and none of them readable in under 2 s", () => {
    const { report, ms } = timed(
      chain(20_000, (i) => `MIT AND ISC OR Apache 2.0 and number ${i}`),
      "19999",
    );
    expect(report.conflicts.length).to.equal(19_999);
    expect(ms).to.be.lessThan(2_000);
  });
});
