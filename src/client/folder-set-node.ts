/**
 * Claiming a folder: a manifest of its files, a set of their records, one transaction.
 *
 * @packageDocumentation
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { HoldfastError } from "../errors.js";
import { sortEdges } from "../protocol/index.js";
import { croissantChunks, fileIdOf, type NewDatasetHeader, type NewFile } from "../provenance/croissant/index.js";
import { parseLicense } from "../provenance/rights/index.js";
import { openSetFile, writeSetFile } from "../provenance/sets/file-node.js";
import { buildSet, type SetHead } from "../provenance/sets/index.js";
import type { ChainAccess } from "./funds.js";
import { byPath, type HashedFile, hashFile, hashFolder } from "./hash-folder-node.js";
import { anchorSet, type Claims } from "./provenance.js";
import { writePending } from "./whole-file-node.js";

/** What a folder's manifest says besides its files. */
export type DatasetWords = Pick<NewDatasetHeader, "name" | "description" | "url" | "creators" | "datePublished"> &
  Partial<Pick<NewDatasetHeader, "version" | "citeAs" | "keywords">>;

export interface FolderClaims extends Omit<Claims, "cid" | "manifestHash"> {
  readonly words?: Partial<DatasetWords>;
  /** Told of each symbolic link that is left out; without it, a link is an error. */
  readonly onLink?: (path: string) => void;
  readonly onFile?: (path: string) => void;
  readonly signal?: AbortSignal;
  /** Its files, where they are hashed already, in any order; by default it is read. */
  readonly files?: readonly HashedFile[];
}

/** A folder that is anchored. */
export interface AnchoredFolder {
  readonly head: SetHead;
  /** Files that are in it, and how many of them differ in content. */
  readonly files: number;
  readonly contents: number;
  /** The manifest and the set file, both beside the folder. */
  readonly manifestPath: string;
  readonly setPath: string;
}

/** Where the set file of a folder lies: beside it. */
export function setPathOf(folder: string): string {
  return `${resolve(folder)}.set`;
}

/** Where the manifest of a folder lies: beside it. */
export function croissantPathOf(folder: string): string {
  return `${resolve(folder)}.croissant.json`;
}

/**
 * Claims all files of a folder: writes their manifest (Croissant) and the set of their records beside the folder, and
 * anchors the set. Nothing of the files, not even a name, goes on the chain: the root of a tree over hashes.
 *
 * An earlier set of the folder is kept beside it, named by its id: without a set's file nothing in it can be verified.
 *
 * @throws HoldfastError as `hashFolder`, `buildSet` and `croissantChunks`; `FILE_UNWRITABLE`; `FILE_EXISTS` where somebody
 *   else's file is in the place of one
 * @throws ChainError where the contract refuses; everything is as it was then
 * @throws the signal's reason
 * @example
 * const { head } = await anchorFolder(access, "photos", { license: "CC-BY-4.0", aiTraining: "refused" });
 */
export async function anchorFolder(
  access: ChainAccess,
  folder: string,
  { kind = "original", parents = [], license = "", aiTraining = "unstated", words = {}, ...reading }: FolderClaims = {},
): Promise<AnchoredFolder> {
  parseLicense(license);
  const { signal } = reading;
  const entries = await filesOf(folder, reading);
  const before = await setBefore(folder);
  if (entries.length === 0) {
    throw new HoldfastError("EMPTY_SET", `${folder} has no file in it`, "name a folder that has a file");
  }
  const { chainId, provenance: registry } = access.deployment;
  const registrant = access.address;
  const header: NewDatasetHeader = {
    ...defaultWords(folder, registrant, chainId),
    ...words,
    licenses: [license === "" ? "NOASSERTION" : license],
    ...(aiTraining !== "unstated" && { aiTraining }),
    wasDerivedFrom: sortEdges(parents).map(({ parent }) => recordIri(chainId, registry, parent)),
  };
  const claims = { kind, license, aiTraining, parents: sortEdges(parents) };
  const [manifestPath, setPath] = [croissantPathOf(folder), setPathOf(folder)];
  const hash = createHash("sha256");
  const chunks = passing(croissantChunks(header, entries.map(fileEntry)), (chunk) => hash.update(chunk), signal);
  // Both take their places when the set is anchored: until then, those before are all that the folder's files are verified by.
  const manifest = await writePending(manifestPath, chunks);
  try {
    const shared = { ...claims, manifestHash: `0x${hash.digest("hex")}` };
    const set = buildSet({ chainId, registry, registrant, shared, entries });
    const pending = besides(folder, set.id).set;
    await writeSetFile(pending, set);
    signal?.throwIfAborted();
    try {
      await anchorSet(access, set.set);
    } catch (error) {
      await rm(pending, { force: true });
      throw error;
    }
    if (before !== undefined && before.id !== set.id) await setAside(folder, before);
    await rename(pending, setPath);
    await manifest.commit();
    const { contents: _, tree, ...head } = set;
    return { head, files: entries.length, contents: tree.count, manifestPath, setPath };
  } finally {
    await manifest.discard();
  }
}

