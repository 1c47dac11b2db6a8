import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { BlobPieceStore, FileBlobs, MemoryPieceIndex } from "../../src/store/index.js";
import { Seen } from "../../src/store/pieces/seen.js";
import { bytesOf, removeFolders, tempFolder, testPiece } from "../support/pieces.js";

describe("store: what the index said a moment ago", () => {
  after(removeFolders);

  it("is believed for so long after it was asked, and not where it was forgotten", async () => {
    const seen = new Seen();
    seen.note("a", performance.now());
    seen.note("b", performance.now() - 50);
    expect(seen.isFresh("a", 1_000)).to.equal(true);
    expect([seen.isFresh("a", 0), seen.isFresh("b", 50), seen.isFresh("c", 1_000)]).to.deep.equal([
      false,
      false,
      false,
    ]);
    await sleep(30);
    expect(seen.isFresh("a", 20)).to.equal(false);
    seen.forget("a");
    expect(seen.isFresh("a", 1_000)).to.equal(false);
  });

  it("remembers ten thousand names, the last ones", () => {
    const seen = new Seen();
    for (let i = 0; i <= 10_000; i++) seen.note(`${i}`, performance.now());
    expect([seen.isFresh("0", 60_000), seen.isFresh("1", 60_000)]).to.deep.equal([false, true]);
  });

  it("spares the index a question for each range, and never the look at the bytes", async () => {
    let asked = 0;
    class Counting extends MemoryPieceIndex {
      override async get(name: string) {
        asked++;
        return super.get(name);
      }
    }
    const index = new Counting();
    const blobs = new FileBlobs(await tempFolder());
    const [store, other] = (await Promise.all(
      [1, 2].map(async () => BlobPieceStore.open(await tempFolder(), { index, blobs })),
    )) as [BlobPieceStore, BlobPieceStore];
    const piece = await testPiece(1_000);
    const id = await store.beginUpload();
    await store.writeUpload(
      id,
      (async function* () {
        yield piece.payload;
      })(),
      1_000,
    );
    await store.finishUpload(id, piece.cid);
    asked = 0;
    for (let i = 0; i < 5; i++) expect(await store.find(piece.cid, 60_000)).to.not.equal(undefined);
    expect(asked).to.equal(1);
    for (let i = 0; i < 5; i++) expect(await store.find(piece.cid)).to.not.equal(undefined);
    expect(asked).to.equal(6);
    expect(await bytesOf(await store.read(piece.cid, 0, 1_000))).to.deep.equal(piece.payload);
    // Another node deletes it: this one has not forgotten, and looks.
    await other.remove(piece.cid);
    expect(await store.find(piece.cid, 60_000)).to.equal(undefined);
    await Promise.all([store.close(), other.close()]);
  });
});
