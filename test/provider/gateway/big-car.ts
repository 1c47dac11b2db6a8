/**
 * Run by a test in a process of its own: a node that indexes a large CAR and serves it, watched for its memory. The peer is
 * the parent. Prints the URL and the root, then, when standard input ends, the most memory that it took.
 */
import { Readable } from "node:stream";
import { carHeader, carSection } from "../../../src/piece/car/index.js";
import { encodePieceCid } from "../../../src/piece/index.js";
import { type Block, folderBlock, link, rawBlock } from "../../piece/car/helpers.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { startGateway } from "../../support/gateway.js";

const [count, size] = process.argv.slice(2).map(Number) as [number, number];
const leaf = (i: number) => rawBlock(pseudoRandom(size, i + 1));
const root = await rootBlock();

async function rootBlock(): Promise<Block> {
  const links = [];
  for (let i = 0; i < count; i++) links.push(link(`${i}`.padStart(6, "0"), await leaf(i), size));
  return folderBlock(...links);
}

async function* car() {
  yield carHeader(root.cid);
  yield carSection(root.cid, root.bytes);
  for (let i = 0; i < count; i++) yield carSection(...(Object.values(await leaf(i)) as Parameters<typeof carSection>));
}

const gateway = await startGateway();
const id = await gateway.store.beginUpload();
const commitment = await gateway.store.writeUpload(id, Readable.from(car()), Number.MAX_SAFE_INTEGER);
global.gc?.();
const start = process.memoryUsage.rss();
let peak = start;
const sampling = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
await gateway.store.finishUpload(id, encodePieceCid(commitment).toString());
await gateway.index.settled();
console.log(JSON.stringify({ url: gateway.url, root: String(root.cid), bytes: Number(commitment.payloadSize) }));
process.stdin.resume().once("end", async () => {
  clearInterval(sampling);
  await gateway.close();
  console.log(JSON.stringify({ grownMiB: (peak - start) / 2 ** 20 }));
});
