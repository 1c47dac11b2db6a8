/**
 * Contexts of strangers. They decide what every word of a manifest means, and a few hundred bytes of them can keep a JSON-LD
 * processor busy for hours, or send it out into the network; so only plain ones are let through.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import { notJsonLd } from "./faults.js";
import { isObject, type JsonObject, listOf } from "./parse.js";
import { CROISSANT_CONTEXT } from "./vocabulary.js";

/** Published contexts take about 2,000 characters. */
const MAX_CONTEXT_CHARS = 16_384;
/** Contexts in one array. */
const MAX_CONTEXTS = 8;
/** Terms may be defined by terms: without this, sixteen of them would make every key of the document 16 KiB long. */
export const MAX_IRI_CHARS = 512;

/** What stands for schema.org's own context of 200 KB: which words belong to it, and not which take IRIs. */
const SCHEMA_ORG = { "@vocab": "https://schema.org/" };

/** Contexts that are known by their URLs. No other is ever loaded. */
const KNOWN: ReadonlyMap<string, object> = new Map<string, object>([
  ...["schema.org", "schema.org/docs/jsonldcontext.json", "schema.org/docs/jsonldcontext.jsonld"].flatMap(
    (path): [string, object][] => [`http://${path}`, `https://${path}`].map((url) => [url, SCHEMA_ORG]),
  ),
  ...["croissant", "croissant/1.0", "croissant/1.1"].flatMap((path): [string, object][] =>
    [`http://mlcommons.org/${path}`, `https://mlcommons.org/${path}`].map((url) => [url, CROISSANT_CONTEXT]),
  ),
]);

/** A context that can be expanded in bounded time. */
export type Context = JsonObject | readonly JsonObject[];

/**
 * Checks a manifest's context, and puts known ones in the place of their URLs.
 *
 * Contexts within terms and within the document are refused, as `@import` is: the specification has one context for the
 * document, and each of those would be worked through again at every use. `@base` is left out, so that ids and what refers to
 * them stay as they are written; jsonld takes quadratic time to resolve a long one.
 *
 * @throws HoldfastError `MANIFEST_NOT_JSONLD`
 */
export function plainContext(context: unknown): Context {
  if (context === undefined || context === null) throw notJsonLd("it has no @context");
  if (Array.isArray(context) && context.length > MAX_CONTEXTS) throw notJsonLd(`more than ${MAX_CONTEXTS} contexts`);
  const contexts = listOf(context).map(plain);
  return contexts.length === 1 ? contexts[0]! : contexts;
}

function plain(context: unknown): JsonObject {
  if (typeof context === "string") return known(context);
  if (!isObject(context)) throw notJsonLd("its @context is neither an object nor a URL");
  if (JSON.stringify(context).length > MAX_CONTEXT_CHARS) {
    throw notJsonLd(`its @context is longer than ${MAX_CONTEXT_CHARS} characters`);
  }
  if (mentionsProto(context)) throw notJsonLd("its @context has a key __proto__");
  if ("@import" in context) throw notJsonLd("its @context would have to be fetched, by @import");
  for (const definition of Object.values(context)) {
    if (isObject(definition) && "@context" in definition) throw notJsonLd("a term has a @context of its own");
  }
  return Object.fromEntries(Object.entries(context).filter(([term]) => term !== "@base"));
}

/**
 * Whether an object has a key `__proto__`, at any depth. jsonld copies objects key by key, so it would become the copy's
 * prototype: seen when terms are listed, not seen in the text by which contexts are cached. One manifest could change what
 * the next one means.
 */
function mentionsProto(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(mentionsProto);
}

function known(url: string): JsonObject {
  const context = KNOWN.get(url.replace(/\/$/, ""));
  if (context !== undefined) return context as JsonObject;
  const message = `the @context ${JSON.stringify(url.slice(0, 200))} would have to be fetched`;
  const hint = "write the context into the manifest, as the Croissant specification recommends: nothing is loaded here";
  throw new HoldfastError("MANIFEST_NOT_JSONLD", message, hint);
}

/** What jsonld calls for a URL that got past {@link plainContext}; there should be none. */
export function loadNothing(url: string): Promise<never> {
  return Promise.reject(notJsonLd(`${JSON.stringify(url.slice(0, 200))} would have to be fetched`));
}
