import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { CID } from "multiformats/cid";
import { fileBlob } from "../client/blob-node.js";
import {
  type AmendStep,
  type Deal,
  dealIdFrom,
  dealIdText,
  readDeal,
  type StoredPiece,
  type StoreStep,
  TooFewProvidersError,
} from "../client/index.js";
import { parseAmountOf, readToken } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { escrowOf, pieceIdOf } from "../protocol/index.js";
import { withClaims } from "./claims.js";
import { chainCommand, printResult, type Session, tell, withClient } from "./context.js";
import { isFolder, type PackFlags, storeFolderInto, withPackedFolder } from "./folders.js";
import { type KeyringFlags, storedLines, storeReplicas, type UniqueReport, withKeyring } from "./replicas.js";
import {
  componentsOf,
  noteRecord,
  registerStored,
  registerStoredFolder,
  type StoredClaimFlags,
  storedClaims,
} from "./stored-record.js";
import { type WishFlags, wishesFrom, withWishes } from "./wishes.js";

interface StoreFlags extends WishFlags, PackFlags, KeyringFlags, StoredClaimFlags {
  readonly into?: string;
  readonly uniqueReplicas?: boolean;
  readonly manifest?: string;
}

/** A deal in what `holdfast store --json` prints. Amounts in base units of `token`. */
export interface DealReport {
  /** 32 bytes in hex. */
  readonly id: string;
  readonly provider: string;
  readonly url: string;
  readonly token: string;
  readonly pricePerPeriod: bigint;
  readonly periods: number;
  /** What went into escrow. */
  readonly cost: bigint;
  /** Of the provider's stake. */
  readonly collateral: bigint;
}

/** What `holdfast store --json` prints. */
export interface StoreReport {
  /** Absolute path. */
  readonly file: string;
  /** Of the piece. */
  readonly bytes: number;
  readonly pieceCid: string;
  readonly deals: readonly DealReport[];
  /** The record of where it came from, 32 bytes in hex; missing with `--no-provenance`. */
  readonly record?: string;
  /** The set of a folder's files, where they are registered: 32 bytes in hex. */
  readonly set?: string;
  /** Where it is a folder: the CID of the folder itself, and how many files are in it. */
  readonly rootCid?: string;
  readonly files?: number;
}

/** What `holdfast store --into --json` prints. */
export interface StoreIntoReport {
  /** Absolute path. */
  readonly file: string;
  /** 32 bytes in hex. */
  readonly deal: string;
  /** The first window under the new piece: until the one before has closed, the old one is proven. */
  readonly from: number;
  readonly pieceCid: string;
  /** CID of the folder with both in it. */
  readonly rootCid: string;
  /** Files that were added or replaced. */
  readonly files: number;
  /** In base units of the deal's token, from that window on. */
  readonly pricePerPeriod: bigint;
  /** The record of where it came from, 32 bytes in hex; missing with `--no-provenance`. */
  readonly record?: string;
  /** The set of a folder's files, where they are registered: 32 bytes in hex. */
  readonly set?: string;
}

/** More than any period can cost: a limit that is none. */
const ANY_PRICE = (1n << 128n) - 1n;

/**
 * Stores a payload as the flags say, and tells of each step.
 *
 * @throws TooFewProvidersError after the deals that are open all the same were told
 * @throws what {@link wishesFrom} and `HoldfastClient.store` throw
 */
export async function storePayload({ client, chain }: Session, payload: Blob, flags: WishFlags): Promise<StoredPiece> {
  const { wishes } = await wishesFrom(flags, chain);
  const options = { maxPricePerPeriod: ANY_PRICE, ...wishes, copies: flags.replicas, onProgress: tellStep };
  try {
    return await client.store(payload, options);
  } catch (error) {
    if (!(error instanceof TooFewProvidersError)) throw error;
    // They are paid for: whoever called has to know what can be fetched, and ended.
    for (const deal of error.deals) tell(`open and paid for: ${dealIdText(deal.id)} at ${deal.url}`);
    throw error;
  }
}

/** The deals of a report. */
export function reportDeals(deals: readonly Deal[]): DealReport[] {
  return deals.map(({ id, url, terms }) => {
    const { provider, token, pricePerPeriod, periods, collateral } = terms;
    return { id: dealIdText(id), provider, url, token, pricePerPeriod, periods, cost: escrowOf(terms), collateral };
  });
}

/** A report for a person: what it is known by, and where it is. */
export function storeLines(report: Omit<StoreReport, "file" | "bytes">): string[] {
  const { pieceCid, deals, record, set, rootCid, files } = report;
  return [
    `pieceCid  ${pieceCid}`,
    ...idLine("record", record),
    ...(rootCid === undefined ? [] : [`folder    ${rootCid}  ${files} files`]),
    ...idLine("set", set),
    ...deals.map(({ id, url, cost, periods }) => `deal      ${id}  ${url}  ${cost} base units for ${periods} periods`),
  ];
}

function idLine(name: string, id: string | undefined): string[] {
  return id === undefined ? [] : [name.padEnd(10) + id];
}

function tellStep(step: StoreStep): void {
  if (step.step === "committed") tell(`commitment ${step.pieceCid}`);
  else if (step.step === "uploaded") tell(`${step.url} has the bytes and checked them`);
  else tell(`deal ${dealIdText(step.deal.id)} with ${step.deal.terms.provider} is open`);
}

/**
 * `holdfast store PATH --periods N [--tier T] [--replicas N] [--region CODE] [--provider ADDRESS] [--max-price AMOUNT]`, or
 * `holdfast store FOLDER --into DEAL [--max-price AMOUNT]`.
 */
