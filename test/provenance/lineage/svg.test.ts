import { readFile } from "node:fs/promises";
import { expect } from "chai";
import fc from "fast-check";
import type { EdgeKind } from "../../../src/protocol/index.js";
import type { Known } from "../../../src/provenance/known.js";
import { type DrawOptions, drawLineage, lineageOf } from "../../../src/provenance/lineage/index.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { drawSample, idOf, knownOf, NOW, recordOf, SAMPLE, SAMPLE_DRAWING, sampleLineage, setOf } from "./sample.js";
import { type Element, readXml } from "./xml.js";

const draw = (known: ReadonlyMap<string, Known>, n: number, options?: DrawOptions) =>
  drawLineage(lineageOf(known, idOf(n), NOW), options);
const derived = (n: number, ...parents: number[]) =>
  recordOf(
    idOf(n),
    parents.map((parent): [string, EdgeKind] => [idOf(parent), "derivation"]),
  );
const named = (elements: readonly Element[], name: string) => elements.filter((it) => it.name === name);
/** What the drawing says in writing. */
const written = (elements: readonly Element[]) => named(elements, "text").map(({ text }) => text);
const tooltips = (elements: readonly Element[]) =>
  named(elements, "title")
    .filter(({ within }) => within.at(-1) !== "svg")
    .map(({ text }) => text);

/** Where the nodes are, in the order they are drawn in: each is a group that is moved there and begins with its tooltip. */
function centres(elements: readonly Element[]): { x: number; y: number }[] {
  return elements
    .filter(({ name }, i) => name === "g" && elements[i + 1]?.name === "title")
    .map(({ attributes }) => /^translate\(([-\d.]+) ([-\d.]+)\)$/.exec(attributes.get("transform") ?? ""))
    .filter((match) => match !== null)
    .map(([, x, y]) => ({ x: Number(x), y: Number(y) }));
}

