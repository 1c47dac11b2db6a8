import { expect } from "chai";
import {
  MAX_MANIFEST_BYTES,
  MAX_MANIFEST_DEPTH,
  MAX_MANIFEST_VALUES,
  readCroissant,
} from "../../../src/provenance/croissant/index.js";
import { expectError } from "../../piece/helpers.js";
import { CONTEXT, file, manifest, readJson, readText } from "./support.js";

/** A member with raw text as its value, because no object is worth building for it. */
const withRaw = (name: string, raw: string) =>
  JSON.stringify(manifest({ [name]: 0 })).replace(`"${name}":0`, `"${name}":${raw}`);
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const context = (more: object) => readJson(manifest({ "@context": { ...CONTEXT, ...more } }));

describe("croissant: manifests that were made to harm", () => {
  /** Most take milliseconds; what is slow here is a machine with other work. */
  const BOUND = 10_000;
  let began: number;
  beforeEach(() => {
    began = performance.now();
  });
  afterEach(() => {
    expect(performance.now() - began).to.be.lessThan(BOUND);
  });

  it("too many bytes are not even looked at", async () => {
    await expectError("MANIFEST_TOO_LARGE", () => readCroissant(new Uint8Array(MAX_MANIFEST_BYTES + 1)));
  });

  it("depth is bounded before anything is parsed, to the level", async () => {
    await expectError("MANIFEST_TOO_DEEP", () => readText("[".repeat(40_000_000)));
    await expectError("MANIFEST_TOO_DEEP", () => readText(withRaw("recordSet", nested(MAX_MANIFEST_DEPTH))));
    expect((await readText(withRaw("recordSet", nested(MAX_MANIFEST_DEPTH - 1)))).name).to.equal("sample");
    // Brackets in strings are no depth, and neither is one behind an escaped quote.
    const text = '\\"[{'.repeat(MAX_MANIFEST_DEPTH + 1);
    expect((await readText(withRaw("description", `"${text}"`))).description).to.equal(text.replaceAll('\\"', '"'));
  });

  it("values are counted before they are built", async () => {
    await expectError("MANIFEST_TOO_LARGE", () => readText(`[${"{},".repeat(20_000_000)}{}]`));
    await expectError("MANIFEST_TOO_LARGE", () =>
      readText(withRaw("recordSet", `[${"0,".repeat(MAX_MANIFEST_VALUES)}0]`)),
    );
  });

  it("what isn't read costs nothing but its parsing", async function () {
    this.timeout(BOUND * 2);
    const dataset = await readText(withRaw("recordSet", `[${'{"a":0},'.repeat(1_000_000)}{}]`));
    expect(dataset.source.recordSet).to.have.length(1_000_001);
  });

  it("millions of keys, at the top and in an entry", async function () {
    this.timeout(BOUND * 2);
    const keys = Array.from({ length: 300_000 }, (_, i) => `"k${i}":1`).join(",");
    await expectError("MANIFEST_TOO_LARGE", () => readText(`${JSON.stringify(manifest()).slice(0, -1)},${keys}}`));
    await expectError("MANIFEST_TOO_LARGE", () => readText(withRaw("distribution", `[{${keys}}]`)));
  });

  it("arrays within arrays", async () => {
    const keywords = Array.from({ length: 3_000 }, () => ["a"]);
    await expectError("MANIFEST_NOT_JSONLD", () => readJson(manifest({ keywords })));
    await expectError("MANIFEST_NOT_JSONLD", () =>
      readJson(manifest({ distribution: [file("a", { sameAs: keywords })] })),
    );
  });

  it("contexts that would have to be fetched", async () => {
    for (const url of ["https://evil.example/context", "file:///etc/passwd", "context.jsonld", "//schema.org"]) {
      const { message } = await expectError("MANIFEST_NOT_JSONLD", () => readJson(manifest({ "@context": url })));
      expect(message).to.include(url);
      await expectError("MANIFEST_NOT_JSONLD", () => readJson(manifest({ "@context": [CONTEXT, url] })));
    }
    await expectError("MANIFEST_NOT_JSONLD", () => context({ "@import": "https://evil.example/context" }));
  });

  it("contexts in heaps, in terms and in the document", async () => {
    await expectError("MANIFEST_NOT_JSONLD", () => readText(withRaw("@context", `[${"{},".repeat(500_000)}{}]`)));
    const name = { "@id": "sc:name", "@context": { name: { "@id": "sc:name", "@context": {} } } };
    await expectError("MANIFEST_NOT_JSONLD", () => context({ name }));
    await expectError("MANIFEST_NOT_JSONLD", () => readJson(manifest({ creator: { "@context": {}, name: "Ada" } })));
    const entry = file("a", { containedIn: { "@context": "https://evil.example/", "@id": "b" } });
    await expectError("MANIFEST_NOT_JSONLD", () => readJson(manifest({ distribution: [entry] })));
  });

  it("contexts that are long, or make long IRIs, or go in circles", async () => {
    await expectError("MANIFEST_NOT_JSONLD", () => context({ a: `sc:${"a".repeat(20_000)}` }));
    await expectError("MANIFEST_NOT_JSONLD", () =>
      context(Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [`a${i}`, "sc:a"]))),
    );
    await expectError("MANIFEST_NOT_JSONLD", () => context({ "@vocab": `https://example.org/${"a".repeat(1_000)}` }));
    const chain = Array.from({ length: 20 }, (_, i) => [`a${i + 1}`, `a${i}:${"x".repeat(100)}/`]);
    await expectError("MANIFEST_NOT_JSONLD", () =>
      context({ a0: "https://example.org/", ...Object.fromEntries(chain) }),
    );
    await expectError("MANIFEST_NOT_JSONLD", () => context({ a: "b:x", b: "a:x" }));
  });

  it("an id of a million steps, which is slow to resolve against a base", async () => {
    const id = "a/../".repeat(1_000_000);
    const dataset = await readJson(
      manifest({
        "@context": { ...CONTEXT, "@base": "https://example.org/" },
        distribution: [file("x", { "@id": id })],
      }),
    );
    expect(dataset.files[0]?.id).to.equal(id);
  });

  it("a size of a million digits", async () => {
    const entry = file("a", { contentSize: "9".repeat(1_000_000) });
    const { message } = await expectError("MANIFEST_INVALID", () => readJson(manifest({ distribution: [entry] })));
    expect(message.length).to.be.lessThan(200);
  });

  it("keys that reach for prototypes", async () => {
    const proto = (name: string) => `"${name}":{"__proto__":{"polluted":true,"@language":"de"},`;
    const text = JSON.stringify(manifest({ recordSet: { a: 0 } }));
    const dataset = await readText(text.replace('"recordSet":{', proto("recordSet")));
    expect(Object.keys(dataset.source.recordSet as object)).to.deep.equal(["__proto__", "a"]);
    expect((await readText(`{"__proto__":{"name":"evil"},${text.slice(1)}`)).name).to.equal("sample");
    await expectError("MANIFEST_NOT_JSONLD", () => readText(text.replace('"creator":{', proto("creator"))));
    await expectError("MANIFEST_NOT_JSONLD", () => readText(text.replace('"@context":{', proto("@context"))));
    expect(({} as Record<string, unknown>).polluted).to.equal(undefined);
    const own = { constructor: "sc:name", toString: "sc:url", valueOf: "sc:sha256" };
    expect((await context(own)).name).to.equal("sample");
  });

  it("a context that would change what the same one means in the next manifest", async () => {
    const mine = { ...CONTEXT, unique: "https://example.org/unique" };
    const text = JSON.stringify(manifest({ "@context": mine, usageInfo: "https://example.org/terms" }));
    for (const evil of ['"__proto__":{"usageInfo":null}', '"x":{"@id":"sc:x","__proto__":{"@type":"@id"}}']) {
      await expectError("MANIFEST_NOT_JSONLD", () => readText(text.replace('"@vocab"', `${evil},"@vocab"`)));
    }
    expect((await readText(text)).usage).to.deep.equal([{ form: "reference", target: "https://example.org/terms" }]);
  });
});
