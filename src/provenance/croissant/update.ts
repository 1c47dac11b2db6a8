/**
 * Changing a manifest that somebody else made, and nothing in it but what was asked for.
 *
 * @packageDocumentation
 */
import { trainingOf, trainingPolicy } from "./ai-training.js";
import { LinkedDocument } from "./expand.js";
import { invalid } from "./faults.js";
import { licenseUrl } from "./license.js";
import { isObject, type JsonObject, listOf } from "./parse.js";
import type { CroissantDataset, StatedUse } from "./types.js";
import { ODRL, PREFIXES, TERMS, type Term } from "./vocabulary.js";
import { few, references, sizeText } from "./write.js";

/** What changes of a file. What is left out stays. */
export interface FileChanges {
  readonly sha256?: string;
  /** Bytes. */
  readonly contentSize?: bigint;
  readonly contentUrl?: string;
  readonly wasDerivedFrom?: readonly string[];
}

/** What changes of a manifest. What is left out stays; lists take the place of those before. */
export interface CroissantChanges {
  readonly name?: string;
  readonly description?: string;
  readonly url?: string;
  readonly version?: string;
  readonly datePublished?: string;
  readonly citeAs?: string;
  /** SPDX ids or URLs. */
  readonly licenses?: readonly string[];
  readonly wasDerivedFrom?: readonly string[];
  readonly aiTraining?: StatedUse;
  /** By the files' ids. */
  readonly files?: ReadonlyMap<string, FileChanges>;
}

const TEXTS = ["name", "description", "url", "version", "datePublished", "citeAs"] as const;

/** A property and its new value. */
type Change = readonly [name: keyof typeof TERMS, value: unknown];

/**
 * A manifest with some fields changed. Keys stay in their order, under the names that their maker gave them; new ones come
 * last, with a prefix that is declared in the context where that is one object, or as whole IRIs. Without changes the
 * result is equal to the original, as JSON.
 *
 * @throws HoldfastError `MANIFEST_INVALID` where a file is unknown, or a policy that also has other rules would have to
 *   be rewritten
 * @example
 * await updateCroissant(dataset, { wasDerivedFrom: ["urn:holdfast:record:0x12"] });
 */
