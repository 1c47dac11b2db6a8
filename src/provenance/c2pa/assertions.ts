import { actionsData, type RawManifest, trainingData } from "./schema.js";
import type { C2paAction, C2paTraining } from "./types.js";

/** An assertion's label, less the number that tells it from others of its kind. */
const LABEL = /^(.*?)(?:__\d+)?$/;

function* dataOf(manifest: RawManifest, labels: readonly string[]): Generator<unknown> {
  for (const { label, data } of manifest.assertions) {
    if (labels.includes(LABEL.exec(label)?.[1] ?? "")) yield data;
  }
}

/** What was done, in the manifest's order. What can't be read is left out. */
export function actionsOf(manifest: RawManifest): C2paAction[] {
  const actions: C2paAction[] = [];
  for (const data of dataOf(manifest, ["c2pa.actions", "c2pa.actions.v2"])) {
    const read = actionsData.safeParse(data);
    for (const { softwareAgentIndex, softwareAgent, ...action } of read.data?.actions ?? []) {
      const agent = softwareAgent ?? read.data?.softwareAgents[softwareAgentIndex ?? -1];
      actions.push(defined({ ...action, softwareAgent: agent }));
    }
  }
  return actions;
}

const ENTRIES = ["ai_training", "ai_generative_training"].flatMap((name) => [`c2pa.${name}`, `cawg.${name}`]);
const USES: Readonly<Record<string, C2paTraining>> = { allowed: "allowed", notAllowed: "refused" };
const RESTRICTIVE: readonly C2paTraining[] = ["refused", "constrained", "allowed"];

/**
 * Whether models may be trained, by `c2pa.training-mining` and `cawg.training-mining`: the most restrictive of what is
 * said of training, generative or not. Data mining and inference are no training. A use that neither names is
 * constrained: something is said, so it must be asked for.
 */
export function trainingOf(manifest: RawManifest): C2paTraining | undefined {
  const said = new Set<C2paTraining>();
  for (const data of dataOf(manifest, ["c2pa.training-mining", "cawg.training-mining"])) {
    const entries = trainingData.safeParse(data).data?.entries ?? {};
    for (const name of ENTRIES) {
      const entry = entries[name];
      if (entry) said.add(USES[entry.use] ?? "constrained");
    }
  }
  return RESTRICTIVE.find((use) => said.has(use));
}

/** The same object without the members that are undefined. */
export function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const kept = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]: Exclude<T[K], undefined> };
}
