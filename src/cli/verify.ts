/** `holdfast verify`. */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { Chain } from "../chain/chain.js";
import { chainTime } from "../chain/time.js";
import { fetchContent } from "../client/index.js";
import { type FileReport, verifyFile } from "../client/provenance-node.js";
import { HoldfastError } from "../errors.js";
import { ProvenanceBook } from "../provenance/book.js";
import { type Finding, isWarning } from "../provenance/findings.js";
import { type Outcome, type RecordReport, type VerifyOptions, verifyContent } from "../provenance/verify.js";
import { idsIn, recordIdFrom } from "./claims.js";
import { type ChainFlags, chainCommand, printResult, tell, withChain } from "./context.js";
import { withSpools } from "./folders.js";
import { manifestHashOf } from "./manifest.js";
import { printable } from "./printable.js";
import {
  findingLines,
  historyLines,
  holdingLines,
  type KnownReport,
  knownLines,
  knownReport,
  saidLines,
} from "./record-report.js";
import { parseAddress } from "./values.js";

interface VerifyFlags extends ChainFlags {
  readonly record?: string;
  readonly registrant?: readonly string[];
  readonly attester?: readonly string[];
  readonly set?: string;
  readonly proof?: string;
  readonly trust?: string;
  readonly manifest?: string;
}

/** What `holdfast verify --json` prints. */
export interface VerifiedReport {
  readonly outcome: Outcome;
  /** Absolute path of the file, or the CID. */
  readonly subject: string;
  /** The node that served the bytes of a CID. */
  readonly url?: string;
  readonly sha256: string;
  readonly bytes: bigint;
  readonly pieceId: string;
  /** What it was said to be of, and is not: a record, or a set. */
  readonly against?: KnownReport;
  /** Everybody's records of these bytes. */
  readonly records: readonly (KnownReport &
    Omit<RecordReport, "known" | "history" | "registeredAt" | "aiTraining"> & {
      /** Permitted use with all that its sources refuse. */
      readonly effectiveAiTraining: string;
      readonly sources: readonly { readonly id: string; readonly depth: number; readonly state: string }[];
    })[];
  readonly moreRecords: number;
  /** Records of these bytes that do not count, by `--record` or `--registrant`. */
  readonly otherRecords: number;
  readonly credentials?: FileReport["credentials"];
  /** About the bytes, whatever the record. */
  readonly findings: readonly Finding[];
}

/** Exit statuses: what a script that asks wants to know. */
const STATUS: Readonly<Record<Outcome, number>> = { verified: 0, warning: 2, altered: 1, unknown: 1 };
const HEADLINES: Readonly<Record<Outcome, string>> = {
  verified: "VERIFIED: these are the bytes that the record is about, and nothing speaks against it",
  warning: "VERIFIED, WITH A WARNING: these are the bytes that the record is about, but read on",
  altered: "ALTERED: these are not the bytes of the record that they were held against",
  unknown: "UNKNOWN: nobody has registered these bytes",
};

const HELP = `
What a file should be, where it was altered, is known from --record, from the note FILE.provenance.json beside it, from the
set file and manifest of a folder that it is in, or from content credentials (C2PA) within it.

Exit status: 0 verified, 1 altered, unknown or failed, 2 verified with a warning.`;

/**
 * `holdfast verify FILE|CID [--record ID] [--registrant A] [--attester A] [--set F] [--proof F] [--manifest F]
 * [--trust PEM]`.
 */
export function verifyCommand(): Command {
  const addresses = (text: string, before: readonly string[] = []) => [...before, parseAddress(text)];
  return chainCommand("verify")
    .description("hold a file, or what a CID names, against everything that was registered of it")
    .argument("<file|cid>", "the file; or a CID, whose bytes are fetched from whoever holds them")
    .option("--record <id>", "only this record counts; a file that is not of it is altered")
    .addOption(
      new Option("--registrant <address>", "only records of this account; may be repeated").argParser(addresses),
    )
    .addOption(
      new Option("--attester <address>", "only disputes of this account; may be repeated").argParser(addresses),
    )
    .option("--set <file>", "the set file of a folder that it is in; the one beside such a folder by default")
    .addOption(new Option("--proof <file>", "the file's proof that it is in a set").conflicts("set"))
    .option("--manifest <file>", "the manifest whose hash its record has to name")
    .option("--trust <pem>", "certificates that signers of content credentials (C2PA) have to lead to")
    .addHelpText("after", HELP)
    .action((subject: string, flags: VerifyFlags) =>
      withChain(flags, async (chain) => {
        const report = await verifySubject(chain, subject, flags);
        printResult(flags, jsonOf(subject, report), () => linesOf(subject, report));
        process.exitCode = STATUS[report.outcome];
      }),
    );
}

type Verified = FileReport & { readonly url?: string };

async function verifySubject(chain: Chain, subject: string, flags: VerifyFlags): Promise<Verified> {
  const book = await ProvenanceBook.open(chain);
  const options = await optionsFrom(chain, book, flags);
  if (await exists(subject)) {
    const trustAnchors = flags.trust === undefined ? undefined : await readAnchors(flags.trust);
    return verifyFile(chain, book, subject, {
      ...options,
      ...(flags.set !== undefined && { set: flags.set }),
      ...(flags.proof !== undefined && { proof: flags.proof }),
      ...(trustAnchors !== undefined && { trustAnchors }),
    });
  }
  tell("there is no such file: fetching what it names as a CID from whoever holds it");
  const { content, url, records, checked, folder } = await withSpools((makeSpool) =>
    fetchContent(chain, book, subject, { makeSpool }),
  );
  // Bytes under a CID that a record names, and not the record's: it was never about them.
  const against = options.against ?? records[0]?.id;
  const report = await verifyContent(chain, book, content, {
    ...options,
    ...(against !== undefined && { against }),
    ...(folder !== undefined && { folder }),
  });
  if (checked) return { ...report, url, credentials: undefined };
  const message = "a record says that these bytes are what the CID names; that was not checked, and anybody can say so";
  const findings = [...report.findings, { level: "warning", code: "CID_UNCHECKED", message } as const];
  const outcome = report.outcome === "verified" ? "warning" : report.outcome;
  return { ...report, outcome, findings, url, credentials: undefined };
}

