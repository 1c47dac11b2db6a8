import { expect } from "chai";
import fc from "fast-check";
import type { EdgeKind } from "../../../src/protocol/index.js";
import { claimOf, type Known } from "../../../src/provenance/known.js";
import {
  childrenIndex,
  type Lineage,
  type LineageNode,
  lineageOf,
  MAX_TAINTED_BY,
} from "../../../src/provenance/lineage/index.js";
import { expectError } from "../../piece/helpers.js";
import { runs, seed } from "../../support/effort.js";
import { ATTESTER, idOf, knownOf, NOW, recordOf, SAMPLE, SAMPLE_IDS, saidBy, setOf } from "./sample.js";

const derived = (n: number, ...parents: number[]) =>
  recordOf(
    idOf(n),
    parents.map((parent): [string, EdgeKind] => [idOf(parent), "derivation"]),
  );
const withdrawn = <T extends Known>(known: T): T => ({ ...known, withdrawn: "" });
const ask = (known: ReadonlyMap<string, Known>, n: number) => lineageOf(known, idOf(n), NOW);
const nodeOf = ({ nodes }: Lineage, n: number): LineageNode => nodes.find(({ id }) => id === idOf(n))!;
const places = ({ nodes }: Lineage) => nodes.map(({ id, relation, depth }) => [Number(id), relation, depth]);
const tainted = ({ nodes }: Lineage) => nodes.filter((it) => it.tainted).map(({ id }) => Number(id));
const by = (lineage: Lineage, n: number) => nodeOf(lineage, n).taintedBy.map(Number);

describe("provenance: what a lineage consists of", () => {
  it("is a record's ancestors and descendants, the nearest first", () => {
    const known = knownOf(derived(1), derived(2, 1), derived(3, 2), derived(4, 3), derived(5, 4));
    expect(places(ask(known, 3))).to.deep.equal([
      [3, "self", 0],
      [2, "ancestor", 1],
      [4, "descendant", 1],
      [1, "ancestor", 2],
      [5, "descendant", 2],
    ]);
  });

  it("counts the shortest way through a diamond, and has every edge of it", () => {
    const known = knownOf(derived(1), derived(2, 1), derived(3, 2), derived(4, 1, 3));
    const lineage = ask(known, 4);
    expect(places(lineage)).to.deep.equal([
      [4, "self", 0],
      [1, "ancestor", 1],
      [3, "ancestor", 1],
      [2, "ancestor", 2],
    ]);
    expect(lineage.edges.map(({ child, parent }) => [Number(child), Number(parent)])).to.have.deep.members([
      [4, 1],
      [4, 3],
      [3, 2],
      [2, 1],
    ]);
  });

  it("has the edges between ancestors and descendants, but neither siblings nor what else descendants came from", () => {
    const known = knownOf(derived(1), derived(2, 1), derived(3, 1), derived(4, 1, 2, 9), derived(9));
    const lineage = ask(known, 2);
    expect(places(lineage).map(([n]) => n)).to.deep.equal([2, 1, 4]);
    expect(lineage.edges.map(({ child, parent }) => [Number(child), Number(parent)])).to.deep.equal([
      [2, 1],
      [4, 1],
      [4, 2],
    ]);
  });

  it("keeps apart the kinds of two edges between the same two", () => {
    const twice = recordOf(idOf(2), [
      [idOf(1), "derivation"],
      [idOf(1), "training"],
    ]);
    expect(ask(knownOf(derived(1), twice), 1).edges.map(({ kind }) => kind)).to.deep.equal(["derivation", "training"]);
  });

  it("connects a record with the set that it was anchored in", () => {
    const known = knownOf(setOf(idOf(1)), recordOf(idOf(2), [], { anchoredIn: idOf(1) }), derived(3, 2));
    const lineage = ask(known, 1);
    expect(places(lineage)).to.deep.equal([
      [1, "self", 0],
      [2, "descendant", 1],
      [3, "descendant", 2],
    ]);
    expect(lineage.edges[0]).to.deep.equal({ child: idOf(2), parent: idOf(1), kind: "member" });
    expect(nodeOf(lineage, 1).claim?.kind).to.equal("aggregated");
  });

  it("has parents that weren't read, and says that they are unknown", () => {
    const lineage = ask(knownOf(derived(2, 1)), 2);
    expect(nodeOf(lineage, 1)).to.deep.equal({
      id: idOf(1),
      known: undefined,
      claim: undefined,
      relation: "ancestor",
      depth: 1,
      state: "unknown",
      tainted: false,
      taintedBy: [],
    });
    expect(places(ask(knownOf(derived(2, 1)), 1)), "asked for itself").to.deep.equal([
      [1, "self", 0],
      [2, "descendant", 1],
    ]);
  });

  it("takes an id in any case, and nothing that is none", async () => {
    const id = `0x${"ab".repeat(32)}`;
    expect(lineageOf(knownOf(recordOf(id)), `0x${"AB".repeat(32)}`, NOW).nodes[0]!.state).to.equal("standing");
    for (const none of ["", "0x12", "ab".repeat(32), `0x${"zz".repeat(32)}`]) {
      await expectError("INVALID_RECORD_ID", () => lineageOf(new Map(), none, NOW));
    }
  });

  it("is the same with an index that serves many questions, and in whatever order records were read", () => {
    const children = childrenIndex(SAMPLE);
    const turned = new Map([...SAMPLE].reverse());
    for (const id of Object.values(SAMPLE_IDS)) {
      const lineage = lineageOf(SAMPLE, id, NOW);
      expect(lineageOf(SAMPLE, id, NOW, { children })).to.deep.equal(lineage);
      expect(lineageOf(turned, id, NOW)).to.deep.equal(lineage);
    }
  });

  it("ends where a node makes up a circle", () => {
    const known = knownOf(derived(1, 3), derived(2, 1), withdrawn(derived(3, 2)), derived(4, 4));
    expect(ask(known, 1).nodes).to.have.length(3);
    expect(tainted(ask(known, 1))).to.deep.equal([1, 2]);
    expect(ask(known, 4).nodes).to.have.length(1);
  });
});

