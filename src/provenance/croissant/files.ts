/**
 * Entries of a manifest's distribution.
 *
 * @packageDocumentation
 */
import { trainingOf } from "./ai-training.js";
import type { Node } from "./expand.js";
import { invalid } from "./faults.js";
import { parseContentSize } from "./size.js";
import type { FileObject, FileSet } from "./types.js";
import { usageOf } from "./usage.js";
import { defined, firstReference, isA, objectsOf, oneText, referenceOf, referencesOf, textsOf } from "./values.js";
import { TERMS } from "./vocabulary.js";

/** What Hugging Face writes as the sha256 of every repository, having none. */
const NO_SHA256 = "https://github.com/mlcommons/croissant/issues/80";

/** An entry that was read. */
export type Entry = { readonly file: FileObject } | { readonly fileSet: FileSet };

/**
 * Reads an entry.
 *
 * @throws HoldfastError `MANIFEST_INVALID`, naming the field
 */
export function readEntry(node: Node, position: number): Entry {
  const where = `distribution[${position}]`;
  const id = node["@id"];
  if (typeof id !== "string" || id === "") throw invalid(`${where}.@id`, "is missing: nothing can refer to it");
  const common = {
    id,
    name: oneText(node, TERMS.name) ?? id,
    containedIn: containers(node),
    encodingFormats: textsOf(node, TERMS.encodingFormat),
    wasDerivedFrom: referencesOf(node, TERMS.wasDerivedFrom),
    position,
    ...defined({ description: oneText(node, TERMS.description) }),
  };
  if (isA(node, TERMS.FileObject)) return { file: { ...common, ...readFile(node, where, common.containedIn) } };
  if (!isA(node, TERMS.FileSet)) throw invalid(`${where}.@type`, "is neither cr:FileObject nor cr:FileSet");
  return { fileSet: { ...common, includes: textsOf(node, TERMS.includes), excludes: textsOf(node, TERMS.excludes) } };
}

function readFile(node: Node, where: string, containedIn: readonly string[]) {
  const contentUrl = firstReference(node, TERMS.contentUrl);
  if (contentUrl === undefined && containedIn.length === 0) throw invalid(`${where}.contentUrl`, "is missing");
  return {
    sameAs: referencesOf(node, TERMS.sameAs),
    ...defined({
      contentUrl,
      contentSize: readSize(node, where),
      sha256: readSha256(node, where),
      aiTraining: trainingOf(usageOf(node)),
    }),
  };
}

function readSize(node: Node, where: string): bigint | undefined {
  const text = oneText(node, TERMS.contentSize);
  if (text === undefined) return undefined;
  const size = parseContentSize(text);
  if (size === undefined) throw invalid(`${where}.contentSize`, `is no size: ${JSON.stringify(text.slice(0, 80))}`);
  return size;
}

function readSha256(node: Node, where: string): string | undefined {
  const values = objectsOf(node, TERMS.sha256).map((it) => referenceOf(it) ?? "");
  if (values.length > 1) throw invalid(`${where}.sha256`, "is given more than once");
  const [value] = values;
  if (value === undefined || value === NO_SHA256) return undefined;
  if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
  throw invalid(`${where}.sha256`, `is not 64 hex digits: ${JSON.stringify(value.slice(0, 80))}`);
}

/** Ids of what something is contained in. A data source has them a level deeper. */
function containers(node: Node): readonly string[] {
  return objectsOf(node, TERMS.containedIn).flatMap((it) => {
    const inner = [...referencesOf(it, TERMS.fileObject), ...referencesOf(it, TERMS.fileSet)];
    return inner.length > 0 ? inner : (referenceOf(it) ?? []);
  });
}
