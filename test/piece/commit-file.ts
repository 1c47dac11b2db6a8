/**
 * A process of its own for the memory test: commits to a file, keeps a layer, and prints what it took.
 *
 * Usage: commit-file.ts FILE
 */
import { readFileChunks } from "../../src/piece/file-node.js";
import { commitWithLayer, encodePieceCid } from "../../src/piece/index.js";

// Sampled here: the operating system's own peak counts the process that spawned this one, until it is replaced.
let peak = 0;
const sample = (): void => {
  peak = Math.max(peak, process.memoryUsage.rss());
};
const { commitment, layer } = await commitWithLayer(readFileChunks(process.argv[2] as string, sample));
sample();
const peakMiB = peak / 2 ** 20;
console.log(JSON.stringify({ pieceCid: encodePieceCid(commitment).toString(), layer: layer.nodes.length, peakMiB }));
