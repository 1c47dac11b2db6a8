/**
 * Run by a test in a process of its own: a node that takes an upload and serves it back, watched for its memory. The
 * peer is the parent, and the bucket where there is one. Prints the URL, then, when standard input ends, the most memory that it took.
 */
import { pino } from "pino";
import { startNode } from "../../src/provider/index.js";
import { BlobPieceStore, openBlobStore } from "../../src/store/index.js";

const [dir, bucket] = process.argv.slice(2);
const refuse = () => {
  throw new Error("no deals here");
};
const node = await startNode({
  store: await BlobPieceStore.open(
    dir as string,
    bucket === undefined ? {} : { blobs: await openBlobStore(JSON.parse(bucket)) },
  ),
  desk: { info: refuse, offers: refuse, accept: refuse },
  logger: pino({ level: "silent" }),
  maxPieceBytes: 1 << 30,
});
const start = process.memoryUsage.rss();
let peak = start;
const sampling = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
console.log(JSON.stringify({ url: node.url }));
process.stdin.resume().once("end", async () => {
  clearInterval(sampling);
  await node.close();
  console.log(JSON.stringify({ grownMiB: (peak - start) / 2 ** 20 }));
});
