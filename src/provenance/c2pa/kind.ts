import type { RecordKind } from "../../protocol/index.js";
import type { C2paReport } from "./types.js";

/** Sources, by the last part of their URIs, whose content a program made up. */
const GENERATED = ["trainedAlgorithmicMedia", "trainedAlgorithmicData", "algorithmicMedia", "dataDrivenMedia"];

/** Sources that are put together from others. */
const COMPOSITE = ["composite", "compositeCapture", "compositeSynthetic", "compositeWithTrainedAlgorithmicMedia"];

/** Actions that leave the content what it was. */
const KEPT = ["created", "opened", "converted", "transcoded", "repackaged", "published", "edited.metadata", "redacted"];

/**
 * The kind of record that a manifest suggests; whoever registers decides. The first that fits:
 *
 * 1. `generated`: `c2pa.created` from a source that a program made up, such as `trainedAlgorithmicMedia`;
 * 2. `edited`, `derived`: made from a parent, with actions that change content or without;
 * 3. `aggregated`: made from several components, or created as a composite;
 * 4. `derived`: made from any other ingredient;
 * 5. `edited`: changed, from what the manifest doesn't say;
 * 6. `original`: none of these.
 *
 * It takes the manifest at its word, so it means nothing where `state` is `invalid`.
 *
 * @example
 * const report = await readC2pa(photo);
 * const kind = report && kindFromC2pa(report);
 */
export function kindFromC2pa(report: Pick<C2paReport, "actions" | "ingredients">): Exclude<RecordKind, "trained-on"> {
  const { actions, ingredients } = report;
  const created = actions.filter(({ action }) => action === "c2pa.created");
  const from = (sources: readonly string[]) =>
    created.some(({ digitalSourceType: uri = "" }) => sources.includes(uri.split("/").at(-1) as string));
  const changed = actions.some(({ action }) => !KEPT.some((kept) => action === `c2pa.${kept}`));
  if (from(GENERATED)) return "generated";
  if (ingredients.some(({ relationship }) => relationship === "parentOf")) return changed ? "edited" : "derived";
  const components = ingredients.filter(({ relationship }) => relationship === "componentOf");
  if (components.length > 1 || from(COMPOSITE)) return "aggregated";
  if (ingredients.length > 0) return "derived";
  return changed ? "edited" : "original";
}
