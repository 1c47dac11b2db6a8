import { expect } from "chai";
import { type FetchedFolder, folderSink, type StoreStep, TooFewProvidersError } from "../../src/client/index.js";
import { blobSpool, type CarSpool } from "../../src/piece/car/index.js";
import { entriesOf, joined, text } from "../piece/car/helpers.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const TREE = { "a.txt": text("a"), "b/c.bin": pseudoRandom(300_000), empty: undefined };

/** A spool that tells when it was discarded. */
function watched(): CarSpool & { discarded: number } {
  const spool = {
    ...blobSpool(),
    discarded: 0,
    async discard() {
      spool.discarded++;
    },
  };
  return spool;
}

describe("client: folders", () => {
  let net: StorageNet;

  before(async () => {
    net = await startStorageNet();
    await net.addProvider();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  const wishes = (maxPricePerPeriod = 1_000_000n) => ({ tier: 0, periods: 6, token: net.token, maxPricePerPeriod });

  it("stores a folder in one deal, and gives one file of it back", async () => {
    const client = net.clientOf(await net.rich());
    const steps: StoreStep["step"][] = [];
    const spool = watched();
    const options = { ...wishes(), spool, onProgress: ({ step }: StoreStep) => steps.push(step) };
    const stored = await client.storeFolder(entriesOf(TREE), options);
    expect(stored).to.include({ files: 2, bytes: 300_001n });
    expect(stored.deals).to.have.length(1);
    expect(steps).to.deep.equal(["committed", "uploaded", "opened"]);
    expect(spool.discarded).to.equal(1);
    const urls = stored.deals.map(({ url }) => url);
    const { value: folder, url } = await client.fetch(stored.pieceCid, urls, () => folderSink());
    expect(url).to.equal(urls[0]);
    expect(String(folder.archive.root)).to.equal(stored.rootCid);
    expect(await joined(folder.archive.content(await folder.archive.file("b/c.bin")))).to.deep.equal(TREE["b/c.bin"]);
    await folder.close();
  });

  it("forgets the CAR where it can't be stored", async () => {
    const client = net.clientOf(await net.rich());
    const spool = watched();
    const error = await failure(client.storeFolder(entriesOf(TREE), { ...wishes(1n), spool }));
    expect(error).to.be.instanceOf(TooFewProvidersError);
    expect(spool.discarded).to.equal(1);
  });

  it("opens nothing that was not verified, and forgets what is no folder", async () => {
    const client = net.clientOf(await net.rich());
    const { payload, cid } = await testPiece(5_000);
    const { deals } = await client.store(new Blob([payload]), wishes());
    const spool = watched();
    const urls = deals.map(({ url }) => url);
    await expectError("CAR_MALFORMED", () => client.fetch<FetchedFolder>(cid, urls, () => folderSink(spool)));
    expect(spool.discarded).to.equal(1);
    const other = await testPiece(5_000, 2);
    const unused = watched();
    await expectError("PIECE_UNAVAILABLE", () =>
      client.fetch<FetchedFolder>(other.cid, urls, () => folderSink(unused)),
    );
    expect(unused.discarded).to.equal(1);
  });
});
