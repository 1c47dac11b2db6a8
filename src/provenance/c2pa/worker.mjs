/**
 * c2pa-rs in a thread of its own: a hostile manifest that keeps it busy, or makes it fail for good, ends with the thread.
 * Plain JavaScript, because a thread doesn't inherit every way of loading TypeScript.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import initialise, { WasmReader } from "@contentauth/c2pa-wasm";

// Settings tell the library to leave the network alone. This makes sure.
delete globalThis.fetch;

const wasm = fileURLToPath(import.meta.resolve("@contentauth/c2pa-wasm/c2pa.wasm"));
const { memory } = await initialise({ module_or_path: await readFile(wasm) });

async function read({ mimeType, bytes, settings }) {
  const reader = await WasmReader.fromBytes(mimeType, bytes, settings);
  try {
    const label = reader.activeLabel();
    if (!label) throw "no active manifest";
    const json = reader.json();
    if (json.length > workerData.maxJson) throw `its manifests describe more than ${workerData.maxJson} characters`;
    const manifestHash = createHash("sha256").update(reader.resourceToBytes(label)).digest("hex");
    return { json, label, manifestHash };
  } finally {
    reader.free();
  }
}

parentPort.on("message", async (request) => {
  let answer;
  try {
    answer = { found: await read(request) };
  } catch (error) {
    // The library's own errors are text. What else is thrown is a trap, which leaves its memory in no known state.
    answer = typeof error === "string" ? { fault: error } : { fault: `${error}`, broken: true };
  }
  parentPort.postMessage({ ...answer, memory: memory.buffer.byteLength });
});
