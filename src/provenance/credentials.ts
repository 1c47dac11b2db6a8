/**
 * What content credentials (C2PA) within a file say, beside what is registered of it.
 *
 * @packageDocumentation
 */
import type { C2paReport } from "./c2pa/types.js";
import type { Finding } from "./findings.js";
import type { Outcome, RecordReport } from "./verify.js";

/** Findings about the credentials of a file. */
export function credentialFindings(c2pa: C2paReport, records: readonly RecordReport[]): Finding[] {
  const findings: Finding[] = [];
  if (c2pa.state === "invalid") {
    const codes = c2pa.problems.map(({ code }) => code).join(", ");
    findings.push({
      level: "warning",
      code: "CREDENTIALS_INVALID",
      message: `its content credentials are broken: ${codes}`,
    });
  } else if (c2pa.state === "valid") {
    const message = "its content credentials are intact, and nobody that you trust vouches for who made them";
    findings.push({ level: "note", code: "CREDENTIALS_UNTRUSTED", message });
  }
  if (c2pa.aiTraining === "refused" && records.some(({ aiTraining }) => aiTraining !== "refused")) {
    const message = "its content credentials refuse AI training, and a record of it does not";
    findings.push({ level: "warning", code: "CREDENTIALS_AI_TRAINING", message });
  }
  return findings;
}

/** The outcome with the credentials in it: broken ones speak against bytes that nobody has registered, too. */
export function withCredentials(outcome: Outcome, findings: readonly Finding[]): Outcome {
  if (outcome === "unknown" && findings.some(({ code }) => code === "CREDENTIALS_INVALID")) return "altered";
  return outcome === "verified" && findings.some(({ level }) => level === "warning") ? "warning" : outcome;
}