describe("provenance: what is tainted", () => {
  it("is all that came from something withdrawn, at any distance, and not that itself", () => {
    const known = knownOf(derived(1), withdrawn(derived(2, 1)), derived(3, 2), derived(4, 3), derived(5, 4, 1));
    const lineage = ask(known, 1);
    expect(tainted(lineage)).to.deep.equal([5, 3, 4]);
    expect(by(lineage, 5)).to.deep.equal([2]);
  });

  it("is what came from something disputed, while the dispute counts", () => {
    const disputed = (more = {}) => ({ ...derived(1), said: [saidBy(ATTESTER, "disputes", more)] });
    expect(tainted(ask(knownOf(disputed(), derived(2, 1)), 1))).to.deep.equal([2]);
    expect(tainted(ask(knownOf(disputed({ expires: NOW }), derived(2, 1)), 1))).to.deep.equal([2]);
    expect(tainted(ask(knownOf(disputed({ expires: NOW - 1n }), derived(2, 1)), 1))).to.deep.equal([]);
    expect(tainted(ask(knownOf(disputed({ revoked: "" }), derived(2, 1)), 1))).to.deep.equal([]);
  });

  it("is what came out of a set that is withdrawn; what the set was not made from stays clean", () => {
    const member = recordOf(idOf(2), [], { anchoredIn: idOf(1) });
    const known = knownOf(withdrawn(setOf(idOf(1))), member, derived(3, 2), derived(4));
    expect(tainted(ask(known, 3))).to.deep.equal([3, 2]);
    const other = knownOf(setOf(idOf(1)), withdrawn(member), derived(3, 1));
    expect(tainted(ask(other, 1)), "a set isn't tainted by what is in it").to.deep.equal([]);
  });

  it("is not what came from something superseded or unknown", () => {
    const old = { ...derived(1), supersededBy: idOf(9) };
    expect(tainted(ask(knownOf(old, derived(2, 1, 8)), 2))).to.deep.equal([]);
  });

  it("is what came from something outside the lineage, too", () => {
    const known = knownOf(derived(1), withdrawn(derived(8)), derived(9, 8), derived(2, 1, 9));
    const lineage = ask(known, 1);
    expect(places(lineage).map(([n]) => n)).to.deep.equal([1, 2]);
    expect(by(lineage, 2)).to.deep.equal([8]);
  });

  it("names the nearest first, and no more than a drawing can say", () => {
    const sources = Array.from({ length: 20 }, (_, i) => withdrawn(derived(100 + i)));
    const wide = derived(2, ...sources.map(({ id }) => Number(id)));
    const known = knownOf(...sources, wide, withdrawn(derived(200)), derived(3, 2, 200));
    const lineage = ask(known, 3);
    expect(by(lineage, 2)).to.deep.equal(sources.slice(0, MAX_TAINTED_BY).map(({ id }) => Number(id)));
    expect(by(lineage, 3)[0]).to.equal(200);
    expect(by(lineage, 3)).to.have.length(MAX_TAINTED_BY);
  });

  it("is exactly what a search without any cleverness finds", () => {
    const met = { tainted: 0, clean: 0 };
    const any = fc.array(
      fc.record({ parents: fc.array(fc.nat(9), { maxLength: 4 }), bad: fc.nat(2), set: fc.nat(6) }),
      {
        minLength: 4,
        maxLength: 10,
      },
    );
    fc.assert(
      fc.property(any, fc.nat(9), (drawn, asked) => {
        const known = knownOf(
          ...drawn.map(({ parents, bad, set }, i) => drawnRecord(i, parents, bad === 0, set === 0)),
        );
        const lineage = ask(known, asked % drawn.length);
        for (const { id, tainted: is, taintedBy } of lineage.nodes) {
          const sources = badAbove(known, id);
          expect(new Set(taintedBy)).to.deep.equal(sources);
          expect(is).to.equal(sources.size > 0);
          met[is ? "tainted" : "clean"]++;
        }
      }),
      { numRuns: runs(500), seed: seed(1) },
    );
    expect(Math.min(met.tainted, met.clean)).to.be.greaterThan(200);
  });
});

