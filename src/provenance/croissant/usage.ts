/**
 * What may be done with the data. Croissant 1.1 has it under `usageInfo`: terms of a vocabulary, or ODRL policies.
 *
 * @packageDocumentation
 */
import type { Node } from "./expand.js";
import { defined, firstReference, isA, objectsOf, oneText, referenceOf, referencesOf } from "./values.js";
import { ODRL, TERMS, type Term } from "./vocabulary.js";

/** A condition of a rule. */
export interface UsageConstraint {
  readonly name?: string;
  readonly leftOperand?: string;
  readonly operator?: string;
  readonly rightOperand?: string;
}

/** What a policy lets somebody do, forbids, or asks for. */
export interface UsageRule {
  readonly kind: "permission" | "prohibition" | "obligation";
  /** IRIs. */
  readonly actions: readonly string[];
  /** Of the rule, and refinements of its actions. */
  readonly constraints: readonly UsageConstraint[];
  /** Actions that whoever has the permission must take. */
  readonly duties: readonly string[];
}

/** One entry of `usageInfo`. */
export type Usage =
  | { readonly form: "policy"; readonly id?: string; readonly name?: string; readonly rules: readonly UsageRule[] }
  | { readonly form: "term"; readonly name?: string; readonly code?: string; readonly url?: string }
  | { readonly form: "reference"; readonly target: string };

const KINDS = ["permission", "prohibition", "obligation"] as const;

/** What a property of a data set or a file says, one for each entry that can be made sense of. */
export function usageOf(node: Node, term: Term = TERMS.usageInfo): readonly Usage[] {
  return objectsOf(node, term).flatMap((entry) => readUsage(entry) ?? []);
}

function readUsage(entry: Node): Usage | undefined {
  const rules = KINDS.flatMap((kind) => objectsOf(entry, TERMS[kind]).map((rule) => readRule(kind, rule)));
  const name = oneText(entry, TERMS.name);
  if (rules.length > 0) {
    const id = typeof entry["@id"] === "string" ? entry["@id"] : undefined;
    return { form: "policy", rules, ...defined({ id, name }) };
  }
  if (isA(entry, TERMS.DefinedTerm)) {
    const url = firstReference(entry, TERMS.url) ?? referenceOf(entry);
    return { form: "term", ...defined({ name, code: oneText(entry, TERMS.termCode), url }) };
  }
  const target = referenceOf(entry) ?? name;
  return target === undefined ? undefined : { form: "reference", target };
}

function readRule(kind: UsageRule["kind"], rule: Node): UsageRule {
  const actions = objectsOf(rule, TERMS.action);
  const constraints = [rule, ...actions].flatMap((it) => [
    ...objectsOf(it, TERMS.constraint),
    ...objectsOf(it, TERMS.refinement),
  ]);
  const duties = objectsOf(rule, TERMS.duty).flatMap((duty) => objectsOf(duty, TERMS.action).flatMap(actionOf));
  return { kind, actions: actions.flatMap(actionOf), constraints: constraints.map(readConstraint), duties };
}

function readConstraint(node: Node): UsageConstraint {
  return defined({
    name: oneText(node, TERMS.name),
    leftOperand: firstReference(node, TERMS.leftOperand),
    operator: firstReference(node, TERMS.operator),
    rightOperand: firstReference(node, TERMS.rightOperand),
  });
}

/**
 * An action's IRI. One that is refined has it as its `rdf:value`. Text is no IRI to JSON-LD, but who writes "odrl:use" means
 * one, and a prohibition must not get lost over that.
 */
function actionOf(action: Node): readonly string[] {
  const values = referencesOf(action, TERMS.value);
  const own = values.length > 0 ? values : [referenceOf(action)].flatMap((it) => it ?? []);
  return own.map((it) => it.replace(/^odrl:/, ODRL));
}
