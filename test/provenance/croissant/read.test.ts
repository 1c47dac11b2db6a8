import { expect } from "chai";
import { CROISSANT_CONTEXT, MAX_ENTRY_VALUES, readCroissant } from "../../../src/provenance/croissant/index.js";
import { expectError } from "../../piece/helpers.js";
import { CONTEXT, file, fixture, manifest, readJson, readText } from "./support.js";

const SHA = "ab".repeat(32);
const of = async (entry: object) => (await readJson(manifest({ distribution: [entry] }))).files[0]!;

describe("croissant: manifests of other makers", () => {
  it("are read: Common Crawl, 1.1", async () => {
    const dataset = await readCroissant(await fixture("common-crawl-1.1"));
    expect(dataset.name).to.equal("CC-MAIN-2025-43");
    expect(dataset.description).to.equal("Common Crawl October 2025 Crawl Archive");
    expect(dataset.licenses).to.deep.equal(["https://commoncrawl.org/terms-of-use"]);
    expect(dataset.creators).to.deep.equal([
      { type: "Organization", name: "The Common Crawl Foundation", url: "https://commoncrawl.org/" },
    ]);
    expect(dataset.url).to.equal("https://data.commoncrawl.org/crawl-data/CC-MAIN-2025-43/index.html");
    expect([dataset.version, dataset.sdVersion, dataset.citeAs]).to.deep.equal([
      "1.0.0",
      "1.0.0",
      "https://commoncrawl.org/",
    ]);
    expect(dataset.datePublished).to.equal("2025-10-19T01:06:58Z");
    expect(dataset.conformsTo).to.deep.equal(["http://mlcommons.org/croissant/1.1"]);
    expect(dataset.missing).to.deep.equal([]);
    expect([dataset.files.length, dataset.fileSets.length]).to.deep.equal([8, 7]);
    expect(dataset.files[7]).to.deep.equal({
      id: "CC-MAIN-2025-43.domains-top-1000",
      name: "CC-MAIN-2025-43.domains-top-1000",
      contentUrl: "s3://commoncrawl-dev/test-top-1000-domains-v1/CC-MAIN-2025-43.domains-top-1000.csv.gz",
      contentSize: 8813n,
      encodingFormats: ["application/gzip"],
      sha256: "d2816340908ecfa20db7a248f668a2470ddefe2bbc7ec652965fb78709455664",
      containedIn: [],
      sameAs: [],
      wasDerivedFrom: [],
      position: 14,
    });
    expect(dataset.fileSets[1]).to.deep.equal({
      id: "wat-files",
      name: "wat-files",
      containedIn: ["wat.paths.gz"],
      includes: ["*.warc.wat.gz"],
      excludes: [],
      encodingFormats: ["application/warc"],
      wasDerivedFrom: [],
      position: 3,
    });
    expect(dataset).to.not.have.property("aiTraining");
  });

  it("are read: Hugging Face, which has no hash and says what is missing", async () => {
    const dataset = await readCroissant(await fixture("data-provenance-initiative-1.1"));
    expect(dataset.missing).to.deep.equal(["license", "datePublished"]);
    expect(dataset.licenses).to.deep.equal([]);
    expect(dataset.keywords).to.have.length(10);
    expect(dataset.files[0]).to.not.have.property("sha256");
    expect(dataset.fileSets[0]?.containedIn).to.deep.equal(["repo"]);
  });

  it("are read: Titanic, 1.0", async () => {
    const dataset = await readCroissant(await fixture("titanic-1.0"));
    expect(dataset.conformsTo).to.deep.equal(["http://mlcommons.org/croissant/1.0"]);
    expect(dataset.licenses).to.deep.equal(["afl-3.0"]);
    expect(dataset.missing).to.deep.equal(["creator", "datePublished"]);
    expect(dataset.files.map(({ id, contentUrl, contentSize }) => [id, contentUrl, contentSize])).to.deep.equal([
      ["passengers.csv", "https://www.openml.org/data/get_csv/16826755/phpMYEkMl", 117743n],
      ["genders.csv", "data/genders.csv", 117743n],
      ["embarkation_ports.csv", "data/embarkation_ports.csv", 117743n],
    ]);
  });

  it("keep everything in source", async () => {
    const bytes = await fixture("titanic-1.0");
    expect((await readCroissant(bytes)).source).to.deep.equal(JSON.parse(new TextDecoder().decode(bytes)));
  });
});

