/**
 * JSON-LD expansion in portions.
 *
 * jsonld expands 100,000 files at once in 1.6 s and 480 MB, in portions in 1.4 s and 350 MB, of which most is the document.
 * What isn't read, record sets above all, is not expanded, so it costs nothing.
 *
 * @packageDocumentation
 */
import jsonld from "jsonld";
import { HoldfastError } from "../../errors.js";
import { type Context, loadNothing, MAX_IRI_CHARS, plainContext } from "./context.js";
import { invalid, notJsonLd, tooLarge } from "./faults.js";
import { isObject, type JsonObject, listOf } from "./parse.js";
import { TERMS, type Term } from "./vocabulary.js";

/** Keys of the document itself, and terms of its context. */
const MAX_KEYS = 1_000;
/** Values in one entry of the distribution, or in everything else that is read. */
export const MAX_ENTRY_VALUES = 10_000;
/** Values that are expanded at once. */
const PORTION_VALUES = 20_000;

/** An expanded node: keys are IRIs, values arrays of nodes and value objects. */
export type Node = JsonObject;

/** A parsed manifest whose words are understood. */
export class LinkedDocument {
  readonly source: JsonObject;
  readonly #context: Context;
  readonly #names: ReadonlyMap<string, string>;

  private constructor(source: JsonObject, context: Context, names: ReadonlyMap<string, string>) {
    this.source = source;
    this.#context = context;
    this.#names = names;
  }

  /** @throws HoldfastError `MANIFEST_NOT_JSONLD`, `MANIFEST_TOO_LARGE` */
  static async open(source: JsonObject): Promise<LinkedDocument> {
    const context = plainContext(source["@context"]);
    const keys = Object.keys(source);
    if (keys.length > MAX_KEYS) throw tooLarge(`more than ${MAX_KEYS} keys at its top`);
    const terms = listOf(context).flatMap((it) => Object.keys(it as JsonObject));
    if (terms.length > MAX_KEYS) throw notJsonLd(`its @context has more than ${MAX_KEYS} terms`);
    const names = await namesOf(context, [...new Set([...terms, ...keys])]);
    for (const name of names.values()) {
      if (name.length > MAX_IRI_CHARS) throw notJsonLd("a term of its @context makes IRIs too long");
    }
    return new LinkedDocument(source, context, names);
  }

  /** The IRIs, or keywords, that keys stand for in this document. */
  namesOf(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return namesOf(this.#context, keys);
  }

  /** The document's own key for a property. @throws HoldfastError `MANIFEST_INVALID` where it has two */
  keyOf(term: Term): string | undefined {
    const keys = Object.keys(this.source).filter((key) => term.includes(this.#names.get(key) ?? ""));
    if (keys.length > 1) throw invalid(keys[1]!, `says the same as ${keys[0]}`);
    return keys[0];
  }

  /** The data set itself: its id, its types, and those properties. */
  async header(terms: readonly Term[]): Promise<Node> {
    const wanted = new Set(["@id", "@type", ...terms.flat()]);
    const entries = Object.entries(this.source).filter(([key]) => wanted.has(this.#names.get(key) ?? ""));
    const part = Object.fromEntries(entries);
    countValues(part, "outside of its distribution");
    const [node] = await expand(this.#context, part);
    if (!isObject(node)) throw notJsonLd("it says nothing about a data set");
    return node;
  }

  /** What is in the distribution, in its order. */
  async *distribution(): AsyncGenerator<Node> {
    const key = this.keyOf(TERMS.distribution);
    let portion: unknown[] = [];
    let values = 0;
    for (const [position, entry] of listOf(key === undefined ? undefined : this.source[key]).entries()) {
      if (!isObject(entry)) throw invalid(`distribution[${position}]`, "is no object");
      values += countValues(entry, `in distribution[${position}]`);
      portion.push(entry);
      if (values < PORTION_VALUES) continue;
      yield* await this.#expandEntries(portion);
      portion = [];
      values = 0;
    }
    if (portion.length > 0) yield* await this.#expandEntries(portion);
  }

  async #expandEntries(entries: readonly unknown[]): Promise<readonly Node[]> {
    const [node] = await expand(this.#context, { [TERMS.distribution[0]]: entries });
    const nodes = Object.values((node ?? {}) as Node).find(Array.isArray) ?? [];
    if (nodes.length === entries.length && nodes.every(isObject)) return nodes;
    throw invalid("distribution", "has entries that are no objects once expanded");
  }
}

/** `@type` is expanded by the same rules as keys are, so it tells what they stand for. */
async function namesOf(context: Context, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const key of keys) {
    if (key.startsWith("@")) {
      names.set(key, key);
      continue;
    }
    const [node] = await expand(context, { "@type": key });
    const [name] = listOf(((node ?? {}) as Node)["@type"]);
    if (typeof name === "string") names.set(key, name);
  }
  return names;
}

/** @throws HoldfastError `MANIFEST_NOT_JSONLD` */
async function expand(context: Context, part: JsonObject): Promise<readonly unknown[]> {
  try {
    // No base: ids stay as they are written. The types don't know that null is allowed.
    const options = { base: null as unknown as string, documentLoader: loadNothing };
    return await jsonld.expand({ ...part, "@context": context } as jsonld.JsonLdDocument, options);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : String(cause);
    throw notJsonLd(reason, cause);
  }
}

/** How many values something has, counted no further than is allowed. */
function countValues(part: JsonObject, where: string): number {
  const open: unknown[] = [part];
  let count = 0;
  while (open.length > 0) {
    const value = open.pop();
    count++;
    if (typeof value !== "object" || value === null) continue;
    if ("@context" in value) throw notJsonLd(`there is another @context ${where}`);
    if (Object.hasOwn(value, "__proto__")) throw notJsonLd(`there is a key __proto__ ${where}`);
    const inside = Object.values(value);
    // They mean the same as one array, and jsonld joins them in quadratic time.
    if (Array.isArray(value) && inside.some(Array.isArray)) throw notJsonLd(`there are arrays within arrays ${where}`);
    if (count + open.length + inside.length > MAX_ENTRY_VALUES) {
      throw tooLarge(`more than ${MAX_ENTRY_VALUES} values ${where}`);
    }
    open.push(...inside);
  }
  return count;
}
