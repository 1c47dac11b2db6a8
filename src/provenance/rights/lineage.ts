/**
 * Licences and permitted use over everything that a record was made from.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import { conflict, type Edge, type Kind } from "./conflict.js";
import type { Conflict, Severity } from "./findings.js";
import { type License, readLicense } from "./license.js";
import { type AiTraining, compareUse, inheritUse, type Level } from "./use.js";
import { type Ancestry, ancestry } from "./walk.js";

/** What is asked of a record. */
export interface RightsNode {
  readonly id: string;
  /** As registered: whatever somebody put there. */
  readonly license: string;
  readonly aiTraining: AiTraining;
  readonly kind: Kind;
  readonly parents: readonly { readonly id: string; readonly edge: Edge }[];
  /** Who registered it. Whoever holds the rights in a work may license what they make of it as they like. */
  readonly registrant?: string;
}

/** A licence that doesn't go with a parent's. */
export interface LicenseConflict {
  readonly child: string;
  readonly parent: string;
  readonly edge: Edge;
  readonly severity: Severity;
  readonly reason: string;
}

/** Something to know about permitted use, or about a lineage that can't be read to its end. */
export interface RightsWarning {
  readonly record: string;
  readonly ancestor: string;
  readonly level: Level;
  readonly message: string;
}

/** What {@link checkRights} found. */
export interface RightsReport {
  readonly effectiveAiTraining: AiTraining;
  /** Of every edge, the nearest to the target first. */
  readonly conflicts: readonly LicenseConflict[];
  /** Of every record, likewise. */
  readonly warnings: readonly RightsWarning[];
}

/**
 * Checks a record and all its ancestors, in time linear in records and edges. Records that `nodes` lacks, and edges that
 * lead back to a descendant, are noted and left out.
 *
 * @throws HoldfastError `UNKNOWN_RECORD` where the target isn't in `nodes`
 * @example
 * const { effectiveAiTraining, conflicts, warnings } = checkRights(nodes, id);
 */
export function checkRights(nodes: ReadonlyMap<string, RightsNode>, target: string): RightsReport {
  const node = nodes.get(target);
  if (node === undefined) {
    const message = `record ${target} is not among those read`;
    throw new HoldfastError("UNKNOWN_RECORD", message, "check its id, and the chain and registry that are asked");
  }
  const lines = ancestry(nodes, target);
  const { use, warnings } = effectiveUse(nodes, lines, target);
  const all = [...broken(lines), ...warnings, ...upstream(nodes, lines, node, use)];
  return { effectiveAiTraining: use, conflicts: licenseConflicts(nodes, lines), warnings: withoutRepeats(all) };
}

function broken({ missing, looped }: Ancestry): RightsWarning[] {
  const note = (message: string) => (it: { record: string; ancestor: string }) =>
    ({ ...it, level: "note", message }) as const;
  return [
    ...missing.map(note("a parent is not among the records that were read: what it says is not known")),
    ...looped.map(note("a parent is a descendant too: this edge is left out")),
  ];
}

/** Ancestors first, so that each record finds its parents' word ready. */
function effectiveUse(nodes: ReadonlyMap<string, RightsNode>, { order, parentsOf }: Ancestry, target: string) {
  const uses = new Map<string, { use: AiTraining; via: string }>();
  const warnings: RightsWarning[] = [];
  for (const id of order) {
    const parents = parentsOf(id).map((it) => ({
      ...(uses.get(it.id) ?? { use: "unstated" as const, via: it.id }),
      edge: it.edge,
    }));
    const { use, via = id, warnings: own } = inheritUse(nodes.get(id)!.aiTraining, parents);
    uses.set(id, { use, via });
    for (const it of own.toReversed()) warnings.push({ record: id, ...it });
  }
  return { use: uses.get(target)!.use, warnings: warnings.reverse() };
}

/** Every ancestor whose word the target falls under without having said so itself. */
function upstream(
  nodes: ReadonlyMap<string, RightsNode>,
  { order }: Ancestry,
  { id: target, aiTraining }: RightsNode,
  use: AiTraining,
): RightsWarning[] {
  if (use !== "refused" && use !== "constrained") return [];
  return order.toReversed().flatMap((ancestor): RightsWarning[] => {
    const said = nodes.get(ancestor)!.aiTraining;
    if (ancestor === target || said === "unstated" || said === "allowed") return [];
    if (aiTraining !== "unstated" && compareUse(said, aiTraining) <= 0) return [];
    if (said === "refused") {
      return [
        { record: target, ancestor, level: "warning", message: `descends from ${ancestor}, which refuses AI training` },
      ];
    }
    const message = `descends from ${ancestor}, which constrains AI training: its conditions go with it`;
    return [{ record: target, ancestor, level: "note", message }];
  });
}

function licenseConflicts(nodes: ReadonlyMap<string, RightsNode>, { order, parentsOf }: Ancestry): LicenseConflict[] {
  const compare = memoised();
  return order.toReversed().flatMap((id) => {
    const child = nodes.get(id)!;
    return parentsOf(id).flatMap(({ id: parent, edge }): LicenseConflict[] => {
      const from = nodes.get(parent)!;
      const found = compare(from.license, child, edge);
      return found === undefined ? [] : [{ child: id, parent, edge, ...ofOneHand(found, from, child) }];
    });
  });
}

/** One registrant may hold the rights in both, or in neither: that is for a person to find out. */
function ofOneHand(found: Conflict, { registrant }: RightsNode, child: RightsNode): Conflict {
  if (registrant === undefined || registrant !== child.registrant || found.severity === "unknown") return found;
  return { severity: "unknown", reason: `${found.reason} (unless who registered both holds the rights)` };
}

/** Lineages repeat few licences many times: each is read once, and each pair is compared once. */
function memoised() {
  const licenses = new Map<string, { readonly license: License; readonly index: number }>();
  const results = new Map<string, Conflict | undefined>();
  const read = (text: string) => {
    const known = licenses.get(text) ?? { license: readLicense(text), index: licenses.size };
    licenses.set(text, known);
    return known;
  };
  return (parentText: string, { license, kind }: RightsNode, edge: Edge): Conflict | undefined => {
    const parent = read(parentText);
    const child = read(license);
    const key = `${parent.index} ${child.index} ${edge} ${kind}`;
    if (!results.has(key)) results.set(key, conflict(parent.license, child.license, edge, kind));
    return results.get(key);
  };
}

/** One warning for a pair of records: what was found at the record itself says more than that it descends. */
function withoutRepeats(warnings: readonly RightsWarning[]): RightsWarning[] {
  const pairs = new Set<string>();
  return warnings.filter(({ record, ancestor }) => {
    const pair = JSON.stringify([record, ancestor]);
    return !pairs.has(pair) && pairs.add(pair);
  });
}