async function optionsFrom(
  { provider }: Chain,
  book: ProvenanceBook,
  { record, registrant, attester, manifest }: VerifyFlags,
): Promise<VerifyOptions> {
  const id = record === undefined ? undefined : await recordIdFrom(record, idsIn(book));
  if (id !== undefined && !book.known.has(id)) {
    throw new HoldfastError("UNKNOWN_RECORD", `there is no record ${id} here`, "check the id, and the chain");
  }
  // That a file is not of a record shows that it was altered; that it is in no set that is at hand shows nothing.
  const isRecord = id !== undefined && book.known.get(id)?.form === "record";
  return {
    now: await chainTime(provider),
    ...(id !== undefined && { only: [id] }),
    ...(isRecord && { against: id }),
    ...(registrant !== undefined && { registrants: registrant }),
    ...(attester !== undefined && { attesters: attester }),
    ...(manifest !== undefined && { manifest: await manifestHashOf(manifest) }),
  };
}

function jsonOf(subject: string, report: Verified): VerifiedReport {
  const { outcome, content, against, records, more, others, credentials, findings, url } = report;
  return {
    outcome,
    subject: url === undefined ? resolve(subject) : subject,
    ...(url === undefined ? {} : { url }),
    sha256: content.contentHash.slice(2),
    bytes: content.size,
    pieceId: content.pieceId,
    ...(against === undefined ? {} : { against: knownReport(against, 0) }),
    records: records.map(({ known, registeredAt, history, aiTraining, ...rest }) => ({
      ...knownReport(known, registeredAt),
      ...rest,
      effectiveAiTraining: aiTraining,
      sources: history.slice(1).map(({ id, depth, state }) => ({ id, depth, state })),
    })),
    moreRecords: more,
    otherRecords: others,
    ...(credentials === undefined ? {} : { credentials }),
    findings,
  };
}

function linesOf(subject: string, report: Verified): string[] {
  const { content, against, records, more, others, credentials, findings, url } = report;
  const claimants = new Set(records.map(({ known }) => known.registrant)).size;
  return [
    `${printable(subject)}`,
    headline(report),
    "",
    `sha-256     ${content.contentHash.slice(2)}`,
    `size        ${content.size} bytes`,
    ...(url === undefined ? [] : [`served by   ${url}, and hashed here`]),
    ...(credentials === undefined ? [] : credentialLines(credentials)),
    ...findingLines(findings),
    ...(against === undefined ? [] : againstLines(against)),
    ...records.flatMap(recordLines),
    ...(more > 0
      ? ["", `There are ${more} more records of these bytes: name the ones to believe with --registrant.`]
      : []),
    ...(others > 0 ? ["", `There are ${others} other records of these bytes, of which none counts here.`] : []),
    ...(claimants > 1 ? ["", `${claimants} accounts claim these bytes. To be the first proves nothing.`] : []),
  ];
}

function headline({ outcome, against, others }: Verified): string {
  if (outcome === "altered" && against === undefined) {
    return "ALTERED: its own content credentials say that it was changed since they were made";
  }
  return outcome === "unknown" && others > 0
    ? "UNKNOWN: no record that counts here is of these bytes"
    : HEADLINES[outcome];
}

function credentialLines({
  state,
  signer,
  claimGenerators,
  aiTraining,
}: NonNullable<FileReport["credentials"]>): string[] {
  const by = signer.commonName ?? signer.organisation ?? "somebody unnamed";
  const made = claimGenerators.length === 0 ? "" : `, with ${printable(claimGenerators.join(", "))}`;
  const use = aiTraining === undefined ? "" : `; AI training ${aiTraining}`;
  return [`credentials ${state}: signed by ${printable(by)}${made}${use}`];
}

function againstLines(known: VerifyReportAgainst): string[] {
  const what = known.form === "set" ? "set" : "record";
  const expected =
    known.form === "record"
      ? [`it has      sha-256 ${known.record.contentHash.slice(2)}, ${known.record.size} bytes`]
      : [];
  return ["", `Held against ${what} ${known.id}`, ...expected, `claimed by  ${known.registrant}`];
}

type VerifyReportAgainst = NonNullable<Verified["against"]>;

function recordLines({ known, registeredAt, said, history, aiTraining, holdings, findings }: RecordReport): string[] {
  const own = known.record.aiTraining;
  return [
    "",
    `Record ${known.id}`,
    ...knownLines(known, registeredAt),
    ...(aiTraining === own
      ? []
      : [`            with its sources: ${aiTraining === "unstated" ? "not stated" : aiTraining}`]),
    ...historyLines(history),
    ...saidLines(said),
    ...holdingLines(holdings),
    ...findingLines([...findings].sort((a, b) => Number(isWarning(b)) - Number(isWarning(a)))),
  ];
}

async function readAnchors(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause) => {
    throw new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, "name a file of PEM certificates", { cause });
  });
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
