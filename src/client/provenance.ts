/**
 * Claiming where data came from, and saying what one thinks of others' claims.
 *
 * @packageDocumentation
 */
import { type ContractTransaction, dataLength, type TypedDataDomain } from "ethers";
import type { Sent } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import {
  type AnchoredSet,
  anchorIdOf,
  anchorStruct,
  type Edge,
  MAX_REASON_BYTES,
  NO_HASH,
  type ProvenanceRecord,
  provenanceDomain,
  type RecordStruct,
  recordIdOf,
  recordPreimage,
  recordStruct,
  sortEdges,
  VERDICTS,
  type Verdict,
} from "../protocol/index.js";
import type { Content } from "../provenance/content.js";
import { parseLicense } from "../provenance/rights/index.js";
import { mapLimited } from "./concurrency.js";
import { ask, type ChainAccess } from "./funds.js";

/** What an account claims of bytes, but for the bytes. */
export interface Claims {
  /** `original` by default. */
  readonly kind?: ProvenanceRecord["kind"];
  /** What they came from, in any order. */
  readonly parents?: readonly Edge[];
  /** SPDX licence expression; not stated by default. */
  readonly license?: string;
  /** Whether AI may be trained on them; not stated by default. */
  readonly aiTraining?: ProvenanceRecord["aiTraining"];
  /** SHA-256 of a manifest, 32 bytes in hex; none by default. */
  readonly manifestHash?: string;
  /** Binary CID that they are also known by, in hex; none by default. */
  readonly cid?: string;
}

/** A record that is registered, by this call or before. */
export interface RegisteredRecord {
  readonly id: string;
  readonly record: ProvenanceRecord;
  /** Whether it was there before: the same claim of the same account. */
  readonly existed: boolean;
}

/** Records in one transaction: some 40,000 gas each. */
const BATCH = 50;
/** Bytes of records in one transaction, encoded: half of Filecoin's 64 KiB. */
const BATCH_BYTES = 32_768;
/** Questions to the node at once. */
const AT_ONCE = 32;
/** How often a call is made anew that found something done meanwhile. */
const TRIES = 5;

/**
 * What an account claims of some bytes, as a record.
 *
 * @param registrant - the account
 * @param content - from `contentOf`; its piece is named in the record
 * @throws HoldfastError `INVALID_LICENSE`, `TOO_MANY_PARENTS`
 */
export function recordOf(
  registrant: string,
  { contentHash, size, pieceId }: Pick<Content, "contentHash" | "size" | "pieceId">,
  { kind = "original", parents = [], license = "", aiTraining = "unstated", manifestHash, cid = "0x" }: Claims = {},
): ProvenanceRecord {
  parseLicense(license);
  const claimed = { kind, license, aiTraining, manifestHash: manifestHash ?? NO_HASH, cid };
  return { registrant, contentHash, size, pieceId, parents: sortEdges(parents), ...claimed };
}

/**
 * Registers a record of the account's own. Where it is registered already, this costs nothing.
 *
 * @throws ChainError where the contract refuses (`UnknownParent`, …) or gas is missing
 * @example
 * const record = recordOf(access.address, await contentOf(blob), { license: "CC-BY-4.0", aiTraining: "refused" });
 * const { id } = await registerRecord(access, record);
 */
export async function registerRecord(access: ChainAccess, record: ProvenanceRecord): Promise<RegisteredRecord> {
  const [registered] = await registerRecords(access, [record]);
  return registered as RegisteredRecord;
}

/**
 * Registers records of the account's own, in order: one may have those before it as parents. Those that are registered
 * already are left out.
 *
 * @throws ChainError as {@link registerRecord}; batches that went before stay registered
 */
export async function registerRecords(
  access: ChainAccess,
  records: readonly ProvenanceRecord[],
): Promise<RegisteredRecord[]> {
  const domain = domainOf(access);
  const named = records.map((record) => ({ id: recordIdOf(domain, record), record }));
  const missing = await unregistered(access, named);
  for (const batch of batchesOf(domain, missing)) await registerBatch(access, batch);
  const ids = new Set(missing.map(({ id }) => id));
  return named.map(({ id, record }) => ({ id, record, existed: !ids.has(id) }));
}

type Named = Pick<RegisteredRecord, "id" | "record">;

/** Each once. */
async function unregistered({ contracts }: ChainAccess, records: readonly Named[]): Promise<Named[]> {
  const unique = [...new Map(records.map((each) => [each.id, each])).values()];
  const states = await mapLimited(unique, AT_ONCE, ({ id }) => ask("read a record", contracts.provenance.stateOf(id)));
  return unique.filter((_, i) => states[i]?.form === 0n);
}

function batchesOf(domain: TypedDataDomain, records: readonly Named[]): Named[][] {
  const batches: Named[][] = [];
  let bytes = 0;
  for (const named of records) {
    const length = dataLength(recordPreimage(domain, named.record));
    const batch = batches.at(-1);
    if (batch !== undefined && batch.length < BATCH && bytes + length <= BATCH_BYTES) {
      batch.push(named);
      bytes += length;
    } else {
      batches.push([named]);
      bytes = length;
    }
  }
  return batches;
}

/** All or none are registered by one transaction: where one was by somebody else meanwhile, the others still have to be. */
async function registerBatch(access: ChainAccess, batch: readonly Named[]): Promise<void> {
  const { provenance } = access.contracts;
  await untilDone(
    batch,
    (records) => unregistered(access, records),
    async (records) => {
      const [first, ...others] = records.map(({ record }) => recordStruct(record)) as [RecordStruct, ...RecordStruct[]];
      if (others.length === 0) return send(access, provenance.register.populateTransaction(first), "register a record");
      const call = provenance.registerMany.populateTransaction([first, ...others]);
      return send(access, call, `register ${records.length} records`);
    },
  );
}

