import { expect } from "chai";
import fc from "fast-check";
import {
  CROISSANT_CONTEXT,
  croissantChunks,
  fileIdOf,
  type NewDataset,
  type NewDatasetHeader,
  type NewFile,
  writeCroissant,
} from "../../../src/provenance/croissant/index.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { readText } from "./support.js";

const SHA = "0f".repeat(32);
const HEADER: NewDatasetHeader = {
  name: "Sample",
  description: "A sample.",
  licenses: ["CC-BY-4.0"],
  url: "https://example.org/sample",
  creators: [{ type: "Organization", name: "Us", url: "https://example.org/" }],
  datePublished: "2026-01-31",
};
const FILE: NewFile = {
  id: "a.csv",
  contentUrl: "https://example.org/a.csv",
  contentSize: 12n,
  encodingFormats: ["text/csv"],
  sha256: SHA,
};
const DATASET: NewDataset = { ...HEADER, files: [FILE] };

async function chunked(dataset: NewDataset): Promise<string> {
  let text = "";
  async function* files() {
    yield* dataset.files;
  }
  for await (const chunk of croissantChunks(dataset, files())) text += chunk;
  return text;
}

describe("croissant: writing", () => {
  it("has the fields that the specification names", () => {
    expect(JSON.parse(writeCroissant(DATASET))).to.deep.equal({
      "@context": CROISSANT_CONTEXT,
      "@type": "sc:Dataset",
      conformsTo: "http://mlcommons.org/croissant/1.1",
      name: "Sample",
      description: "A sample.",
      license: "https://spdx.org/licenses/CC-BY-4.0",
      url: "https://example.org/sample",
      creator: { "@type": "Organization", name: "Us", url: "https://example.org/" },
      datePublished: "2026-01-31",
      distribution: [
        {
          "@type": "cr:FileObject",
          "@id": "a.csv",
          name: "a.csv",
          contentUrl: "https://example.org/a.csv",
          contentSize: "12 B",
          encodingFormat: "text/csv",
          sha256: SHA,
        },
      ],
    });
  });

  it("has lineage, permitted use, containers and file sets, and all of it is read back", async () => {
    const text = writeCroissant({
      ...HEADER,
      licenses: ["MIT", "https://example.org/terms"],
      creators: [{ type: "Person", name: "Ada" }, ...HEADER.creators],
      version: "1.2.3",
      sdVersion: "4",
      citeAs: "@misc{sample}",
      keywords: ["one", "two"],
      wasDerivedFrom: ["urn:holdfast:record:0x12", "https://example.org/before"],
      aiTraining: "constrained",
      fileSets: [
        {
          id: "csv",
          description: "All tables.",
          containedIn: ["a.zip"],
          includes: ["*.csv", "*.tsv"],
          excludes: ["tmp/*"],
          encodingFormats: ["text/csv"],
          wasDerivedFrom: ["urn:x:1"],
        },
      ],
      files: [
        { ...FILE, id: "a.zip", name: "archive.zip", sameAs: ["a.tar"], sha256: SHA.toUpperCase() },
        {
          id: "dir/b.csv",
          contentUrl: "dir/b.csv",
          description: "A table.",
          encodingFormats: ["text/csv", "https://example.org/format"],
          containedIn: ["a.zip"],
          wasDerivedFrom: ["urn:x:2"],
          aiTraining: "refused",
        },
      ],
    });
    const { source, usage, ...dataset } = await readText(text);
    expect(dataset).to.deep.equal({
      name: "Sample",
      conformsTo: ["http://mlcommons.org/croissant/1.1"],
      description: "A sample.",
      licenses: ["https://spdx.org/licenses/MIT", "https://example.org/terms"],
      url: "https://example.org/sample",
      creators: [{ type: "Person", name: "Ada" }, ...HEADER.creators],
      datePublished: "2026-01-31",
      version: "1.2.3",
      sdVersion: "4",
      citeAs: "@misc{sample}",
      keywords: ["one", "two"],
      wasDerivedFrom: ["urn:holdfast:record:0x12", "https://example.org/before"],
      aiTraining: "constrained",
      missing: [],
      fileSets: [
        {
          id: "csv",
          name: "csv",
          description: "All tables.",
          containedIn: ["a.zip"],
          includes: ["*.csv", "*.tsv"],
          excludes: ["tmp/*"],
          encodingFormats: ["text/csv"],
          wasDerivedFrom: ["urn:x:1"],
          position: 0,
        },
      ],
      files: [
        {
          ...FILE,
          id: "a.zip",
          name: "archive.zip",
          sameAs: ["a.tar"],
          containedIn: [],
          wasDerivedFrom: [],
          position: 1,
        },
        {
          id: "dir/b.csv",
          name: "dir/b.csv",
          contentUrl: "dir/b.csv",
          description: "A table.",
          encodingFormats: ["text/csv", "https://example.org/format"],
          sameAs: [],
          containedIn: ["a.zip"],
          wasDerivedFrom: ["urn:x:2"],
          aiTraining: "refused",
          position: 2,
        },
      ],
    });
    expect(usage).to.have.length(1);
    expect(source.usageInfo).to.deep.equal({
      "@type": ["CreativeWork", "odrl:Offer"],
      name: "AI training: constrained",
      "odrl:profile": { "@id": "https://w3c.github.io/odrl/ai-vocab/" },
      "odrl:permission": {
        "@type": "odrl:Permission",
        "odrl:action": { "@id": "odrl:ai-training" },
        "odrl:duty": { "@type": "odrl:Duty", "odrl:action": { "@id": "odrl:reviewPolicy" } },
      },
    });
  });

  it("gives the same text in chunks, whatever comes", async () => {
    const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    const path = word.map((it) => fileIdOf(`dir/${it}`));
    const use = fc.constantFrom("allowed", "constrained", "refused", undefined);
    const file = fc.record({
      id: path,
      size: fc.option(fc.bigInt({ min: 0n, max: 1n << 80n }), { nil: undefined }),
      use,
    });
    const files = fc.uniqueArray(file, { minLength: 1, maxLength: 8, selector: ({ id }) => id });
    await fc.assert(
      fc.asyncProperty(word, use, files, async (name, aiTraining, entries) => {
        const dataset = {
          ...HEADER,
          name,
          ...(aiTraining && { aiTraining }),
          files: entries.map(({ id, size, use }) => ({
            ...FILE,
            id,
            ...(size !== undefined && { contentSize: size }),
            ...(use && { aiTraining: use }),
          })),
        };
        const text = writeCroissant(dataset);
        expect(await chunked(dataset)).to.equal(text);
        const read = await readText(text);
        expect([read.name, read.aiTraining]).to.deep.equal([name, aiTraining]);
        expect(read.files.map(({ id, contentSize, aiTraining }) => [id, contentSize, aiTraining])).to.deep.equal(
          dataset.files.map((it) => [it.id, it.contentSize, "aiTraining" in it ? it.aiTraining : undefined]),
        );
        expect(read.missing).to.deep.equal([]);
      }),
      { numRuns: runs(60) },
    );
  });

  it("takes what was read as input", async () => {
    const first = await readText(writeCroissant(DATASET));
    expect(writeCroissant({ ...HEADER, files: first.files })).to.equal(writeCroissant(DATASET));
  });

  it("writes many files in chunks of bounded size", async () => {
    const sizes: number[] = [];
    const files = Array.from({ length: 2_000 }, (_, i) => ({ ...FILE, id: `${i}.csv` }));
    for await (const chunk of croissantChunks(HEADER, files)) sizes.push(chunk.length);
    expect(sizes.length).to.be.greaterThan(4);
    expect(Math.max(...sizes)).to.be.lessThan(70_000);
  });

  it("makes ids of paths that nothing is read into", async () => {
    const paths = ["a b.csv", "sc:name", "http://x", "@type", "100%.csv", "dir/ü.csv", 'a"b', "_:b0", "a\\b", "C:/x"];
    const ids = paths.map(fileIdOf);
    expect(ids[0]).to.equal("a%20b.csv");
    expect(ids[5]).to.equal("dir/%C3%BC.csv");
    const { files } = await readText(writeCroissant({ ...HEADER, files: ids.map((id) => ({ ...FILE, id })) }));
    expect(files.map(({ id }) => decodeURIComponent(id))).to.deep.equal(paths);
  });
});

