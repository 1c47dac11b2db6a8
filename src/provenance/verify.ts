/**
 * Verifying: bytes beside everything that is claimed of them, and what the chain has seen.
 *
 * @packageDocumentation
 */
import { chainError } from "../chain/errors.js";
import type { AiTraining, Edge } from "../protocol/index.js";
import type { ProvenanceBook, ProvenanceReader } from "./book.js";
import type { Content } from "./content.js";
import { type Holding, holdingsOf } from "./evidence.js";
import { type Finding, findingsOf, isWarning } from "./findings.js";
import { counts, type Known, type KnownRecord, type Said } from "./known.js";
import { type Lineage, type LineageNode, lineageOf } from "./lineage/index.js";
import { checkRights, type RightsNode, type RightsReport } from "./rights/index.js";
import type { Membership, SetHead } from "./sets/index.js";

/**
 * What came of it. `verified`: these are the bytes of a record, and nothing speaks against it. `warning`: they are, and
 * something does. `altered`: they are not the bytes of the record that they were held against. `unknown`: nobody has
 * registered such bytes.
 */
export type Outcome = "verified" | "warning" | "altered" | "unknown";

/** A record of the bytes, with all that bears on it. */
export interface RecordReport {
  readonly known: KnownRecord;
  /** Unix seconds. */
  readonly registeredAt: number;
  /** What others say of it that counts now. */
  readonly said: readonly Said[];
  /** The record itself first, then what it came from, the nearest first. */
  readonly history: readonly LineageNode[];
  /** Permitted use with all that ancestors refuse. */
  readonly aiTraining: AiTraining;
  /** The deals that hold its piece. */
  readonly holdings: readonly Holding[];
  readonly findings: readonly Finding[];
}

export interface VerifyReport {
  readonly outcome: Outcome;
  readonly content: Content;
  /** Everybody's records of these bytes, oldest first: to be the first proves nothing. */
  readonly records: readonly RecordReport[];
  /** Records of these bytes beyond {@link MAX_RECORDS}. */
  readonly more: number;
  /** Where altered: the record that they were held against. */
  readonly against: Known | undefined;
}

export interface VerifyOptions {
  /** Only these records count, by id; all of the bytes' by default. */
  readonly only?: readonly string[];
  /** Only the records of these accounts count. */
  readonly registrants?: readonly string[];
  /** Whose disputes count; anybody's by default. */
  readonly attesters?: readonly string[];
  /** A record of the bytes that is anchored in a set and not registered by itself. */
  readonly member?: { readonly membership: Membership; readonly head: SetHead };
  /** What the bytes are said to be of: held against it where no record fits. */
  readonly against?: string;
  /** Unix seconds for what expires. */
  readonly now: bigint;
}

/** Records that are looked into; anybody can register more of the same bytes. */
export const MAX_RECORDS = 32;

/**
 * Holds bytes against everything that a registry knows.
 *
 * @param content - computed from the bytes, not taken from anybody's word
 * @throws ChainError where the chain can't be asked
 * @example
 * const report = await verifyContent(chain, await ProvenanceBook.open(chain), await contentOf(blob), { now });
 */
export async function verifyContent(
  reader: ProvenanceReader,
  book: ProvenanceBook,
  content: Content,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const known = withMember(book.known, content, options.member);
  const all = [...known.values()].filter((each) => isOf(each, content, options)) as KnownRecord[];
  const records: RecordReport[] = [];
  for (const record of all.slice(0, MAX_RECORDS)) {
    records.push(await examine(reader, known, record, content, options));
  }
  const against = records.length === 0 && options.against !== undefined ? known.get(options.against) : undefined;
  return { outcome: outcomeOf(records, against), content, records, more: all.length - records.length, against };
}

/**
 * Any record's warning is the bytes': of several claims nobody but the reader can tell the right one, and names it with
 * `only` or `registrants`.
 */
function outcomeOf(records: readonly RecordReport[], against: Known | undefined): Outcome {
  if (records.length > 0) return records.some(({ findings }) => findings.some(isWarning)) ? "warning" : "verified";
  return against === undefined ? "unknown" : "altered";
}

function isOf(known: Known, content: Content, { only, registrants }: VerifyOptions): boolean {
  if (known.form !== "record") return false;
  const { contentHash, size } = known.record;
  // A record with the right hash and another size claims something impossible.
  if (contentHash !== content.contentHash || size !== content.size) return false;
  const named = (list: readonly string[] | undefined, value: string) =>
    list === undefined || list.some((each) => each.toLowerCase() === value.toLowerCase());
  return named(only, known.id) && named(registrants, known.registrant);
}

/** What is known, and the record that a set's proof shows, as of its set. */
function withMember(
  known: ReadonlyMap<string, Known>,
  { contentHash }: Content,
  member: VerifyOptions["member"],
): ReadonlyMap<string, Known> {
  if (member === undefined) return known;
  const { membership, head } = member;
  const { id, record } = membership;
  const set = known.get(head.id);
  if (known.has(id) || set?.form !== "set" || record.contentHash !== contentHash) return known;
  const { registrant, block } = set;
  return new Map([
    ...known,
    [id, { form: "record", id, registrant, block, record, anchoredIn: head.id, said: [], deals: [] }],
  ]);
}

async function examine(
  reader: ProvenanceReader,
  known: ReadonlyMap<string, Known>,
  record: KnownRecord,
  content: Content,
  { now, attesters }: VerifyOptions,
): Promise<RecordReport> {
  const lineage = lineageOf(known, record.id, now, attesters === undefined ? {} : { attesters });
  const rights = rightsOf(known, record.id);
  const holdings = await holdingsOf(reader, record.id, record.record.pieceId);
  const findings = findingsOf({ record, content, lineage, rights, holdings });
  const registeredAt = await timeOf(reader, known, record);
  const said = record.said.filter((each) => counts(each, now));
  const { effectiveAiTraining: aiTraining } = rights;
  return { known: record, registeredAt, said, history: historyOf(lineage), aiTraining, holdings, findings };
}

function historyOf({ nodes }: Lineage): LineageNode[] {
  return nodes.filter(({ relation }) => relation !== "descendant");
}

/** Licences and permitted use along a record's ancestry. */
export function rightsOf(known: ReadonlyMap<string, Known>, id: string): RightsReport {
  const nodes = new Map<string, RightsNode>();
  const waiting = [id];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const found = known.get(next);
    if (found === undefined || nodes.has(next)) continue;
    const node = rightsNode(found);
    nodes.set(next, node);
    waiting.push(...node.parents.map((parent) => parent.id));
  }
  return checkRights(nodes, id);
}

function rightsNode(known: Known): RightsNode {
  const { id, registrant } = known;
  if (known.form === "set") {
    const { license, aiTraining } = known.set;
    return { id, license, aiTraining, kind: "aggregated", parents: [], registrant };
  }
  const { license, aiTraining, kind, parents } = known.record;
  const edges = parents.map(({ parent, kind: edge }: Edge) => ({ id: parent, edge }));
  return { id, license, aiTraining, kind, parents: edges, registrant };
}

/** A record that is only in a set is as old as the set. */
async function timeOf(
  { contracts: { provenance } }: ProvenanceReader,
  known: ReadonlyMap<string, Known>,
  { id, anchoredIn }: KnownRecord,
): Promise<number> {
  try {
    const { registeredAt } = await provenance.stateOf(id);
    if (registeredAt > 0n || anchoredIn === undefined || !known.has(anchoredIn)) return Number(registeredAt);
    return Number((await provenance.stateOf(anchoredIn)).registeredAt);
  } catch (error) {
    throw chainError(error, "read a record");
  }
}
