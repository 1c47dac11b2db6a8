import { expect } from "chai";
import { readC2pa } from "../../../src/provenance/c2pa/index.js";
import { expectError } from "../../piece/helpers.js";
import { blobOf, box, fixture, pngWith, reportOn, superbox } from "./helpers.js";

/** What any of these may take, on a machine that is busy with other tests. */
const PATIENCE = 20_000;

const NO_DATA = box("cbor", Buffer.from("a0", "hex"));
const ASSERTION = superbox("cbor", "c2pa.actions.v2", NO_DATA);
const hex = (digits: string) => Buffer.from(digits, "hex");
const repeated = (count: number, part: Uint8Array) => Buffer.concat(Array<Uint8Array>(count).fill(part));

/** A manifest with a claim of the given CBOR, assertions, and a signature that is none. */
const manifest = (claim: Uint8Array, assertions: Uint8Array = ASSERTION, label = "urn:c2pa:x") =>
  superbox(
    "c2ma",
    label,
    superbox("c2as", "c2pa.assertions", assertions),
    superbox("c2cl", "c2pa.claim.v2", box("cbor", claim)),
    superbox("c2cs", "c2pa.signature", NO_DATA),
  );

/** Boxes within boxes. */
function nested(depth: number): Buffer<ArrayBuffer> {
  let within = superbox("c2ma", "m", NO_DATA);
  for (let i = 0; i < depth; i++) within = superbox("c2ma", "m", within);
  return within;
}

/** What is in the store, and how far c2pa-rs gets with it. */
const STORES: [string, () => Uint8Array, RegExp][] = [
  ["boxes within boxes", () => nested(3_000), /BoxNestingTooDeep/],
  ["a list in a list in a list", () => manifest(Buffer.alloc(1 << 20, 0x81)), /CBOR nesting depth/],
  ["tags without end", () => manifest(Buffer.alloc(1 << 20, 0xc1)), /CBOR nesting depth/],
  ["a list of 2^60 items", () => manifest(hex("9b1000000000000000")), /exceeds maximum/],
  ["a list of 2^24 items that aren't there", () => manifest(hex("9b0000000001000000")), /claim_cbor/],
  ["a text of 2^60 bytes", () => manifest(hex("7b1000000000000000")), /exceeds maximum/],
  ["a text of 2^31 bytes", () => manifest(hex("7b000000007fffffff")), /exceeds maximum/],
  ["200,000 assertions", () => manifest(hex("a0"), repeated(200_000, ASSERTION)), /unsupported claim version/],
  [
    "20,000 manifests",
    () => Buffer.concat(Array.from({ length: 20_000 }, (_, i) => manifest(hex("a0"), ASSERTION, `urn:c2pa:${i}`))),
    /unsupported claim version/,
  ],
  ["zeroes", () => Buffer.alloc(32 << 20), /ProvenanceMissing/],
  ["a box that is longer than the store", () => hex("7fffffff6a756d62"), /Jumb/],
];

describe("C2PA: hostile manifests", () => {
  for (const [what, content, fault] of STORES) {
    it(`ends soon with ${what}`, async () => {
      const generated = await fixture("generated.png");
      const store = superbox("c2pa", "c2pa", content());
      const asset = blobOf(pngWith(generated.subarray(0, 33), store), generated.subarray(generated.length - 12));
      const began = performance.now();
      const error = await expectError("C2PA_UNREADABLE", () => readC2pa(asset));
      expect(performance.now() - began).to.be.below(PATIENCE);
      expect(error.message).to.match(fault).and.have.length.below(400);
      expect((await reportOn("original.jpg")).state).to.equal("valid");
    });
  }

  it("ends what takes longer than it may, and reads on afterwards", async () => {
    const asset = blobOf(await fixture("original.jpg"), Buffer.alloc(64 << 20));
    const slow = expectError("C2PA_UNREADABLE", () => readC2pa(asset, { timeLimit: 5 }));
    const waiting = reportOn("generated.png");
    expect((await slow).message).to.contain("more than 5 ms");
    expect((await waiting).state).to.equal("valid");
  });

  it("passes on what reading the asset's bytes throws", async () => {
    const broken = new Error("disk on fire");
    class Burning extends Blob {
      override arrayBuffer(): Promise<ArrayBuffer> {
        return Promise.reject(broken);
      }
    }
    const outcome = await readC2pa(new Burning([await fixture("plain.jpg")])).catch((error: unknown) => error);
    expect(outcome).to.equal(broken);
    expect((await reportOn("original.jpg")).state).to.equal("valid");
  });
});
