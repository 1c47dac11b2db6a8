/**
 * Where a file's record is to be found, from what lies beside the file: hints, of which the chain is asked.
 *
 * @packageDocumentation
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { HoldfastError } from "../errors.js";
import { fileIdOf, MAX_MANIFEST_BYTES, readCroissant } from "../provenance/croissant/index.js";
import { openSetFile, type SetFile } from "../provenance/sets/file-node.js";
import { type Membership, parseMembership, type Registry, type SetHead } from "../provenance/sets/index.js";
import { croissantPathOf, setPathOf } from "./folder-set-node.js";
import { notePathOf, readNote } from "./note-node.js";
import { readSmallFile } from "./whole-file-node.js";

/** What a file's surroundings say of it. */
export interface Hints {
  /** A set that proves to have the file in it. */
  readonly member?: { readonly membership: Membership; readonly head: SetHead };
  /** A record or a set that the file is said to be of. */
  readonly against?: string;
  /** SHA-256 of the set's manifest, which lies beside its folder; undefined where it is another, or none. */
  readonly manifest?: string;
  /** What lies there, was not named by anybody, and can't be used: why, in sentences. */
  readonly passedOver: readonly string[];
}

export interface HintOptions extends Registry {
  /** A set file; by default the one of a folder that the file is in. */
  readonly set?: string;
  /** A file with the portable proof of this one. */
  readonly proof?: string;
}

const MAX_PROOF_BYTES = 16_384;

/**
 * Looks beside a file, and in the folders that it is in, for its record or its set. What just lies there is believed in nothing,
 * and does no harm where it can't be read; what the options name has to be what it should be.
 *
 * @param sha256 - of the file, 32 bytes in hex
 * @throws HoldfastError for what is named in `options` and can't be used: `FILE_UNREADABLE`, `SET_FILE_INVALID`,
 *   `PROOF_INVALID`, `OTHER_REGISTRY`
 */
export async function hintsOf(file: string, sha256: string, options: HintOptions): Promise<Hints> {
  if (options.proof !== undefined) return proofHint(options.proof, sha256, options);
  if (options.set !== undefined) return namedSetHint(options.set, sha256, options);
  const passedOver: string[] = [];
  const hint = await nearestSetHint(resolve(file), sha256, options, passedOver);
  if (hint?.member !== undefined) return { ...hint, passedOver };
  const noted = await orPassOver(passedOver, () => noteOf(file, options));
  return { ...hint, ...(noted !== undefined && { against: noted }), passedOver };
}

type Hint = Omit<Hints, "passedOver">;

async function noteOf(file: string, registry: Registry): Promise<string | undefined> {
  const noted = await readNote(file);
  if (noted !== undefined) requireRegistry(noted, registry, notePathOf(file));
  return noted?.id;
}

async function proofHint(path: string, sha256: string, options: HintOptions): Promise<Hints> {
  const text = new TextDecoder().decode(await readSmallFile(path, MAX_PROOF_BYTES));
  const { membership, head } = parseMembership(text);
  requireRegistry(head, options, path);
  const isProof = membership.record.contentHash === sha256;
  return { ...(isProof ? { member: { membership, head } } : { against: head.id }), passedOver: [] };
}

/** Who names the set says that the file is in it. */
async function namedSetHint(path: string, sha256: string, options: HintOptions): Promise<Hints> {
  return withSet(path, options, async (set) => {
    const membership = await set.find(sha256);
    return { ...(membership ? { member: { membership, head: set } } : { against: set.id }), passedOver: [] };
  });
}

/** Of the nearest folder with a set file beside it that has the file, or has another in its place. */
async function nearestSetHint(
  file: string,
  sha256: string,
  options: HintOptions,
  passedOver: string[],
): Promise<Hint | undefined> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = setPathOf(folder);
    if (await exists(path)) {
      const hint = await orPassOver(passedOver, () =>
        withSet(path, options, (set) => setHint(set, folder, file, sha256)),
      );
      if (hint !== undefined) return hint;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

async function setHint(set: SetFile, folder: string, file: string, sha256: string): Promise<Hint | undefined> {
  const membership = await set.find(sha256);
  const checking = isItsManifest(set, folder);
  if (membership !== undefined) {
    // Who is in a set is in it whatever became of its manifest.
    const isChecked = await checking.catch(() => false);
    return { member: { membership, head: set }, ...(isChecked && { manifest: set.set.manifestHash }) };
  }
  return (await checking) && (await isListed(folder, file)) ? { against: set.id } : undefined;
}

/** Whether the manifest beside a folder is its set's; one that was changed since is somebody's word, not the set's. */
async function isItsManifest({ set }: SetHead, folder: string): Promise<boolean> {
  const path = croissantPathOf(folder);
  if (!(await exists(path))) return false;
  const bytes = await readSmallFile(path, MAX_MANIFEST_BYTES);
  return `0x${createHash("sha256").update(bytes).digest("hex")}` === set.manifestHash;
}

/** Whether the manifest beside a folder has a file at this place. */
async function isListed(folder: string, file: string): Promise<boolean> {
  const { files } = await readCroissant(await readSmallFile(croissantPathOf(folder), MAX_MANIFEST_BYTES));
  const url = fileIdOf(relative(folder, file).split(sep).join("/"));
  return files.some(({ contentUrl }) => contentUrl === url);
}

async function withSet<T>(path: string, registry: Registry, act: (set: SetFile) => Promise<T>): Promise<T> {
  const set = await openSetFile(path);
  try {
    requireRegistry(set, registry, path);
    return await act(set);
  } finally {
    await set.close();
  }
}

async function orPassOver<T>(passedOver: string[], look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    passedOver.push(error.message);
    return undefined;
  }
}

function requireRegistry(head: Registry, { chainId, registry }: Registry, path: string): void {
  if (head.chainId === chainId && head.registry.toLowerCase() === registry.toLowerCase()) return;
  throw new HoldfastError(
    "OTHER_REGISTRY",
    `${path} is about registry ${head.registry} on chain ${head.chainId}, not ${registry} on chain ${chainId}`,
    "name that chain and its deployment, or leave the file out",
  );
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
