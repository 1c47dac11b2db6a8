/**
 * The options that say what is claimed of data.
 *
 * @packageDocumentation
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { encodeBytes32String, toUtf8Bytes } from "ethers";
import { type Claims, dealIdText, findByPrefix } from "../client/index.js";
import { HoldfastError } from "../errors.js";
import {
  type AiTraining,
  EDGE_KINDS,
  type Edge,
  type EdgeKind,
  RECORD_KINDS,
  type RecordKind,
} from "../protocol/index.js";
import type { ProvenanceBook } from "../provenance/book.js";
import { parseLicense } from "../provenance/rights/index.js";

/** The options that {@link withClaims} gives a command. */
export interface ClaimFlags {
  readonly kind: RecordKind;
  readonly parent?: readonly string[];
  readonly license?: string;
  readonly aiTraining?: AiTraining;
}

/** Gives the ids of what is registered. Reading them all takes a while on an old chain: asked only where it matters. */
export type KnownIds = () => Promise<Iterable<string>>;

/** What a parent is to a record of each kind, where nothing else is said. */
const USUAL_EDGE: Readonly<Record<RecordKind, EdgeKind>> = {
  original: "derivation",
  edited: "revision",
  derived: "derivation",
  generated: "input",
  "trained-on": "training",
  aggregated: "component",
};

const PARENT_HELP = `what it came from: the id of a record or a set, then :${EDGE_KINDS.join(", :")}; may be repeated`;

/** Adds `--kind`, `--parent`, `--license` and `--ai-training` to a command. */
export function withClaims(command: Command): Command {
  const parents = (text: string, before: readonly string[] = []) => [...before, text];
  return command
    .addOption(new Option("--kind <kind>", "how it came about").choices(RECORD_KINDS).default("original"))
    .addOption(new Option("--parent <id[:edge]>", PARENT_HELP).argParser(parents))
    .addOption(new Option("--license <spdx>", "SPDX licence expression: CC-BY-4.0"))
    .addOption(
      new Option("--ai-training <use>", "whether AI may be trained on it; not stated by default").choices([
        "allowed",
        "constrained",
        "refused",
      ] satisfies AiTraining[]),
    );
}

/**
 * What the flags claim.
 *
 * @param known - ids of what is registered, asked for where a parent is named by its first digits
 * @throws HoldfastError `INVALID_LICENSE`, `INVALID_RECORD_ID`, `UNKNOWN_RECORD`, `AMBIGUOUS_RECORD`, `INVALID_EDGE`
 */
export async function claimsFrom(
  { kind, parent = [], license = "", aiTraining = "unstated" }: ClaimFlags,
  known: KnownIds,
): Promise<Required<Pick<Claims, "kind" | "parents" | "license" | "aiTraining">>> {
  parseLicense(license);
  const parents: Edge[] = [];
  for (const text of parent) parents.push(await edgeFrom(text, kind, known));
  return { kind, parents, license, aiTraining };
}

async function edgeFrom(text: string, of: RecordKind, known: KnownIds): Promise<Edge> {
  const [, id = "", edge = USUAL_EDGE[of]] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  const kind = EDGE_KINDS.find((each) => each === edge);
  if (kind !== undefined) return { parent: await recordIdFrom(id, known), kind };
  throw new HoldfastError("INVALID_EDGE", `${edge} is no kind of edge`, `use one of ${EDGE_KINDS.join(", ")}`);
}

/**
 * The id of a record or set that a person named, whole or by its first digits.
 *
 * @throws HoldfastError `INVALID_RECORD_ID`, `UNKNOWN_RECORD`, `AMBIGUOUS_RECORD`
 */
export async function recordIdFrom(text: string, known: KnownIds): Promise<string> {
  return dealIdText(await findByPrefix(text, "record", async () => [...(await known())].map(BigInt)));
}

/** Ids in a book that is read already. */
export function idsIn({ known }: ProvenanceBook): KnownIds {
  return async () => known.keys();
}

/** A topic as people name one: a text of at most 31 bytes, or 32 bytes in hex. */
export function parseTopic(text: string): string {
  if (/^0x[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  if (toUtf8Bytes(text).length <= 31) return encodeBytes32String(text);
  throw new InvalidArgumentError("It has to be a text of at most 31 bytes, or 32 bytes in hex.");
}