describe("provenance: a lineage as a drawing", () => {
  const sample = readXml(drawSample());

  it("is docs/lineage.svg, to the byte, however often it is drawn", async () => {
    const renew = "docs/lineage.svg is not what is drawn: see test/provenance/lineage/draw-sample.ts";
    expect((await readFile(SAMPLE_DRAWING, "utf8")) === drawSample(), renew).to.equal(true);
    expect(drawSample()).to.equal(drawSample());
  });

  it("doesn't depend on the order in which records were read", () => {
    const turned = new Map([...SAMPLE].reverse());
    const { id } = sampleLineage();
    expect(drawLineage(lineageOf(turned, id, NOW))).to.equal(drawLineage(lineageOf(SAMPLE, id, NOW)));
  });

  it("stands by itself: nothing in it runs, links or is loaded", () => {
    expect(new Set(sample.map(({ name }) => name))).to.deep.equal(
      new Set("svg title desc defs marker clipPath rect path circle g text".split(" ")),
    );
    for (const { attributes } of sample) {
      for (const [name, value] of attributes) {
        expect(name).to.match(/^(?!on)(?!.*href)/);
        if (name !== "xmlns") expect(value).to.not.match(/\/\/|url\((?!#)|javascript|data:/);
      }
    }
  });

  it("says what it is to those who can't see it", () => {
    const [svg, title, desc] = sample;
    expect(svg!.attributes.get("role")).to.equal("img");
    expect([title!.name, desc!.name]).to.deep.equal(["title", "desc"]);
    const described = [title, desc].map((it) => it!.attributes.get("id"));
    expect(svg!.attributes.get("aria-labelledby")).to.equal(described.join(" "));
    expect(desc!.text).to.equal(
      "14 records and sets: 8 ancestors, 5 descendants, 1 withdrawn, 1 disputed, 1 superseded, 1 unknown, 8 tainted.",
    );
  });

  it("has two lines for each node, a label for each line, and everything in the tooltips", () => {
    const texts = written(sample);
    for (const { id, known, claim, state, tainted } of sampleLineage().nodes) {
      const form = known === undefined ? "unknown" : known.form === "set" ? "set" : known.record.kind;
      expect(texts).to.include(`${form} · ${id.slice(0, 8)}…${id.slice(-4)}`);
      const tooltip = tooltips(sample).find((it) => it.startsWith(`${form} ${id} | ${state}`))!;
      expect(tooltip.includes("tainted by 0x"), id).to.equal(tainted);
      if (claim) expect(tooltip).to.include(`AI training: ${claim.aiTraining}`);
    }
    expect(texts).to.include("CC-BY-NC-SA-4.0 · AI refused");
    expect(texts).to.include("derivation, revision");
    expect(tooltips(sample).join()).to.include("withdrawn: a person in it objects").and.to.include("superseded by 0x");
  });

  it("explains every sign in a legend", () => {
    const kinds = [
      "original",
      "edited",
      "derived",
      "generated",
      "trained on",
      "aggregated",
      "anchored set",
      "not read",
    ];
    const states = ["standing", "withdrawn", "disputed", "superseded", "unknown"];
    const marks = ["the one asked for", "tainted by something above", "parent to child", "rights in conflict"];
    expect(written(sample)).to.include.members([...kinds, ...states, ...marks, "one line for all in it"]);
  });

  it("marks conflicts of rights, where it is given some", () => {
    const known = knownOf(derived(1), derived(2, 1));
    const conflicts = [{ child: idOf(2), parent: idOf(1) }];
    expect(tooltips(readXml(draw(known, 1))).join()).to.not.include("in conflict");
    expect(tooltips(readXml(draw(known, 1, { conflicts }))).join()).to.include("derivation, rights in conflict");
  });

  it("lets no two nodes touch, with ancestors above and descendants below", () => {
    const many = knownOf(
      ...Array.from({ length: 120 }, (_, n) => derived(n, ...new Set([n >> 1, n >> 2].filter((it) => it < n)))),
    );
    for (const elements of [sample, readXml(draw(many, 0))]) {
      const all = centres(elements);
      expect(all.length).to.be.greaterThan(13);
      for (const [i, a] of all.entries()) {
        for (const b of all.slice(i + 1)) {
          expect(Math.abs(a.x - b.x) >= 256 || Math.abs(a.y - b.y) >= 72, JSON.stringify([a, b])).to.equal(true);
        }
      }
    }
    const [root, ...others] = centres(readXml(draw(many, 0)));
    expect(Math.min(...others.map(({ y }) => y))).to.be.greaterThan(root!.y);
  });
});

describe("provenance: strangers' text in a drawing", () => {
  const around = (license: string, withdrawn: string) =>
    readXml(
      draw(
        knownOf(recordOf(idOf(1), [], { license, withdrawn }), recordOf(idOf(2), [[idOf(1), "input"]], { license })),
        2,
      ),
    );
  const plain = around("MIT", "");

  it("can't break out of it, whatever it is", () => {
    const nasty = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.constantFrom(
        "</text><script>alert(1)</script>",
        "]]>",
        "<!--",
        '" onload="x',
        "&lt;&#0;",
        "\u0000\ufffe\ud800",
        "\u202e",
      ),
    );
    fc.assert(
      fc.property(nasty, nasty, (license, reason) => {
        const elements = around(license, reason);
        expect(elements.map(({ name }) => name)).to.deep.equal(plain.map(({ name }) => name));
        for (const [i, { attributes }] of elements.entries()) {
          expect([...attributes.keys()]).to.deep.equal([...plain[i]!.attributes.keys()]);
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it("is cut before it covers anything, and what AI may do with it is always legible", () => {
    for (const license of ["W".repeat(128), "﷽".repeat(40), "x".repeat(1_000_000)]) {
      const line = written(around(license, "r".repeat(1_000_000))).find((it) => it.endsWith(" · AI allowed"))!;
      expect(line).to.match(/^(W|\ufffd|x)+… · AI allowed$/);
      expect([...line].length).to.be.lessThan(34);
    }
    expect(Math.max(...tooltips(around("", "r".repeat(1_000_000))).map(({ length }) => length))).to.be.lessThan(900);
  });

  it("shows no letters that could pass for others, nor turn the direction", () => {
    const [line] = written(around("MІT\u202e", "")).filter((it) => it.includes("AI allowed"));
    expect(line, "the second letter is Cyrillic").to.equal("M\ufffdT\ufffd · AI allowed");
  });
});

describe("provenance: drawings of many records", () => {
  const timed = (known: ReadonlyMap<string, Known>, n: number, options?: DrawOptions) => {
    const start = performance.now();
    const elements = readXml(draw(known, n, options));
    expect(performance.now() - start).to.be.lessThan(4000);
    return elements;
  };
  const all = Array.from({ length: 200 }, (_, n) => n);

  it("have the nearest, and say how many they leave out", () => {
    const known = knownOf(...all.map((n) => derived(n, ...(n === 0 ? [] : [n - 1]))), derived(200, 199));
    const elements = readXml(draw(known, 100, { maxNodes: 5 }));
    expect(centres(elements)).to.have.length(5);
    for (const n of [98, 99, 100, 101, 102]) expect(tooltips(elements).join()).to.include(`derived ${idOf(n)}`);
    expect(written(elements)[1]).to.include("201 records and sets: 100 ancestors, 100 descendants");
    expect(written(elements)[1]).to.include("The nearest 5 are drawn; 196 are left out.");
    expect(centres(readXml(draw(known, 100)))).to.have.length(200);
  });

  it("are not of any number of nodes", async () => {
    for (const maxNodes of [0, -1, 1.5, 1001, Number.NaN]) {
      await expectError("INVALID_MAX_NODES", () => draw(knownOf(derived(1)), 1, { maxNodes }));
    }
    expect(centres(readXml(draw(knownOf(derived(1)), 1, { maxNodes: 1 })))).to.have.length(1);
  });

  it("put records that hang from one line in a frame, but none that is asked for or in conflict", () => {
    const members = all.slice(1).map((n) => recordOf(idOf(n), [], { anchoredIn: idOf(0) }));
    const known = knownOf(setOf(idOf(0)), ...members);
    const elements = timed(known, 0, { conflicts: [{ child: idOf(7), parent: idOf(0) }] });
    expect(centres(elements)).to.have.length(200);
    const width = Number(elements[0]!.attributes.get("width"));
    expect(width).to.be.lessThan(4000);
    const lines = tooltips(elements).filter((it) => it.includes("→"));
    expect(lines).to.have.members([
      `${idOf(0)} → 198 records: member`,
      `${idOf(0)} → ${idOf(7)}: member, rights in conflict`,
    ]);
    const asked = tooltips(readXml(draw(known, 7)));
    expect(asked.filter((it) => it.includes("→"))).to.deep.equal([`${idOf(0)} → ${idOf(7)}: member`]);
  });

  it("gather a record's sources in a frame as well", () => {
    const known = knownOf(...all.slice(1, 21).map((n) => derived(n)), derived(30, ...all.slice(1, 21)));
    const elements = readXml(draw(known, 30));
    expect(tooltips(elements)).to.include(`20 records → ${idOf(30)}: derivation`);
    const [asked, ...sources] = centres(elements);
    expect(Math.max(...sources.map(({ y }) => y))).to.be.lessThan(asked!.y);
  });

  it("take no longer where each has 64 parents, and keep children below all of them", () => {
    const known = knownOf(...all.map((n) => derived(n, ...all.slice(Math.max(0, n - 64), n))));
    const elements = timed(known, 0);
    const ys = centres(elements).map(({ y }) => y);
    expect(new Set(ys).size, "a row for each").to.equal(200);
    const rows = new Map(
      tooltips(elements)
        .filter((it) => it.startsWith("derived"))
        .map((it, i) => [it.slice(8, 74), ys[i]!]),
    );
    for (const n of all.slice(1)) expect(rows.get(idOf(n))!).to.be.greaterThan(rows.get(idOf(n - 1))!);
  });

  it("end where a node makes up a circle", () => {
    const known = knownOf(derived(1, 3), derived(2, 1), derived(3, 2), derived(4, 4));
    expect(centres(readXml(draw(known, 1)))).to.have.length(3);
    expect(centres(readXml(draw(known, 4)))).to.have.length(1);
  });
});
