/** Run by the bench in a process of its own: a node without deals. Prints its URL, and ends with its standard input. */
import { join } from "node:path";
import { pino } from "pino";
import { startNode } from "../../src/provider/server.js";
import { DatabasePieceIndex, openDatabase } from "../../src/store/database/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { peakMiB } from "./peak-memory.js";

const refuse = () => {
  throw new Error("no deals here");
};
const dir = process.argv[2] as string;
const database = await openDatabase({ dir: join(dir, "index") });
const store = await BlobPieceStore.open(dir, { index: new DatabasePieceIndex(database) });
const node = await startNode({
  store,
  desk: { info: refuse, offers: refuse, accept: refuse },
  logger: pino({ level: "silent" }),
  maxPieceBytes: 2 ** 36,
});
console.log(node.url);
process.stdin.resume().once("end", async () => {
  const { user, system } = process.cpuUsage();
  await node.close();
  await store.close();
  await database.destroy();
  console.log(JSON.stringify({ cpuSeconds: (user + system) / 1e6, peakMiB: peakMiB() }));
});
