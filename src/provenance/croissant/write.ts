/**
 * Writing Croissant 1.1 manifests, with any number of files.
 *
 * @packageDocumentation
 */
import { trainingPolicy } from "./ai-training.js";
import { invalid } from "./faults.js";
import { licenseUrl } from "./license.js";
import type { JsonObject } from "./parse.js";
import type { Creator, NewDataset, NewDatasetHeader, NewFile, NewFileSet, StatedUse } from "./types.js";
import { CROISSANT_1_1, CROISSANT_CONTEXT } from "./vocabulary.js";

/** Characters that are gathered before they are handed on. */
const CHUNK_CHARS = 1 << 16;
const INDENT = "    ";

/**
 * The manifest of a data set as text. The same input gives the same text: there is no date in it but those passed in, and
 * files stay in their order, each on one line.
 *
 * @throws HoldfastError `MANIFEST_INVALID`, naming the field
 * @example
 * await writeFile("croissant.json", writeCroissant({ ...header, files }));
 */
export function writeCroissant(dataset: NewDataset): string {
  return [...lines(dataset, dataset.files)].join("");
}

/**
 * The same text in chunks of some 64 KiB, for files that are never all in memory. Whether ids are unique is for the caller to
 * see to: remembering all of them would take the memory that this saves.
 *
 * @throws HoldfastError `MANIFEST_INVALID`, naming the field, when it comes to it
 * @example
 * await pipeline(croissantChunks(header, files), createWriteStream("croissant.json"));
 */
export async function* croissantChunks(
  header: NewDatasetHeader,
  files: Iterable<NewFile> | AsyncIterable<NewFile>,
): AsyncGenerator<string> {
  const entries = new Entries(header);
  let chunk = entries.begin();
  for await (const file of files) {
    chunk += entries.add(file);
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = "";
  }
  yield chunk + entries.end();
}

function* lines(header: NewDatasetHeader, files: Iterable<NewFile>): Generator<string> {
  const entries = new Entries(header);
  yield entries.begin();
  for (const file of files) yield entries.add(file);
  yield entries.end();
}

/** The text around and between the entries of a distribution. */
class Entries {
  readonly #header: NewDatasetHeader;
  #count = 0;

  constructor(header: NewDatasetHeader) {
    this.#header = header;
  }

