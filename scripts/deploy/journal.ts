/** Ignition's journal of a deployment, made fit to go on from after whatever ended the last run. */
import { existsSync } from "node:fs";
import { readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { trackTransaction } from "@nomicfoundation/ignition-core";
import { isNonceTaken } from "../../src/chain/broadcast.js";
import type { SigningProvider } from "./signing-provider.js";
import type { WriteAhead } from "./write-ahead.js";

/**
 * A line that was being written when the process ended is taken away: Ignition reads none of a journal with half a line. A transaction
 * that was about to be sent is sent, and told to the journal.
 *
 * @throws what the file system and the node throw
 */
export async function mendJournal(dir: string, ahead: WriteAhead, provider: SigningProvider): Promise<void> {
  const path = join(dir, "journal.jsonl");
  if (!existsSync(path)) return;
  const lines = await cutHalfLine(path);
  const pending = await ahead.read();
  if (pending === undefined || lines.some((line) => line.includes(pending.hash))) return;
  try {
    await provider.broadcast(pending.raw);
  } catch (error) {
    // Somebody else has used its nonce: Ignition sees that, and takes another.
    if (isNonceTaken(error)) return;
    throw error;
  }
  await trackTransaction(dir, pending.hash, provider);
}

async function cutHalfLine(path: string): Promise<string[]> {
  const bytes = await readFile(path);
  const end = bytes.lastIndexOf("\n") + 1;
  const isWhole = (text: string) => {
    try {
      return text.trim() === "" || JSON.parse(text) !== undefined;
    } catch {
      return false;
    }
  };
  const last = bytes.subarray(end).toString();
  if (isWhole(last)) return bytes.toString().split("\n");
  await truncate(path, Math.max(0, end - 1));
  return bytes.subarray(0, end).toString().split("\n");
}
