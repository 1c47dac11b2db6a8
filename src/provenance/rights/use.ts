/**
 * Whether a work may be used to train AI, and what follows for what is made from it.
 *
 * @packageDocumentation
 */
import type { Edge } from "./conflict.js";

/** What a record says of AI training. "constrained": under conditions that its manifest or its holder tells. */
export type AiTraining = "unstated" | "allowed" | "constrained" | "refused";

/** What comes down from a parent: its effective use. */
export interface Inherited {
  readonly use: AiTraining;
  readonly edge: Edge;
  /** The record that said so: the parent, or an ancestor of it. */
  readonly via: string;
}

/** `warning`: something was disregarded. `note`: somebody has to look. */
export type Level = "warning" | "note";

/** What a use that came down means for the record. */
export interface UseWarning {
  readonly ancestor: string;
  readonly level: Level;
  readonly message: string;
}

/** What holds for a record in the end. */
export interface EffectiveUse {
  readonly use: AiTraining;
  /** The ancestor whose word counts; undefined: the record's own. */
  readonly via?: string;
  readonly warnings: readonly UseWarning[];
}

/** From free to closed. Silence is less than leave: of two parents, one that allows doesn't speak for the other. */
const STRICTNESS: Readonly<Record<AiTraining, number>> = { allowed: 0, unstated: 1, constrained: 2, refused: 3 };

/** Negative where `a` is the freer one. */
export function compareUse(a: AiTraining, b: AiTraining): number {
  return STRICTNESS[a] - STRICTNESS[b];
}

/**
 * What holds for a record: the strictest of what it says and what comes down, over every kind of edge. Who says nothing passes
 * on the strictest of the parents. Who allows it is believed where parents say nothing, and not where one constrains
 * or refuses it: a descendant can't give what an ancestor withholds.
 *
 * @example
 * inheritUse("allowed", [{ use: "refused", edge: "component", via: "0x12…" }]).use; // "refused"
 */
export function inheritUse(own: AiTraining, parents: readonly Inherited[]): EffectiveUse {
  const warnings = parents.flatMap((parent) => warningOf(own, parent) ?? []);
  const strictest = parents.reduce<Inherited | undefined>(
    (most, it) => (most === undefined || compareUse(it.use, most.use) > 0 ? it : most),
    undefined,
  );
  if (strictest === undefined || (own !== "unstated" && !overrules(strictest.use, own))) return { use: own, warnings };
  return { use: strictest.use, via: strictest.via, warnings };
}

/** Only words that restrict weigh more than the record's own. */
function overrules(inherited: AiTraining, own: AiTraining): boolean {
  return inherited !== "unstated" && compareUse(inherited, own) > 0;
}

function warningOf(own: AiTraining, { use, edge, via }: Inherited): UseWarning | undefined {
  if (edge === "training" && use === "refused") {
    return { ancestor: via, level: "warning", message: `trained on refused data: ${via} refuses AI training` };
  }
  if (own !== "unstated" && overrules(use, own)) {
    const word = own === "allowed" ? "allows" : "only constrains";
    const other = use === "refused" ? "refuses" : "constrains";
    return { ancestor: via, level: "warning", message: `${word} AI training, which ${via} ${other}` };
  }
  if (edge === "training" && use === "constrained") {
    const message = `trained on data whose use is constrained: ${via} says under which conditions`;
    return { ancestor: via, level: "note", message };
  }
  return undefined;
}
