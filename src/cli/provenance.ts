/** The commands that claim where data came from, and say what one thinks of others' claims. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { fileBlob } from "../client/file-node.js";
import { hashFile } from "../client/hash-folder-node.js";
import {
  attest,
  type Claims,
  dealIdFrom,
  dealIdText,
  linkDeals,
  recordOf,
  registerRecord,
  revoke,
  supersede,
  withdraw,
} from "../client/index.js";
import { anchorFolder, readCredentials, writeNote } from "../client/provenance-node.js";
import { HoldfastError } from "../errors.js";
import { ProvenanceBook } from "../provenance/book.js";
import { type C2paReport, kindFromC2pa } from "../provenance/c2pa/index.js";
import { contentOf } from "../provenance/content.js";
import { type ClaimFlags, claimsFrom, idsIn, parseTopic, recordIdFrom, withClaims } from "./claims.js";
import { type ChainFlags, chainCommand, printResult, type Session, tell, withClient } from "./context.js";
import { isFolder } from "./folders.js";
import { printable } from "./printable.js";

interface RegisterFlags extends ChainFlags, ClaimFlags {
  readonly manifest?: string;
  readonly note: boolean;
  readonly deal?: readonly string[];
  readonly name?: string;
  readonly description?: string;
  readonly url?: string;
  readonly creator?: string;
  readonly published?: string;
  readonly skipLinks?: boolean;
}

/** What `holdfast provenance register --json` prints of a file. */
export interface RegisterReport {
  /** Of the record. */
  readonly id: string;
  readonly sha256: string;
  readonly bytes: bigint;
  /** Whether it was registered before. */
  readonly existed: boolean;
  /** The note beside the file, where one was written. */
  readonly note?: string;
}

/** What `holdfast provenance register --json` prints of a folder. */
export interface AnchorReport {
  /** Of the set. */
  readonly id: string;
  readonly files: number;
  /** Records in the set: one for each different content. */
  readonly records: number;
  /** Paths of the manifest and of the set file. */
  readonly manifest: string;
  readonly set: string;
}

const ID_HELP = "id of the record or set, or its first digits where they name one";
const REASON_HELP = "why; it is public, for good: no personal data";
/** Files between two lines that say how far hashing has got. */
const TELL_EVERY = 10_000;

/** `holdfast provenance register FILE|DIR [--kind …] [--parent …] [--license …] [--ai-training …]`. */
export function registerCommand(): Command {
  return withClaims(chainCommand("register"))
    .description("claim where a file, or each file of a folder, came from and what may be done with it")
    .argument("<path>", "the file, or the folder: its files are anchored as one set, by one transaction")
    .option("--manifest <file>", "a manifest (Croissant, C2PA, PROV) whose hash goes into the record of a file")
    .option("--deal <id...>", "deals of yours by which the file is held, linked to its record")
    .option("--no-note", "do not note the record's id beside the file, where `verify` finds it")
    .option("--name <text>", "name of the data set in a folder's manifest; the folder's by default")
    .option("--description <text>", "its description")
    .option("--url <url>", "its page")
    .option("--creator <name>", "who made it; the account by default")
    .option("--published <date>", "when it was published, as 2026-01-31; today by default")
    .option("--skip-links", "leave symbolic links in a folder out, where they would be an error")
    .action((path: string, flags: RegisterFlags) =>
      withClient(flags, async (session) => {
        const book = await ProvenanceBook.open(session.chain);
        const claims = await claimsFrom(flags, idsIn(book));
        if (await isFolder(path)) {
          printResult(flags, await registerFolder(session, path, claims, flags), anchorLines);
        } else {
          printResult(flags, await registerFile(session, path, claims, flags), registerLines);
        }
      }),
    );
}

async function registerFile(
  { access, chain }: Session,
  path: string,
  claims: Claims,
  flags: RegisterFlags,
): Promise<RegisterReport> {
  const blob = await fileBlob(path);
  const credentials = await readCredentials(blob);
  if (credentials !== undefined) tellCredentials(credentials);
  const deals: bigint[] = [];
  for (const deal of flags.deal ?? []) deals.push(await dealIdFrom(chain, deal));
  const content = await contentOf(blob);
  const record = recordOf(access.address, content, { ...claims, ...(await manifestOf(flags, credentials)) });
  const { id, existed } = await registerRecord(access, record);
  if (deals.length > 0) await linkDeals(access, record, deals);
  const { chainId, provenance: registry } = chain.deployment;
  const note = flags.note ? await writeNote(path, { chainId, registry }, id) : undefined;
  return { id, sha256: content.contentHash, bytes: content.size, existed, ...(note !== undefined && { note }) };
}

/** The manifest that is named, or else the one within the file. */
async function manifestOf({ manifest }: RegisterFlags, credentials: C2paReport | undefined): Promise<Claims> {
  if (manifest !== undefined) return { manifestHash: (await hashFile(manifest)).sha256 };
  return credentials === undefined ? {} : { manifestHash: `0x${credentials.manifestHash}` };
}

/** A suggestion: what is claimed is for the registrant to say. */
function tellCredentials(credentials: C2paReport): void {
  const { state, aiTraining } = credentials;
  const says = aiTraining === undefined ? "" : `, and AI training ${aiTraining}`;
  tell(`its content credentials (C2PA, ${state}) say that it is ${kindFromC2pa(credentials)}${says}`);
}

