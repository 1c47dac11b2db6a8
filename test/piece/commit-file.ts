/**
 * A process of its own for the memory test: commits to a file, keeps a layer, and prints what it took.
 *
 * Usage: commit-file.ts FILE
 */
import { readFileChunks } from "../../src/piece/file-node.js";
import { commitWithLayer, encodePieceCid } from "../../src/piece/index.js";

const { commitment, layer } = await commitWithLayer(readFileChunks(process.argv[2] as string));
const peakMiB = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ pieceCid: encodePieceCid(commitment).toString(), layer: layer.nodes.length, peakMiB }));