describe("croissant: reading", () => {
  it("understands other keys for the same words", async () => {
    const { "@type": _, name: __, distribution: ___, ...rest } = manifest();
    const dataset = await readJson({
      ...rest,
      "@context": { ...CONTEXT, type: "@type", id: "@id", title: "sc:name", files: "http://schema.org/distribution" },
      type: "Dataset",
      title: "renamed",
      files: { type: "cr:FileObject", id: "a", "sc:contentUrl": "a", "https://schema.org/sha256": SHA.toUpperCase() },
    });
    expect(dataset.name).to.equal("renamed");
    expect(dataset.files[0]).to.deep.include({ id: "a", contentUrl: "a", sha256: SHA });
  });

  it("knows schema.org's context and Croissant's by their URLs", async () => {
    const own = { cr: CONTEXT.cr, sc: CONTEXT.sc, conformsTo: "http://purl.org/dc/terms/conformsTo" };
    for (const context of [
      ["https://schema.org/", own],
      ["http://schema.org", own],
      "http://mlcommons.org/croissant/1.1",
    ]) {
      expect((await readJson(manifest({ "@context": context }))).files).to.have.length(1);
    }
    expect((await readJson(manifest({ "@context": CROISSANT_CONTEXT }))).name).to.equal("sample");
  });

  it("takes English of several languages, or the first", async () => {
    const context = { ...CONTEXT, name: { "@id": "sc:name", "@container": "@language" } };
    const name = async (value: unknown) => (await readJson(manifest({ "@context": context, name: value }))).name;
    expect(await name({ de: "Beispiel", en: "Sample" })).to.equal("Sample");
    expect(await name({ de: "Beispiel", fr: "Exemple" })).to.equal("Beispiel");
    expect(await name("plain")).to.equal("plain");
  });

  it("takes numbers for text, and lists for lists", async () => {
    const dataset = await readJson(
      manifest({
        version: 2,
        keywords: { "@list": ["a", "b"] },
        distribution: { "@set": [file("a", { contentSize: 12 })] },
      }),
    );
    expect(dataset.version).to.equal("2");
    expect(dataset.keywords).to.deep.equal(["a", "b"]);
    expect(dataset.files[0]?.contentSize).to.equal(12n);
  });

  it("reads lineage of data sets and files, however it is referred to", async () => {
    const dataset = await readJson(
      manifest({
        "prov:wasDerivedFrom": [
          { "@id": "urn:dataset:ImageNet" },
          "https://example.org/text",
          { "@type": "prov:Entity", url: "https://example.org/url" },
          { "@type": "prov:Entity", "prov:label": "nothing to go by" },
        ],
        distribution: [file("a", { "prov:wasDerivedFrom": { "@id": "b" } }), file("b")],
      }),
    );
    expect(dataset.wasDerivedFrom).to.deep.equal([
      "urn:dataset:ImageNet",
      "https://example.org/text",
      "https://example.org/url",
    ]);
    expect(dataset.files.map((it) => it.wasDerivedFrom)).to.deep.equal([["b"], []]);
  });

  it("reads licences and creators as text, by reference and as nodes", async () => {
    const dataset = await readJson(
      manifest({
        license: ["MIT", { "@id": "https://spdx.org/licenses/0BSD" }, { "@type": "CreativeWork", name: "Ours" }],
        creator: ["Ada", { "@type": "sc:Organization", "@id": "https://example.org/", name: "Us" }],
      }),
    );
    expect(dataset.licenses).to.deep.equal(["MIT", "https://spdx.org/licenses/0BSD", "Ours"]);
    expect(dataset.creators).to.deep.equal([
      { name: "Ada" },
      { type: "Organization", name: "Us", url: "https://example.org/" },
    ]);
  });

  it("leaves ids as they are written, whatever the base", async () => {
    const context = { ...CONTEXT, "@base": "https://example.org/base/" };
    const distribution = [file("dir/../a b.csv"), file("c", { containedIn: [{ "@id": "dir/../a b.csv" }] })];
    const { files } = await readJson(manifest({ "@context": context, distribution }));
    expect(files[0]?.id).to.equal("dir/../a b.csv");
    expect(files[1]?.containedIn).to.deep.equal(["dir/../a b.csv"]);
  });

  it("asks for no contentUrl within a container", async () => {
    const { contentUrl: _, ...entry } = file("b", { containedIn: { "@id": "a" } });
    expect(await of(entry)).to.not.have.property("contentUrl");
  });

  it("lists what is required and missing", async () => {
    const { "@context": context, "@type": type, conformsTo, name } = manifest();
    const dataset = await readJson({ "@context": context, "@type": type, conformsTo, name });
    expect(dataset.missing).to.deep.equal([
      "description",
      "license",
      "url",
      "creator",
      "datePublished",
      "distribution",
    ]);
  });
});

