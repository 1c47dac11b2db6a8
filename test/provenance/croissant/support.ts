import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type CroissantDataset, readCroissant } from "../../../src/provenance/croissant/index.js";

/** A manifest of another maker; see fixtures/README.md. */
export function fixture(name: string): Promise<Uint8Array> {
  return readFile(fileURLToPath(new URL(`./fixtures/${name}.croissant`, import.meta.url)));
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Reads what would stand in a file. */
export const readJson = (value: unknown): Promise<CroissantDataset> => readCroissant(bytesOf(JSON.stringify(value)));
export const readText = (text: string): Promise<CroissantDataset> => readCroissant(bytesOf(text));

export const CONTEXT = {
  "@vocab": "https://schema.org/",
  sc: "https://schema.org/",
  cr: "http://mlcommons.org/croissant/",
  dct: "http://purl.org/dc/terms/",
  prov: "http://www.w3.org/ns/prov#",
  odrl: "http://www.w3.org/ns/odrl/2/",
  conformsTo: "dct:conformsTo",
  containedIn: "cr:containedIn",
  includes: "cr:includes",
};

/** A file of {@link manifest}. */
export const file = (id: string, more: object = {}) => ({
  "@type": "cr:FileObject",
  "@id": id,
  contentUrl: `https://example.org/${id}`,
  encodingFormat: "text/csv",
  ...more,
});

/** A small manifest with everything that is required, and with what a test is about. */
export const manifest = (more: object = {}) => ({
  "@context": CONTEXT,
  "@type": "sc:Dataset",
  conformsTo: "http://mlcommons.org/croissant/1.1",
  name: "sample",
  description: "A sample.",
  license: "https://spdx.org/licenses/MIT",
  url: "https://example.org/sample",
  creator: { "@type": "Person", name: "Ada" },
  datePublished: "2026-01-31",
  distribution: [file("a.csv")],
  ...more,
});