/** Sends one call for many things, and anew for what is left where one of them turned out to be done by somebody else. */
async function untilDone<T>(
  things: readonly T[],
  left: (things: readonly T[]) => Promise<readonly T[]>,
  act: (things: readonly T[]) => Promise<Sent>,
): Promise<void> {
  let rest = things;
  for (let tries = 1; rest.length > 0; tries++) {
    const sent = await act(rest);
    if (sent.status === "mined") return;
    rest = await left(rest);
    if (tries < TRIES || rest.length === 0) continue;
    const message = `somebody else does the same meanwhile: ${sent.revert.text}`;
    throw new HoldfastError("DONE_MEANWHILE", message, "try again when they are done");
  }
}

/**
 * Anchors a set of the account's own records. Where it is anchored already, this costs nothing.
 *
 * @returns the set's id
 */
export async function anchorSet(access: ChainAccess, set: AnchoredSet): Promise<string> {
  const { provenance } = access.contracts;
  const id = anchorIdOf(domainOf(access), set);
  const { form } = await ask("read a set", provenance.stateOf(id));
  if (form !== 0n) return id;
  await access.sender.send(await provenance.anchor.populateTransaction(anchorStruct(set)), "anchor a set");
  return id;
}

/**
 * Names deals by which a record's piece is held. Those that are linked already are left out.
 *
 * @throws ChainError with `revert.name` `NotRegistrant`, `NoPiece`, `PieceMismatch`
 */
export async function linkDeals(
  access: ChainAccess,
  record: ProvenanceRecord,
  dealIds: readonly bigint[],
): Promise<void> {
  const { provenance } = access.contracts;
  const id = recordIdOf(domainOf(access), record);
  const unlinked = async (deals: readonly bigint[]) => {
    const linked = new Set(await linksOf(access, id));
    return deals.filter((dealId) => !linked.has(dealId));
  };
  await untilDone(await unlinked([...new Set(dealIds)]), unlinked, (deals) =>
    send(access, provenance.link.populateTransaction(recordStruct(record), [...deals]), "link a record to its deals"),
  );
}

async function linksOf({ contracts: { provenance } }: ChainAccess, id: string): Promise<bigint[]> {
  const doing = "read a record's links";
  const places = Array.from({ length: Number(await ask(doing, provenance.linkCount(id))) }, (_, i) => i);
  return mapLimited(places, AT_ONCE, (place) => ask(doing, provenance.linkAt(id, place)));
}

/** What is said of somebody else's record or set. */
export interface Statement {
  readonly verdict: Exclude<Verdict, "none">;
  /** 32 bytes in hex: what it is about; the whole by default. */
  readonly topic?: string;
  /** Unix seconds until when it counts; it does not expire by default. */
  readonly expires?: bigint;
  /** At most {@link MAX_REASON_BYTES} bytes. It is public, for good. */
  readonly reason?: string;
}

/** Vouches for a record or a set, or disputes it. @throws HoldfastError `REASON_TOO_LONG`; ChainError `OwnRecord`, … */
export async function attest(access: ChainAccess, subject: string, statement: Statement): Promise<void> {
  const { verdict, topic = NO_HASH, expires = 0n, reason = "" } = statement;
  checkReason(reason);
  const { provenance } = access.contracts;
  const number = VERDICTS.indexOf(verdict);
  await send(access, provenance.attest.populateTransaction(subject, topic, number, expires, reason), "attest");
}

/**
 * Takes back what the account has said on a topic.
 *
 * @returns false where there was nothing to take back
 */
export async function revoke(access: ChainAccess, subject: string, topic = NO_HASH, reason = ""): Promise<boolean> {
  checkReason(reason);
  const call = access.contracts.provenance.revoke.populateTransaction(subject, topic, reason);
  return (await send(access, call, "revoke")).status === "mined";
}

/**
 * Stands by a record or a set of the account's own no longer, for good.
 *
 * @returns false where it was withdrawn before
 */
export async function withdraw(access: ChainAccess, id: string, reason = ""): Promise<boolean> {
  checkReason(reason);
  const call = access.contracts.provenance.withdraw.populateTransaction(id, reason);
  return (await send(access, call, "withdraw a record")).status === "mined";
}

/**
 * Puts a later record or set of the account's own in the place of one. Where it is there already, this does nothing.
 *
 * @throws HoldfastError `ALREADY_SUPERSEDED` where another is in its place: that is for good
 */
export async function supersede(access: ChainAccess, id: string, by: string): Promise<void> {
  const call = access.contracts.provenance.supersede.populateTransaction(id, by);
  const sent = await send(access, call, "supersede a record");
  if (sent.status === "mined") return;
  const other = String(sent.revert.args[1]);
  if (other === by.toLowerCase()) return;
  throw new HoldfastError("ALREADY_SUPERSEDED", `${other} is in its place already`, "supersede that one");
}

async function send({ sender }: ChainAccess, call: Promise<ContractTransaction>, doing: string): Promise<Sent> {
  return sender.send(await ask(doing, call), doing);
}

function domainOf({ deployment: { chainId, provenance } }: ChainAccess) {
  return provenanceDomain(chainId, provenance);
}

function checkReason(reason: string): void {
  const bytes = new TextEncoder().encode(reason).length;
  if (bytes <= MAX_REASON_BYTES) return;
  const message = `a reason has at most ${MAX_REASON_BYTES} bytes, not ${bytes}`;
  throw new HoldfastError("REASON_TOO_LONG", message, "say it shorter, or put it where it can be taken back");
}
