/** Sets for tests: contents that are really hashed, and set files as whoever means harm would make them. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { AI_TRAINING, EDGE_KINDS, NO_HASH, RECORD_KINDS, sortEdges } from "../../../src/protocol/index.js";
import { writeSetFile } from "../../../src/provenance/sets/file-node.js";
import { buildSet, type SetContent, type SetPlan, type SharedClaims } from "../../../src/provenance/sets/index.js";
import { address, hex } from "../../protocol/arbitraries.js";
import { tempFolder } from "../../support/pieces.js";

export const PARENT = `0x${"a5".repeat(32)}`;
export const SHARED: SharedClaims = {
  kind: "derived",
  license: "CC-BY-4.0",
  aiTraining: "constrained",
  parents: [{ parent: PARENT, kind: "derivation" }],
  manifestHash: `0x${"5c".repeat(32)}`,
};

export const REGISTRY = { chainId: 31_337, registry: "0x5FbDB2315678afecb367f032d93F642f64180aa3" };
export const REGISTRANT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

export const sha256 = (bytes: Uint8Array | string): string => `0x${createHash("sha256").update(bytes).digest("hex")}`;

/** Contents that are all different. */
export const contents = (count: number, salt = ""): SetContent[] =>
  Array.from({ length: count }, (_, i) => ({ sha256: sha256(`${salt}${i}`), size: BigInt(`${salt}${i}`.length) }));

export const setOf = (entries: readonly SetContent[], changes: Partial<SetPlan> = {}) =>
  buildSet({ ...REGISTRY, registrant: REGISTRANT, shared: SHARED, entries, ...changes });

/** A set file of these contents; gives its path. */
export async function setFileOf(entries: readonly SetContent[], changes: Partial<SetPlan> = {}): Promise<string> {
  const path = join(await tempFolder(), "some.set");
  await writeSetFile(path, setOf(entries, changes));
  return path;
}

/** Writes a file's bytes anew, as `change` gives them. */
export async function rewrite(path: string, change: (bytes: Buffer) => Uint8Array): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}

/** Whatever records may share. */
export const claims: fc.Arbitrary<SharedClaims> = fc.record({
  kind: fc.constantFrom(...RECORD_KINDS),
  license: fc.oneof(fc.constant(""), fc.string({ unit: "grapheme", maxLength: 12 })),
  aiTraining: fc.constantFrom(...AI_TRAINING),
  parents: fc
    .array(fc.record({ parent: hex(32), kind: fc.constantFrom(...EDGE_KINDS) }), { maxLength: 5 })
    .map(sortEdges),
  manifestHash: fc.oneof(fc.constant(NO_HASH), hex(32)),
});

export const registries = fc.record({ chainId: fc.integer({ min: 1, max: 2 ** 40 }), registry: address });