describe("croissant: what isn't written", () => {
  const header = (change: Partial<NewDatasetHeader>) => ({ ...DATASET, ...change });
  const file = (change: Partial<NewFile>) => ({ ...HEADER, files: [FILE, { ...FILE, ...change }] });
  const { contentUrl: _, ...nowhere } = FILE;
  const cases: readonly (readonly [field: string, dataset: NewDataset])[] = [
    ["name", header({ name: "" })],
    ["description", header({ description: "" })],
    ["license", header({ licenses: [] })],
    ["creator", header({ creators: [] })],
    ["creator.name", header({ creators: [{ type: "Person", name: "" }] })],
    ["creator.url", header({ creators: [{ type: "Person", name: "Ada", url: "ada" }] })],
    ["url", header({ url: "sample" })],
    ["datePublished", header({ datePublished: "yesterday" })],
    ["datePublished", header({ datePublished: "2026-13-01" })],
    ["prov:wasDerivedFrom", header({ wasDerivedFrom: ["no iri"] })],
    ["distribution", { ...HEADER, files: [] }],
    [
      "distribution[0].includes",
      header({ fileSets: [{ id: "s", containedIn: ["a"], includes: [], encodingFormats: ["a/b"] }] }),
    ],
    ["distribution[1].@id", file({ id: "" })],
    ["distribution[1].@id", file({ id: "a b" })],
    ["distribution[1].@id", file({ id: "@id" })],
    ["distribution[1].@id", file({ id: "sc:name" })],
    ["distribution[0].contentUrl", { ...HEADER, files: [nowhere] }],
    ["distribution[1].contentSize", file({ contentSize: -1n })],
    ["distribution[1].encodingFormat", file({ encodingFormats: [] })],
    ["distribution[1].sha256", file({ sha256: "ab" })],
    ["distribution[1].containedIn", file({ containedIn: ["a b"] })],
    ["distribution[1].prov:wasDerivedFrom", file({ wasDerivedFrom: ["a b"] })],
  ];
  for (const [i, [field, dataset]] of cases.entries()) {
    it(`is named: ${field} (${i})`, async () => {
      const { message } = await expectError("MANIFEST_INVALID", () => writeCroissant(dataset));
      expect(message.split(" ")[0]).to.equal(field);
      expect((await expectError("MANIFEST_INVALID", () => chunked(dataset))).message).to.equal(message);
    });
  }
});