export function storeCommand(): Command {
  const into = new Option(
    "--into <deal>",
    "add the folder to the one that this deal of yours is on, and amend the deal",
  )
    .conflicts(["tier", "maxPeriods", "replicas", "token", "region", "provider", "uniqueReplicas"])
    // Paid for already: else it would be required.
    .implies({ periods: 0 });
  return withClaims(withKeyring(withWishes(chainCommand("store"))))
    .description("store a file, or a folder as one piece: choose providers, hand them the bytes, and pay into escrow")
    .argument("<path>", "the file or folder to store")
    .addOption(into)
    .option("--skip-links", "leave symbolic links in a folder out, where they would be an error")
    .option("--unique-replicas", "encrypt each replica of the file under a key of its own, so that none stands for two")
    .option("--manifest <file>", "where to write what such a file is fetched by; beside the file by default")
    .option("--no-provenance", "register nothing of where it came from; unique replicas are never registered")
    .action(async (path: string, flags: StoreFlags, command: Command) => {
      if (flags.uniqueReplicas) {
        printResult<UniqueReport>(flags, await storeUnique(path, flags), storedLines);
      } else if (flags.manifest !== undefined) {
        command.error("error: --manifest goes with --unique-replicas");
      } else if (flags.into !== undefined) {
        if (flags.periods !== 0)
          command.error("error: a deal has its periods already: extend it, instead of --periods");
        printResult<StoreIntoReport>(flags, await storeInto(path, flags.into, flags), intoLines);
      } else {
        const report = (await isFolder(path)) ? await storeFolder(path, flags) : await storeFile(path, flags);
        printResult<StoreReport>(flags, report, storeLines);
      }
    });
}

async function storeFile(path: string, flags: StoreFlags): Promise<StoreReport> {
  const payload = await fileBlob(path);
  return withClient(flags, async (session) => {
    const claims = await storedClaims(session, flags);
    const { pieceCid, deals } = await storePayload(session, payload, flags);
    const record = await registerStored(session, payload, claims, deals);
    if (record !== undefined) await noteRecord(session, path, record);
    const report = { file: resolve(path), bytes: payload.size, pieceCid, deals: reportDeals(deals) };
    return { ...report, ...(record !== undefined && { record }) };
  });
}

/** Packs within the session: a key or a chain that is missing is known before a folder is read. */
function storeFolder(path: string, flags: StoreFlags): Promise<StoreReport> {
  return withClient(flags, async (session) => {
    const claims = await storedClaims(session, flags);
    return withPackedFolder(path, flags, async ({ root, car, files: count }, files) => {
      const { pieceCid, deals } = await storePayload(session, car, flags);
      const registered = await registerStoredFolder(session, { path, files, payload: car, root, deals }, claims);
      const folder = { rootCid: root.toString(), files: count, ...registered };
      return { file: resolve(path), bytes: car.size, pieceCid, deals: reportDeals(deals), ...folder };
    });
  });
}

function storeUnique(path: string, flags: StoreFlags): Promise<UniqueReport> {
  return withClient(flags, async (session) => {
    const { wishes } = await wishesFrom(flags, session.chain);
    return storeReplicas(session, path, { maxPricePerPeriod: ANY_PRICE, ...wishes, copies: flags.replicas }, flags);
  });
}

async function storeInto(path: string, deal: string, flags: StoreFlags): Promise<StoreIntoReport> {
  if (!(await isFolder(path))) {
    throw new HoldfastError(
      "NOT_A_FOLDER",
      `${path} is not a folder`,
      "put the file in a folder: its path there counts",
    );
  }
  return withClient(flags, async (session) => {
    const { client, chain } = session;
    const claims = await storedClaims(session, flags);
    const id = await dealIdFrom(chain, deal);
    const old = await readDeal(chain, id);
    const token = await readToken(chain.provider, old.token);
    // All that the old piece holds, the new one does.
    const before = claims === undefined ? [] : await componentsOf(session, pieceIdOf(old));
    const { amended, files } = await storeFolderInto(client, id, path, flags, {
      maxPricePerPeriod: flags.maxPrice === undefined ? ANY_PRICE : parseAmountOf(flags.maxPrice, token),
      onProgress: tellAmendment,
    });
    const { from, amendment, pieceCid, rootCid, content } = amended;
    const { pricePerPeriod } = amendment;
    // Linked to no deal: until the amendment takes effect, the deal is on the old piece.
    const stored = { path, files, payload: content, root: CID.parse(rootCid), deals: [], before };
    const report = { file: resolve(path), deal: dealIdText(id), from, pieceCid, rootCid, pricePerPeriod };
    return { ...report, files: amended.files, ...(await registerStoredFolder(session, stored, claims)) };
  });
}

function tellAmendment(step: AmendStep): void {
  if (step.step === "committed") tell(`commitment ${step.pieceCid}`);
  else if (step.step === "uploaded") tell(`${step.url} has the bytes and checked them`);
  else tell(`the provider agrees to ${step.amendment.pricePerPeriod} base units a period`);
}

function intoLines(report: StoreIntoReport): string[] {
  const { deal, from, pieceCid, rootCid, files, pricePerPeriod, record, set } = report;
  return [
    `pieceCid  ${pieceCid}`,
    ...idLine("record", record),
    `folder    ${rootCid}  ${files} files added or replaced`,
    ...idLine("set", set),
    `deal      ${deal}  from window ${from} on, ${pricePerPeriod} base units a period`,
  ];
}