export async function updateCroissant(dataset: CroissantDataset, changes: CroissantChanges): Promise<string> {
  const document = await LinkedDocument.open(withPrefixes(dataset.source, changes));
  const { source } = document;
  const files = await changedEntries(document, dataset, changes.files ?? new Map());
  const key = document.keyOf(TERMS.distribution);
  const entries = new Map(
    Object.entries(await changed(document, source, await headerChanges(document, dataset, changes))),
  );
  if (key !== undefined && files !== undefined) entries.set(key, files);
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

/** Declares the prefixes that new fields need, where the context is one object that has no word of that name. */
function withPrefixes(source: JsonObject, { wasDerivedFrom, aiTraining, files }: CroissantChanges): JsonObject {
  const context = source["@context"];
  if (!isObject(context)) return source;
  const derived = wasDerivedFrom ?? [...(files?.values() ?? [])].find((it) => it.wasDerivedFrom !== undefined);
  const needed = [derived === undefined ? [] : ["prov"], aiTraining === undefined ? [] : ["odrl"]].flat();
  const added = needed.filter((prefix) => !Object.hasOwn(context, prefix)).map((prefix) => [prefix, PREFIXES[prefix]]);
  if (added.length === 0) return source;
  return { ...source, "@context": { ...context, ...Object.fromEntries(added) } };
}

async function headerChanges(document: LinkedDocument, dataset: CroissantDataset, changes: CroissantChanges) {
  const list: Change[] = TEXTS.flatMap((name) => (changes[name] === undefined ? [] : [[name, changes[name]] as const]));
  if (changes.licenses !== undefined) list.push(["license", few(changes.licenses.map(licenseUrl)) ?? []]);
  if (changes.wasDerivedFrom !== undefined) list.push(derivation("prov:wasDerivedFrom", changes.wasDerivedFrom));
  if (changes.aiTraining !== undefined && changes.aiTraining !== dataset.aiTraining) {
    list.push(["usageInfo", await newUsage(document, dataset, changes.aiTraining)]);
  }
  return list;
}

/** The present entries but those about AI training, and one about it. */
async function newUsage(document: LinkedDocument, { usage }: CroissantDataset, use: StatedUse): Promise<unknown> {
  const key = document.keyOf(TERMS.usageInfo);
  const present = listOf(key === undefined ? undefined : document.source[key]);
  if (present.length !== usage.length) throw invalid("usageInfo", "has entries that say nothing: correct it by hand");
  const kept = present.filter((_, i) => {
    const entry = usage[i]!;
    if (trainingOf([entry]) === undefined) return true;
    if (entry.form === "policy" && entry.rules.length === 1) return false;
    throw invalid("usageInfo", "has AI training among other rules in one policy: change it by hand");
  });
  const name = await namer(document);
  const policy = trainingPolicy(use, (it) => `https://schema.org/${it}`, name);
  return few([...kept, policy]);
}

/** How a name of ODRL is written in a document. */
async function namer(document: LinkedDocument): Promise<(name: string) => string> {
  const names = await document.namesOf(["odrl:use"]);
  const prefix = names.get("odrl:use") === `${ODRL}use` ? "odrl:" : ODRL;
  return (name) => `${prefix}${name}`;
}

async function changedEntries(
  document: LinkedDocument,
  { files }: CroissantDataset,
  changes: ReadonlyMap<string, FileChanges>,
): Promise<readonly unknown[] | undefined> {
  if (changes.size === 0) return undefined;
  const key = document.keyOf(TERMS.distribution);
  const entries = [...listOf(key === undefined ? undefined : document.source[key])];
  const positions = new Map(files.map(({ id, position }) => [id, position]));
  for (const [id, change] of changes) {
    const position = positions.get(id);
    if (position === undefined) throw invalid("distribution", `has no file ${JSON.stringify(id.slice(0, 80))}`);
    entries[position] = await changed(document, entries[position] as JsonObject, fileChanges(change, position));
  }
  return entries;
}

function fileChanges({ sha256, contentSize, contentUrl, wasDerivedFrom }: FileChanges, position: number) {
  const where = `distribution[${position}]`;
  const list: Change[] = [];
  if (sha256 !== undefined) {
    if (!/^[0-9a-f]{64}$/i.test(sha256)) throw invalid(`${where}.sha256`, "is not 64 hex digits");
    list.push(["sha256", sha256.toLowerCase()]);
  }
  if (contentSize !== undefined) list.push(["contentSize", sizeText(contentSize)]);
  if (contentUrl !== undefined) list.push(["contentUrl", contentUrl]);
  if (wasDerivedFrom !== undefined) list.push(derivation(`${where}.prov:wasDerivedFrom`, wasDerivedFrom));
  return list;
}

function derivation(field: string, iris: readonly string[]): Change {
  return ["wasDerivedFrom", references(field, iris) ?? []];
}

/** An object with properties set, each under the key that it has there already, or else the shortest that means it. */
async function changed(document: LinkedDocument, part: JsonObject, changes: readonly Change[]): Promise<JsonObject> {
  if (changes.length === 0) return part;
  const short = (name: string) => [name, ...Object.keys(PREFIXES).map((prefix) => `${prefix}:${name}`)];
  const candidates = [...Object.keys(part), ...changes.flatMap(([name]) => short(name))];
  const names = await document.namesOf(candidates);
  const entries = new Map(Object.entries(part));
  for (const [name, value] of changes) {
    const term: Term = TERMS[name];
    entries.set(candidates.find((key) => term.includes(names.get(key) ?? "")) ?? term[0], value);
  }
  return Object.fromEntries(entries);
}
