/**
 * What speaks against a record, or should be known of it, in sentences for a person.
 *
 * @packageDocumentation
 */
import { NO_HASH, rawCidOf } from "../protocol/index.js";
import type { Content } from "./content.js";
import type { Holding } from "./evidence.js";
import type { FolderInCar } from "./folder-in-car.js";
import type { Known, KnownRecord } from "./known.js";
import type { Lineage, LineageNode } from "./lineage/graph.js";
import type { RightsReport } from "./rights/index.js";

/** `warning`: it speaks against relying on the record. `note`: it is good to know. */
export interface Finding {
  readonly level: "warning" | "note";
  /** Stable name of the condition. */
  readonly code: string;
  readonly message: string;
}

/** What was found out about bytes besides their hashes, for what a record may name. */
export interface Shown {
  /** Folder that the bytes are as a CAR, each block of it hashed. */
  readonly folder?: FolderInCar;
  /** SHA-256 of manifests that were found with the bytes, 32 bytes in hex. */
  readonly manifests?: readonly string[];
  /** SHA-256 of the manifest that is said to be theirs: a record's may be no other. */
  readonly manifest?: string;
}

export interface Examined extends Shown {
  readonly record: KnownRecord;
  readonly content: Content;
  readonly lineage: Lineage;
  readonly rights: RightsReport;
  readonly holdings: readonly Holding[];
}

/** How CIDs begin that are computed from the bytes alone: version 1, raw, sha2-256. */
const RAW_CID = rawCidOf("0x");

/** Findings of one kind that are told one by one. */
const MOST_OF_A_KIND = 8;

export function isWarning({ level }: Pick<Finding, "level">): boolean {
  return level === "warning";
}

/** Warnings first. */
export function findingsOf(examined: Examined): Finding[] {
  const found = [
    ...ownState(examined),
    ...capped(ancestorStates(examined)),
    ...capped(licences(examined)),
    ...capped(permittedUse(examined)),
    ...storage(examined),
    ...container(examined),
    ...names(examined),
    ...manifests(examined),
  ];
  return [...found.filter(isWarning), ...found.filter((finding) => !isWarning(finding))];
}

/**
 * What should be known of bytes, whatever their records.
 *
 * @param records - how many of them were looked into
 * @param more - how many were not
 * @param against - what the bytes were said to be of, and are not
 */
export function contentFindings(records: number, more: number, against: Known | undefined): Finding[] {
  const findings: Finding[] = [];
  if (records > 0 && against !== undefined) {
    const message = `they were said to be of ${against.form} ${shortId(against.id)}, and are others`;
    findings.push(warning("OTHER_BYTES", message));
  }
  if (more > 0) findings.push(warning("MORE_RECORDS", `${more} more records of these bytes were not looked into`));
  return findings;
}

function ownState({ record, lineage }: Examined): Finding[] {
  const self = lineage.nodes.find(({ relation }) => relation === "self");
  const findings: Finding[] = [];
  if (record.withdrawn !== undefined) {
    findings.push(warning("WITHDRAWN", `its registrant has withdrawn it${because(record.withdrawn)}`));
  }
  if (record.supersededBy !== undefined) {
    findings.push(warning("SUPERSEDED", `its registrant has put ${shortId(record.supersededBy)} in its place`));
  }
  if (self?.state === "disputed") findings.push(warning("DISPUTED", "somebody disputes it: see what others say"));
  return findings;
}

/** Of each ancestor, and of the set that it was anchored in. */
function ancestorStates({ lineage }: Examined): Finding[] {
  return lineage.nodes
    .filter(({ relation }) => relation === "ancestor")
    .flatMap((node) => {
      const { id, state, known } = node;
      const what = nameOf(node);
      if (state === "withdrawn") {
        return [
          warning("ANCESTOR_WITHDRAWN", `${what} ${shortId(id)} was withdrawn${because(known?.withdrawn ?? "")}`),
        ];
      }
      if (state === "disputed") return [warning("ANCESTOR_DISPUTED", `${what} ${shortId(id)} is disputed`)];
      if (state === "superseded") return [note("ANCESTOR_SUPERSEDED", `there is a newer ${what} than ${shortId(id)}`)];
      if (state === "unknown") return [note("ANCESTOR_UNKNOWN", `${what} ${shortId(id)} could not be read`)];
      return [];
    });
}

