/**
 * A lineage in the words of W3C PROV, as JSON (https://www.w3.org/submissions/prov-json/), for tools that know nothing of
 * Holdfast. docs/lineage.md has the table of what becomes what.
 *
 * @packageDocumentation
 */
import { getAddress } from "ethers";
import { NO_HASH } from "../../protocol/index.js";
import { counts, type Known, type Said } from "../known.js";
import type { Lineage, LineageNode } from "./graph.js";
import {
  named,
  type ProvAttributes,
  ProvDocument,
  type ProvJson,
  type ProvValue,
  truth,
  whole,
} from "./prov-document.js";
import type { LineageEdge } from "./walk.js";

export type { ProvJson } from "./prov-document.js";

/** Which registry the records are in: their ids mean nothing without it. */
export interface ProvOptions {
  readonly chainId: number;
  /** Its address. */
  readonly registry: string;
}

/** Of the terms that PROV doesn't have. */
const VOCABULARY = "urn:holdfast:provenance:";

/**
 * Writes a whole lineage as PROV-JSON. Everything in it is what somebody said: entities are what registrants claim,
 * attestations are entities of their own, attributed to whoever made them. PROV's times are left out: what is known is
 * the block.
 *
 * @throws TypeError where an address isn't one
 * @example
 * await writeFile("lineage.prov.json", JSON.stringify(provJson(lineage, { chainId: 314, registry })));
 */
export function provJson(lineage: Lineage, { chainId, registry }: ProvOptions): ProvJson {
  const at = `eip155:${chainId}:${getAddress(registry)}`;
  const document = new ProvDocument({
    holdfast: VOCABULARY,
    record: `${at}/record/`,
    making: `${at}/making/`,
    withdrawal: `${at}/withdrawal/`,
    attestation: `${at}/attestation/`,
    revocation: `${at}/revocation/`,
    account: `did:pkh:eip155:${chainId}:`,
  });
  const collections = collectionsOf(lineage);
  for (const node of lineage.nodes) {
    document.element("entity", recordName(node.id), entityOf(node, collections.has(node.id)));
    if (node.known) addKnown(document, node.known, lineage.now);
  }
  addMakings(document, lineage.edges);
  for (const edge of lineage.edges) addEdge(document, edge);
  return document.toJSON();
}

const recordName = (id: string) => `record:${id}`;
const makingName = (child: string) => `making:${child}`;
const accountName = (address: string) => `account:${getAddress(address)}`;

/** Sets, and whatever contains another. */
function collectionsOf({ nodes, edges }: Lineage): Set<string> {
  const found = new Set(nodes.filter(({ known }) => known?.form === "set").map(({ id }) => id));
  for (const { kind, child, parent } of edges) {
    if (kind === "component") found.add(child);
    if (kind === "member") found.add(parent);
  }
  return found;
}

function entityOf({ id, known, claim, state, tainted, taintedBy }: LineageNode, collection: boolean): ProvAttributes {
  const types: ProvValue[] = collection ? [named("prov:Collection")] : [];
  if (claim && known) types.push(named(known.form === "set" ? "holdfast:set" : `holdfast:${claim.kind}`));
  return {
    ...(types.length > 0 ? { "prov:type": types } : {}),
    "holdfast:recordId": id,
    "holdfast:state": state,
    "holdfast:tainted": truth(tainted),
    ...(tainted ? { "holdfast:taintedBy": taintedBy.map((it) => named(recordName(it))) } : {}),
    ...(known ? claimAttributes(known) : {}),
    ...(known ? { "holdfast:block": whole(known.block) } : {}),
  };
}

function claimAttributes(known: Known): ProvAttributes {
  const { license, aiTraining, manifestHash } = known.form === "set" ? known.set : known.record;
  return {
    ...(known.form === "set"
      ? { "holdfast:root": known.set.root, "holdfast:count": whole(known.set.count) }
      : { "holdfast:sha256": known.record.contentHash, "holdfast:size": whole(known.record.size) }),
    ...(license === "" ? {} : { "holdfast:license": license }),
    "holdfast:aiTraining": aiTraining,
    ...(manifestHash === NO_HASH ? {} : { "holdfast:manifestSha256": manifestHash }),
  };
}

