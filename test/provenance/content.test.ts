import { createHash } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import { commit } from "../../src/piece/index.js";
import { NO_HASH, pieceIdOf } from "../../src/protocol/index.js";
import { ContentHasher, contentOf } from "../../src/provenance/content.js";
import { cut, pseudoRandom } from "../piece/helpers.js";
import { runs } from "../support/effort.js";
import { failure } from "../support/failure.js";

const sha256 = (bytes: Uint8Array) => `0x${createHash("sha256").update(bytes).digest("hex")}`;

describe("provenance: what bytes are known by", () => {
  it("is their SHA-256, size and piece, however they come", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        async (size, places) => {
          const bytes = pseudoRandom(size, size);
          const commitment = await commit(bytes);
          const hasher = new ContentHasher();
          for (const chunk of cut(bytes, places)) hasher.update(chunk);
          const expected = {
            ...{ contentHash: sha256(bytes), size: BigInt(size), pieceId: pieceIdOf(commitment), commitment },
          };
          expect(hasher.finish()).to.deep.equal(expected);
          expect(await contentOf(new Blob([bytes]))).to.deep.equal(expected);
        },
      ),
      { numRuns: runs(30) },
    );
  });

  it("has no piece where there are no bytes", async () => {
    expect(await contentOf(new Blob([]))).to.deep.equal({
      contentHash: sha256(new Uint8Array()),
      size: 0n,
      pieceId: NO_HASH,
      commitment: undefined,
    });
  });

  it("is not known where reading fails half-way", async () => {
    const reason = new Error("the disk is gone");
    const stream = () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        start: (controller) => controller.enqueue(pseudoRandom(10)),
        pull: (controller) => controller.error(reason),
      });
    expect(await failure(contentOf({ size: 20, stream }))).to.equal(reason);
  });
});
