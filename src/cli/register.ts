/** `holdfast provenance register`. */
import { type Command, Option } from "commander";
import { fileBlob } from "../client/blob-node.js";
import { type Claims, dealIdFrom, linkDeals, recordOf, registerRecord } from "../client/index.js";
import { anchorFolder, readCredentials } from "../client/provenance-node.js";
import { HoldfastError } from "../errors.js";
import { ProvenanceBook } from "../provenance/book.js";
import { type C2paReport, kindFromC2pa } from "../provenance/c2pa/index.js";
import { contentOf } from "../provenance/content.js";
import { type ClaimFlags, claimsFrom, withClaims } from "./claims.js";
import { type ChainFlags, chainCommand, printResult, type Session, tell, withClient } from "./context.js";
import { isFolder } from "./folders.js";
import { manifestHashOf } from "./manifest.js";
import { printable } from "./printable.js";
import { noteRecord } from "./stored-record.js";

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

const REGISTER_HELP = `
--ai-training constrained: allowed on conditions, which the manifest or the licence tells.
A folder gets DIR.croissant.json and DIR.set beside it. Keep both: without the set file, or a proof made from it
(\`provenance prove\`), none of its files can be verified.`;
/** Files between two lines that say how far hashing has got. */
const TELL_EVERY = 10_000;

/** `holdfast provenance register FILE|DIR [--kind …] [--parent …] [--license …] [--ai-training …]`. */
export function registerCommand(): Command {
  const deals = (text: string, before: readonly string[] = []) => [...before, text];
  return withClaims(chainCommand("register"))
    .description(
      "claim where a file, or each file of a folder, came from and what may be done with it: a public claim in your " +
        "name, for good, and a transaction that costs gas",
    )
    .argument("<path>", "the file, or the folder: its files are anchored as one set, by one transaction")
    .option("--manifest <file>", "a manifest (Croissant, C2PA, PROV) whose hash goes into the record of a file")
    .addOption(
      new Option("--deal <id>", "deal by which the file is held, linked to its record; may be repeated").argParser(
        deals,
      ),
    )
    .option("--no-note", "do not note the record's id beside the file, where `verify` finds it")
    .option("--name <text>", "of a folder: name of the data set in its manifest; the folder's by default")
    .option("--description <text>", "of a folder: its description")
    .option("--url <url>", "of a folder: its page")
    .option("--creator <name>", "of a folder: who made it; the account by default")
    .option("--published <date>", "of a folder: when it was published, as 2026-01-31; today by default")
    .option("--skip-links", "leave symbolic links in a folder out, where they would be an error")
    .addHelpText("after", REGISTER_HELP)
    .action((path: string, flags: RegisterFlags) =>
      withClient(flags, async (session) => {
        const ids = async () => (await ProvenanceBook.open(session.chain)).known.keys();
        const claims = await claimsFrom(flags, ids);
        if (await isFolder(path)) {
          printResult(flags, await registerFolder(session, path, claims, flags), anchorLines);
        } else {
          printResult(flags, await registerFile(session, path, claims, flags), registerLines);
        }
      }),
    );
}

async function registerFile(
  session: Session,
  path: string,
  claims: Claims,
  flags: RegisterFlags,
): Promise<RegisterReport> {
  const { access, chain } = session;
  const blob = await fileBlob(path, { mayBeEmpty: true });
  const credentials = await credentialsOf(blob);
  if (credentials !== undefined) tellCredentials(credentials);
  const deals: bigint[] = [];
  for (const deal of flags.deal ?? []) deals.push(await dealIdFrom(chain, deal));
  const content = await contentOf(blob);
  const record = recordOf(access.address, content, { ...claims, ...(await manifestOf(flags, credentials)) });
  const { id, existed } = await registerRecord(access, record);
  if (deals.length > 0) await linkDeals(access, record, deals);
  const note = flags.note ? await noteRecord(session, path, id) : undefined;
  return { id, sha256: content.contentHash, bytes: content.size, existed, ...(note !== undefined && { note }) };
}

/** What can't be read of a file is no reason not to register it: evidence may well be broken. */
async function credentialsOf(blob: Blob): Promise<C2paReport | undefined> {
  try {
    return await readCredentials(blob);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    tell(`its content credentials (C2PA) are left out: ${error.message}`);
    return undefined;
  }
}

/** The manifest that is named, or else the one within the file. */
async function manifestOf({ manifest }: RegisterFlags, credentials: C2paReport | undefined): Promise<Claims> {
  if (manifest !== undefined) return { manifestHash: await manifestHashOf(manifest) };
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
