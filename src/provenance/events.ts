/**
 * The registry's events, in words.
 *
 * @packageDocumentation
 */
import { type EventFragment, getBytes, Interface, type JsonFragment, type Log } from "ethers";
import { ProvenanceRegistry__factory } from "../../typechain-types/index.js";
import {
  AI_TRAINING,
  type AnchoredSet,
  type AnchorStruct,
  EDGE_KINDS,
  type ProvenanceRecord,
  RECORD_KINDS,
  type RecordStruct,
  VERDICTS,
} from "../protocol/index.js";
import type { Said } from "./known.js";
import { recordFromData } from "./record-data.js";

/** One event. `id` is the record or set that it is about, `block` the block that it is in. */
export type ProvenanceEvent = { readonly id: string; readonly block: number } & (
  | { readonly name: "registered"; readonly record: ProvenanceRecord }
  | { readonly name: "fromSet"; readonly set: string }
  | { readonly name: "anchored"; readonly set: AnchoredSet }
  | { readonly name: "withdrawn"; readonly reason: string }
  | { readonly name: "superseded"; readonly by: string }
  | { readonly name: "attested"; readonly said: Omit<Said, "revoked"> }
  | { readonly name: "revoked"; readonly attester: string; readonly topic: string; readonly reason: string }
  | { readonly name: "linked"; readonly dealId: bigint }
);

type Args = Record<string, unknown>;
const EVENTS = ProvenanceRegistry__factory.abi.filter(({ type }) => type === "event");
/**
 * The same events with bytes in the place of texts. The contract takes any bytes for a text, and what can't be read of one
 * event would keep everybody from reading the others. Anonymous, as ethers would hash their declaration anew for each log.
 */
const readable = new Interface(
  JSON.parse(
    JSON.stringify(EVENTS).replaceAll('"string"', '"bytes"').replaceAll('"anonymous":false', '"anonymous":true'),
  ) as JsonFragment[],
);
/** By the topic that tells them: worked out once, for the same reason. */
const FRAGMENTS = new Map<string, EventFragment>();
new Interface(EVENTS).forEachEvent(({ name, topicHash }) => {
  FRAGMENTS.set(topicHash, readable.getEvent(name) as EventFragment);
});

/** @returns the event that a log of the registry is; undefined for one that is not known here */
export function provenanceEvent({ topics, data, blockNumber: block }: Log): ProvenanceEvent | undefined {
  const fragment = FRAGMENTS.get(topics[0] ?? "");
  if (!fragment) return undefined;
  if (fragment.name === "Registered") {
    return { id: topics[1] as string, block, name: "registered", record: recordFrom(recordFromData(data)) };
  }
  const args = readable.decodeEventLog(fragment, data, topics.slice(1)) as unknown as Args;
  const at = { id: (args.id ?? args.subject) as string, block };
  switch (fragment.name) {
    case "RegisteredFromSet":
      return { ...at, name: "fromSet", set: args.set as string };
    case "Anchored":
      return { ...at, name: "anchored", set: setFrom(args.anchor as AnchorStruct) };
    case "Withdrawn":
      return { ...at, name: "withdrawn", reason: textFrom(args.reason as string) };
    case "Superseded":
      return { ...at, name: "superseded", by: args.by as string };
    case "Attested":
      return { ...at, name: "attested", said: saidFrom(args, block) };
    case "Revoked": {
      const { attester, topic, reason } = args as Record<"attester" | "topic" | "reason", string>;
      return { ...at, name: "revoked", attester, topic, reason: textFrom(reason) };
    }
    case "Linked":
      return { ...at, name: "linked", dealId: args.dealId as bigint };
    default:
      return undefined;
  }
}

/** A record out of the contract's numbers; its licence is bytes still. */
function recordFrom(struct: RecordStruct): ProvenanceRecord {
  const { registrant, contentHash, size, pieceId, cid } = struct;
  return { registrant, contentHash, size: BigInt(size), pieceId, cid, ...claimsFrom(struct) };
}

function setFrom(struct: AnchorStruct): AnchoredSet {
  const { registrant, root, count } = struct;
  return { registrant, root, count: BigInt(count), ...claimsFrom(struct) };
}

type ClaimStruct = Pick<RecordStruct & AnchorStruct, "parents" | "kind" | "license" | "aiTraining" | "manifestHash">;

/** What records and sets claim alike. */
function claimsFrom({ parents, kind, license, aiTraining, manifestHash }: ClaimStruct) {
  return {
    parents: [...parents].map(({ parent, kind: edge }) => ({ parent, kind: word(EDGE_KINDS, edge) })),
    kind: word(RECORD_KINDS, kind),
    license: textFrom(license),
    aiTraining: word(AI_TRAINING, aiTraining),
    manifestHash,
  };
}

function saidFrom(args: Args, block: number): Omit<Said, "revoked"> {
  const { attester, topic, reason } = args as Record<"attester" | "topic" | "reason", string>;
  const verdict = word(VERDICTS, args.verdict as bigint) as Said["verdict"];
  return { attester, topic, verdict, expires: args.expires as bigint, reason: textFrom(reason), block };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What is no UTF-8 has replacement characters where it is not. */
function textFrom(bytes: string): string {
  return decoder.decode(getBytes(bytes));
}

/** The contract refuses numbers that have no word. */
function word<T extends string>(words: readonly T[], number: number | bigint): T {
  return words[Number(number)] as T;
}
