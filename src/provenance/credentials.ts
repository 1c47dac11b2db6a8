/**
 * What content credentials (C2PA) within a file say, beside what is registered of it.
 *
 * @packageDocumentation
 */
import type { AiTraining } from "../protocol/index.js";
import type { C2paReport } from "./c2pa/types.js";
import { type Finding, isWarning } from "./findings.js";
import type { Outcome, RecordReport } from "./verify.js";

/** Who says nothing has allowed nothing. */
const ALLOWING: ReadonlySet<AiTraining> = new Set(["allowed", "constrained"]);

/** Whom nobody vouches for may have signed what is intact. */
const UNTRUSTED = "signingCredential.untrusted";
/** Status codes of C2PA for bytes that are not those that were signed; a certificate that has expired is another matter. */
const CHANGED = /(dataHash|bmffHash|boxesHash|collectionHash|multiAssetHash|hashedURI|claimSignature)\.mismatch$/;

/** Findings about the credentials of a file. */
export function credentialFindings(c2pa: C2paReport, records: readonly RecordReport[]): Finding[] {
  const findings: Finding[] = [];
  if (c2pa.state === "invalid") {
    const codes = c2pa.problems.map(({ code }) => code).filter((code) => code !== UNTRUSTED);
    const changed = codes.some((code) => CHANGED.test(code));
    const what = changed ? "say that it was changed since" : "are not in order";
    findings.push({
      level: "warning",
      code: changed ? "CREDENTIALS_ALTERED" : "CREDENTIALS_INVALID",
      message: `its content credentials ${what}: ${codes.join(", ")}`,
    });
  } else if (c2pa.state === "valid") {
    const message = "its content credentials are intact, and nobody that you trust vouches for who made them";
    findings.push({ level: "note", code: "CREDENTIALS_UNTRUSTED", message });
  }
  if (c2pa.aiTraining === "refused" && records.some(({ aiTraining }) => ALLOWING.has(aiTraining))) {
    const message = "its content credentials refuse AI training, and a record of it allows it";
    findings.push({ level: "warning", code: "CREDENTIALS_AI_TRAINING", message });
  }
  return findings;
}

/** The outcome with the credentials in it: where they say that bytes were changed, these need not be registered. */
export function withCredentials(outcome: Outcome, findings: readonly Finding[]): Outcome {
  if (outcome === "unknown" && findings.some(({ code }) => code === "CREDENTIALS_ALTERED")) return "altered";
  return outcome === "verified" && findings.some(isWarning) ? "warning" : outcome;
}
