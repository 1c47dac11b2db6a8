import { brotliCompressSync, constants } from "node:zlib";
import { expect } from "chai";
import fc from "fast-check";
import type { HoldfastError } from "../../src/errors.js";
import { commit } from "../../src/piece/index.js";
import {
  FileKey,
  HEADER_SIZE,
  newReplicaId,
  type ReadReplica,
  ReplicaDecryptor,
  ReplicaEncryptor,
  readReplicaRange,
  replicaOf,
  TAG_SIZE,
} from "../../src/replica/index.js";
import { pseudoRandom } from "../piece/helpers.js";
import { runs } from "../support/effort.js";
import { failure } from "../support/failure.js";
import { bytesOf, inChunks } from "../support/pieces.js";

/** Small chunks, so that a small payload has many. */
const CHUNK_LOG = 12;
const CHUNK = 2 ** CHUNK_LOG;
const SEALED = CHUNK + TAG_SIZE;

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

async function encrypt(key: FileKey, id: Uint8Array, payload: Uint8Array, pieces: AsyncIterable<Uint8Array>) {
  const encryptor = await ReplicaEncryptor.create(key, { id, size: payload.length, chunkLog: CHUNK_LOG });
  const parts: Uint8Array[] = [encryptor.header];
  for await (const bytes of pieces) parts.push(...(await encryptor.update(bytes)));
  return joined([...parts, ...(await encryptor.finish())]);
}

async function decrypt(key: FileKey, id: Uint8Array, size: number, pieces: AsyncIterable<Uint8Array>) {
  const decryptor = new ReplicaDecryptor(key, { id, size });
  const parts: Uint8Array[] = [];
  for await (const bytes of pieces) parts.push(...(await decryptor.update(bytes)));
  decryptor.finish();
  return joined(parts);
}

