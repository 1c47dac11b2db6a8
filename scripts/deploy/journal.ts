/** Ignition's journal of a deployment, made fit to go on from after whatever ended the last run. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { wipe } from "@nomicfoundation/ignition-core";
import { Transaction } from "ethers";
import { isNonceTaken } from "../../src/chain/broadcast.js";
import { artifacts } from "./artifacts.js";
import { startedOtherwise } from "./failure.js";
import type { SigningProvider } from "./signing-provider.js";
import type { SignedTransaction, WriteAhead } from "./write-ahead.js";
import { writeWhole } from "./write-whole.js";

/** A line of the journal: as much of it as matters here. */
interface Message {
  readonly type: string;
  /** Where it begins. */
  readonly chainId?: number;
  readonly futureId?: string;
  readonly networkInteractionId?: number;
  readonly nonce?: number;
  readonly transaction?: { readonly hash: string };
  /** Of the transaction that a confirmation is of. */
  readonly hash?: string;
  readonly result?: { readonly type: string };
}

export interface MendOptions {
  /** Where the journal is. */
  readonly dir: string;
  readonly chainId: number;
  readonly ahead: WriteAhead;
  readonly provider: SigningProvider;
  /** Resolves when all that the account has sent is as deep as it has to be. */
  readonly settle: () => Promise<void>;
}

/**
 * Ignition goes on from every journal but some that a run leaves which ends at the wrong moment. Of these:
 *
 * - half a line, and a contract that was begun and of which nothing follows, are taken away;
 * - a transaction that was about to be sent is sent, and told to the journal. Where none was signed, or its nonce has become
 *   another's, the nonce that was meant for it is taken away: nothing goes out before it is written ahead;
 * - that no block had taken a transaction in time is taken away: it is waited for again, and sent again where it was dropped;
 * - a contract that failed on the chain is forgotten, so that it is deployed anew.
 *
 * @throws HoldfastError `DEPLOYMENT_FAILED` where it is of another chain; what the file system and the node throw
 */
export async function mendJournal(options: MendOptions): Promise<void> {
  const path = pathIn(options.dir);
  if (!existsSync(path)) return;
  const text = await readFile(path, "utf8");
  const found = messagesIn(text);
  const { chainId = options.chainId } = found[0] ?? {};
  if (chainId !== options.chainId) {
    throw startedOtherwise(`the journal in ${options.dir} is of chain ${chainId}, and this is ${options.chainId}`);
  }
  const messages = await sentOrNot(patient(begun(found)), options);
  const mended = textOf(messages);
  if (mended !== text) await writeWhole(path, mended);
  for (const contract of failedIn(messages)) await wipe(options.dir, artifacts, contract);
}

/**
 * The hash of the last confirmed transaction of each contract, by Ignition's name of it. Ignition's own list of transactions breaks
 * off at one of a contract that was wiped.
 *
 * @throws what the file system throws
 */
export async function confirmedIn(dir: string): Promise<ReadonlyMap<string, string>> {
  const messages = messagesIn(await readFile(pathIn(dir), "utf8"));
  const confirmed = messages.filter(({ type }) => type === "TRANSACTION_CONFIRM");
  return new Map(confirmed.map(({ futureId, hash }) => [futureId!, hash!]));
}

const pathIn = (dir: string): string => join(dir, "journal.jsonl");

/** All whole lines: what comes after the last line break may be half of one. */
function messagesIn(text: string): Message[] {
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  const messages = lines.filter((line) => line.trim() !== "").map((line) => JSON.parse(line) as Message);
  try {
    return last.trim() === "" ? messages : [...messages, JSON.parse(last) as Message];
  } catch {
    return messages;
  }
}

/** As Ignition writes it: line breaks come first. */
function textOf(messages: readonly Message[]): string {
  return messages.map((message) => `\n${JSON.stringify(message)}`).join("");
}

/** Without a last line that begins a contract: Ignition expects that the line after it is there, too. */
function begun(messages: readonly Message[]): readonly Message[] {
  const isBare = messages.at(-1)?.type === "DEPLOYMENT_EXECUTION_STATE_INITIALIZE";
  return isBare ? messages.slice(0, -1) : messages;
}

const patient = (messages: readonly Message[]): readonly Message[] =>
  messages.filter(({ type }) => type !== "ONCHAIN_INTERACTION_TIMEOUT");

/** Contracts whose transaction is in a block and has made nothing. */
function failedIn(messages: readonly Message[]): ReadonlySet<string> {
  const failed = new Set<string>();
  for (const { type, futureId, result } of messages) {
    if (result?.type === "REVERTED_TRANSACTION") failed.add(futureId!);
    if (type === "WIPE_APPLY") failed.delete(futureId!);
  }
  return failed;
}

/** What Ignition was about to send, it knows as sent; or it knows nothing of it. */
async function sentOrNot(messages: readonly Message[], options: MendOptions): Promise<readonly Message[]> {
  const prepared = messages.findLast(({ type }) => type === "TRANSACTION_PREPARE_SEND");
  if (prepared === undefined || messages.slice(messages.indexOf(prepared)).some(isSending)) return messages;
  const signed = await options.ahead.read();
  const isMeant =
    signed !== undefined &&
    Transaction.from(signed.raw).nonce === prepared.nonce &&
    !messages.some(({ transaction }) => transaction?.hash === signed.hash);
  if (isMeant && (await sends(signed, options))) return [...messages, sendingOf(prepared, signed)];
  return messages.filter((message) => message !== prepared);
}

const isSending = ({ type }: Message): boolean => type === "TRANSACTION_SEND";

/** Whether it is on its way, or in a block; false where its nonce is another's for good. */
async function sends({ raw }: SignedTransaction, { provider, settle }: MendOptions): Promise<boolean> {
  if (await takes(provider, raw)) return true;
  // The other one may still wait, and be dropped.
  await settle();
  return takes(provider, raw);
}

/** False where the node says that the nonce is another's. */
async function takes(provider: SigningProvider, raw: string): Promise<boolean> {
  try {
    await provider.broadcast(raw);
    return true;
  } catch (error) {
    if (isNonceTaken(error)) return false;
    throw error;
  }
}

/** What Ignition writes when it has sent something. */
function sendingOf({ futureId, networkInteractionId, nonce }: Message, { hash, raw }: SignedTransaction): Message {
  const { type, maxFeePerGas, maxPriorityFeePerGas, gasPrice } = Transaction.from(raw);
  const amount = (value: bigint | null) => ({ _kind: "bigint", value: String(value) });
  const fees =
    type === 2
      ? { maxFeePerGas: amount(maxFeePerGas), maxPriorityFeePerGas: amount(maxPriorityFeePerGas) }
      : { gasPrice: amount(gasPrice) };
  const transaction = { fees, hash };
  return { type: "TRANSACTION_SEND", ...{ futureId, networkInteractionId, nonce, transaction } } as Message;
}
