import { cp, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { HoldfastError } from "../../src/errors.js";
import { encodePieceCid, prove, verifyProof } from "../../src/piece/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { bytesOf, inChunks, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { blobsAt, describeStores, type StorePlace } from "../support/stores.js";

const MIB = 1 << 20;
const MOST = 400 * MIB;

async function put(store: BlobPieceStore, { payload, cid }: TestPiece): Promise<void> {
  const id = await store.beginUpload();
  await store.writeUpload(id, inChunks(payload), MOST);
  await store.finishUpload(id, cid);
}

describeStores("Pieces", (stores) => {
  let place: StorePlace;
  let dir: string;
  let store: BlobPieceStore;
  let piece: TestPiece;
  const uploads = async () => (await readdir(join(dir, "uploads"))).sort();
  const blob = ({ cid }: TestPiece = piece, suffix = ".piece") => `pieces/${cid}${suffix}`;
  const expectNothing = async () => {
    expect(await uploads()).to.deep.equal([]);
    expect(await blobsAt(place)).to.deep.equal([]);
    expect(await store.list()).to.deep.equal([]);
    expect((await stores.s3?.unfinished()) ?? []).to.deep.equal([]);
  };

  before(async () => {
    piece = await testPiece(3 * MIB + 17);
  });
  beforeEach(async () => {
    place = await stores.create();
    dir = place.dir;
    store = await stores.open(place);
  });

  it("takes a piece, finds it, lists it, reads any part of it", async () => {
    await put(store, piece);
    expect(await store.find(piece.cid)).to.deep.equal(piece.found);
    expect(await store.list()).to.deep.equal([piece.cid]);
    expect(await blobsAt(place)).to.deep.equal([blob()]);
    expect(await uploads()).to.deep.equal([]);
    const size = piece.payload.length;
    for (const [start, end] of [
      [0, size],
      [0, 1],
      [size - 1, size],
      [MIB - 5, 2 * MIB + 3],
      [7, 7],
    ] as const) {
      expect(await bytesOf(await store.read(piece.cid, start, end))).to.deep.equal(piece.payload.subarray(start, end));
    }
  });

  it("proves a piece, by root and leafCount together", async () => {
    await put(store, piece);
    const { root, leafCount } = piece.commitment;
    const opened = await store.open(root, leafCount);
    if (!opened) throw new Error("the piece is not here");
    const leaves = [0n, 777n, leafCount - 1n];
    const proof = await prove(opened.layer, opened.read, leaves);
    expect(verifyProof(piece.commitment, leaves, proof)).to.equal(true);
    expect(await store.open(root, leafCount - 1n)).to.equal(undefined);
    expect(
      await store.open(
        root.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
        leafCount,
      ),
    ).to.equal(undefined);
  });

  it("finds what it held after a restart, and deletes what was half there", async () => {
    await put(store, piece);
    await store.writeUpload(await store.beginUpload(), inChunks(piece.payload), MOST);
    await place.blobs.put("pieces/notes.piece", new Uint8Array(4));
    expect(await uploads()).to.have.length(2);
    const again = await stores.open(place);
    expect(await uploads()).to.deep.equal([]);
    expect(await blobsAt(place)).to.deep.equal([blob(), "pieces/notes.piece"]);
    expect(await again.list()).to.deep.equal([piece.cid]);
    expect(await again.open(piece.commitment.root, piece.commitment.leafCount)).to.not.equal(undefined);
  });

  it("deletes an upload whose bytes are another piece, or that is empty, too long, or breaks off", async () => {
    const other = await testPiece(1_000, 2);
    const wrong = await store.beginUpload();
    await store.writeUpload(wrong, inChunks(piece.payload), MOST);
    await expectError("PIECE_MISMATCH", () => store.finishUpload(wrong, other.cid));
    await expectNothing();
    await expectError("UNKNOWN_UPLOAD", () => store.finishUpload(wrong, piece.cid));

    const empty = await store.beginUpload();
    await expectError("EMPTY_PIECE", () => store.writeUpload(empty, inChunks(new Uint8Array(0)), MOST));
    const long = await store.beginUpload();
    await expectError("PIECE_TOO_LARGE", () => store.writeUpload(long, inChunks(piece.payload), 3 * MIB));
    const broken = await store.beginUpload();
    const half = async function* () {
      yield piece.payload.subarray(0, MIB);
      throw new Error("cable cut");
    };
    const failure = await store.writeUpload(broken, half(), MOST).catch((error: Error) => error);
    expect(failure).to.have.property("message", "cable cut");
    await expectNothing();
    for (const id of [empty, long, broken]) {
      await expectError("UNKNOWN_UPLOAD", () => store.writeUpload(id, inChunks(piece.payload), MOST));
    }
  });

  it("takes a piece of exactly the most bytes", async () => {
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(piece.payload), piece.payload.length);
    await store.finishUpload(id, piece.cid);
    expect(await store.find(piece.cid)).to.not.equal(undefined);
  });

  for (const code of ["ENOSPC", "EDQUOT", "EFBIG"]) {
    it(`leaves nothing behind when the disk is full (${code})`, async () => {
      const probe = await open(join(dir, "probe"), "w");
      const handles = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => unknown };
      await probe.close();
      const { write } = handles;
      let calls = 0;
      handles.write = function (...args) {
        if (++calls > 10) throw Object.assign(new Error(code), { code });
        return write.apply(this, args);
      };
      try {
        const id = await store.beginUpload();
        await expectError("DISK_FULL", () => store.writeUpload(id, inChunks(piece.payload), MOST));
      } finally {
        handles.write = write;
      }
      expect(calls).to.equal(11);
      await expectNothing();
      await put(store, piece);
    });
  }

  it("refuses ids that it did not give, and steps out of order", async () => {
    const id = await store.beginUpload();
    expect(id).to.match(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    await expectError("UPLOAD_INCOMPLETE", () => store.finishUpload(id, piece.cid));
    for (const strange of ["../../etc/passwd", "", "x".repeat(9_999), id.toUpperCase(), crypto.randomUUID()]) {
      await expectError("UNKNOWN_UPLOAD", () => store.writeUpload(strange, inChunks(piece.payload), MOST));
      await expectError("UNKNOWN_UPLOAD", () => store.finishUpload(strange, piece.cid));
    }
    await store.writeUpload(id, inChunks(piece.payload), MOST);
    await expectError("UPLOAD_WRITTEN", () => store.writeUpload(id, inChunks(piece.payload), MOST));
    await expectError("INVALID_PIECE_CID", () => store.finishUpload(id, "../x"));
    await store.finishUpload(id, piece.cid);
    await expectError("UNKNOWN_UPLOAD", () => store.finishUpload(id, piece.cid));
  });

  it("takes the same piece from several uploads at once, and one upload's end only once", async () => {
    const ids = await Promise.all([store.beginUpload(), store.beginUpload(), store.beginUpload()]);
    await Promise.all(ids.map((id) => store.writeUpload(id, inChunks(piece.payload, 10_007), MOST)));
    const ends = await Promise.allSettled([...ids, ids[0] as string].map((id) => store.finishUpload(id, piece.cid)));
    expect(ends.filter(({ status }) => status === "fulfilled")).to.have.length(3);
    expect(await uploads()).to.deep.equal([]);
    expect(await bytesOf(await store.read(piece.cid, 0, piece.payload.length))).to.deep.equal(piece.payload);
  });

  it("writes one upload's bytes only once", async () => {
    const id = await store.beginUpload();
    const first = store.writeUpload(id, inChunks(piece.payload), MOST);
    await expectError("UPLOAD_WRITTEN", () => store.writeUpload(id, inChunks(piece.payload), MOST));
    await expectError("UPLOAD_INCOMPLETE", () => store.finishUpload(id, piece.cid));
    await first;
    await store.finishUpload(id, piece.cid);
  });

  it("limits uploads under way, and forgets those that nobody goes on with", async () => {
    let now = 0;
    const small = await stores.open(place, { maxUploads: 2, expireMs: 1_000, now: () => now });
    const written = await small.beginUpload();
    await small.writeUpload(written, inChunks(piece.payload), MOST);
    const begun = await small.beginUpload();
    await expectError("TOO_MANY_UPLOADS", () => small.beginUpload());
    now = 999;
    await expectError("TOO_MANY_UPLOADS", () => small.beginUpload());
    now = 1_000;
    const next = await small.beginUpload();
    await expectNothing();
    await expectError("UNKNOWN_UPLOAD", () => small.finishUpload(written, piece.cid));
    await expectError("UNKNOWN_UPLOAD", () => small.writeUpload(begun, inChunks(piece.payload), MOST));
    await small.writeUpload(next, inChunks(piece.payload), MOST);
  });

  it("does not expire an upload that is being written", async () => {
    let now = 0;
    const small = await stores.open(place, { expireMs: 1_000, now: () => now });
    const id = await small.beginUpload();
    const slow = async function* () {
      yield piece.payload.subarray(0, MIB);
      now = 5_000;
      await small.beginUpload();
      yield piece.payload.subarray(MIB);
    };
    await small.writeUpload(id, slow(), MOST);
    await small.finishUpload(id, piece.cid);
  });

  it("goes on, after a process that died, from the last checkpoint", async () => {
    const checkpointBytes = MIB;
    const dying = await stores.open(place, { checkpointBytes });
    const id = await dying.beginUpload("somebody");
    let left: Promise<void> | undefined;
    const copy = await tempFolder();
    const dies = async function* () {
      for await (const chunk of inChunks(piece.payload.subarray(0, 2 * MIB + 70_000))) yield chunk;
      // What a process leaves that is killed now: no break was noticed, and nothing was closed.
      left = cp(dir, copy, { recursive: true });
      await left;
      throw new Error("killed");
    };
    await dying.appendUpload(id, dies(), { maxBytes: MOST, last: true }).catch(() => undefined);
    const next = await stores.open({ ...place, dir: copy }, { checkpointBytes });
    expect(next.uploads()).to.deep.equal([{ id, owner: "somebody", bytes: 2 * MIB }]);
    const rest = inChunks(piece.payload.subarray(2 * MIB));
    await expectError("WRONG_OFFSET", () => next.appendUpload(id, rest, { offset: MIB, maxBytes: MOST, last: true }));
    await next.appendUpload(id, rest, { offset: 2 * MIB, maxBytes: MOST, last: true });
    await next.finishUpload(id, piece.cid);
    expect(await bytesOf(await next.read(piece.cid, 0, piece.payload.length))).to.deep.equal(piece.payload);
    const opened = await next.open(piece.commitment.root, piece.commitment.leafCount);
    expect(opened?.layer.commitment).to.deep.equal(piece.commitment);
    expect(await readdir(join(copy, "uploads"))).to.deep.equal([]);
  });

  it("never finds the hashes of what came before beside what came after, whenever it is killed", async () => {
    const maxBytes = MOST;
    const dying = await stores.open(place, { checkpointBytes: 64 * MIB });
    const id = await dying.beginUpload("somebody");
    const breaks = async function* () {
      yield piece.payload.subarray(0, MIB);
      throw new HoldfastError("UPLOAD_BROKEN", "the line is cut", "go on");
    };
    await expectError("UPLOAD_BROKEN", () => dying.appendUpload(id, breaks(), { maxBytes, last: true }));
    expect(dying.uploadProgress(id)).to.deep.equal({ size: MIB, complete: false });
    // It begins anew, with other bytes and more of them.
    const copies: string[] = [];
    const other = async function* () {
      for (let sent = 0; sent < 2; sent++) {
        copies.push(await tempFolder());
        await cp(dir, copies.at(-1) as string, { recursive: true });
        yield new Uint8Array(MIB + 1).fill(0xee);
      }
      throw new Error("killed");
    };
    await dying.appendUpload(id, other(), { maxBytes, last: true }).catch(() => undefined);
    expect(copies).to.have.length(2);
    for (const copy of copies) {
      const next = await stores.open({ ...place, dir: copy });
      expect(next.uploads()).to.deep.equal([]);
      expect(await readdir(join(copy, "uploads"))).to.deep.equal([]);
    }
  });

  it("FOLDER_IN_USE: takes no uploads into the folder of another store", async () => {
    const { hint } = await expectError("FOLDER_IN_USE", () => BlobPieceStore.open(dir, { blobs: place.blobs }));
    expect(hint).to.contain("folders of their own");
    await put(store, piece);
    await store.close();
    await store.close();
    expect(await (await stores.open(place)).find(piece.cid)).to.deep.equal(piece.found);
  });

  it("leaves a piece as it is that is uploaded again, and brings back one that is cut", async () => {
    await put(store, piece);
    const taken: string[] = [];
    const { take } = place.blobs;
    place.blobs.take = (name, ...rest) => {
      taken.push(name);
      return take.call(place.blobs, name, ...rest);
    };
    await put(store, piece);
    expect(taken.filter((name) => name === blob())).to.deep.equal([]);
    expect(await uploads()).to.deep.equal([]);
    await place.blobs.put(blob(), piece.payload.subarray(0, 1_000));
    expect(await store.find(piece.cid)).to.equal(undefined);
    await put(store, piece);
    expect(await bytesOf(await store.read(piece.cid, 0, piece.payload.length))).to.deep.equal(piece.payload);
  });

  it("has a piece that comes again while it is deleted, or has not", async () => {
    await put(store, piece);
    for (let round = 0; round < 10; round++) {
      const id = await store.beginUpload();
      await store.writeUpload(id, inChunks(piece.payload), MOST);
      await Promise.all([store.remove(piece.cid), store.finishUpload(id, piece.cid)]);
      // In the order of asking: the deletion first.
      expect(await store.findTree(piece.commitment.root, piece.commitment.leafCount)).to.deep.equal(piece.found);
      expect(await blobsAt(place)).to.deep.equal([blob()]);
    }
  });

  it("does not have a piece whose blob is gone or cut", async () => {
    await put(store, piece);
    const { root, leafCount } = piece.commitment;
    await place.blobs.put(blob(), piece.payload.subarray(1));
    const expectGone = async () => {
      expect(await store.find(piece.cid)).to.equal(undefined);
      expect(await store.findTree(root, leafCount)).to.equal(undefined);
      expect(await store.open(root, leafCount)).to.equal(undefined);
      expect(await store.promise(root, leafCount, 1n)).to.equal(undefined);
      await expectError("UNKNOWN_PIECE", () => store.read(piece.cid, 0, 1));
    };
    await expectGone();
    await place.blobs.delete(blob());
    await expectGone();
    await put(store, piece);
    expect(await store.open(root, leafCount)).to.not.equal(undefined);
  });

  it("keeps small layers in the index and large ones as blobs, and builds each again that was lost or damaged", async function () {
    this.timeout(60_000);
    const large = await testPiece(255 * MIB, 3);
    await put(store, large);
    expect(await blobsAt(place)).to.deep.equal([blob(large, ".layer"), blob(large)].sort());
    const { root, leafCount } = large.commitment;
    const whole = Buffer.from((await place.blobs.read(blob(large, ".layer"), 0, MIB))!);
    const expectProof = async () => {
      const opened = await store.open(root, leafCount);
      const proof = await prove(opened!.layer, opened!.read, [0n, leafCount - 1n]);
      expect(verifyProof(large.commitment, [0n, leafCount - 1n], proof)).to.equal(true);
    };
    await expectProof();
    await place.blobs.put(blob(large, ".layer"), whole.subarray(1));
    await expectProof();
    expect(Buffer.from((await place.blobs.read(blob(large, ".layer"), 0, MIB))!).equals(whole)).to.equal(true);
    await place.blobs.delete(blob(large, ".layer"));
    await Promise.all([expectProof(), expectProof()]);
    expect(await place.blobs.size(blob(large, ".layer"))).to.equal(whole.length);
    await store.remove(large.cid);
    await expectNothing();
  });

  it("builds no layer from bytes that have changed", async () => {
    const changed = piece.payload.map((byte, i) => (i === 5 ? byte ^ 1 : byte));
    await place.blobs.put(blob(), changed);
    const again = await stores.open(place);
    expect(await again.list(), "its length is right").to.deep.equal([piece.cid]);
    await expectError("PIECE_DAMAGED", () => again.open(piece.commitment.root, piece.commitment.leafCount));
  });

  it("knows pieces whose blobs were there before it, and clears away what belongs to none", async () => {
    const other = await testPiece(1_000, 7);
    await place.blobs.put(blob(), piece.payload);
    await place.blobs.put(blob(other, ".layer"), new Uint8Array(3));
    await place.blobs.put(`blocks/${other.cid}.blocks`, new Uint8Array(3));
    const again = await stores.open(place);
    expect(await again.list()).to.deep.equal([piece.cid]);
    expect(await blobsAt(place)).to.deep.equal([blob()]);
    expect(await blobsAt(place, "blocks")).to.deep.equal([]);
    const opened = await again.open(piece.commitment.root, piece.commitment.leafCount);
    expect(opened?.layer.commitment).to.deep.equal(piece.commitment);
  });

  it("counts uploads that are on their way into the blob store, until they are there", async () => {
    let go!: () => void;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { blobs } = place;
    const slow = new Proxy(blobs, {
      get(target, name) {
        if (name === "take")
          return async (...args: Parameters<typeof blobs.take>) => held.then(() => blobs.take(...args));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const one = await stores.open({ ...place, dir: await tempFolder(), blobs: slow }, { maxUploads: 1 });
    const id = await one.beginUpload("peer");
    await one.writeUpload(id, inChunks(piece.payload), piece.payload.length);
    const finishing = one.finishUpload(id, piece.cid);
    await expectError("TOO_MANY_UPLOADS", () => one.beginUpload("peer"));
    expect(one.uploads(), "its bytes are the piece's already").to.deep.equal([{ id, owner: "peer", bytes: 0 }]);
    go();
    await finishing;
    expect(one.uploads()).to.deep.equal([]);
    await one.beginUpload("peer");
  });

  it("takes no piece for one whose blob is missing, and has it as it was when the blob is back", async function () {
    if (!place.database) this.skip();
    await put(store, piece);
    const { root, leafCount } = piece.commitment;
    await store.promise(root, leafCount, 1_000n);
    // As with a disk that is not mounted.
    await place.blobs.delete(blob());
    const without = await stores.open(place);
    expect(await without.find(piece.cid)).to.equal(undefined);
    expect(await without.open(root, leafCount)).to.equal(undefined);
    expect(await without.promise(root, leafCount, 2_000n)).to.equal(undefined);
    await place.blobs.put(blob(), piece.payload);
    expect(await without.find(piece.cid)).to.deep.equal(piece.found);
    expect(await without.remove(piece.cid, 1_000), "what was promised is").to.equal(false);
  });

  it("keeps payloads apart that have the same root and leafCount", async () => {
    const short = await testPiece(1);
    const padded = new Uint8Array(2);
    padded.set(short.payload);
    const cid = encodePieceCid({ ...short.commitment, payloadSize: 2n }).toString();
    const long = { ...short, payload: padded, cid };
    await put(store, short);
    await put(store, long);
    const { root, leafCount } = short.commitment;
    await place.blobs.delete(blob(long));
    expect((await store.open(root, leafCount))?.layer.commitment.payloadSize).to.equal(1n);
    await store.promise(root, leafCount, 100n);
    expect(await store.remove(short.cid, 100)).to.equal(false);
    await place.blobs.delete(blob(short));
    expect(await store.open(root, leafCount)).to.equal(undefined);
  });

  it("keeps a piece as long as it is promised, and promises none that is not here", async () => {
    const { root, leafCount } = piece.commitment;
    expect(await store.promise(root, leafCount, 1_000n)).to.equal(undefined);
    await put(store, piece);
    expect(await store.promise(root, leafCount, 1_000n)).to.deep.equal(piece.found);
    expect(await store.promise(root, leafCount, 10n), "an earlier word holds longer").to.deep.equal(piece.found);
    expect(await store.remove(piece.cid, 1_000)).to.equal(false);
    await put(store, piece);
    expect(await store.remove(piece.cid, 1_000), "brought again").to.equal(false);
    expect(await store.find(piece.cid)).to.deep.equal(piece.found);
    expect(await store.remove(piece.cid, 1_001)).to.equal(true);
    expect(await store.promise(root, leafCount, 2_000n)).to.equal(undefined);
    await expectNothing();
  });

  it("keeps an upload whose piece could not be stored, so that it can be tried again", async () => {
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(piece.payload), MOST);
    const take = place.blobs.take;
    place.blobs.take = async () => {
      expect(store.isComing(piece.cid)).to.equal(true);
      throw new Error("away");
    };
    expect((await failure(store.finishUpload(id, piece.cid))).message).to.equal("away");
    place.blobs.take = take;
    expect(store.isComing(piece.cid)).to.equal(false);
    expect(store.uploadProgress(id)).to.deep.equal({ size: piece.payload.length, complete: true });
    expect(await store.find(piece.cid)).to.equal(undefined);
    await store.finishUpload(id, piece.cid);
    expect(await store.find(piece.cid)).to.deep.equal(piece.found);
    expect(await uploads()).to.deep.equal([]);
  });

  it("goes on where the bytes were stored and the index could not be asked", async () => {
    const index = stores.index(place);
    const broken = await stores.open(place, { index });
    const id = await broken.beginUpload();
    await broken.writeUpload(id, inChunks(piece.payload), MOST);
    const { put: noted } = index;
    index.put = () => Promise.reject(new Error("away"));
    expect((await failure(broken.finishUpload(id, piece.cid))).message).to.equal("away");
    index.put = noted;
    await broken.finishUpload(id, piece.cid);
    expect(await broken.find(piece.cid)).to.deep.equal(piece.found);
    expect(await uploads()).to.deep.equal([]);
  });

  it("drops an upload at any step, and only those that it gave an id to", async () => {
    const begun = await store.beginUpload();
    await store.discardUpload(begun);
    await expectError("UNKNOWN_UPLOAD", () => store.writeUpload(begun, inChunks(piece.payload), MOST));
    const written = await store.beginUpload();
    await store.writeUpload(written, inChunks(piece.payload), MOST);
    await store.discardUpload(written);
    await expectError("UNKNOWN_UPLOAD", () => store.finishUpload(written, piece.cid));
    await expectNothing();
    await put(store, piece);
    await store.discardUpload(`../pieces/${piece.cid}`);
    expect(await store.find(piece.cid)).to.deep.equal(piece.found);
  });

  it("removes a piece, and takes it again", async () => {
    const { root, leafCount } = piece.commitment;
    expect(await store.findTree(root, leafCount)).to.equal(undefined);
    await put(store, piece);
    expect(await store.findTree(root, leafCount)).to.deep.equal(piece.found);
    expect(await store.findTree(root, leafCount + 1n)).to.equal(undefined);
    await store.remove(piece.cid);
    await store.remove(piece.cid);
    await expectNothing();
    expect(await store.find(piece.cid)).to.equal(undefined);
    expect(await store.findTree(root, leafCount)).to.equal(undefined);
    expect(await store.open(root, leafCount)).to.equal(undefined);
    await put(store, piece);
    expect(await store.findTree(root, leafCount)).to.deep.equal(piece.found);
    await expectError("INVALID_PIECE_CID", () => store.remove("../../etc/passwd"));
  });

  it("does not take a CID for a path", async () => {
    for (const strange of ["../../etc/passwd", "", "%2e%2e", `${piece.cid}/../x`, `${piece.cid}\0`]) {
      await expectError("INVALID_PIECE_CID", () => store.find(strange));
      await expectError("INVALID_PIECE_CID", () => store.read(strange, 0, 1));
    }
  });
});