describe("provenance: lineages of 10,000 records", () => {
  const timed = (known: ReadonlyMap<string, Known>, n: number) => {
    const start = performance.now();
    const lineage = ask(known, n);
    // Some 100 ms; the bound leaves room for a machine that does other things as well.
    expect(performance.now() - start).to.be.lessThan(2000);
    return lineage;
  };
  const all = Array.from({ length: 10_000 }, (_, i) => i);

  it("of a chain take no time to speak of, wherever it is asked from", () => {
    const known = knownOf(
      ...all.map((n) => (n % 3 === 1 ? withdrawn(derived(n, n - 1)) : derived(n, ...lastBefore(n, 1)))),
    );
    for (const n of [0, 5_000, 9_999]) {
      const { nodes } = timed(known, n);
      expect(nodes).to.have.length(10_000);
      expect(nodes.filter((it) => it.tainted)).to.have.length(9_998);
    }
  });

  it("of a wide graph with many ways through it, too", () => {
    const known = knownOf(...all.map((n) => (n === 0 ? withdrawn(derived(0)) : derived(n, ...lastBefore(n, 4)))));
    const { nodes, edges } = timed(known, 9_999);
    expect(nodes).to.have.length(10_000);
    expect(edges.length).to.be.greaterThan(39_000);
    expect(nodes.filter((it) => it.tainted)).to.have.length(9_999);
  });
});

/** The numbers before one: so many at most. */
function lastBefore(n: number, count: number): number[] {
  return Array.from({ length: Math.min(n, count) }, (_, i) => n - 1 - i);
}

/** One of a few, whose parents are among those before it. Only a record can have parents. */
function drawnRecord(i: number, parents: readonly number[], bad: boolean, set: boolean): Known {
  const earlier = [...new Set(parents.filter((parent) => parent < i))];
  if (set) return bad ? withdrawn(setOf(idOf(i))) : setOf(idOf(i));
  const [first, ...others] = earlier;
  const record = derived(i, ...others);
  const anchored = first === undefined ? record : { ...record, anchoredIn: idOf(first) };
  return bad ? { ...anchored, said: [saidBy(ATTESTER)] } : anchored;
}

function badAbove(known: ReadonlyMap<string, Known>, id: string): Set<string> {
  const found = new Set<string>();
  const it = known.get(id);
  if (!it) return found;
  const above = claimOf(it).parents.map(({ parent }) => parent);
  if (it.form === "record" && it.anchoredIn !== undefined) above.push(it.anchoredIn);
  for (const parent of above) {
    const bad = known.get(parent)!;
    if (bad.withdrawn !== undefined || bad.said.length > 0) found.add(parent);
    for (const source of badAbove(known, parent)) found.add(source);
  }
  return found;
}