/** In ascending order of path, so that the same folder gives the same manifest. */
async function filesOf(
  folder: string,
  { files, onFile, onLink, signal }: Pick<FolderClaims, "files" | "onFile" | "onLink" | "signal">,
): Promise<readonly HashedFile[]> {
  if (files !== undefined) return [...files].sort(byPath);
  return hashFolder(folder, {
    ...(onLink && { onLink }),
    ...(signal && { signal }),
    ...(onFile && { onFile: ({ path }: HashedFile) => onFile(path) }),
  });
}

/** Where an earlier set of a folder is kept, named by the beginning of its id. */
function besides(folder: string, id: string): { readonly set: string; readonly manifest: string } {
  const stem = `${resolve(folder)}.${id.slice(2, 10)}`;
  return { set: `${stem}.set`, manifest: `${stem}.croissant.json` };
}

/**
 * The set that is beside a folder already.
 *
 * @throws HoldfastError `FILE_EXISTS` where what is there was not made here: it is not ours to replace
 */
async function setBefore(folder: string): Promise<SetHead | undefined> {
  const [setPath, manifestPath] = [setPathOf(folder), croissantPathOf(folder)];
  const taken = (path: string) =>
    new HoldfastError("FILE_EXISTS", `${path} is there already, and is not of this folder's set`, "move it away");
  let head: SetHead | undefined;
  if (existsSync(setPath)) {
    const file = await openSetFile(setPath).catch(() => {
      throw taken(setPath);
    });
    await file.close();
    head = file;
  }
  if (!existsSync(manifestPath)) return head;
  if (head === undefined || (await hashFile(manifestPath)).sha256 !== head.set.manifestHash) throw taken(manifestPath);
  return head;
}

/** Keeps an earlier set and its manifest: what was anchored stays anchored, and is verified by them. */
async function setAside(folder: string, { id }: SetHead): Promise<void> {
  const kept = besides(folder, id);
  await rename(setPathOf(folder), kept.set);
  if (existsSync(croissantPathOf(folder))) await rename(croissantPathOf(folder), kept.manifest);
}

async function* passing(
  chunks: AsyncIterable<string>,
  see: (chunk: string) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    see(chunk);
    yield chunk;
  }
}

/** What others can refer to a record by. */
export function recordIri(chainId: number, registry: string, id: string): string {
  return `urn:holdfast:eip155:${chainId}:${registry.toLowerCase()}:${id}`;
}

function defaultWords(folder: string, registrant: string, chainId: number): DatasetWords {
  const name = basename(resolve(folder));
  return {
    name,
    description: `The files of ${name}`,
    url: `urn:holdfast:eip155:${chainId}:${registrant.toLowerCase()}`,
    creators: [{ type: "Organization", name: registrant }],
    datePublished: new Date().toISOString().slice(0, 10),
  };
}

function fileEntry({ path, sha256, size }: HashedFile): NewFile {
  return {
    id: fileIdOf(path),
    name: path,
    contentUrl: fileIdOf(path),
    contentSize: size,
    encodingFormats: ["application/octet-stream"],
    sha256: sha256.slice(2),
  };
}
