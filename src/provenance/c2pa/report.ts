import { actionsOf, defined, trainingOf } from "./assertions.js";
import { manifestOf, manifestStore, type RawIngredient, type Results, type Status } from "./schema.js";
import { plainText } from "./text.js";
import type { C2paIngredient, C2paProblem, C2paReport, C2paState } from "./types.js";

const UNTRUSTED = "signingCredential.untrusted";
const TRUSTED = "signingCredential.trusted";

/**
 * A report out of what c2pa-rs found.
 *
 * @param json - the manifest store, as `Reader::json` of c2pa-rs gives it
 * @param label - of the active manifest
 * @param mimeType - what the asset is, for manifests that don't say
 * @throws ZodError, SyntaxError where it isn't what c2pa-rs gives
 */
export function reportOf(json: string, label: string, mimeType: string, manifestHash: string): C2paReport {
  const store = manifestStore.parse(JSON.parse(json));
  const manifest = manifestOf(store.manifests[label]);
  const { claim_generator, claim_generator_info: generators, signature_info: signer } = manifest;
  return defined({
    state: store.validation_state.toLowerCase() as C2paState,
    problems: problemsOf(store.validation_results),
    manifestHash,
    label: plainText(label),
    title: manifest.title,
    format: manifest.format ?? mimeType,
    instanceId: manifest.instance_id,
    claimGenerators: generators.length > 0 || !claim_generator ? generators : [claim_generator],
    signer: defined({
      commonName: signer.common_name,
      organisation: signer.issuer,
      algorithm: signer.alg,
      signedAt: signer.time,
    }),
    actions: actionsOf(manifest),
    ingredients: manifest.ingredients.map((raw) => ingredientOf(raw, store.validation_results)),
    aiTraining: trainingOf(manifest),
  }) as C2paReport;
}

function problemsOf({ activeManifest, ingredientDeltas }: Results): C2paProblem[] {
  const below = ingredientDeltas.flatMap(({ validationDeltas }) => validationDeltas.failure);
  return [...activeManifest.failure, ...below].map(defined);
}

function ingredientOf(raw: RawIngredient, results: Results): C2paIngredient {
  const found = raw.active_manifest === undefined ? { problems: [] } : checksOf(raw, results);
  return defined({
    title: raw.title,
    format: raw.format,
    relationship: raw.relationship,
    instanceId: raw.instance_id,
    documentId: raw.document_id,
    hash: raw.hash,
    ...found,
  }) as C2paIngredient;
}

/**
 * The maker recorded what it found when it took the ingredient in, and c2pa-rs gives what it finds otherwise today. Where
 * the two differ on the signer, today's word counts, because trust anchors are whoever reads' own.
 */
function checksOf(raw: RawIngredient, results: Results): { state: C2paState; problems: C2paProblem[] } {
  const recorded = raw.validation_results;
  const today = results.ingredientDeltas
    .filter(({ ingredientAssertionURI: uri }) => uri.endsWith(`/${raw.label}`))
    .map(({ validationDeltas }) => validationDeltas);
  const failures = today.flatMap(({ failure }) => failure);
  const successes = today.flatMap(({ success }) => success);
  const trusted =
    has(successes, TRUSTED) || (has(recorded.activeManifest.success, TRUSTED) && !has(failures, UNTRUSTED));
  const problems = [...problemsOf(recorded), ...failures.map(defined)].filter(
    (it) => !(trusted && it.code === UNTRUSTED),
  );
  if (problems.some(({ code }) => code !== UNTRUSTED)) return { state: "invalid", problems };
  return { state: trusted ? "trusted" : "valid", problems };
}

const has = (statuses: readonly Status[], code: string) => statuses.some((status) => status.code === code);
