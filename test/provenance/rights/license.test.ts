import { expect } from "chai";
import fc from "fast-check";
import deprecated from "spdx-license-ids/deprecated.json" with { type: "json" };
import ids from "spdx-license-ids/index.json" with { type: "json" };
import { HoldfastError } from "../../../src/errors.js";
import {
  isSpdx,
  licenseName,
  MAX_LICENSE_BYTES,
  parseLicense,
  readLicense,
  traitsOf,
} from "../../../src/provenance/rights/index.js";
import { runs } from "../../support/effort.js";

function refusal(text: string): HoldfastError {
  try {
    parseLicense(text);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error(`${text} was taken`);
}

describe("provenance: reading a licence", () => {
  it("takes every id of the SPDX list, and says which are deprecated", () => {
    for (const id of ids) expect(parseLicense(id)).to.include({ form: "expression", text: id, deprecated: false });
    for (const id of deprecated) expect(parseLicense(id)).to.include({ form: "expression", deprecated: true });
    expect(parseLicense("MIT OR (ISC AND GPL-2.0+)").deprecated).to.equal(true);
  });

  it("reads AND before OR, WITH, + and references", () => {
    const mit = { name: "MIT", base: "MIT", orLater: false };
    expect(parseLicense("MIT OR MIT AND LicenseRef-Acme")).to.have.deep.property("expression", {
      any: [mit, { all: [mit, { name: "LicenseRef-Acme", base: "LicenseRef-Acme", orLater: false }] }],
    });
    expect(parseLicense("GPL-2.0-only WITH Classpath-exception-2.0")).to.have.deep.property("expression", {
      name: "GPL-2.0-only WITH Classpath-exception-2.0",
      base: "GPL-2.0",
      orLater: false,
      exception: "Classpath-exception-2.0",
    });
    expect(parseLicense("GPL-2.0+")).to.have.deep.property("expression", {
      name: "GPL-2.0+",
      base: "GPL-2.0",
      orLater: true,
    });
    expect(parseLicense("DocumentRef-a:LicenseRef-b")).to.have.nested.property(
      "expression.base",
      "DocumentRef-a:LicenseRef-b",
    );
    expect(parseLicense("wxWindows")).to.have.nested.property("expression.exception", "WxWindows-exception-3.1");
  });

  it("tells all rights reserved, not looked at and not stated apart", () => {
    expect(parseLicense("NONE").form).to.equal("none");
    expect(parseLicense("NOASSERTION").form).to.equal("noassertion");
    for (const nothing of ["", "  "]) expect(parseLicense(nothing)).to.include({ form: "unstated", text: "" });
    expect(isSpdx("MIT OR NONE")).to.equal(false);
  });

  const hints: readonly [text: string, hint: string | RegExp][] = [
    ["Apache 2.0", "did you mean Apache-2.0?"],
    ["Apache License, Version 2.0", "did you mean Apache-2.0?"],
    ["mit", "did you mean MIT?"],
    ["The MIT License", "did you mean MIT?"],
    ["GPLv3", "did you mean GPL-3.0-only?"],
    ["LGPLv2.1", "did you mean LGPL-2.1-only?"],
    ["CC BY 4.0", "did you mean CC-BY-4.0?"],
    ["CC BY-SA", "did you mean CC-BY-SA-4.0?"],
    ["CC0", "did you mean CC0-1.0?"],
    ["Apahce-2.0", "did you mean Apache-2.0?"],
    ["MIT OR (Apache 2.0)", "did you mean Apache-2.0?"],
    ["All rights reserved.", "did you mean NONE?"],
    ["none", "did you mean NONE?"],
    ["proprietary", /LicenseRef-/],
    ["GPL-2.0-only WITH Foo", /exceptions-index/],
    ["MIT OR", /close every bracket/],
    ["(MIT", /close every bracket/],
    ["DocumentRef-a:", /LicenseRef-/],
  ];
  for (const [text, hint] of hints) {
    it(`refuses “${text}” with a hint`, () => {
      const error = refusal(text);
      expect(error.code).to.equal("INVALID_LICENSE");
      expect(error.message).to.include(JSON.stringify(text));
      if (typeof hint === "string") expect(error.hint).to.equal(hint);
      else expect(error.hint).to.match(hint);
    });
  }

  it("is bounded in bytes and in depth", () => {
    const longest = `LicenseRef-${"a".repeat(MAX_LICENSE_BYTES - 11)}`;
    expect(parseLicense(longest).form).to.equal("expression");
    for (const long of [`${longest}a`, "é".repeat(65), " ".repeat(1_000_000)]) {
      expect(refusal(long).message).to.equal("a licence takes at most 128 bytes");
      expect(isSpdx(long)).to.equal(false);
    }
    expect(isSpdx(`${"(".repeat(16)}MIT${")".repeat(16)}`)).to.equal(true);
    expect(isSpdx(`${"(".repeat(17)}MIT${")".repeat(17)}`)).to.equal(false);
  });

  it("never throws for what others registered, and says the same as parseLicense", () => {
    const bits = fc.constantFrom(
      "MIT",
      " AND ",
      " OR ",
      " WITH ",
      "(",
      ")",
      "+",
      ":",
      "LicenseRef-",
      "DocumentRef-",
      "\0",
      "é",
    );
    const text = fc.oneof(
      fc.string({ maxLength: 140, unit: "binary" }),
      fc.array(bits, { maxLength: 12 }).map((it) => it.join("")),
    );
    fc.assert(
      fc.property(text, (it) => {
        const { form } = readLicense(it);
        expect(isSpdx(it)).to.equal(form !== "unreadable");
        if (form === "unreadable") expect(refusal(it).hint).to.not.equal("");
        else expect(parseLicense(it).form).to.equal(form);
      }),
      { numRuns: runs(1_000) },
    );
  });

  it("is named so that it can't steer a terminal", () => {
    expect(licenseName(readLicense("\u001b[31mred\n"))).to.equal("“?[31mred” (no SPDX licence)");
    expect(licenseName(readLicense("x".repeat(100)))).to.equal(`“${"x".repeat(40)}…” (no SPDX licence)`);
    expect(licenseName(readLicense("\u202egnp.exe"))).to.equal("“?gnp.exe” (no SPDX licence)");
    expect(licenseName(readLicense(""))).to.equal("no stated licence");
  });
});

describe("provenance: traits of licences", () => {
  const of = (id: string) => {
    const { id: _, onward, ...traits } = traitsOf(id);
    return Object.entries(traits).flatMap(([name, value]) =>
      value === true ? [name] : typeof value === "string" ? [value] : [],
    );
  };

  it("follow the elements of a CC licence", () => {
    expect(of("CC-BY-4.0")).to.have.members(["attribution", "none"]);
    expect(of("CC-BY-NC-SA-3.0-DE")).to.have.members(["attribution", "nonCommercial", "share-alike"]);
    expect(of("CC-BY-NC-ND-2.5")).to.have.members(["attribution", "nonCommercial", "noDerivatives", "none"]);
    expect(of("CC-SA-1.0")).to.have.members(["share-alike"]);
    for (const id of ids.filter((it) => /^CC-(BY|SA)/.test(it))) expect(traitsOf(id).unknown, id).to.equal(false);
  });

  it("follow families elsewhere", () => {
    for (const [id, traits] of [
      ["CC0-1.0", ["publicDomain", "none"]],
      ["0BSD", ["none"]],
      ["MIT", ["attribution", "none"]],
      ["AGPL-3.0-or-later", ["attribution", "network"]],
      ["GPL-2.0-only", ["attribution", "strong"]],
      ["LGPL-2.1-only", ["attribution", "weak"]],
      ["MPL-2.0", ["attribution", "weak"]],
      ["ODbL-1.0", ["attribution", "share-alike"]],
      ["OFL-1.1-RFN", ["attribution", "share-alike"]],
      ["PolyForm-Noncommercial-1.0.0", ["attribution", "nonCommercial", "none"]],
      ["ODC-By-1.0", ["attribution", "none"]],
    ] as const) {
      expect(of(id), id).to.have.members([...traits]);
    }
  });

  it("are unknown rather than guessed", () => {
    for (const id of [
      "LicenseRef-Acme",
      "BUSL-1.1",
      "Hippocratic-2.1",
      "C-UDA-1.0",
      "JSON",
      "BSD-3-Clause-No-Military-License",
    ]) {
      expect(of(id), id).to.have.members(["unknown", "none"]);
    }
    for (const id of ["GPL-9.9", "MIT-Acme", "", "__proto__", "constructor"])
      expect(traitsOf(id).unknown, id).to.equal(true);
  });

  it("lead onward only to licences that exist", () => {
    const bases = new Set([...ids, ...deprecated].map((id) => traitsOf(id).id));
    for (const id of ids) {
      for (const to of traitsOf(id).onward)
        expect(bases.has(to) || to.endsWith("-later"), `${id} → ${to}`).to.equal(true);
    }
  });
});
