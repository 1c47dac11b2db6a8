import { createHash } from "node:crypto";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { CID } from "multiformats/cid";
import { identity } from "multiformats/hashes/identity";
import { pino } from "pino";
import { BlobPieceStore, BlockReader, FileBlockIndex } from "../../../src/store/index.js";
import { type Block, carOf, rawBlock, text } from "../../piece/car/helpers.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { storePiece } from "../../support/gateway.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";

const MIB = 1 << 20;

describe("store: index of blocks", () => {
  let dir: string;
  let store: BlobPieceStore;
  let index: FileBlockIndex;
  let blocks: BlockReader;
  let logged: { level: number; msg: string }[];
  let a: Block;
  let b: Block;

  const open = async (options: { maxFilterBytes?: number } = {}) => {
    const logger = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line)) });
    await store?.close();
    store = await BlobPieceStore.open(dir);
    index = await FileBlockIndex.open(join(dir, "blocks"), { store, logger, ...options });
    blocks = new BlockReader({ store, index, logger });
  };
  const put = async (payload: Blob | Uint8Array) => {
    const pieceCid = await storePiece(store, payload);
    await index.settled();
    return pieceCid;
  };
  const files = async () => (await readdir(join(dir, "blocks"))).sort();
  const places = async ({ cid }: Block) => {
    const found = [];
    for await (const place of index.find(cid.multihash.digest)) found.push(place);
    return found;
  };
  const expectHeld = async (...held: readonly Block[]) => {
    for (const { cid, bytes } of held) {
      expect(await blocks.has(cid)).to.equal(true);
      expect(new Uint8Array((await blocks.get(cid)) as Uint8Array)).to.deep.equal(bytes);
    }
  };
  const expectMissing = async (...missing: readonly Block[]) => {
    for (const { cid } of missing) {
      expect(await blocks.has(cid)).to.equal(false);
      expect(await blocks.get(cid)).to.equal(undefined);
    }
  };

  before(async () => {
    [a, b] = [await rawBlock(pseudoRandom(3_000)), await rawBlock(text("b"))];
  });
  beforeEach(async () => {
    logged = [];
    dir = await tempFolder();
    await open();
  });
  afterEach(() => index.close());
  after(removeFolders);

  it("finds the blocks of a CAR as it comes, and loses them with it", async () => {
    await expectMissing(a, b);
    const car = carOf(a, a, b);
    const pieceCid = await put(car);
    await expectHeld(a, b);
    const [place] = await places(b);
    expect(place).to.deep.equal({ pieceCid, offset: car.size - 1, length: 1 });
    expect(await files()).to.deep.equal([`${pieceCid}.blocks`]);
    await store.remove(pieceCid);
    await expectMissing(a, b);
    expect(await files()).to.deep.equal([]);
    expect(logged).to.deep.equal([]);
  });

  it("holds a block as long as any piece does", async () => {
    const first = await put(carOf(a, a));
    await put(carOf(a, b, a));
    expect(await places(a)).to.have.length(2);
    await store.remove(first);
    await expectHeld(a, b);
  });

  it("takes a payload of up to 2 MiB for the block that it is, CAR or not", async () => {
    const fits = await rawBlock(pseudoRandom(2 * MIB));
    const large = await rawBlock(pseudoRandom(2 * MIB + 1));
    await put(fits.bytes);
    await put(large.bytes);
    await expectHeld(fits);
    await expectMissing(large);
    const car = new Uint8Array(await carOf(a, a).arrayBuffer());
    await put(car);
    await expectHeld(a, await rawBlock(car));
  });

  it("indexes nothing that is wrong: forged, cut off and repeated blocks", async () => {
    const forged = { cid: a.cid, bytes: text("not a") };
    await put(carOf(a, forged, b));
    await expectMissing(a);
    await expectHeld(b);
    const car = new Uint8Array(await carOf(a, b, a).arrayBuffer());
    await put(car.subarray(0, car.length - 1));
    await expectMissing(a);
    const twice = await put(carOf(a, a, a, a));
    expect(await places(a)).to.have.length(1);
    expect((await readFile(join(dir, "blocks", `${twice}.blocks`))).readUInt32BE(8)).to.equal(2);
  });

  it("knows CIDs by their hash, and only by SHA-256 or their own bytes", async () => {
    await put(carOf(a, a));
    await expectHeld({ ...a, cid: CID.createV1(0x71, a.cid.multihash) });
    await expectHeld({ cid: CID.createV1(0x55, identity.digest(b.bytes)), bytes: b.bytes });
    const short = CID.decode(new Uint8Array([1, 0x55, 0x12, 20, ...a.cid.multihash.digest.subarray(0, 20)]));
    const other = CID.decode(new Uint8Array([1, 0x55, 0x16, 32, ...a.cid.multihash.digest]));
    for (const cid of [short, other]) await expectMissing({ cid, bytes: a.bytes });
  });

  it("is there after a restart, and built where it is missing, damaged or of another piece", async () => {
    const kept = await put(carOf(a, a));
    const lost = await put(carOf(b, b));
    const cut = await put(carOf(a, a, b));
    const old = await put(carOf(b, b, a));
    await index.close();
    const path = (pieceCid: string) => join(dir, "blocks", `${pieceCid}.blocks`);
    const before = await readFile(path(kept));
    await rm(path(lost));
    await truncate(path(cut), before.length - 1);
    await writeFile(path(old), Buffer.concat([Buffer.from("HFBLOCK0"), before.subarray(8)]));
    await writeFile(path("bafkgone"), before);
    await writeFile(`${path(lost)}.part`, "half");
    await open();
    expect(await files())
      .to.include(`${kept}.blocks`)
      .and.not.include("bafkgone.blocks");
    await index.settled();
    expect(await files()).to.deep.equal([kept, lost, cut, old].map((pieceCid) => `${pieceCid}.blocks`).sort());
    expect(await readFile(path(kept))).to.deep.equal(before);
    await expectHeld(a, b);
    expect(await places(a)).to.have.length(3);
  });

  it("is built again where its file is lost or cut off while it is in use", async () => {
    const pieceCid = await put(carOf(a, a));
    const path = join(dir, "blocks", `${pieceCid}.blocks`);
    for (const harm of [() => rm(path), () => truncate(path, 100)]) {
      await harm();
      await expectMissing(a);
      await index.settled();
      await expectHeld(a);
    }
  });

  it("hands out no byte of a block that changed on disk, and takes another copy", async () => {
    const pieceCid = await put(carOf(a, a));
    const path = join(dir, "pieces", `${pieceCid}.piece`);
    const payload = await readFile(path);
    payload[payload.length - 9] = (payload[payload.length - 9] as number) ^ 1;
    await writeFile(path, payload);
    expect(await blocks.get(a.cid)).to.equal(undefined);
    expect(logged.map(({ msg }) => msg)).to.deep.equal(["a block is damaged on disk"]);
    await put(carOf(a, b, a));
    await expectHeld(a);
    await truncate(path, 10);
    await expectHeld(a);
  });

  it("finds each of 40,000 blocks, sorted through the disk, with and without filters in memory", async function () {
    this.timeout(60_000);
    const many: Block[] = [];
    for (let i = 0; i < 40_000; i++) many.push(await rawBlock(text(`block ${i}`)));
    const pieceCid = await put(carOf(a, ...many, ...many.slice(0, 500)));
    expect(await files()).to.deep.equal([`${pieceCid}.blocks`]);
    const index1 = await readFile(join(dir, "blocks", `${pieceCid}.blocks`));
    const count = index1.readUInt32BE(8);
    const recordsAt = 16 + index1.readUInt32BE(12);
    // The payload itself is small enough to be a block.
    expect(count).to.equal(40_001);
    expect(index1.length).to.equal(recordsAt + count * 44);
    const digests = Array.from({ length: count }, (_, i) =>
      index1.toString("hex", recordsAt + i * 44, recordsAt + i * 44 + 32),
    );
    expect(digests).to.deep.equal([...digests].sort());
    const sample = many.filter((_, i) => i % 97 === 0);
    await expectHeld(...sample);
    let missed = 0;
    for (let i = 0; i < 500; i++) {
      const digest = createHash("sha256").update(`no block ${i}`).digest();
      for await (const _ of index.find(digest)) missed++;
    }
    expect(missed).to.equal(0);
    await index.close();
    await open({ maxFilterBytes: 0 });
    await expectHeld(...sample.slice(0, 50));
    await expectMissing(a);
  });

  it("gives up on a piece that is removed while it is indexed, and takes it up when it comes again", async () => {
    const large = carOf(a, a, await rawBlock(pseudoRandom(2 * MIB)), await rawBlock(pseudoRandom(2 * MIB, 2)), b);
    const pieceCid = await storePiece(store, large);
    const removing = store.remove(pieceCid);
    await removing;
    await index.settled();
    expect(await files()).to.deep.equal([]);
    await expectMissing(a, b);
    await put(large);
    await expectHeld(a, b);
    expect(logged).to.deep.equal([]);
  });

  it("stores a piece that can't be indexed, says so, and indexes it at the next start", async () => {
    await rm(join(dir, "blocks"), { recursive: true });
    const pieceCid = await put(carOf(a, a));
    expect(await store.find(pieceCid)).not.to.equal(undefined);
    expect(logged.map(({ msg }) => msg)).to.deep.equal(["piece can't be indexed"]);
    await expectMissing(a);
    await index.close();
    await open();
    await index.settled();
    await expectHeld(a);
  });

  it("stops when it is closed, and goes on at the next start", async () => {
    for (let i = 0; i < 5; i++) await storePiece(store, carOf(a, await rawBlock(text(`${i}`))));
    await index.close();
    await storePiece(store, carOf(b, b));
    expect((await files()).length).to.be.lessThan(6);
    await open();
    await index.settled();
    expect(await files()).to.have.length(6);
    await expectHeld(b);
  });
});
