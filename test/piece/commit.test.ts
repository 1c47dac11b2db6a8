import * as reference from "@web3-storage/data-segment/multihash";
import { expect } from "chai";
import fc from "fast-check";
import {
  commit,
  commitmentOf,
  commitWithLayer,
  encodePieceCid,
  leafCountOf,
  PieceHasher,
  treeHeight,
  zeroSubtree,
} from "../../src/piece/index.js";
import { cut, expectError, pseudoRandom } from "./helpers.js";

const KIB = 1024;

/** The multihash that another implementation gives this payload. */
const expected = (payload: Uint8Array): string => Buffer.from(reference.digest(payload).bytes).toString("hex");

async function actual(payload: Uint8Array): Promise<string> {
  const commitment = await commit(payload, { allowEmpty: true });
  return Buffer.from(encodePieceCid(commitment).multihash.bytes).toString("hex");
}

describe("piece: commitment", () => {
  const edges = [0, 1, 31, 32, 63, 64, 65, 95, 96, 126, 127, 128, 253, 254, 255, 256, 507, 508, 509, 1016, 1017, 2032];
  // Where the subtrees that are hashed at once begin and end: 127 KiB, and what two to five of them make.
  const chunks = [1, 2, 3, 4, 5].flatMap((n) => [-1, 0, 1, 127].map((by) => n * 127 * KIB + by));

  it("agrees with data-segment on edges", async () => {
    for (const size of [...edges, ...chunks]) {
      const payload = pseudoRandom(size, size);
      expect(await actual(payload), `${size} bytes`).to.equal(expected(payload));
    }
  }).timeout(120_000);

  it("agrees with data-segment on random sizes up to 3 MiB", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 3 * KIB * KIB }), fc.integer(), async (size, seed) => {
        const payload = pseudoRandom(size, seed);
        expect(await actual(payload)).to.equal(expected(payload));
      }),
      { numRuns: 8 },
    );
  }).timeout(180_000);

  it("agrees with data-segment on every size up to 1100 bytes, zeros and ones", async () => {
    for (let size = 0; size <= 1100; size += 7) {
      for (const payload of [new Uint8Array(size), new Uint8Array(size).fill(0xff)]) {
        expect(await actual(payload), `${size} bytes`).to.equal(expected(payload));
      }
    }
  }).timeout(60_000);

  it("does not depend on how the payload is cut or carried", async () => {
    const places = fc.array(fc.nat(), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 * KIB }), places, async (size, at) => {
        const payload = pseudoRandom(size, size);
        const whole = await commit(payload);
        const chunks = cut(payload, at);
        expect(await commit(chunks)).to.deep.equal(whole);
        expect(
          await commit(
            (async function* () {
              yield* chunks;
            })(),
          ),
        ).to.deep.equal(whole);
        expect(await commit(new Blob(chunks).stream())).to.deep.equal(whole);
        expect((await commitWithLayer(chunks, { level: 2 })).commitment).to.deep.equal(whole);
      }),
      { numRuns: 25 },
    );
  });

  it("is the zero subtree for zeros of any size", async () => {
    for (const size of [1, 127, 128, 300 * KIB]) {
      const commitment = await commit(new Uint8Array(size));
      expect(commitment).to.deep.equal(commitmentOf(zeroSubtree(commitment.height), BigInt(size)));
    }
  });

  it("forgets nothing of a chunk that its source reuses", async () => {
    const payload = pseudoRandom(300 * KIB);
    const buffer = new Uint8Array(10 * KIB);
    const reusing = function* (): Generator<Uint8Array> {
      for (let at = 0; at < payload.length; at += buffer.length) {
        buffer.set(payload.subarray(at, at + buffer.length));
        yield buffer;
      }
    };
    expect(await commit(reusing())).to.deep.equal(await commit(payload));
  });

  it("refuses an empty payload unless it is asked for", async () => {
    for (const source of [new Uint8Array(), [], [new Uint8Array(), new Uint8Array()]]) {
      await expectError("EMPTY_PIECE", () => commit(source));
      await expectError("EMPTY_PIECE", () => commitWithLayer(source));
    }
    const empty = await commit([], { allowEmpty: true });
    expect(empty).to.deep.include({ leafCount: 0n, payloadSize: 0n, padding: 127n, height: 2, root: zeroSubtree(2) });
  });

  it("hands on what the source throws and closes it", async () => {
    let closed = false;
    const failing = (async function* () {
      try {
        yield pseudoRandom(10);
        throw new RangeError("the wire broke");
      } finally {
        closed = true;
      }
    })();
    expect(await commit(failing).catch((error: unknown) => error)).to.be.instanceOf(RangeError);
    expect(closed).to.equal(true);
  });

  it("releases a web stream that fails", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new RangeError("the wire broke")),
    });
    expect(await commit(stream).catch((error: unknown) => error)).to.be.instanceOf(RangeError);
    expect(stream.locked).to.equal(false);
  });

  it("cancels a web stream whose chunks are unusable", async () => {
    let cancelled = false;
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(null),
      cancel: () => {
        cancelled = true;
      },
    });
    expect(await commit(stream).catch((error: unknown) => error)).to.be.instanceOf(TypeError);
    expect(cancelled).to.equal(true);
  });

  it("keeps no layer that nobody asked for, and none of a senseless level", async () => {
    const hasher = new PieceHasher();
    hasher.update(pseudoRandom(5));
    await expectError("NO_LAYER", () => hasher.finishWithLayer());
    for (const level of [1, 21, 2.5, Number.NaN]) {
      await expectError("INVALID_LAYER_LEVEL", () => new PieceHasher({ level }));
    }
  });

  it("counts leaves and height as the contract does", async () => {
    const table: [bytes: bigint, leaves: bigint, height: number][] = [
      [1n, 1n, 2],
      [31n, 1n, 2],
      [32n, 2n, 2],
      [63n, 2n, 2],
      [64n, 3n, 2],
      [127n, 4n, 2],
      [128n, 5n, 3],
      [254n, 8n, 3],
      [255n, 9n, 4],
    ];
    for (const [bytes, leaves, height] of table) {
      expect(leafCountOf(bytes)).to.equal(leaves);
      expect(treeHeight(leaves)).to.equal(height);
    }
    await expectError("INVALID_LEAF_COUNT", () => treeHeight(-1n));
    await expectError("INVALID_LEAF_COUNT", () => treeHeight((1n << 40n) + 1n));
  });

  it("goes on from a saved state as if nothing had been", async () => {
    const level = fc.constantFrom(2, 5, 11, 12, 13, 15, 20);
    await fc.assert(
      fc.asyncProperty(fc.nat(900 * KIB), fc.nat(900 * KIB), level, async (before, after, at) => {
        const payload = pseudoRandom(before + after + 1, before);
        const { commitment, layer } = await commitWithLayer(payload, { level: at });
        const first = new PieceHasher({ level: at });
        first.update(payload.subarray(0, before));
        const second = PieceHasher.restore(PieceHasher.restore(first.save()).save());
        second.update(payload.subarray(before));
        const again = second.finishWithLayer();
        expect(again.commitment).to.deep.equal(commitment);
        expect(again.layer.encode()).to.deep.equal(layer.encode());
        const bare = new PieceHasher();
        bare.update(payload.subarray(0, before));
        const rest = PieceHasher.restore(bare.save());
        rest.update(payload.subarray(before));
        expect(rest.finish()).to.deep.equal(commitment);
      }),
      { numRuns: 12 },
    );
  }).timeout(120_000);

  it("refuses a saved state that is damaged", async () => {
    const hasher = new PieceHasher({ level: 12 });
    hasher.update(pseudoRandom(400 * KIB));
    const state = hasher.save();
    const wrong = (at: number, byte: number) => state.map((old, i) => (i === at ? byte : old));
    const damaged = [state.subarray(1), state.subarray(0, -1), new Uint8Array(0), new Uint8Array(24), wrong(0, 0)];
    for (const bytes of [...damaged, wrong(8, 1), wrong(8, 21), wrong(8, 2), wrong(16, 1), wrong(23, 255)]) {
      await expectError("CORRUPT_STATE", () => PieceHasher.restore(bytes));
    }
    expect(PieceHasher.restore(state).save()).to.deep.equal(state);
  });
});
