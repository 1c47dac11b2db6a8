/**
 * Values out of expanded JSON-LD: whether something was written as text, as a reference or as a node of its own, what is
 * asked for here comes out.
 *
 * @packageDocumentation
 */
import type { Node } from "./expand.js";
import { isObject, listOf } from "./parse.js";
import { TERMS, type Term } from "./vocabulary.js";

/** Whether a node is of a class. */
export function isA(node: Node, term: Term): boolean {
  return listOf(node["@type"]).some((type) => term.includes(type as string));
}

/** The objects that a property has: nodes, and values with `@value`. */
export function objectsOf(node: Node, term: Term): readonly Node[] {
  const objects: Node[] = [];
  for (const iri of term) {
    if (!Object.hasOwn(node, iri)) continue;
    for (const value of listOf(node[iri])) {
      if (isObject(value)) objects.push(...("@list" in value ? listOf(value["@list"]).filter(isObject) : [value]));
    }
  }
  return objects;
}

/** An object's text, where it is a value. */
export function textOf(object: Node): string | undefined {
  const value = object["@value"];
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

/** All texts of a property; of nodes their names. */
export function textsOf(node: Node, term: Term): readonly string[] {
  return objectsOf(node, term).flatMap((it) => textOf(it) ?? oneText(it, TERMS.name) ?? []);
}

/** The text of a property that has one. Of several languages English is taken, or else the first. */
export function oneText(node: Node, term: Term): string | undefined {
  const values = objectsOf(node, term).filter((it) => textOf(it) !== undefined);
  const english = values.find((it) => /^en\b/i.test(String(it["@language"] ?? "en")));
  const value = english ?? values[0];
  return value === undefined ? undefined : textOf(value);
}

/** What an object points to: its id, or its url, or its text. */
export function referenceOf(object: Node): string | undefined {
  const id = object["@id"];
  if (typeof id === "string") return id;
  return textOf(object) ?? firstReference(object, TERMS.url);
}

/** What a property points to. Nodes that nothing identifies are left out. */
export function referencesOf(node: Node, term: Term): readonly string[] {
  return objectsOf(node, term).flatMap((it) => referenceOf(it) ?? []);
}

/** The first thing that a property points to. */
export function firstReference(node: Node, term: Term): string | undefined {
  for (const object of objectsOf(node, term)) {
    const reference = typeof object["@id"] === "string" ? object["@id"] : textOf(object);
    if (reference !== undefined) return reference;
  }
  return undefined;
}

/** Without what is undefined, so that it can be spread where a property may be missing, but not undefined. */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
