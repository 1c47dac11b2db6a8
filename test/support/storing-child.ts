/**
 * A node in a process of its own, on a database and blobs that others share. It may be killed at any time, by itself at a step
 * that it is told. Prints its URL, then answers what it is asked on standard input, with whose end it ends.
 */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pino } from "pino";
import { startNode, UnpaidPieces } from "../../src/provider/index.js";
import { DatabasePieceIndex, DatabaseUnpaidNotes, openDatabase } from "../../src/store/database/index.js";
import { BlobPieceStore, FileBlockIndex, openBlobStore } from "../../src/store/index.js";
import type { StoringRequest, StoringStep, StoringTask } from "./storing.js";

const task = JSON.parse(process.argv[2] as string) as StoringTask;
const logger = pino({ level: "silent" });

/** Does a step; dies as `kill -9` would have it where the task says so. */
async function atStep<T>(step: StoringStep, act: () => Promise<T>): Promise<T> {
  const dies = (when: "before" | "after") => {
    if (task.dies?.step === step && task.dies.when === when) process.kill(process.pid, "SIGKILL");
  };
  dies("before");
  const result = await act();
  dies("after");
  return result;
}

/** The same object, whose method is a step. */
function mortal<K extends string>(
  owner: Record<K, (...args: never[]) => Promise<unknown>>,
  method: K,
  step = "",
): void {
  const act = owner[method].bind(owner) as (...args: unknown[]) => Promise<unknown>;
  const named = (first: unknown) => (step === "" ? method : `${method} ${String(first).split("/")[0]}`);
  Object.assign(owner, {
    [method]: (...args: unknown[]) => atStep(named(args[0]) as StoringStep, () => act(...args)),
  });
}

const blobs = await openBlobStore(task.blobs);
const database = await openDatabase(task.database);
const index = new DatabasePieceIndex(database, task.leaseMs);
const notes = new DatabaseUnpaidNotes(database);
for (const method of ["take", "delete"] as const) mortal(blobs, method, "folder");
for (const method of ["put", "drop"] as const) mortal(index, method);
for (const method of ["note", "forget"] as const) mortal(notes, method);
const store = await BlobPieceStore.open(task.dir, { blobs, index });
const unpaid = await UnpaidPieces.open({ notes, store });
const blocks = await FileBlockIndex.open(join(task.dir, "blocks"), {
  store,
  logger,
  sharing: { blobs, index },
  pollMs: 50,
});
const refuse = () => {
  throw new Error("no deals here");
};
const desk = { info: refuse, offers: refuse, accept: refuse };
const gateway = { index: blocks, peerId: "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN" };
const node = await startNode({ store, unpaid, desk, gateway, logger, maxPieceBytes: 1 << 30 });
console.log(JSON.stringify({ url: node.url }));
for await (const line of createInterface(process.stdin)) {
  const { act, pieceCid } = JSON.parse(line) as StoringRequest;
  if (act === "find") console.log(JSON.stringify((await store.find(pieceCid)) !== undefined));
  else {
    const removed = await store.remove(pieceCid);
    await unpaid.forget(pieceCid);
    console.log(JSON.stringify(removed));
  }
}
await Promise.all([node.close(), blocks.close(), store.close()]);
await database.destroy();
blobs.close();
