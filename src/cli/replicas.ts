/**
 * What `store`, `fetch` and `keeper` share about files that are stored as unique replicas.
 *
 * @packageDocumentation
 */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type Command, Option } from "commander";
import { fileBlob, fileSink } from "../client/blob-node.js";
import {
  type DealWishes,
  dealIdText,
  FileKey,
  fetchUnique,
  type Manifest,
  type StoreStep,
  storeUnique,
} from "../client/index.js";
import { addToKeyring, keyFromKeyring } from "../client/replicas/keyring-node.js";
import { lockManifest, readManifest, writeManifest } from "../client/replicas/manifest-node.js";
import { HoldfastError } from "../errors.js";
import { type ChainFlags, type Session, tell, withChain } from "./context.js";

/** Where the owner keeps the secret keys of files. */
export interface KeyringFlags {
  readonly keyring?: string;
}

/** What `holdfast store --unique-replicas --json` prints. */
export interface UniqueReport {
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Absolute path. What the file is fetched by, with the keyring. */
  readonly manifest: string;
  readonly replicas: readonly {
    readonly id: string;
    readonly pieceCid: string;
    readonly deal: string;
    readonly provider: string;
    readonly url: string;
    /** What went into escrow, base units. */
    readonly cost: bigint;
  }[];
}

/** What `holdfast fetch MANIFEST --json` prints. */
export interface UniqueFetchReport {
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** The replica that it was read from, and the node that served it. */
  readonly replica: string;
  readonly url: string;
  /** Replicas that were tried before, and what was wrong with them. */
  readonly failures: readonly { readonly url: string; readonly reason: string }[];
}

/** Adds `--keyring`. */
export function withKeyring(command: Command): Command {
  const option = new Option("--keyring <file>", "file of the secret keys, for its owner's eyes only");
  return command.addOption(option.env("HOLDFAST_KEYRING"));
}

/** @throws HoldfastError `MISSING_SETTING` */
export function keyringPath({ keyring = "" }: KeyringFlags): string {
  if (keyring !== "") return resolve(keyring);
  const hint = "pass --keyring FILE or set HOLDFAST_KEYRING; keep a copy of the file where no storage provider is";
  throw new HoldfastError("MISSING_SETTING", "no keyring is named", hint);
}

/**
 * Stores a file as unique replicas under a new key, and keeps the manifest beside it, or where it is told to.
 *
 * @throws HoldfastError `MISSING_SETTING`, `MANIFEST_EXISTS`, and what `storeUnique`, keyring and manifest throw
 */
export async function storeReplicas(
  session: Session,
  path: string,
  wishes: DealWishes & { readonly copies: number },
  flags: KeyringFlags & { readonly manifest?: string },
): Promise<UniqueReport> {
  const keyring = keyringPath(flags);
  const payload = await fileBlob(path);
  const target = resolve(flags.manifest ?? `${path}.holdfast.json`);
  const release = await lockManifest(target);
  try {
    // It would be all that is known of deals that are paid for.
    if (existsSync(target)) {
      throw new HoldfastError("MANIFEST_EXISTS", `there is a manifest ${target} already`, "name another by --manifest");
    }
    const { key, secret } = await FileKey.generate();
    await addToKeyring(keyring, secret);
    const save = (manifest: Manifest) => writeManifest(target, manifest);
    const options = { ...wishes, name: basename(path), save, onProgress: tellStep };
    const { file, replicas } = await storeUnique(session, payload, key, options).catch((error: unknown) => {
      tell(`what is open and paid for is in ${target}; \`holdfast keeper replicas\` places the rest`);
      throw error;
    });
    const placed = replicas.map(({ id, pieceCid, deal, provider, url, cost }) => {
      return { id, pieceCid, deal, provider, url, cost: BigInt(cost) };
    });
    return { file: resolve(path), bytes: file.size, sha256: file.sha256, manifest: target, replicas: placed };
  } finally {
    await release();
  }
}

/** A report for a person. */
export function storedLines({ manifest, sha256, replicas }: UniqueReport): string[] {
  return [
    `manifest  ${manifest}`,
    `sha256    ${sha256}`,
    ...replicas.map(({ deal, url, cost }) => `replica   ${deal}  ${url}  ${cost} base units`),
  ];
}

/**
 * Fetches a file by its manifest, verified. Where a chain is named, providers that have moved are found.
 *
 * @throws HoldfastError `FILE_EXISTS`, `MISSING_SETTING`, and what `fetchUnique`, keyring and manifest throw
 */
export async function fetchReplicas(
  path: string,
  flags: ChainFlags & KeyringFlags & { readonly output?: string },
): Promise<UniqueFetchReport> {
  const keyring = keyringPath(flags);
  const manifest = await readManifest(path);
  const key = await keyFromKeyring(keyring, manifest.key);
  const { sha256, name = sha256 } = manifest.file;
  const file = resolve(flags.output ?? basename(name));
  if (flags.output === undefined && existsSync(file)) {
    throw new HoldfastError("FILE_EXISTS", `there is a file ${file} already`, "name another by --output");
  }
  const fetchWith = (locate?: (provider: string) => Promise<string | undefined>) =>
    fetchUnique(manifest, key, () => fileSink(file), locate === undefined ? {} : { locate });
  const fetched =
    !flags.rpc && !flags.network
      ? await fetchWith()
      : await withChain(flags, ({ contracts: { registry } }) =>
          fetchWith(async (provider) => (await registry.profileOf(provider)).url),
        );
  const failures = fetched.failures.map(({ url, error }) => ({ url, reason: error.message }));
  for (const { reason } of failures) tell(reason);
  return { file, bytes: (await stat(file)).size, sha256, replica: fetched.replica.id, url: fetched.url, failures };
}

/** A report for a person. */
export function fetchedLines({ file, bytes, url }: UniqueFetchReport): string[] {
  return [`${file}  ${bytes} bytes from ${url}, decrypted and verified`];
}

function tellStep(step: StoreStep): void {
  if (step.step === "committed") tell(`replica ${step.pieceCid}`);
  else if (step.step === "uploaded") tell(`${step.url} has its bytes and checked them`);
  else tell(`deal ${dealIdText(step.deal.id)} with ${step.deal.terms.provider} is open`);
}
