/**
 * Whether a work may carry its licence, given the licence of what it was made from.
 *
 * @packageDocumentation
 */
import { against, type Conflict, judge, type Making, type Offered, unknown } from "./findings.js";
import { type License, type LicenseExpression, licenseName } from "./license.js";
import type { LicenseTerm } from "./spdx.js";

/** More choices than anybody means to offer: a stranger can't make a long lineage slow to check. */
const MAX_CHOICES = 16;

/** What a parent is to a record. */
export type Edge = "derivation" | "revision" | "component" | "input" | "training";

/** What a record is. */
export type Kind = "original" | "edited" | "derived" | "generated" | "trained-on" | "aggregated";

/**
 * What stands against a child's licence, or undefined where it may carry it.
 *
 * `OR` in the parent: whoever makes the child chooses, so one licence that fits is enough. `OR` in the child: whoever receives
 * it chooses, so every one that it offers has to fit. `AND` in the parent: all have to be kept. `AND` in the child: all
 * apply, so what one of them keeps is kept.
 *
 * Over an `input` or `training` edge the result is never more than `unknown`, not even for all rights reserved: whether an
 * output or a model adapts what went in is not settled, and text and data mining has exceptions (Directive (EU) 2019/790,
 * articles 3 and 4). What counts there is the permission to train, see `inheritUse`.
 *
 * @param kind - of the child; a part of something "aggregated" lies beside the others and isn't built into it
 * @example
 * conflict(parseLicense("CC-BY-NC-4.0"), parseLicense("MIT"), "derivation")?.severity; // "conflict"
 */
export function conflict(parent: License, child: License, edge: Edge, kind?: Kind): Conflict | undefined {
  if (edge !== "input" && edge !== "training") return found(parent, child, making(edge, kind));
  const worst = found(parent, child, "adapted");
  if (worst === undefined || worst.severity === "unknown") return worst;
  const what = edge === "training" ? "a model adapts what it was trained on" : "this adapts what it was made with";
  return unknown(`if ${what}, which no licence settles: ${worst.reason}`);
}

function making(edge: Edge, kind: Kind | undefined): Making {
  if (edge !== "component") return "adapted";
  return kind === "aggregated" ? "collected" : "contained";
}

function found(parent: License, child: License, how: Making): Conflict | undefined {
  const name = licenseName(child);
  if (parent.form === "none") {
    return against(`${licenseName(parent)}: whoever made this, under ${name}, needs the holder's permission`);
  }
  if (parent.form !== "expression") {
    if (parent.form === child.form && parent.text === child.text) return undefined;
    return unknown(`what this was made from has ${licenseName(parent)}, so ${name} can't be checked against it`);
  }
  const offered = offers(child);
  const choices = offered.slice(0, MAX_CHOICES).map((terms) => best(parent.expression, { name, terms }, how));
  const unchecked = offered.length > MAX_CHOICES;
  return choices.reduce(worse, unchecked ? unknown(`${name} offers too many choices to check them all`) : undefined);
}

/** The parent's side: the best of a choice, the worst of what applies together. */
function best(parent: LicenseExpression, child: Offered, how: Making): Conflict | undefined {
  if ("all" in parent) return parent.all.map((it) => best(it, child, how)).reduce(worse, undefined);
  if ("any" in parent) return parent.any.map((it) => best(it, child, how)).reduce(better);
  return judge(parent, child, how);
}

const RANK = { conflict: 2, unknown: 1 } as const;
const rank = (it: Conflict | undefined) => (it === undefined ? 0 : RANK[it.severity]);
const worse = (a: Conflict | undefined, b: Conflict | undefined) => (rank(b) > rank(a) ? b : a);
const better = (a: Conflict | undefined, b: Conflict | undefined) => (rank(b) < rank(a) ? b : a);

/** Each choice that a child offers, as the licences that apply together. */
function offers({ form, ...license }: License): Offered["terms"][] {
  if (form === "none") return [[]];
  return "expression" in license ? choicesOf(license.expression) : [undefined];
}

/** As a choice of conjunctions. 128 bytes hold at most some 300 of them: "(A OR B)AND" takes 15. */
function choicesOf(expression: LicenseExpression): LicenseTerm[][] {
  if ("any" in expression) return expression.any.flatMap(choicesOf);
  if (!("all" in expression)) return [[expression]];
  return expression.all
    .map(choicesOf)
    .reduce<LicenseTerm[][]>((left, right) => left.flatMap((some) => right.map((more) => [...some, ...more])), [[]]);
}
