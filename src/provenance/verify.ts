/**
 * Verifying: bytes beside everything that is claimed of them, and what the chain has seen.
 *
 * @packageDocumentation
 */
import { chainError } from "../chain/errors.js";
import type { AiTraining } from "../protocol/index.js";
import type { ProvenanceBook, ProvenanceReader } from "./book.js";
import type { Content } from "./content.js";
import { DealsByPiece, type Holding, holdingsOfKnown } from "./evidence.js";
import { contentFindings, type Finding, findingsOf, isWarning, type Shown } from "./findings.js";
import { claimOf, counts, type Known, type KnownRecord, type Said } from "./known.js";
import { type LineageNode, lineageOf } from "./lineage/graph.js";
import type { ChildrenIndex } from "./lineage/walk.js";
import { checkRights, type RightsNode, type RightsReport } from "./rights/index.js";
import { type Membership, type SetHead, verifyMembership } from "./sets/index.js";

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
  /** The deals that hold its piece, or one that contains it. */
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
  /** Records of these bytes that do not count, by `only` or `registrants`. */
  readonly others: number;
  /** What the bytes were said to be of, and are not: a record, or a set. */
  readonly against: Known | undefined;
  /** About the bytes, whatever the record. */
  readonly findings: readonly Finding[];
}

export interface VerifyOptions extends Shown {
  /** Only these records count, by their id or that of the set that they are in; all of the bytes' by default. */
  readonly only?: readonly string[];
  /** Only the records of these accounts count. */
  readonly registrants?: readonly string[];
  /** Whose disputes count; anybody's by default. */
  readonly attesters?: readonly string[];
  /** A record of the bytes that is anchored in a set and not registered by itself. */
  readonly member?: { readonly membership: Membership; readonly head: SetHead };
  /** Id of the record or the set that the bytes are said to be of; one that is not known says nothing. */
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
  const known = withMember(book.known, options.member);
  const everybodys = recordsOf(book, known, content, options.member);
  const all = everybodys.filter((record) => isNamed(record, options));
  const deals = new DealsByPiece(reader);
  const records: RecordReport[] = [];
  for (const record of all.slice(0, MAX_RECORDS)) {
    records.push(await examine({ reader, known, deals, content, options }, record));
  }
  const said = options.against === undefined ? undefined : known.get(options.against.toLowerCase());
  const against = everybodys.some(({ id, anchoredIn }) => said?.id === id || said?.id === anchoredIn)
    ? undefined
    : said;
  const more = all.length - records.length;
  const findings = contentFindings(records.length, more, against);
  const outcome = outcomeOf([...records.flatMap((record) => record.findings), ...findings], records.length, against);
  return { outcome, content, records, more, others: everybodys.length - all.length, against, findings };
}

/**
 * Any record's warning is the bytes': of several claims nobody but the reader can tell the right one, and names it with
 * `only` or `registrants`.
 */
function outcomeOf(findings: readonly Finding[], records: number, against: Known | undefined): Outcome {
  if (records > 0) return findings.some(isWarning) ? "warning" : "verified";
  return against === undefined ? "unknown" : "altered";
}

/**
 * The records of the bytes: one that is only in a set, for which there is a proof, then the registered ones, oldest first. One
 * of the same hash and another size is among them: what it claims can't be, and is not to be overlooked.
 */
function recordsOf(
  book: ProvenanceBook,
  known: ReadonlyMap<string, Known>,
  { contentHash }: Content,
  member: VerifyOptions["member"],
): readonly KnownRecord[] {
  const registered = book.ofContent(contentHash);
  const id = member?.membership.id;
  const inSet = id === undefined || book.known.has(id) ? undefined : known.get(id);
  if (inSet?.form !== "record" || inSet.record.contentHash !== contentHash) return registered;
  return [inSet, ...registered];
}

function isNamed({ id, registrant, anchoredIn }: KnownRecord, { only, registrants }: VerifyOptions): boolean {
  const names = (list: readonly string[] | undefined, ...values: readonly (string | undefined)[]) =>
    list === undefined || list.some((each) => values.some((value) => value?.toLowerCase() === each.toLowerCase()));
  return names(only, id, anchoredIn) && names(registrants, registrant);
}

/** What is known, and the record that a set's proof shows, as of its set. */
function withMember(known: ReadonlyMap<string, Known>, member: VerifyOptions["member"]): ReadonlyMap<string, Known> {
  if (member === undefined) return known;
  const { membership, head } = member;
  const { id, record } = membership;
  const set = known.get(head.id);
  if (known.has(id) || set?.form !== "set" || !verifyMembership(membership, head)) return known;
  const { registrant, block } = set;
  const shown: KnownRecord = {
    form: "record",
    id,
    registrant,
    block,
    record,
    anchoredIn: head.id,
    said: [],
    deals: [],
  };
  return new Map(known).set(id, shown);
}

interface Examination {
  readonly reader: ProvenanceReader;
  readonly known: ReadonlyMap<string, Known>;
  readonly deals: DealsByPiece;
  readonly content: Content;
  readonly options: VerifyOptions;
}

/** What was made of a record says nothing about it. */
const NO_CHILDREN: ChildrenIndex = new Map();

async function examine(
  { reader, known, deals, content, options }: Examination,
  record: KnownRecord,
): Promise<RecordReport> {
  const { now, attesters } = options;
  const lineage = lineageOf(known, record.id, now, {
    children: NO_CHILDREN,
    ...(attesters !== undefined && { attesters }),
  });
  const rights = rightsOf(known, record.id);
  const holdings = await holdingsOfKnown(reader, known.values(), record, deals);
  const findings = findingsOf({ ...options, record, content, lineage, rights, holdings });
  const registeredAt = await timeOf(reader, known, record);
  const said = record.said.filter((each) => counts(each, now));
  const { effectiveAiTraining: aiTraining } = rights;
  return { known: record, registeredAt, said, history: lineage.nodes, aiTraining, holdings, findings };
}

/** Licences and permitted use along a record's ancestry. */
export function rightsOf(known: ReadonlyMap<string, Known>, id: string): RightsReport {
  const nodes = new Map<string, RightsNode>();
  const waiting = [id];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const found = known.get(next);
    if (found === undefined || nodes.has(next)) continue;
    const node = rightsNode(found, known);
    nodes.set(next, node);
    waiting.push(...node.parents.map((parent) => parent.id));
  }
  return checkRights(nodes, id);
}

/** Where a record is silent, its set speaks for it. */
function rightsNode(it: Known, known: ReadonlyMap<string, Known>): RightsNode {
  const { license, aiTraining, kind, parents } = claimOf(it);
  const found = it.form === "record" && it.anchoredIn !== undefined ? known.get(it.anchoredIn) : undefined;
  const set = found === undefined ? undefined : claimOf(found);
  return {
    id: it.id,
    license: license === "" ? (set?.license ?? "") : license,
    aiTraining: aiTraining === "unstated" ? (set?.aiTraining ?? aiTraining) : aiTraining,
    kind,
    parents: parents.map(({ parent, kind: edge }) => ({ id: parent, edge })),
    registrant: it.registrant,
  };
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
