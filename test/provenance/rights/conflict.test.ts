import { expect } from "chai";
import fc from "fast-check";
import ids from "spdx-license-ids/index.json" with { type: "json" };
import { conflict, type Edge, readLicense, traitsOf } from "../../../src/provenance/rights/index.js";
import { runs } from "../../support/effort.js";
import { PAIRS } from "./pairs.js";

const EDGES: readonly Edge[] = ["derivation", "revision", "component", "input", "training"];
const between = (parent: string, child: string, edge: Edge = "derivation") =>
  conflict(readLicense(parent), readLicense(child), edge);
const severity = (parent: string, child: string, edge?: Edge) => between(parent, child, edge)?.severity;

describe("provenance: pairs of licences", () => {
  for (const [source, pairs] of PAIRS) {
    describe(source, () => {
      for (const { parent, child, edge, kind, expected } of pairs) {
        const name = `${parent || "(unstated)"} → ${child || "(unstated)"}, ${kind ?? ""} ${edge}: ${expected ?? "fits"}`;
        it(name, () => {
          const found = conflict(readLicense(parent), readLicense(child), edge, kind);
          expect(found?.severity, found?.reason).to.equal(expected);
        });
      }
    });
  }
});

describe("provenance: licence conflicts", () => {
  const known = ids.filter((id) => !traitsOf(id).unknown);
  const license = fc.oneof(
    fc.constantFrom(...known, "GPL-2.0+", "EUPL-1.1+", "GPL-2.0-only WITH Classpath-exception-2.0"),
    fc.constantFrom(...ids, "LicenseRef-Acme", "DocumentRef-a:LicenseRef-b"),
  );
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      license,
      fc.tuple(tie("expression"), fc.constantFrom("AND", "OR"), tie("expression")).map((it) => `(${it.join(" ")})`),
    ),
  }));
  /** Three ORs offer at most eight choices: two such texts, as one choice, are still checked to the end. */
  const readable = expression.filter((text) => text.length <= 128 && text.split(" OR ").length <= 4);
  const claim = fc.oneof(readable, fc.constantFrom("", "NONE", "NOASSERTION", "© me"));
  const edge = fc.constantFrom(...EDGES);
  const level = { none: 0, unknown: 1, conflict: 2 };
  const rank = (parent: string, child: string, over: Edge) => level[severity(parent, child, over) ?? "none"];

  it("names both licences in a sentence", () => {
    fc.assert(
      fc.property(readable, readable, edge, (parent, child, over) => {
        const found = between(parent, child, over);
        if (found === undefined) return;
        expect(found.reason).to.include(child);
        const term = parent.split(/[()]| AND | OR /).some((it) => it !== "" && found.reason.includes(it));
        expect(term, found.reason).to.equal(true);
      }),
      { numRuns: runs(300) },
    );
    expect(between("CC-BY-NC-4.0", "MIT")?.reason).to.equal("CC-BY-NC-4.0 forbids commercial use, MIT permits it");
    expect(between("NONE", "")?.reason).to.equal(
      "NONE (all rights reserved): whoever made this, under no stated licence, needs the holder's permission",
    );
    expect(between("ODbL-1.0", "MIT")?.reason).to.match(/Produced Work, section 4\.5 b/);
  });

  it("does not arise between a licence and itself, but for no-derivatives, whatever the edge", () => {
    for (const id of ids) {
      for (const over of EDGES) {
        const forbidden = traitsOf(id).noDerivatives && (over === "derivation" || over === "revision");
        const noted = traitsOf(id).noDerivatives && (over === "input" || over === "training");
        const expected = forbidden ? "conflict" : noted ? "unknown" : undefined;
        expect(severity(id, id, over), `${id} over ${over}`).to.equal(expected);
      }
    }
  });

  it("does not arise between an expression and itself, without no-derivatives in it", () => {
    fc.assert(
      fc.property(readable, edge, (text, over) => {
        fc.pre(!text.includes("-ND"));
        expect(severity(text, text, over)).to.not.equal("conflict");
      }),
      { numRuns: runs(500) },
    );
  });

  it("never gets worse where the parent offers one licence more, nor better where the child does", () => {
    fc.assert(
      fc.property(readable, claim, readable, edge, (parent, child, more, over) => {
        const choice = `(${parent}) OR (${more})`;
        fc.pre(choice.length <= 128);
        const best = Math.min(rank(parent, child, over), rank(more, child, over));
        // Of a child that offers several, one may fit the one licence and one the other: whoever makes it has both.
        if (child.includes(" OR ")) expect(rank(choice, child, over)).to.be.at.most(best);
        else expect(rank(choice, child, over)).to.equal(best);
      }),
      { numRuns: runs(500) },
    );
    fc.assert(
      fc.property(claim, readable, readable, edge, (parent, child, more, over) => {
        const choice = `(${child}) OR (${more})`;
        fc.pre(choice.length <= 128);
        expect(rank(parent, choice, over)).to.equal(Math.max(rank(parent, child, over), rank(parent, more, over)));
      }),
      { numRuns: runs(500) },
    );
  });

  it("does not arise where each choice of the child fits another choice of the parent", () => {
    const child = "0BSD AND (0BSD OR AGPL-1.0-only)";
    for (const parent of ["OpenSSL", "AGPL-1.0-or-later"])
      expect(severity(parent, child, "component")).to.equal("conflict");
    expect(severity("OpenSSL OR AGPL-1.0-or-later", child, "component")).to.equal(undefined);
  });

  it("is at most unknown for what went into a model or a prompt", () => {
    fc.assert(
      fc.property(claim, claim, fc.constantFrom<Edge>("input", "training"), (parent, child, over) => {
        const found = severity(parent, child, over);
        expect(found).to.not.equal("conflict");
        expect(found === undefined).to.equal(severity(parent, child) === undefined);
      }),
      { numRuns: runs(300) },
    );
  });

  it("asks nothing of what is made from public domain", () => {
    for (const id of ids.filter((it) => traitsOf(it).publicDomain)) {
      const nothing = fc.property(claim, edge, (child, over) => {
        expect(severity(id, child, over)).to.equal(undefined);
      });
      fc.assert(nothing, { numRuns: runs(50) });
    }
  });

  it("is looked for in no more choices than anybody means to offer", () => {
    const many = "(MIT OR ISC)AND(X11 OR NTP)AND(ICU OR IJG)AND(FTL OR NCSA)AND(MIT-0 OR 0BSD)";
    expect(between("MIT", many)?.reason).to.equal(`${many} offers too many choices to check them all`);
    expect(severity("GPL-3.0-only", many)).to.equal("conflict");
    expect(severity("MIT", many.slice(0, many.lastIndexOf("AND")))).to.equal(undefined);
  });

  it("is judged at once for the most licences that fit into a record", () => {
    const parent = "GPL-2.0+ AND LGPL-2.0+ AND MPL-1.0+ AND EUPL-1.0+ AND OSL-1.0+ AND GFDL-1.1+ AND CDDL-1.0+";
    const child =
      "(MIT OR ISC)AND(X11 OR NTP)AND(JSON OR ICU)AND(Zed OR DOC)AND(FTL OR IJG)AND(AML OR SWL)AND(NCL OR OML)";
    const start = performance.now();
    for (let i = 0; i < 100; i++) expect(severity(parent, child)).to.equal("unknown");
    expect(performance.now() - start).to.be.lessThan(2_000);
  });
});
