/** Manifests on the command line: what they say, and whether they are in order. */
import { open } from "node:fs/promises";
import { Command } from "commander";
import { fileBlob } from "../client/blob-node.js";
import { hashFile } from "../client/hash-folder-node.js";
import { readCredentials } from "../client/provenance-node.js";
import { HoldfastError } from "../errors.js";
import { type C2paReport, kindFromC2pa } from "../provenance/c2pa/index.js";
import {
  type CroissantDataset,
  MAX_MANIFEST_BYTES,
  readCroissant,
  spdxOfLicense,
} from "../provenance/croissant/index.js";
import { printResult, tell } from "./context.js";
import { printable } from "./printable.js";

/** What `holdfast provenance manifest --json` prints of a Croissant manifest. */
export interface CroissantReport {
  readonly type: "croissant";
  /** SHA-256 of the manifest: what a record names. */
  readonly sha256: string;
  readonly name: string;
  /** As written, and as SPDX ids where they are known. */
  readonly licenses: readonly { readonly text: string; readonly spdx?: string }[];
  readonly aiTraining?: string;
  readonly wasDerivedFrom: readonly string[];
  readonly files: number;
  /** Files whose SHA-256 the manifest gives. */
  readonly hashed: number;
  readonly fileSets: number;
  /** Fields that the specification requires and the manifest lacks. */
  readonly missing: readonly string[];
}

/** What it prints of content credentials. */
export interface CredentialsReport extends C2paReport {
  readonly type: "c2pa";
  /** What the manifest suggests as `--kind`. */
  readonly kind: string;
}

/** What has no form that is read here may be a manifest all the same, of another kind. */
const OTHER_FORM: ReadonlySet<string> = new Set(["MANIFEST_NOT_UTF8", "MANIFEST_NOT_JSON", "MANIFEST_NOT_JSONLD"]);

/** `holdfast provenance manifest FILE [--json]`: needs no chain. */
export function manifestCommand(): Command {
  return new Command("manifest")
    .description("print what a Croissant manifest says, or the content credentials (C2PA) in a file, and check them")
    .argument("<file>", "a Croissant manifest, or an image or other file with content credentials")
    .option("--json", "print one JSON object last on standard output")
    .action(async (path: string, flags: { json?: boolean }) => {
      const credentials = await readCredentials(await fileBlob(path));
      if (credentials !== undefined) {
        const report: CredentialsReport = { type: "c2pa", ...credentials, kind: kindFromC2pa(credentials) };
        printResult(flags, report, credentialsLines);
      } else {
        printResult(flags, await croissantReport(path), croissantLines);
      }
    });
}

/**
 * The hash of a manifest for a record. A Croissant manifest has to be in order; of what is none, PROV or a C2PA store, only the
 * hash is taken, and that is told.
 *
 * @returns 32 bytes in hex
 * @throws HoldfastError `FILE_UNREADABLE`, `MANIFEST_TOO_LARGE`, `MANIFEST_TOO_DEEP`, `MANIFEST_INVALID`
 */
export async function manifestHashOf(path: string): Promise<string> {
  try {
    return `0x${(await croissantReport(path)).sha256}`;
  } catch (error) {
    if (!(error instanceof HoldfastError) || !OTHER_FORM.has(error.code)) throw error;
    tell(`${path} is no Croissant manifest: only its hash is taken`);
    return (await hashFile(path)).sha256;
  }
}

async function croissantReport(path: string): Promise<CroissantReport> {
  const { sha256 } = await hashFile(path);
  return { type: "croissant", sha256: sha256.slice(2), ...summary(await readCroissant(await readBounded(path))) };
}

/** One byte more than may be read shows that it is too much, whatever the file's size. */
async function readBounded(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.min(size, MAX_MANIFEST_BYTES + 1));
    let read = 0;
    while (read < bytes.length) {
      const { bytesRead } = await file.read(bytes, read, bytes.length - read, read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    return bytes.subarray(0, read);
  } finally {
    await file.close();
  }
}

function summary(dataset: CroissantDataset): Omit<CroissantReport, "type" | "sha256"> {
  const { name, licenses, aiTraining, wasDerivedFrom, files, fileSets, missing } = dataset;
  const known = licenses.map((text) => {
    const spdx = spdxOfLicense(text);
    return { text, ...(spdx !== undefined && { spdx }) };
  });
  const counts = { files: files.length, hashed: files.filter(({ sha256 }) => sha256 !== undefined).length };
  const use = aiTraining === undefined ? {} : { aiTraining };
  return { name, licenses: known, ...use, wasDerivedFrom, ...counts, fileSets: fileSets.length, missing };
}

function croissantLines(report: CroissantReport): string[] {
  const { name, licenses, aiTraining, wasDerivedFrom, files, hashed, fileSets, missing, sha256 } = report;
  return [
    `Croissant   ${printable(name)}`,
    `sha-256     ${sha256}`,
    `licence     ${licenses.map(({ text, spdx }) => spdx ?? printable(text)).join(", ") || "not stated"}`,
    `AI training ${aiTraining ?? "not stated"}`,
    `from        ${wasDerivedFrom.map(printable).join(", ") || "nothing that it names"}`,
    `files       ${files}, ${hashed} with a SHA-256, and ${fileSets} file sets`,
    ...(missing.length > 0 ? [`lacks       ${missing.join(", ")}`] : []),
  ];
}

function credentialsLines(report: CredentialsReport): string[] {
  const { state, problems, title, signer, claimGenerators, actions, ingredients, aiTraining, kind } = report;
  return [
    `credentials ${state}${problems.length > 0 ? `: ${problems.map(({ code }) => code).join(", ")}` : ""}`,
    ...(title === undefined ? [] : [`title       ${printable(title)}`]),
    `signed by   ${printable(signer.commonName ?? signer.organisation ?? "somebody unnamed")}`,
    `made with   ${printable(claimGenerators.join(", ")) || "nothing that it names"}`,
    `done to it  ${actions.map(({ action }) => printable(action)).join(", ") || "nothing that it names"}`,
    `made from   ${ingredients.map((each) => printable(each.title ?? each.instanceId ?? "?")).join(", ") || "nothing that it names"}`,
    `AI training ${aiTraining ?? "not stated"}`,
    `suggests    --kind ${kind}`,
  ];
}