function nameOf({ known, depth }: LineageNode): string {
  if (known?.form === "set") return "set";
  return depth === 1 ? "source" : "earlier source";
}

function licences({ rights }: Examined): Finding[] {
  return rights.conflicts.map(({ severity, reason, child, parent }) =>
    severity === "conflict"
      ? warning("LICENSE_CONFLICT", `${reason} (${shortId(parent)} → ${shortId(child)})`)
      : note("LICENSE_UNCLEAR", `${reason} (${shortId(parent)} → ${shortId(child)})`),
  );
}

function permittedUse({ rights }: Examined): Finding[] {
  return rights.warnings.map(({ level, message, ancestor }) => {
    const code = level === "warning" ? "AI_TRAINING" : "AI_TRAINING_UNCLEAR";
    return { level, code, message: `${message} (${shortId(ancestor)})` };
  });
}

function storage({ record: { record }, holdings }: Examined): Finding[] {
  if (holdings.length > 0) return [];
  const nameless = record.pieceId === NO_HASH;
  const why = nameless ? "it names no piece, so no deal can hold it" : "no live deal has proven its piece";
  return [warning("NOT_HELD", `nobody is shown to hold it: ${why}`)];
}

/** What is held is another piece, of which a record says that this is in it. */
function container({ holdings }: Examined): Finding[] {
  const within = holdings.find((holding) => holding.within !== undefined)?.within;
  if (within === undefined || holdings.some((holding) => holding.within === undefined)) return [];
  const message = `what is held is ${shortId(within)}: that it contains these bytes is its registrant's word`;
  return [note("HELD_WITHIN", message)];
}

/** What else the record says that the bytes are known by. */
function names({ record: { record }, content, folder }: Examined): Finding[] {
  const findings: Finding[] = [];
  if (record.size !== content.size) {
    findings.push(warning("OTHER_SIZE", `it says that they are ${record.size} bytes, and they are ${content.size}`));
  }
  if (record.pieceId !== NO_HASH && record.pieceId !== content.pieceId) {
    findings.push(warning("OTHER_PIECE", "the piece that it names is not these bytes"));
  }
  return [...findings, ...cids(record.cid, content, folder)];
}

function cids(cid: string, { contentHash }: Content, folder: FolderInCar | undefined): Finding[] {
  if (cid === "0x" || cid === rawCidOf(contentHash)) return [];
  if (cid.startsWith(RAW_CID)) return [warning("OTHER_CID", "the CID that it names is not that of these bytes")];
  if (folder === undefined) {
    return [note("CID_UNCHECKED", "the CID that it names depends on how the bytes were split: not computed")];
  }
  if (folder.cid !== cid)
    return [warning("OTHER_CID", "the CID that it names is not that of the folder in these bytes")];
  if (folder.fault === undefined) return [];
  return [warning("FOLDER_BROKEN", `the folder that it names is not whole in these bytes: ${folder.fault}`)];
}

function manifests({ record: { record }, manifests: found = [], manifest }: Examined): Finding[] {
  const { manifestHash } = record;
  if (manifestHash === (manifest ?? NO_HASH)) return [];
  if (manifest !== undefined) return [warning("OTHER_MANIFEST", "its manifest is not the one at hand")];
  if (found.includes(manifestHash)) return [];
  return [note("MANIFEST_UNCHECKED", "its manifest is not at hand, and was not hashed")];
}

/** Nobody reads thousands, and anybody can cause them: of each kind the first, so that none hides another. */
function capped(findings: readonly Finding[]): Finding[] {
  return [...new Set(findings.map(({ code }) => code))].flatMap((code) => {
    const same = findings.filter((finding) => finding.code === code);
    const more = same.length - MOST_OF_A_KIND;
    if (more <= 0) return same;
    const level = same.some(isWarning) ? "warning" : "note";
    return [...same.slice(0, MOST_OF_A_KIND), { level, code, message: `and ${more} more of this kind` }];
  });
}

/** The beginning of an id, as people compare it. */
export function shortId(id: string): string {
  return id.slice(0, 10);
}

const because = (reason: string) => (reason === "" ? "" : `: ${reason}`);
const warning = (code: string, message: string): Finding => ({ level: "warning", code, message });
const note = (code: string, message: string): Finding => ({ level: "note", code, message });
