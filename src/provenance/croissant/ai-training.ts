/**
 * AI training in terms of ODRL: Croissant 1.1 recommends ODRL for data use, and has no words of its own for this one.
 *
 * @packageDocumentation
 */
import type { JsonObject } from "./parse.js";
import type { StatedUse } from "./types.js";
import type { Usage, UsageRule } from "./usage.js";
import { ODRL } from "./vocabulary.js";

/** The AI vocabulary of the W3C ODRL group, a draft, whose actions these are. */
const PROFILE = "https://w3c.github.io/odrl/ai-vocab/";
const AI_TRAINING = "ai-training";

/** Actions that mean training. The second is of the W3C Data Privacy Vocabulary. */
const TRAINING = new Set([`${ODRL}${AI_TRAINING}`, "https://w3id.org/dpv/ai#ModelTraining"]);
/** Actions that training is part of: who forbids them forbids it, but who allows them may not have thought of it. */
const WIDER = new Set([`${ODRL}data-mining`, `${ODRL}use`, "http://www.w3.org/ns/tdmrep#mine"]);
/** Some kinds of training. */
const NARROWER = new Set([`${ODRL}gen-ai`, "https://w3id.org/dpv/ai#ModelFineTuning"]);

const STRICTNESS: Readonly<Record<StatedUse, number>> = { allowed: 0, constrained: 1, refused: 2 };

/**
 * What entries of `usageInfo` come to for AI training: the strictest of what they say. A rule that holds under conditions, or
 * for some kinds of training, is "constrained".
 *
 * @returns undefined where none of them says anything
 */
export function trainingOf(usage: readonly Usage[]): StatedUse | undefined {
  const stated = usage.flatMap((entry) =>
    entry.form === "policy" ? entry.rules.flatMap((rule) => ofRule(rule, entry.rules)) : [],
  );
  return stated.toSorted((a, b) => STRICTNESS[b] - STRICTNESS[a])[0];
}

function ofRule({ kind, actions, constraints, duties }: UsageRule, policy: readonly UsageRule[]): readonly StatedUse[] {
  const has = (set: ReadonlySet<string>) => actions.some((action) => set.has(action));
  if (kind === "obligation") return [];
  if (has(NARROWER)) return ["constrained"];
  if (kind === "prohibition") {
    if (!has(TRAINING) && !has(WIDER)) return [];
    return [constraints.length === 0 ? "refused" : "constrained"];
  }
  if (!has(TRAINING)) return [];
  const free = constraints.length + duties.length === 0 && policy.every((rule) => rule.kind !== "obligation");
  return [free ? "allowed" : "constrained"];
}

/**
 * The entry of `usageInfo` that says it. "constrained" is a permission with the duty to read the conditions first, which
 * stand in the licence.
 *
 * @param sc - how a class of schema.org is written in the document
 * @param odrl - how a name of ODRL is
 */
export function trainingPolicy(
  use: StatedUse,
  sc: (name: string) => string,
  odrl: (name: string) => string,
): JsonObject {
  const rule = {
    "@type": odrl(use === "refused" ? "Prohibition" : "Permission"),
    [odrl("action")]: { "@id": odrl(AI_TRAINING) },
  };
  const duty = { "@type": odrl("Duty"), [odrl("action")]: { "@id": odrl("reviewPolicy") } };
  return {
    "@type": [sc("CreativeWork"), odrl("Offer")],
    [sc("name")]: `AI training: ${use}`,
    [odrl("profile")]: { "@id": PROFILE },
    [odrl(use === "refused" ? "prohibition" : "permission")]:
      use === "constrained" ? { ...rule, [odrl("duty")]: duty } : rule,
  };
}
