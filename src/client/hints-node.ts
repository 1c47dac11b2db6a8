/**
 * Where a file's record is to be found, from what lies beside the file: hints, of which the chain is asked.
 *
 * @packageDocumentation
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { HoldfastError } from "../errors.js";
import { fileIdOf, readCroissant } from "../provenance/croissant/index.js";
import { openSetFile } from "../provenance/sets/file-node.js";
import { type Membership, parseMembership, type Registry, type SetHead } from "../provenance/sets/index.js";
import { croissantPathOf, setPathOf } from "./folder-set-node.js";
import { hashFile } from "./hash-folder-node.js";

/** What a file's surroundings say of it. */
export interface Hints {
  /** A set that proves to have the file in it. */
  readonly member?: { readonly membership: Membership; readonly head: SetHead };
  /** A record or a set that the file is said to be of. */
  readonly against?: string;
}

export interface HintOptions extends Registry {
  /** A set file; by default the one of a folder that the file is in. */
  readonly set?: string;
  /** A file with the portable proof of this one. */
  readonly proof?: string;
}

const NOTE_FORM = "record/1";
const MAX_NOTE_BYTES = 4_096;
const MAX_PROOF_BYTES = 16_384;

const note = z.strictObject({
  holdfast: z.literal(NOTE_FORM),
  chainId: z.number().int().positive(),
  registry: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  id: z.string().regex(/^0x[0-9a-f]{64}$/),
});

/** Where the record of a file is noted: beside it. */
export function notePathOf(file: string): string {
  return `${file}.provenance.json`;
}

/** Notes a file's record beside it, so that `verify` knows what the file should be even when it was changed. */
export async function writeNote(file: string, { chainId, registry }: Registry, id: string): Promise<string> {
  const path = notePathOf(file);
  await writeFile(path, `${JSON.stringify({ holdfast: NOTE_FORM, chainId, registry, id })}\n`).catch((cause) => {
    throw new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, "check the folder", { cause });
  });
  return path;
}

/**
 * Looks beside a file, and in the folders that it is in, for its record or its set.
 *
 * @param sha256 - of the file, 32 bytes in hex
 * @throws HoldfastError for what is named in `options` and can't be used: `FILE_UNREADABLE`, `SET_FILE_INVALID`,
 *   `PROOF_INVALID`, `OTHER_REGISTRY`
 */
export async function hintsOf(file: string, sha256: string, options: HintOptions): Promise<Hints> {
  if (options.proof !== undefined) return proofHint(options.proof, sha256, options);
  const hint = await setHint(resolve(file), sha256, options);
  if (hint?.member !== undefined) return hint;
  const noted = await readNote(file, options);
  return noted === undefined ? (hint ?? {}) : { against: noted };
}

/** The record noted beside a file; undefined where there is no note, or one for another registry. */
async function readNote(file: string, { chainId, registry }: Registry): Promise<string | undefined> {
  const text = await readSmall(notePathOf(file), MAX_NOTE_BYTES).catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = note.safeParse(jsonOf(text));
  if (!parsed.success) return undefined;
  const { data } = parsed;
  return data.chainId === chainId && data.registry.toLowerCase() === registry.toLowerCase() ? data.id : undefined;
}

async function proofHint(path: string, sha256: string, options: HintOptions): Promise<Hints> {
  const { membership, head } = parseMembership(await readSmall(path, MAX_PROOF_BYTES));
  requireRegistry(head, options, path);
  return membership.record.contentHash === sha256 ? { member: { membership, head } } : { against: head.id };
}

/** Of the set file that is named, or of the nearest folder that has one beside it. */
async function setHint(file: string, sha256: string, options: HintOptions): Promise<Hints | undefined> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = options.set ?? setPathOf(folder);
    if (options.set !== undefined || (await isFile(path))) {
      const set = await openSetFile(path);
      try {
        requireRegistry(set, options, path);
        const membership = await set.find(sha256);
        if (membership !== undefined) return { member: { membership, head: set } };
        const listed = await isListed(options.set ?? folder, folder, file, set);
        return listed ? { against: set.id } : undefined;
      } finally {
        await set.close();
      }
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** Whether the set's manifest, where it lies beside the set, has a file at this place. */
async function isListed(beside: string, folder: string, file: string, { set }: SetHead): Promise<boolean> {
  const path = croissantPathOf(beside.replace(/\.set$/, ""));
  if (!(await isFile(path)) || (await hashFile(path)).sha256 !== set.manifestHash) return false;
  const { files } = await readCroissant(await readFile(path));
  const url = fileIdOf(relative(folder, file).split(sep).join("/"));
  return files.some(({ contentUrl }) => contentUrl === url);
}

function requireRegistry(head: Registry, { chainId, registry }: Registry, path: string): void {
  if (head.chainId === chainId && head.registry.toLowerCase() === registry.toLowerCase()) return;
  throw new HoldfastError(
    "OTHER_REGISTRY",
    `${path} is about registry ${head.registry} on chain ${head.chainId}, not ${registry} on chain ${chainId}`,
    "name that chain and its deployment, or leave the file out",
  );
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

async function readSmall(path: string, most: number): Promise<string> {
  const unreadable = (cause?: unknown) =>
    new HoldfastError("FILE_UNREADABLE", `${path} cannot be read`, "check the path, and that it is what it should be", {
      cause,
    });
  const info = await stat(path).catch((cause) => {
    throw unreadable(cause);
  });
  if (!info.isFile() || info.size > most) throw unreadable();
  return readFile(path, "utf8");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