describe("croissant: what is missing or wrong", () => {
  const wrong: readonly (readonly [field: string, change: object])[] = [
    ["name", { name: undefined }],
    ["name", { name: "" }],
    ["conformsTo", { conformsTo: undefined }],
    ["conformsTo", { conformsTo: "http://mlcommons.org/croissant/0.8" }],
    ["sc:distribution", { "sc:distribution": [] }],
    ["distribution[0]", { distribution: ["a.csv"] }],
    ["distribution[0].@id", { distribution: [{ "@type": "cr:FileObject", contentUrl: "a" }] }],
    ["distribution[0].@type", { distribution: [{ "@type": "sc:DataDownload", "@id": "a" }] }],
    ["distribution[1].@id", { distribution: [file("a"), file("a")] }],
    ["distribution[0].contentUrl", { distribution: [file("a", { contentUrl: undefined })] }],
    ["distribution[0].contentSize", { distribution: [file("a", { contentSize: "large" })] }],
    ["distribution[1].sha256", { distribution: [file("a"), file("b", { sha256: SHA.slice(1) })] }],
    ["distribution[0].sha256", { distribution: [file("a", { sha256: [SHA, SHA] })] }],
    ["distribution", { distribution: [{ "@set": [] }, file("a")] }],
  ];
  for (const [field, change] of wrong) {
    it(`is named: ${field} of ${JSON.stringify(change).slice(0, 70)}`, async () => {
      const { message } = await expectError("MANIFEST_INVALID", () => readJson(manifest(change)));
      expect(message.split(" ")[0]).to.equal(field);
    });
  }

  const foreign: readonly (readonly [what: string, value: unknown])[] = [
    ["an array", [manifest()]],
    ["no context", { ...manifest(), "@context": undefined }],
    ["a number for a context", { ...manifest(), "@context": 7 }],
    ["another type", manifest({ "@type": "sc:CreativeWork" })],
    ["a context that knows no sc:", manifest({ "@context": { "@vocab": "https://schema.org/" } })],
    ["a graph", { "@context": CONTEXT, "@graph": [manifest()] }],
    ["an id that is a number", manifest({ distribution: [file("a", { "@id": 5 })] })],
  ];
  for (const [what, value] of foreign) {
    it(`is no JSON-LD of a data set: ${what}`, () => expectError("MANIFEST_NOT_JSONLD", () => readJson(value)));
  }

  it("says what is no JSON, and what no UTF-8", async () => {
    await expectError("MANIFEST_NOT_JSON", () => readText('{"@context": '));
    await expectError("MANIFEST_NOT_JSON", () => readText(""));
    const latin = Buffer.from(JSON.stringify(manifest({ name: "é" })), "latin1");
    await expectError("MANIFEST_NOT_UTF8", () => readCroissant(latin));
    const utf16 = Buffer.from(`\ufeff${JSON.stringify(manifest())}`, "utf16le");
    await expectError("MANIFEST_NOT_UTF8", () => readCroissant(utf16));
    expect((await readText(`\ufeff${JSON.stringify(manifest())}`)).name).to.equal("sample");
  });

  it("is too much for one entry", async () => {
    const sameAs = Array<string>(MAX_ENTRY_VALUES).fill("a");
    await expectError("MANIFEST_TOO_LARGE", () => of(file("a", { sameAs })));
    await expectError("MANIFEST_TOO_LARGE", () => readJson(manifest({ keywords: sameAs })));
    expect((await of(file("a", { sameAs: sameAs.slice(10) }))).sameAs).to.have.length(MAX_ENTRY_VALUES - 10);
  });
});
