/**
 * Reading Croissant manifests of strangers.
 *
 * @packageDocumentation
 */
import { trainingOf } from "./ai-training.js";
import { LinkedDocument, type Node } from "./expand.js";
import { invalid, notJsonLd } from "./faults.js";
import { readEntry } from "./files.js";
import { parseManifest } from "./parse.js";
import type { Creator, CroissantDataset, FileObject, FileSet } from "./types.js";
import { usageOf } from "./usage.js";
import {
  defined,
  firstReference,
  isA,
  objectsOf,
  oneText,
  referenceOf,
  referencesOf,
  textOf,
  textsOf,
} from "./values.js";
import { CROISSANT_1_0, CROISSANT_1_1, TERMS, type Term } from "./vocabulary.js";

/** What is expanded of a data set, its distribution apart. */
const HEADER: readonly Term[] = [
  TERMS.citeAs,
  TERMS.conformsTo,
  TERMS.creator,
  TERMS.datePublished,
  TERMS.description,
  TERMS.keywords,
  TERMS.license,
  TERMS.name,
  TERMS.sdVersion,
  TERMS.url,
  TERMS.usageInfo,
  TERMS.version,
  TERMS.wasDerivedFrom,
];

/** Required by the specification, beyond what nothing can be read without. */
const REQUIRED = ["description", "license", "url", "creator", "datePublished"] as const;

/**
 * Reads a Croissant manifest of version 1.0 or 1.1, whoever made it, in bounded time and memory and without the network:
 * 100,000 files in some 3 s. What is missing of the fields that the specification requires is listed, not refused, because
 * most manifests that are published lack one; `name`, `conformsTo`, and every file's `@id` and `contentUrl` have to be there.
 *
 * @throws HoldfastError `MANIFEST_TOO_LARGE`, `MANIFEST_TOO_DEEP`, `MANIFEST_NOT_UTF8`, `MANIFEST_NOT_JSON`,
 *   `MANIFEST_NOT_JSONLD`, `MANIFEST_INVALID` naming the field
 * @example
 * const { files, aiTraining } = await readCroissant(await readFile("croissant.json"));
 */
export async function readCroissant(bytes: Uint8Array): Promise<CroissantDataset> {
  const document = await LinkedDocument.open(parseManifest(bytes));
  const node = await document.header(HEADER);
  if (!isA(node, TERMS.Dataset)) throw notJsonLd("its @type is not sc:Dataset");
  const conformsTo = readVersion(node);
  const name = oneText(node, TERMS.name);
  if (name === undefined || name === "") throw invalid("name", "is missing");
  const { files, fileSets } = await readDistribution(document);
  const missing: string[] = REQUIRED.filter((field) => objectsOf(node, TERMS[field]).length === 0);
  if (files.length + fileSets.length === 0) missing.push("distribution");
  return { name, conformsTo, ...readHeader(node), files, fileSets, missing, source: document.source };
}

function readHeader(node: Node) {
  const usage = usageOf(node);
  return {
    licenses: objectsOf(node, TERMS.license).flatMap((it) => textOf(it) ?? work(it) ?? []),
    creators: objectsOf(node, TERMS.creator).map(readCreator),
    keywords: textsOf(node, TERMS.keywords),
    wasDerivedFrom: referencesOf(node, TERMS.wasDerivedFrom),
    usage,
    ...defined({
      description: oneText(node, TERMS.description),
      url: firstReference(node, TERMS.url),
      version: oneText(node, TERMS.version),
      sdVersion: oneText(node, TERMS.sdVersion),
      datePublished: oneText(node, TERMS.datePublished),
      citeAs: oneText(node, TERMS.citeAs),
      aiTraining: trainingOf(usage),
    }),
  };
}

/** A `CreativeWork` as a licence. Where it has an url, its id is only a name within the document. */
function work(node: Node): string | undefined {
  return firstReference(node, TERMS.url) ?? referenceOf(node) ?? oneText(node, TERMS.name);
}

function readCreator(node: Node): Partial<Creator> {
  const type = (["Person", "Organization"] as const).find((it) => isA(node, TERMS[it]));
  const url = firstReference(node, TERMS.url) ?? (typeof node["@id"] === "string" ? node["@id"] : undefined);
  return defined({ type, name: textOf(node) ?? oneText(node, TERMS.name), url });
}

function readVersion(node: Node): readonly string[] {
  const conformsTo = referencesOf(node, TERMS.conformsTo);
  if (conformsTo.length === 0) throw invalid("conformsTo", `is missing: it has to name ${CROISSANT_1_1}`);
  const versions = conformsTo.map((it) => it.replace(/^https:/, "http:").replace(/\/$/, ""));
  if (versions.includes(CROISSANT_1_0) || versions.includes(CROISSANT_1_1)) return conformsTo;
  throw invalid("conformsTo", `names neither ${CROISSANT_1_1} nor ${CROISSANT_1_0}`);
}

async function readDistribution(document: LinkedDocument) {
  const files: FileObject[] = [];
  const fileSets: FileSet[] = [];
  const ids = new Set<string>();
  let position = 0;
  for await (const node of document.distribution()) {
    const entry = readEntry(node, position);
    const { id } = "file" in entry ? entry.file : entry.fileSet;
    if (ids.has(id)) throw invalid(`distribution[${position}].@id`, `is taken: ${JSON.stringify(id.slice(0, 80))}`);
    ids.add(id);
    if ("file" in entry) files.push(entry.file);
    else fileSets.push(entry.fileSet);
    position++;
  }
  return { files, fileSets };
}
