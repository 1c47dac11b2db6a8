/** The fixtures, and PNGs with manifest stores of the test's own making. */
import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { C2paOptions, C2paReport } from "../../../src/provenance/c2pa/index.js";
import { readC2pa } from "../../../src/provenance/c2pa/index.js";

const FIXTURES = new URL("fixtures/", import.meta.url);

export const fixture = async (name: string): Promise<Buffer<ArrayBuffer>> => readFile(new URL(name, FIXTURES));

/** The certificate that the fixtures' signer leads to. */
export const testRoot = async (): Promise<string> => (await fixture("root.pem")).toString("utf8");

export const blobOf = (...parts: Uint8Array<ArrayBuffer>[]): Blob => new Blob(parts);

/** The report on bytes, or on a fixture, that have a manifest; fails where they have none. */
export async function reportOn(asset: string | Uint8Array<ArrayBuffer>, options?: C2paOptions): Promise<C2paReport> {
  const report = await readC2pa(blobOf(typeof asset === "string" ? await fixture(asset) : asset), options);
  if (!report) throw new Error("there is no manifest");
  return report;
}

/** A JUMBF or PNG box: its length and type before the bytes. */
export function box(type: string, ...parts: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 8);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, ...parts]);
}

const UUID_TAIL = Buffer.from("00110010800000aa00389b71", "hex");

/** A JUMBF superbox of C2PA's: a description of four letters and a label, and what is in it. */
export function superbox(kind: string, label: string, ...content: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const description = [Buffer.from(kind, "latin1"), UUID_TAIL, Buffer.from([3]), Buffer.from(`${label}\0`)];
  return box("jumb", box("jumd", ...description), ...content);
}

/** `plain` PNG bytes with a manifest store after its header. */
export function pngWith(plain: Buffer<ArrayBuffer>, store: Uint8Array): Buffer<ArrayBuffer> {
  const chunk = box("caBX", store);
  chunk.writeUInt32BE(store.length);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(chunk.subarray(4)));
  const headerEnd = 8 + 25;
  return Buffer.concat([plain.subarray(0, headerEnd), chunk, crc, plain.subarray(headerEnd)]);
}