function addKnown(document: ProvDocument, known: Known, now: bigint): void {
  const { id, registrant, withdrawn, supersededBy, said } = known;
  const entity = recordName(id);
  addAttribution(document, entity, registrant);
  if (withdrawn !== undefined) {
    addInvalidation(document, entity, `withdrawal:${id}`, "holdfast:Withdrawal", { by: registrant, reason: withdrawn });
  }
  if (supersededBy !== undefined) {
    // Not a revision: whether its bytes came from the other's is for an edge to say.
    document.element("entity", recordName(supersededBy));
    document.relation("alternateOf", { "prov:alternate1": recordName(supersededBy), "prov:alternate2": entity });
  }
  for (const it of said) addAttestation(document, id, it, now);
}

function addAttestation(document: ProvDocument, subject: string, said: Said, now: bigint): void {
  const { attester, topic, verdict, expires, reason, block, revoked } = said;
  const key = `${subject}-${attester.toLowerCase()}-${topic}`;
  document.element("entity", `attestation:${key}`, {
    "prov:type": [named("holdfast:Attestation")],
    "holdfast:subject": named(recordName(subject)),
    "holdfast:verdict": verdict,
    "holdfast:counts": truth(counts(said, now)),
    ...(topic === NO_HASH ? {} : { "holdfast:topic": topic }),
    ...(reason === "" ? {} : { "holdfast:reason": reason }),
    ...(expires === 0n ? {} : { "holdfast:expires": whole(expires) }),
    "holdfast:block": whole(block),
  });
  addAttribution(document, `attestation:${key}`, attester);
  if (revoked === undefined) return;
  const name = `revocation:${key}`;
  addInvalidation(document, `attestation:${key}`, name, "holdfast:Revocation", { by: attester, reason: revoked });
}

function addAttribution(document: ProvDocument, entity: string, address: string): void {
  document.element("agent", accountName(address), { "holdfast:address": getAddress(address) });
  document.relation("wasAttributedTo", { "prov:entity": entity, "prov:agent": accountName(address) });
}

function addInvalidation(
  document: ProvDocument,
  entity: string,
  activity: string,
  type: string,
  { by, reason }: { readonly by: string; readonly reason: string },
): void {
  const why = reason === "" ? {} : { "holdfast:reason": reason };
  document.element("activity", activity, { "prov:type": [named(type)], ...why });
  document.relation("wasAssociatedWith", { "prov:activity": activity, "prov:agent": accountName(by) });
  document.relation("wasInvalidatedBy", { "prov:entity": entity, "prov:activity": activity });
}

/** The making of something out of inputs: one activity for each child, which used them all. */
function addMakings(document: ProvDocument, edges: readonly LineageEdge[]): void {
  for (const [child, used] of Map.groupBy(edges.filter(isInput), (edge) => edge.child)) {
    const kinds = new Set(used.map(({ kind }) => (kind === "training" ? "holdfast:Training" : "holdfast:Generation")));
    const activity = makingName(child);
    document.element("activity", activity, { "prov:type": [...kinds].map(named) });
    document.relation("wasGeneratedBy", { "prov:entity": recordName(child), "prov:activity": activity });
    for (const parent of new Set(used.map((edge) => edge.parent))) {
      document.relation("used", { "prov:activity": activity, "prov:entity": recordName(parent) });
    }
  }
}

const isInput = ({ kind }: LineageEdge) => kind === "input" || kind === "training";

/** Every edge but membership is a derivation, so that tools that follow nothing else see the whole lineage. */
function addEdge(document: ProvDocument, edge: LineageEdge): void {
  const { child, parent, kind } = edge;
  const [to, from] = [recordName(child), recordName(parent)];
  if (kind === "member") {
    document.relation("hadMember", { "prov:collection": from, "prov:entity": to });
    return;
  }
  if (kind === "component") document.relation("hadMember", { "prov:collection": to, "prov:entity": from });
  document.relation("wasDerivedFrom", {
    "prov:generatedEntity": to,
    "prov:usedEntity": from,
    ...(isInput(edge) ? { "prov:activity": makingName(child) } : {}),
    "prov:type": [named(kind === "revision" ? "prov:Revision" : `holdfast:${kind}`)],
  });
}
