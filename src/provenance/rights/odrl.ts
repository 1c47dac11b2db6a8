/**
 * A record's permitted use as an ODRL policy, for catalogues and crawlers that read those.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import type { AiTraining } from "./use.js";

/** The JSON-LD context of ODRL 2.2: https://www.w3.org/TR/odrl-vocab/ */
const CONTEXT = "http://www.w3.org/ns/odrl.jsonld";
/**
 * The W3C ODRL group's AI vocabulary, a draft, and its action: the only one that means training and nothing else.
 * TDMRep's `http://www.w3.org/ns/tdmrep#mine` is text and data mining as a whole, so a refusal to train would be said too widely.
 */
const AI_PROFILE = "https://w3c.github.io/odrl/ai-vocab/";
const AI_TRAINING = "http://www.w3.org/ns/odrl/2/ai-training";

interface OdrlRule {
  readonly target: string;
  readonly action: string;
  readonly duty?: readonly { readonly action: string }[];
}

/** An ODRL 2.2 Set in JSON-LD, with one rule. */
export interface OdrlPolicy {
  readonly "@context": string;
  readonly "@type": "Set";
  readonly uid: string;
  readonly profile: string;
  readonly permission?: readonly OdrlRule[];
  readonly prohibition?: readonly OdrlRule[];
}

/**
 * The policy that says the same as a record. "constrained" is a permission with the duty to read the conditions first: what
 * they are stands in the record's manifest.
 *
 * @param recordIri - absolute IRI of the record
 * @returns undefined for "unstated": a policy needs a rule, and silence is none
 * @throws HoldfastError `INVALID_IRI`
 * @example
 * odrlPolicy("urn:holdfast:record:0x12", "refused")?.prohibition?.[0]?.target; // "urn:holdfast:record:0x12"
 */
export function odrlPolicy(recordIri: string, use: AiTraining): OdrlPolicy | undefined {
  if (!/^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`]+$/i.test(recordIri)) {
    const message = `${JSON.stringify(recordIri.slice(0, 80))} is no absolute IRI`;
    throw new HoldfastError("INVALID_IRI", message, "name the record by a URN or a URL, without blanks");
  }
  if (use === "unstated") return undefined;
  const uid = `${recordIri}${recordIri.includes("#") ? "-" : "#"}ai-training`;
  const policy = { "@context": CONTEXT, "@type": "Set", uid, profile: AI_PROFILE } as const;
  const rule = { target: recordIri, action: AI_TRAINING };
  if (use === "refused") return { ...policy, prohibition: [rule] };
  return { ...policy, permission: [use === "allowed" ? rule : { ...rule, duty: [{ action: "reviewPolicy" }] }] };
}