  begin(): string {
    const opened = JSON.stringify(headerJson(this.#header), null, 2).slice(0, -"\n}".length);
    const sets = (this.#header.fileSets ?? []).map((it) => this.#line(fileSetJson(it, this.#where())));
    return `${opened},\n  "distribution": [${sets.join("")}`;
  }

  add(file: NewFile): string {
    return this.#line(fileJson(file, this.#where()));
  }

  end(): string {
    if (this.#count === 0) throw invalid("distribution", "is empty: a data set has at least one file");
    return "\n  ]\n}\n";
  }

  #where(): string {
    return `distribution[${this.#count}]`;
  }

  #line(entry: JsonObject): string {
    return `${this.#count++ === 0 ? "" : ","}\n${INDENT}${JSON.stringify(entry)}`;
  }
}

function headerJson(header: NewDatasetHeader): JsonObject {
  for (const field of ["name", "description"] as const) if (header[field] === "") throw invalid(field, "is empty");
  if (header.licenses.length === 0) throw invalid("license", "is missing");
  if (header.creators.length === 0) throw invalid("creator", "is missing");
  if (!isDate(header.datePublished)) throw invalid("datePublished", "is no date of ISO 8601, like 2026-01-31");
  return {
    "@context": CROISSANT_CONTEXT,
    "@type": "sc:Dataset",
    conformsTo: CROISSANT_1_1,
    name: header.name,
    description: header.description,
    license: few(header.licenses.map(licenseUrl)),
    url: absolute("url", header.url),
    creator: few(header.creators.map(creatorJson)),
    datePublished: header.datePublished,
    version: header.version,
    sdVersion: header.sdVersion,
    citeAs: header.citeAs,
    keywords: header.keywords,
    "prov:wasDerivedFrom": references("prov:wasDerivedFrom", header.wasDerivedFrom),
    usageInfo: usageInfo(header.aiTraining),
  };
}

function creatorJson({ type, name, url }: Creator): JsonObject {
  if (name === "") throw invalid("creator.name", "is empty");
  return { "@type": type, name, url: url === undefined ? undefined : absolute("creator.url", url) };
}

function fileJson(file: NewFile, where: string): JsonObject {
  const { contentUrl, contentSize, sha256, containedIn = [] } = file;
  if (contentUrl === undefined && containedIn.length === 0) throw invalid(`${where}.contentUrl`, "is missing");
  if (contentSize !== undefined && contentSize < 0n) throw invalid(`${where}.contentSize`, "is negative");
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw invalid(`${where}.sha256`, "is not 64 hex digits");
  }
  return {
    "@type": "cr:FileObject",
    ...commonJson(file, where),
    contentUrl,
    contentSize: contentSize === undefined ? undefined : sizeText(contentSize),
    encodingFormat: formats(file.encodingFormats, where),
    sha256: sha256?.toLowerCase(),
    containedIn: references(`${where}.containedIn`, containedIn),
    sameAs: few(file.sameAs ?? []),
    "prov:wasDerivedFrom": references(`${where}.prov:wasDerivedFrom`, file.wasDerivedFrom),
    usageInfo: usageInfo(file.aiTraining),
  };
}

function fileSetJson(set: NewFileSet, where: string): JsonObject {
  if (set.includes.length === 0) throw invalid(`${where}.includes`, "is missing");
  return {
    "@type": "cr:FileSet",
    ...commonJson(set, where),
    encodingFormat: formats(set.encodingFormats, where),
    containedIn: references(`${where}.containedIn`, set.containedIn),
    includes: few(set.includes),
    excludes: few(set.excludes ?? []),
    "prov:wasDerivedFrom": references(`${where}.prov:wasDerivedFrom`, set.wasDerivedFrom),
  };
}

function commonJson({ id, name, description }: NewFile | NewFileSet, where: string): JsonObject {
  if (!isId(id))
    throw invalid(`${where}.@id`, `would not be read as it is written: ${JSON.stringify(id.slice(0, 80))}`);
  return { "@id": id, name: name ?? id, description };
}

function formats(values: readonly string[], where: string): unknown {
  if (values.length === 0) throw invalid(`${where}.encodingFormat`, "is missing");
  return few(values);
}

/** Bytes as a `contentSize`. */
export function sizeText(bytes: bigint): string {
  return `${bytes} B`;
}

/** IRIs as references, or undefined for none. */
export function references(field: string, iris: readonly string[] | undefined): unknown {
  for (const iri of iris ?? []) if (!isId(iri)) throw invalid(field, `is no IRI: ${JSON.stringify(iri.slice(0, 80))}`);
  return few((iris ?? []).map((iri) => ({ "@id": iri })));
}

/** One value as itself, several as an array, none not at all. */
export function few(values: readonly unknown[]): unknown {
  return values.length > 1 ? values : values[0];
}

/** The id of a file by its path: a relative IRI that no prefix of the context and no scheme is taken for. */
export function fileIdOf(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function usageInfo(use: StatedUse | undefined): unknown {
  const own = (name: string) => name;
  return use === undefined ? undefined : trainingPolicy(use, own, (name) => `odrl:${name}`);
}

function absolute(field: string, url: string): string {
  if (/^[a-z][a-z0-9+.-]*:[^\s]+$/i.test(url)) return url;
  throw invalid(field, `is no absolute URL: ${JSON.stringify(url.slice(0, 80))}`);
}

/** Whether an id is an IRI, or a relative one, that the written context leaves alone. */
function isId(id: string): boolean {
  const [, prefix, rest = ""] = /^([^:/]*):(.*)$/s.exec(id) ?? [];
  if (prefix !== undefined && !rest.startsWith("//") && Object.hasOwn(CROISSANT_CONTEXT, prefix)) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that they aren't in there is the point.
  return id !== "" && !id.startsWith("@") && !/[\u0000-\u0020<>"{}|\\^`]/.test(id);
}

function isDate(text: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text) &&
    !Number.isNaN(Date.parse(text))
  );
}
