/**
 * Claiming a folder: a manifest of its files, a set of their records, one transaction.
 *
 * @packageDocumentation
 */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { HoldfastError } from "../errors.js";
import { sortEdges } from "../protocol/index.js";
import { croissantChunks, fileIdOf, type NewDatasetHeader, type NewFile } from "../provenance/croissant/index.js";
import { parseLicense } from "../provenance/rights/index.js";
import { writeSetFile } from "../provenance/sets/file-node.js";
import { buildSet, type SetHead } from "../provenance/sets/index.js";
import type { ChainAccess } from "./funds.js";
import { type HashedFile, hashFolder } from "./hash-folder-node.js";
import { anchorSet, type Claims } from "./provenance.js";

/** What a folder's manifest says besides its files. */
export type DatasetWords = Pick<NewDatasetHeader, "name" | "description" | "url" | "creators" | "datePublished"> &
  Partial<Pick<NewDatasetHeader, "version" | "citeAs" | "keywords">>;

export interface FolderClaims extends Omit<Claims, "cid" | "manifestHash"> {
  readonly words?: Partial<DatasetWords>;
  /** Told of each symbolic link that is left out; without it, a link is an error. */
  readonly onLink?: (path: string) => void;
  readonly onFile?: (path: string) => void;
  readonly signal?: AbortSignal;
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
 * @throws HoldfastError as `hashFolder`, `buildSet` and `croissantChunks`; `FILE_UNWRITABLE`
 * @throws ChainError where the contract refuses; the files are written then, and the next call goes on from there
 * @example
 * const { head } = await anchorFolder(access, "photos", { license: "CC-BY-4.0", aiTraining: "refused" });
 */
export async function anchorFolder(
  access: ChainAccess,
  folder: string,
  { kind = "original", parents = [], license = "", aiTraining = "unstated", words = {}, ...reading }: FolderClaims = {},
): Promise<AnchoredFolder> {
  parseLicense(license);
  const { onFile, onLink, signal } = reading;
  const entries = await hashFolder(folder, {
    ...(onLink && { onLink }),
    ...(signal && { signal }),
    ...(onFile && { onFile: ({ path }: HashedFile) => onFile(path) }),
  });
  const { chainId, provenance: registry } = access.deployment;
  const registrant = access.address;
  const header: NewDatasetHeader = {
    ...defaultWords(folder, registrant, chainId),
    ...words,
    licenses: [license === "" ? "NOASSERTION" : license],
    ...(aiTraining !== "unstated" && { aiTraining }),
    wasDerivedFrom: sortEdges(parents).map(({ parent }) => recordIri(chainId, registry, parent)),
  };
  const manifestPath = croissantPathOf(folder);
  const manifestHash = await writeHashed(manifestPath, croissantChunks(header, entries.map(fileEntry)));
  const shared = { kind, license, aiTraining, parents: sortEdges(parents), manifestHash };
  const set = buildSet({ chainId, registry, registrant, shared, entries });
  const setPath = setPathOf(folder);
  await writeSetFile(setPath, set);
  await anchorSet(access, set.set);
  const { contents: _, tree, ...head } = set;
  return { head, files: entries.length, contents: tree.count, manifestPath, setPath };
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

/** Writes a file that appears when it is whole. @returns the SHA-256 of it, 32 bytes in hex */
async function writeHashed(path: string, chunks: AsyncIterable<string>): Promise<string> {
  const part = `${path}.${randomUUID()}.part`;
  const hash = createHash("sha256");
  let file: FileHandle | undefined;
  try {
    file = await open(part, "wx").catch((cause) => {
      throw new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, "check the folder", { cause });
    });
    for await (const chunk of chunks) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    await file.close();
    await rename(part, path);
  } catch (error) {
    await file?.close();
    await rm(part, { force: true });
    throw error;
  }
  return `0x${hash.digest("hex")}`;
}