async function registerFolder(
  { access }: Session,
  path: string,
  { kind, parents, license, aiTraining }: Awaited<ReturnType<typeof claimsFrom>>,
  { manifest, deal, name, description, url, creator, published, skipLinks }: RegisterFlags,
): Promise<AnchorReport> {
  if (manifest !== undefined || deal !== undefined) {
    const message = "--manifest and --deal are for a file: a folder gets a manifest, and its records name no piece";
    throw new HoldfastError("INVALID_OPTION", message, "leave them out, or register what was stored as a file");
  }
  let done = 0;
  const { head, files, contents, manifestPath, setPath } = await anchorFolder(access, path, {
    ...{ kind, parents, license, aiTraining },
    words: {
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(url !== undefined && { url }),
      ...(creator !== undefined && { creators: [{ type: "Organization", name: creator }] }),
      ...(published !== undefined && { datePublished: published }),
    },
    ...(skipLinks && { onLink: (link: string) => tell(`left out: ${printable(link)} is a symbolic link`) }),
    onFile: () => {
      if (++done % TELL_EVERY === 0) tell(`${done} files hashed`);
    },
  });
  return { id: head.id, files, records: contents, manifest: manifestPath, set: setPath };
}

function registerLines({ id, sha256, bytes, existed, note }: RegisterReport): string[] {
  return [
    `record    ${id}${existed ? "  (registered before)" : ""}`,
    `sha-256   ${sha256.slice(2)}  ${bytes} bytes`,
    ...(note === undefined ? [] : [`note      ${note}`]),
  ];
}

function anchorLines({ id, files, records, manifest, set }: AnchorReport): string[] {
  return [`set       ${id}  ${files} files, ${records} records`, `manifest  ${manifest}`, `set file  ${set}`];
}

interface AttestFlags extends ChainFlags {
  readonly dispute?: boolean;
  readonly topic?: string;
  readonly reason?: string;
  readonly expires?: bigint;
}

/** `holdfast provenance attest ID [--dispute] [--topic T] [--reason R] [--expires DATE]`. */
export function attestCommand(): Command {
  return subjectCommand("attest", "vouch for somebody else's record or set, or dispute it")
    .option("--dispute", "dispute it, where the default is to vouch for it")
    .addOption(topicOption())
    .option("--reason <text>", REASON_HELP)
    .addOption(new Option("--expires <date>", "when it stops counting: 2027-01-31").argParser(parseDate))
    .action((text: string, { dispute, topic, reason, expires, ...flags }: AttestFlags) =>
      onSubject(flags, text, async ({ access }, id) => {
        const verdict = dispute ? "disputes" : "vouches";
        const more = { ...(topic && { topic }), ...(reason && { reason }), ...(expires && { expires }) };
        await attest(access, id, { verdict, ...more });
        return { id, verdict, attester: access.address };
      }),
    );
}

/** `holdfast provenance revoke ID [--topic T] [--reason R]`. */
export function revokeCommand(): Command {
  return subjectCommand("revoke", "take back what you have said of a record or set")
    .addOption(topicOption())
    .option("--reason <text>", REASON_HELP)
    .action((text: string, { topic, reason, ...flags }: AttestFlags) =>
      onSubject(flags, text, async ({ access }, id) => {
        await revoke(access, id, topic, reason);
        return { id, revoked: true };
      }),
    );
}

/** `holdfast provenance withdraw ID [--reason R]`. */
export function withdrawCommand(): Command {
  return subjectCommand("withdraw", "stand by a record or set of yours no longer, for good; it stays readable")
    .option("--reason <text>", REASON_HELP)
    .action((text: string, { reason, ...flags }: AttestFlags) =>
      onSubject(flags, text, async ({ access }, id) => {
        await withdraw(access, id, reason);
        return { id, withdrawn: true };
      }),
    );
}

/** `holdfast provenance supersede ID BY`. */
export function supersedeCommand(): Command {
  return subjectCommand("supersede", "put a later record or set of yours in the place of one, for good")
    .argument("<by>", ID_HELP)
    .action((text: string, by: string, flags: ChainFlags) =>
      onSubject(flags, text, async ({ access }, id, book) => {
        const successor = await recordIdFrom(by, idsIn(book));
        await supersede(access, id, successor);
        return { id, supersededBy: successor };
      }),
    );
}

/** `holdfast provenance link ID DEAL…`. */
export function linkCommand(): Command {
  return subjectCommand("link", "name deals by which the piece of a record of yours is held")
    .argument("<deal...>", "ids of the deals, or their first digits")
    .action((text: string, deals: readonly string[], flags: ChainFlags) =>
      onSubject(flags, text, async ({ access, chain }, id, book) => {
        const known = book.known.get(id);
        if (known?.form !== "record") throw new HoldfastError("NOT_A_RECORD", `${id} is no record`, "name a record");
        const ids: bigint[] = [];
        for (const deal of deals) ids.push(await dealIdFrom(chain, deal));
        await linkDeals(access, known.record, ids);
        return { id, deals: ids.map(dealIdText) };
      }),
    );
}

function subjectCommand(name: string, description: string): Command {
  return chainCommand(name).description(description).argument("<id>", ID_HELP);
}

function topicOption(): Option {
  return new Option("--topic <text>", "what it is about: origin, licence, …; the whole by default").argParser(
    parseTopic,
  );
}

/** Acts on the record or set that a text names, and prints what came of it. */
function onSubject<R extends object>(
  flags: ChainFlags,
  text: string,
  act: (session: Session, id: string, book: ProvenanceBook) => Promise<R>,
): Promise<void> {
  return withClient(flags, async (session) => {
    const book = await ProvenanceBook.open(session.chain);
    const result = await act(session, await recordIdFrom(text, idsIn(book)), book);
    printResult(flags, result, (done) => Object.entries(done).map(([what, value]) => `${what.padEnd(12)}  ${value}`));
  });
}

function parseDate(text: string): bigint {
  const time = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError("It has to be a date, 2027-01-31, or with a time of UTC.");
  return BigInt(Math.floor(time / 1_000));
}
