/**
 * Notes beside files: which record a file is of, so that `verify` knows what it should be even when it was changed.
 *
 * @packageDocumentation
 */
import { stat } from "node:fs/promises";
import { z } from "zod";
import { HoldfastError } from "../errors.js";
import type { Registry } from "../provenance/sets/index.js";
import { readSmallFile, writePending } from "./whole-file-node.js";

const NOTE_FORM = "record/1";
const MAX_NOTE_BYTES = 4_096;

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
  const pending = await writePending(path, [`${JSON.stringify({ holdfast: NOTE_FORM, chainId, registry, id })}\n`]);
  await pending.commit().finally(pending.discard);
  return path;
}

/** What a note says: a record, and the registry that knows it. */
export interface Note extends Registry {
  readonly id: string;
}

/**
 * The record noted beside a file; undefined where there is no note.
 *
 * @throws HoldfastError `FILE_UNREADABLE`, `NOTE_INVALID`
 */
export async function readNote(file: string): Promise<Note | undefined> {
  const path = notePathOf(file);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  const { success, data } = note.safeParse(jsonOf(await readSmallFile(path, MAX_NOTE_BYTES)));
  if (success) return data;
  throw new HoldfastError("NOTE_INVALID", `${path} is no note of a record`, "register the file again");
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
