import { expect } from "chai";
import { type CroissantChanges, readCroissant, updateCroissant } from "../../../src/provenance/croissant/index.js";
import { expectError } from "../../piece/helpers.js";
import { CONTEXT, file, fixture, manifest, readJson, readText } from "./support.js";

type Json = Record<string, unknown>;
const NAMES = ["common-crawl-1.1", "data-provenance-initiative-1.1", "titanic-1.0"];
const SHA = "0f".repeat(32);
const parsed = (bytes: Uint8Array): Json => JSON.parse(new TextDecoder().decode(bytes));

async function changed(value: unknown, changes: CroissantChanges) {
  const text = await updateCroissant(await readJson(value), changes);
  return { json: JSON.parse(text) as Json, dataset: await readText(text) };
}

describe("croissant: changing manifests of other makers", () => {
  for (const name of NAMES) {
    it(`gives ${name} back as it was, without changes`, async () => {
      const bytes = await fixture(name);
      const text = await updateCroissant(await readCroissant(bytes), {});
      expect(text).to.equal(new TextDecoder().decode(bytes));
    });

    it(`changes nothing in ${name} but what was asked for`, async () => {
      const bytes = await fixture(name);
      const dataset = await readCroissant(bytes);
      const { id, position } = dataset.files[0]!;
      const text = await updateCroissant(dataset, {
        licenses: ["CC-BY-4.0"],
        wasDerivedFrom: ["urn:holdfast:record:0x12"],
        aiTraining: "refused",
        version: "2.0.0",
        files: new Map([[id, { sha256: SHA.toUpperCase(), contentSize: 5n, wasDerivedFrom: ["urn:x:1", "urn:x:2"] }]]),
      });
      const { source, usage, ...read } = await readText(text);
      const { source: _, usage: __, ...before } = dataset;
      const file = { ...before.files[0]!, sha256: SHA, contentSize: 5n, wasDerivedFrom: ["urn:x:1", "urn:x:2"] };
      expect(read).to.deep.equal({
        ...before,
        licenses: ["https://spdx.org/licenses/CC-BY-4.0"],
        wasDerivedFrom: ["urn:holdfast:record:0x12"],
        aiTraining: "refused",
        version: "2.0.0",
        files: [file, ...before.files.slice(1)],
        missing: before.missing.filter((field) => field !== "license"),
      });
      expect(usage).to.have.length(1);

      const expected = parsed(bytes);
      const entries = expected.distribution as Json[];
      entries[position] = {
        ...entries[position],
        sha256: SHA,
        contentSize: "5 B",
        "prov:wasDerivedFrom": [{ "@id": "urn:x:1" }, { "@id": "urn:x:2" }],
      };
      const context = {
        ...(expected["@context"] as Json),
        prov: "http://www.w3.org/ns/prov#",
        odrl: "http://www.w3.org/ns/odrl/2/",
      };
      const { usageInfo, ...rest } = source;
      expect(rest).to.deep.equal({
        ...expected,
        "@context": context,
        license: "https://spdx.org/licenses/CC-BY-4.0",
        "prov:wasDerivedFrom": { "@id": "urn:holdfast:record:0x12" },
        version: "2.0.0",
      });
      expect(Object.keys(source).slice(0, Object.keys(expected).length)).to.deep.equal(Object.keys(expected));
      expect(usageInfo).to.not.equal(undefined);
    });
  }
});

describe("croissant: changing", () => {
  it("keeps to the words that a document has for things", async () => {
    const context = { ...CONTEXT, title: "sc:name", from: { "@id": "prov:wasDerivedFrom", "@type": "@id" } };
    const { name: _, ...rest } = manifest({ "@context": context, title: "old", from: "urn:x:0" });
    const distribution = [{ ...file("a.csv"), "sc:sha256": "ab".repeat(32) }];
    const { json, dataset } = await changed(
      { ...rest, distribution },
      { name: "new", wasDerivedFrom: ["urn:x:1"], files: new Map([["a.csv", { sha256: SHA, contentUrl: "b" }]]) },
    );
    expect(json).to.deep.include({ title: "new", from: { "@id": "urn:x:1" } });
    expect(json.distribution).to.deep.equal([{ ...file("a.csv"), "sc:sha256": SHA, contentUrl: "b" }]);
    expect(dataset).to.deep.include({ name: "new", wasDerivedFrom: ["urn:x:1"] });
  });

  it("writes whole IRIs where the context has no prefix, and none can be added", async () => {
    const strange = { ...CONTEXT, prov: "https://example.org/prov#", odrl: "https://example.org/odrl#" };
    for (const context of [["https://schema.org/", { ...CONTEXT, prov: null, odrl: null }], strange]) {
      const { json, dataset } = await changed(manifest({ "@context": context }), {
        wasDerivedFrom: ["urn:x:1"],
        aiTraining: "refused",
      });
      expect(json["@context"]).to.deep.equal(context);
      expect(json["http://www.w3.org/ns/prov#wasDerivedFrom"]).to.deep.equal({ "@id": "urn:x:1" });
      expect([dataset.wasDerivedFrom, dataset.aiTraining]).to.deep.equal([["urn:x:1"], "refused"]);
    }
  });

  it("changes each text, and empties lists", async () => {
    const texts = {
      description: "d",
      url: "https://example.org/new",
      datePublished: "2027-01-01",
      citeAs: "c",
      version: "9",
    };
    const before = manifest({ "prov:wasDerivedFrom": { "@id": "urn:x:0" } });
    const { dataset } = await changed(before, { ...texts, licenses: ["MIT", "0BSD"], wasDerivedFrom: [] });
    expect(dataset).to.deep.include({ ...texts, wasDerivedFrom: [] });
    expect(dataset.licenses).to.deep.equal(["https://spdx.org/licenses/MIT", "https://spdx.org/licenses/0BSD"]);
  });

  it("puts one statement on AI training in the place of another, and leaves the other entries", async () => {
    const term = { "@type": "DefinedTerm", name: "General Research Use" };
    const policy = { "odrl:permission": { "odrl:action": { "@id": "odrl:ai-training" } } };
    const before = manifest({ usageInfo: [policy, term] });
    const { json, dataset } = await changed(before, { aiTraining: "constrained" });
    expect(json.usageInfo).to.have.length(2);
    expect((json.usageInfo as unknown[])[0]).to.deep.equal(term);
    expect(dataset.aiTraining).to.equal("constrained");
    expect((await changed(before, { aiTraining: "allowed" })).json).to.deep.equal(JSON.parse(JSON.stringify(before)));
  });

  it("says what it can't change", async () => {
    const action = { "odrl:action": { "@id": "odrl:ai-training" } };
    const two = { "odrl:permission": [action, { "odrl:action": { "@id": "odrl:sell" } }] };
    const refuse = { aiTraining: "refused" } as const;
    await expectError("MANIFEST_INVALID", () => changed(manifest({ usageInfo: two }), refuse));
    await expectError("MANIFEST_INVALID", () => changed(manifest({ usageInfo: [{ "sc:x": 1 }] }), refuse));
    const of = (id: string, change: object) => ({ files: new Map([[id, change]]) });
    await expectError("MANIFEST_INVALID", () => changed(manifest(), of("no.csv", { sha256: SHA })));
    await expectError("MANIFEST_INVALID", () => changed(manifest(), of("a.csv", { sha256: "ab" })));
    await expectError("MANIFEST_INVALID", () => changed(manifest(), of("a.csv", { wasDerivedFrom: ["a b"] })));
  });
});
