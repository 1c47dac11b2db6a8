/**
 * Records and sets as the commands print them: for programs, and in sentences for people.
 *
 * @packageDocumentation
 */
import { decodeBytes32String } from "ethers";
import { CID } from "multiformats/cid";
import { dealIdText } from "../client/index.js";
import { NO_HASH } from "../protocol/index.js";
import type { Holding } from "../provenance/evidence.js";
import { type Finding, shortId } from "../provenance/findings.js";
import { claimOf, type Known, type Said } from "../provenance/known.js";
import type { LineageNode } from "../provenance/lineage/index.js";
import { printable } from "./printable.js";

/** Sources that are told one by one; `provenance lineage` shows all. */
const MOST_SOURCES = 20;
/** Statements of others that are told one by one. */
const MOST_SAID = 20;

/** Unix seconds from which on a year has more digits, up to far beyond what a Date can have. */
const YEAR_10000 = 253_402_300_800;

/** A value as JSON has it, but for bigint, which `printResult` writes as decimal strings. */
export interface KnownReport {
  readonly id: string;
  readonly form: "record" | "set";
  readonly registrant: string;
  /** Unix seconds. */
  readonly registeredAt: number;
  readonly kind: string;
  readonly license: string;
  readonly aiTraining: string;
  readonly sha256?: string;
  readonly bytes?: bigint;
  readonly pieceId?: string;
  readonly cid?: string;
  readonly manifestHash?: string;
  readonly parents: readonly { readonly id: string; readonly kind: string }[];
  /** Of a set: how many records are in it. */
  readonly count?: bigint;
  readonly anchoredIn?: string;
  readonly withdrawn?: string;
  readonly supersededBy?: string;
}

/** What is known of a record or a set, for programs. @param registeredAt - Unix seconds */
export function knownReport(known: Known, registeredAt: number): KnownReport {
  const { kind, license, aiTraining, parents } = claimOf(known);
  const { id, form, registrant, withdrawn, supersededBy } = known;
  const manifestHash = known.form === "record" ? known.record.manifestHash : known.set.manifestHash;
  return {
    ...{ id, form, registrant, registeredAt, kind, license, aiTraining },
    ...(known.form === "record" ? contentReport(known) : { count: known.set.count }),
    ...(manifestHash === NO_HASH ? {} : { manifestHash }),
    parents: parents.map(({ parent, kind: edge }) => ({ id: parent, kind: edge })),
    ...(withdrawn === undefined ? {} : { withdrawn }),
    ...(supersededBy === undefined ? {} : { supersededBy }),
  };
}

function contentReport({ record, anchoredIn }: Extract<Known, { form: "record" }>) {
  const { contentHash, size, pieceId, cid } = record;
  return {
    sha256: contentHash.slice(2),
    bytes: size,
    ...(pieceId === NO_HASH ? {} : { pieceId }),
    ...(cid === "0x" ? {} : { cid: cidText(cid) }),
    ...(anchoredIn === undefined ? {} : { anchoredIn }),
  };
}

/** What somebody claims, line by line. */
export function knownLines(known: Known, registeredAt: number): string[] {
  const report = knownReport(known, registeredAt);
  const { license, kind, aiTraining, count, cid, anchoredIn, withdrawn, supersededBy } = report;
  return [
    `claimed by  ${report.registrant} at ${timeText(registeredAt)}`,
    `kind        ${kind}${count === undefined ? "" : `, a set of ${count} records`}`,
    `licence     ${license === "" ? "not stated" : printable(license)}`,
    `AI training ${aiTraining === "unstated" ? "not stated" : aiTraining}`,
    ...(cid === undefined ? [] : [`CID         ${cid}`]),
    ...(report.manifestHash === undefined ? [] : [`manifest    sha-256 ${report.manifestHash.slice(2)}`]),
    ...(anchoredIn === undefined ? [] : [`in set      ${anchoredIn}`]),
    ...(withdrawn === undefined ? [] : [`withdrawn   ${reasonText(withdrawn)}`]),
    ...(supersededBy === undefined ? [] : [`replaced by ${supersededBy}`]),
  ];
}

/** Where it came from, the nearest first. @param history - the record itself first */
export function historyLines([, ...sources]: readonly LineageNode[]): string[] {
  if (sources.length === 0) return ["sources     none named"];
  const lines = sources.slice(0, MOST_SOURCES).map(({ id, claim, known, state, depth }) => {
    const licence = claim?.license ? `, ${printable(claim.license)}` : "";
    const use = claim && claim.aiTraining !== "unstated" ? `, AI training ${claim.aiTraining}` : "";
    const by = known === undefined ? "" : ` by ${known.registrant}`;
    return `${"  ".repeat(Math.min(depth, 8) - 1)}${id} ${claim?.kind ?? "?"}${licence}${use}${by}: ${state}`;
  });
  const more = sources.length - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].map(
    (line, i) => `${i === 0 ? "sources" : ""}`.padEnd(12) + line,
  );
}

/** What others say, disputes first, then the latest. */
export function saidLines(said: readonly Said[]): string[] {
  // Disputes first: any number of statements can be bought to bury one.
  const ordered = [...said].reverse().sort((a, b) => a.verdict.localeCompare(b.verdict));
  const lines = ordered.slice(0, MOST_SAID).map(({ attester, topic, verdict, reason, expires }) => {
    const about = topic === NO_HASH ? "" : ` (${topicText(topic)})`;
    const until = expires === 0n ? "" : `, until ${timeText(Number(expires))}`;
    return `${attester} ${verdict}${about}${until}: ${reasonText(reason)}`;
  });
  const more = said.length - lines.length;
  const all = [...lines, ...(more > 0 ? [`and ${more} more`] : [])];
  return all.map((line, i) => `${i === 0 ? "others say" : ""}`.padEnd(12) + line);
}

/** Who is shown to hold it. */
export function holdingLines(holdings: readonly Holding[]): string[] {
  if (holdings.length === 0) return ["held by     nobody that a live deal shows"];
  return holdings.map(({ provider, url, dealId, lastProvenAt, lastProvenEpoch, within }, i) => {
    const where = url === "" ? "" : ` at ${printable(url)}`;
    const when = lastProvenAt === 0 ? "" : ` ${timeText(lastProvenAt)}`;
    const proof = `last proven${when} (block ${lastProvenEpoch})`;
    const part = within === undefined ? "" : `, within ${shortId(within)}`;
    return `${(i === 0 ? "held by" : "").padEnd(12)}${provider}${where}, ${proof}, deal ${shortId(dealIdText(dealId))}${part}`;
  });
}

/** Warnings and notes. */
export function findingLines(findings: readonly Finding[]): string[] {
  return findings.map(
    ({ level, message }) => `${(level === "warning" ? "WARNING" : "note").padEnd(12)}${printable(message)}`,
  );
}

/** `2026-11-28 17:03:11 UTC`. @param seconds - Unix seconds */
export function timeText(seconds: number): string {
  if (seconds >= YEAR_10000) return `second ${seconds}`;
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A topic as it was written, or in hex where it is no text. */
export function topicText(topic: string): string {
  try {
    return printable(decodeBytes32String(topic));
  } catch {
    return topic;
  }
}

function reasonText(reason: string): string {
  return reason === "" ? "no reason given" : `“${printable(reason)}”`;
}

/** In its usual form, or in hex where it is no CID: nobody checked. */
function cidText(cid: string): string {
  try {
    return CID.decode(Buffer.from(cid.slice(2), "hex")).toString();
  } catch {
    return cid;
  }
}