describe("replica: encryption", () => {
  let key: FileKey;
  const id = newReplicaId();
  const payload = pseudoRandom(3 * CHUNK + 777, 5);
  let replica: Uint8Array<ArrayBuffer>;

  before(async () => {
    ({ key } = await FileKey.generate());
    replica = await encrypt(key, id, payload, inChunks(payload, 1_000));
  });

  const refusal = (bytes: Uint8Array, { under = key, as = id, size = payload.length } = {}) =>
    failure<HoldfastError>(decrypt(under, as, size, inChunks(bytes, 999)));
  const chunkAt = (index: number) => HEADER_SIZE + index * SEALED;

  it("gives payload back, however it is cut on both ways", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.integer({ min: 1, max: 4 * CHUNK }), fc.constantFrom(CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK)),
        fc.integer({ min: 1, max: 2 * CHUNK }),
        fc.integer({ min: 1, max: 2 * CHUNK }),
        async (size, cut, cutBack) => {
          const bytes = pseudoRandom(size, cut);
          const encrypted = await encrypt(key, id, bytes, inChunks(bytes, cut));
          expect(encrypted).to.have.length(HEADER_SIZE + size + TAG_SIZE * Math.ceil(size / CHUNK));
          expect(await decrypt(key, id, size, inChunks(encrypted, cutBack))).to.deep.equal(bytes);
        },
      ),
      { numRuns: runs(40) },
    );
  });

  it("detects any byte that is changed, wherever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(replica.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const bytes = replica.slice();
        bytes[at]! ^= by;
        expect((await refusal(bytes)).code).to.be.oneOf(["REPLICA_CORRUPT", "INVALID_REPLICA"]);
      }),
      { numRuns: runs(150) },
    );
  });

  it("detects whatever end is missing", async () => {
    for (const length of [0, 1, 47, 48, 49, chunkAt(1), chunkAt(2), chunkAt(3), replica.length - 1]) {
      expect(await refusal(replica.slice(0, length)), `${length}`).to.include({
        code: "REPLICA_CORRUPT",
        message: "not the replica that was stored: its end is missing",
      });
    }
  });

  it("detects a shorter payload made of whole chunks under a header that says so", async () => {
    const bytes = replica.slice(0, chunkAt(2));
    new DataView(bytes.buffer).setBigUint64(8, BigInt(2 * CHUNK));
    expect((await refusal(bytes, { size: 2 * CHUNK })).code).to.equal("REPLICA_CORRUPT");
  });

  it("detects bytes that follow the last", async () => {
    expect((await refusal(joined([replica, new Uint8Array(1)]))).message).to.include("bytes follow");
  });

  it("detects chunks that were swapped, doubled or left out", async () => {
    const [zero, one, two, last] = [0, 1, 2, 3].map((i) => replica.slice(chunkAt(i), chunkAt(i + 1)));
    const head = replica.slice(0, HEADER_SIZE);
    for (const order of [
      [one, zero, two, last],
      [zero, zero, two, last],
      [zero, two, one, last],
      [zero, two, last],
      [zero, one, last, two],
    ]) {
      expect((await refusal(joined([head, ...(order as Uint8Array[])]))).code).to.equal("REPLICA_CORRUPT");
    }
  });

  it("detects chunks of another replica of the same file", async () => {
    const other = await encrypt(key, newReplicaId(), payload, inChunks(payload));
    const spliced = replica.slice();
    spliced.set(other.slice(chunkAt(1), chunkAt(2)), chunkAt(1));
    expect((await refusal(spliced)).message).to.include("chunk 1");
    expect((await refusal(other)).message).to.include("another replica's id");
  });

  it("opens under its own key only", async () => {
    const wrong = await FileKey.generate();
    expect((await refusal(replica, { under: wrong.key })).message).to.include("another key");
  });

  it("refuses another size than the one that was stored", async () => {
    expect((await refusal(replica, { size: payload.length + 1 })).message).to.include("it holds");
  });

  describe("ranges", () => {
    const reader =
      (bytes: Uint8Array, asked: number[] = []): ReadReplica =>
      async (offset, length) => {
        asked.push(length);
        return bytes.slice(offset, offset + length);
      };
    const range = (read: ReadReplica, offset: number, length: number) =>
      readReplicaRange(read, key, { id, size: payload.length }, offset, length);

    it("give the same bytes as the whole", async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(payload.length), fc.nat(payload.length), async (a, b) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          expect(await range(reader(replica), from, to - from)).to.deep.equal(payload.slice(from, to));
        }),
        { numRuns: runs(60) },
      );
    });

    it("read the header and the chunks that they touch, no others", async () => {
      const asked: number[] = [];
      await range(reader(replica, asked), CHUNK - 1, 2);
      expect(asked).to.deep.equal([HEADER_SIZE, SEALED, SEALED]);
    });

    it("are verified", async () => {
      const bytes = replica.slice();
      bytes[chunkAt(1) + 5]! ^= 1;
      expect(await range(reader(bytes), 0, CHUNK)).to.deep.equal(payload.slice(0, CHUNK));
      const refused = await failure<HoldfastError>(range(reader(bytes), CHUNK, 1));
      expect(refused.code).to.equal("REPLICA_CORRUPT");
      const short = await failure<HoldfastError>(range(reader(replica.slice(0, -1)), payload.length - 1, 1));
      expect(short.message).to.include("bytes came for chunk 3");
    });

    it("lie within the payload", async () => {
      for (const [offset, length] of [
        [-1, 2],
        [0, -1],
        [payload.length, 1],
        [Number.NaN, 1],
      ] as const) {
        expect(await failure(range(reader(replica), offset, length))).to.be.instanceOf(RangeError);
      }
    });
  });

  it("reads the same bytes each time, so that what was committed to is what is sent", async () => {
    const source = replicaOf(new Blob([payload]), key, id);
    const first = await bytesOf(source.stream());
    expect(first).to.have.length(source.size);
    expect(await bytesOf(source.stream())).to.deep.equal(first);
    expect((await commit(source.stream())).payloadSize).to.equal(BigInt(source.size));
  });

  it("stops reading its source where its reader stops", async () => {
    let cancelled = false;
    const stream = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => {
          cancelled = true;
        },
      });
    const reader = replicaOf({ size: 2 ** 40, stream }, key, id)
      .stream()
      .getReader();
    await reader.read();
    await reader.read();
    await reader.cancel();
    expect(cancelled).to.equal(true);
  });

  it("fails where the payload is not as long as it was said to be", async () => {
    for (const size of [payload.length - 1, payload.length + 1]) {
      const source = { size, stream: () => new Blob([payload]).stream() };
      const refused = await failure<HoldfastError>(bytesOf(replicaOf(source, key, id).stream()));
      expect(refused.code).to.equal("SOURCE_CHANGED");
    }
    expect(() => replicaOf(new Blob([]), key, id))
      .to.throw()
      .with.property("code", "INVALID_REPLICA");
  });

  it("makes replicas that are of no use to each other", async () => {
    const zeros = new Uint8Array(1 << 20);
    const pair = await Promise.all(
      [1, 2].map(() => bytesOf(replicaOf(new Blob([zeros]), key, newReplicaId()).stream())),
    );
    const options = { params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS } };
    const compressed = brotliCompressSync(joined(pair), options).length;
    expect(compressed).to.be.greaterThan(0.999 * 2 * pair[0]!.length);
    const blocks = new Set<string>();
    for (const bytes of pair) {
      for (let at = 16; at + 16 <= bytes.length; at += 16) {
        const block = Buffer.from(bytes.buffer, at, 16).toString("latin1");
        expect(blocks.has(block)).to.equal(false);
        blocks.add(block);
      }
    }
  });
});
