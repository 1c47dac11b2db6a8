/**
 * Claiming where data came from, and saying what one thinks of others' claims.
 *
 * @packageDocumentation
 */
import type { ContractTransaction } from "ethers";
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
  recordIdOf,
  recordStruct,
  sortEdges,
  VERDICTS,
  type Verdict,
} from "../protocol/index.js";
import type { Content } from "../provenance/content.js";
import { parseLicense } from "../provenance/rights/index.js";
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

/** Records in one transaction: some 40,000 gas each, and half of Filecoin's 64 KiB. */
const BATCH = 50;

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
  const { provenance } = access.contracts;
  const domain = domainOf(access);
  const registered: RegisteredRecord[] = [];
  for (const record of records) {
    const id = recordIdOf(domain, record);
    const { form } = await ask("read a record", provenance.stateOf(id));
    registered.push({ id, record, existed: form !== 0n });
  }
  const missing = registered.filter(({ existed }) => !existed).map(({ record }) => recordStruct(record));
  for (let at = 0; at < missing.length; at += BATCH) {
    const batch = missing.slice(at, at + BATCH);
    const call =
      batch.length === 1
        ? provenance.register.populateTransaction(batch[0]!)
        : provenance.registerMany.populateTransaction(batch);
    await access.sender.send(await call, `register ${batch.length === 1 ? "a record" : `${batch.length} records`}`);
  }
  return registered;
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
  const count = await ask("read a record's links", provenance.linkCount(id));
  const linked = new Set<bigint>();
  for (let i = 0n; i < count; i++) linked.add(await ask("read a record's links", provenance.linkAt(id, i)));
  const missing = dealIds.filter((dealId) => !linked.has(dealId));
  if (missing.length === 0) return;
  const call = await provenance.link.populateTransaction(recordStruct(record), missing);
  await access.sender.send(call, "link a record to its deals");
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

/** Takes back what the account has said on a topic. Where there is nothing to take back, this does nothing. */
export async function revoke(access: ChainAccess, subject: string, topic = NO_HASH, reason = ""): Promise<void> {
  checkReason(reason);
  await send(access, access.contracts.provenance.revoke.populateTransaction(subject, topic, reason), "revoke");
}

/** Stands by a record or a set of the account's own no longer, for good. */
export async function withdraw(access: ChainAccess, id: string, reason = ""): Promise<void> {
  checkReason(reason);
  await send(access, access.contracts.provenance.withdraw.populateTransaction(id, reason), "withdraw a record");
}

/** Puts a later record or set of the account's own in the place of one. */
export async function supersede(access: ChainAccess, id: string, by: string): Promise<void> {
  await send(access, access.contracts.provenance.supersede.populateTransaction(id, by), "supersede a record");
}

async function send({ sender }: ChainAccess, call: Promise<ContractTransaction>, doing: string): Promise<void> {
  await sender.send(await call, doing);
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
