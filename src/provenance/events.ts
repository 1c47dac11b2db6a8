/**
 * The registry's events, in words.
 *
 * @packageDocumentation
 */
import type { Log } from "ethers";
import type { ProvenanceRegistry } from "../../typechain-types/index.js";
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

/** @returns the event that a log is; undefined for one that is none of the registry's */
export function provenanceEvent(registry: ProvenanceRegistry, log: Log): ProvenanceEvent | undefined {
  const parsed = registry.interface.parseLog(log);
  if (parsed === null) return undefined;
  const args = parsed.args as unknown as Args;
  const at = { id: (args.id ?? args.subject) as string, block: log.blockNumber };
  switch (parsed.name) {
    case "Registered":
      return { ...at, name: "registered", record: recordFrom(args.record as RecordStruct) };
    case "RegisteredFromSet":
      return { ...at, name: "fromSet", set: args.set as string };
    case "Anchored":
      return { ...at, name: "anchored", set: setFrom(args.anchor as AnchorStruct) };
    case "Withdrawn":
      return { ...at, name: "withdrawn", reason: args.reason as string };
    case "Superseded":
      return { ...at, name: "superseded", by: args.by as string };
    case "Attested":
      return { ...at, name: "attested", said: saidFrom(args, log.blockNumber) };
    case "Revoked": {
      const { attester, topic, reason } = args as Record<string, string>;
      return { ...at, name: "revoked", attester: attester!, topic: topic!, reason: reason! };
    }
    case "Linked":
      return { ...at, name: "linked", dealId: args.dealId as bigint };
    default:
      return undefined;
  }
}

/** A record out of the contract's numbers. */
export function recordFrom(struct: RecordStruct): ProvenanceRecord {
  const { registrant, contentHash, size, pieceId, cid, license, manifestHash } = struct;
  return {
    ...{ registrant, contentHash, size: BigInt(size), pieceId, cid, license, manifestHash },
    parents: [...struct.parents].map(({ parent, kind }) => ({ parent, kind: word(EDGE_KINDS, kind) })),
    kind: word(RECORD_KINDS, struct.kind),
    aiTraining: word(AI_TRAINING, struct.aiTraining),
  };
}

function setFrom({ registrant, root, count, license, aiTraining, manifestHash }: AnchorStruct): AnchoredSet {
  return { registrant, root, count: BigInt(count), license, aiTraining: word(AI_TRAINING, aiTraining), manifestHash };
}

function saidFrom(args: Args, block: number): Omit<Said, "revoked"> {
  const { attester, topic, reason } = args as Record<"attester" | "topic" | "reason", string>;
  const verdict = word(VERDICTS, args.verdict as bigint) as Said["verdict"];
  return { attester, topic, verdict, expires: args.expires as bigint, reason, block };
}

/** The contract refuses numbers that have no word. */
function word<T extends string>(words: readonly T[], number: number | bigint): T {
  return words[Number(number)] as T;
}
