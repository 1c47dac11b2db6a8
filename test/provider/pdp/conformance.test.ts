/** The functions that Filecoin's clients call a provider by, from `@filoz/synapse-core`, against nodes on a chain of theirs. */
import * as Chains from "@filoz/synapse-core/chains";
import * as Piece from "@filoz/synapse-core/piece";
import * as SP from "@filoz/synapse-core/sp";
import { expect } from "chai";
import { createClient, http } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { pseudoRandom } from "../../piece/helpers.js";
import { removeFolders } from "../../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../../support/storage-net.js";

/** Of the networks that synapse-core knows, the one for development. */
const DEVNET = 31_415_926;
const MIB = 1 << 20;

describe("provider: PDP clients", function () {
  this.timeout(60_000);
  let net: StorageNet;
  let node: TestProvider;
  let other: TestProvider;

  const base = (provider = node) => `${provider.url}/`;
  const download = (provider: TestProvider, cid: Piece.PieceCID) =>
    Piece.downloadAndValidate({ url: new URL(`piece/${cid}`, base(provider)).href, expectedPieceCid: cid });
  const statusOf = async (cid: { toString(): string }) =>
    (await fetch(new URL(`pdp/piece/${cid}/status`, base()))).json() as Promise<Record<string, unknown>>;
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.fail("it went well"),
      (error: Error) => error.message,
    );
  const pullOptions = (cid: Piece.PieceCID, from: TestProvider) => ({
    serviceURL: base(),
    recordKeeper: `0x${"11".repeat(20)}` as const,
    extraData: "0x0123" as const,
    pieces: [{ pieceCid: cid.toString(), sourceUrl: `${from.url}/piece/${cid}` }],
  });

  before(async () => {
    net = await startStorageNet({ chainId: DEVNET });
    node = await net.addProvider();
    other = await net.addProvider();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("runs on a chain that they know", async () => {
    expect(Chains.getChain(DEVNET).id).to.equal(DEVNET);
    expect((await net.provider.getNetwork()).chainId).to.equal(BigInt(DEVNET));
    expect(net.deployment.chainId).to.equal(DEVNET);
  });

  it("pings", async () => {
    await SP.ping(base());
  });

  for (const size of [127, 128, 5 * MIB + 3]) {
    it(`uploads ${size} bytes by a CID that is named first, finds and downloads them`, async () => {
      const data = pseudoRandom(size, size);
      const pieceCid = Piece.calculate(data);
      await SP.uploadPiece({ serviceURL: base(), data, pieceCid });
      expect((await SP.findPiece({ serviceURL: base(), pieceCid })).toString()).to.equal(pieceCid.toString());
      expect(await download(node, pieceCid)).to.deep.equal(data);
      // What is here already is not sent again.
      await SP.uploadPiece({ serviceURL: base(), data, pieceCid });
    });

    it(`uploads ${size} bytes as a stream whose CID is known last`, async () => {
      const data = pseudoRandom(size, size + 1);
      let progress = 0;
      const uploaded = await SP.uploadPieceStreaming({
        serviceURL: base(),
        data: new Blob([data]).stream(),
        onProgress: (bytes) => {
          progress = bytes;
        },
      });
      expect(uploaded.size).to.equal(size);
      expect(progress).to.equal(size);
      expect(uploaded.pieceCid.toString()).to.equal(Piece.calculate(data).toString());
      await SP.findPiece({ serviceURL: base(), pieceCid: uploaded.pieceCid, retry: true, pollInterval: 20 });
      expect(await download(node, uploaded.pieceCid)).to.deep.equal(data);
    });
  }

  it("shows what is wrong with an upload", async () => {
    const data = pseudoRandom(1_000, 7);
    const pieceCid = Piece.calculate(pseudoRandom(1_000, 8));
    expect(await failureOf(SP.uploadPiece({ serviceURL: base(), data, pieceCid }))).to.match(
      /the uploaded bytes are bafk/,
    );
    const streamed = SP.uploadPieceStreaming({ serviceURL: base(), data, pieceCid });
    expect(await failureOf(streamed)).to.match(/the uploaded bytes are bafk/);
    expect(await failureOf(SP.findPiece({ serviceURL: base(), pieceCid }))).to.match(/is not here/);
  });

  it("pulls a piece from another node, polls, and finds its status", async () => {
    const data = pseudoRandom(3 * MIB, 11);
    const pieceCid = Piece.calculate(data);
    await SP.uploadPiece({ serviceURL: base(other), data, pieceCid });
    const seen: string[] = [];
    const options = {
      ...pullOptions(pieceCid, other),
      onStatus: ({ status }: { status: string }) => seen.push(status),
    };
    const done = await SP.waitForPullPiecesApiRequest({ ...options, pollInterval: 20 });
    expect(done).to.deep.equal({ status: "complete", pieces: [{ pieceCid: pieceCid.toString(), status: "complete" }] });
    expect(seen[0]).to.be.oneOf(["pending", "inProgress"]);
    expect(await SP.pullPiecesApiRequest(pullOptions(pieceCid, other))).to.deep.equal(done);
    expect(await statusOf(pieceCid)).to.include({ pieceCid: pieceCid.toString(), status: "pending", retrieved: false });
    expect(await download(node, pieceCid)).to.deep.equal(data);
    expect(await statusOf(pieceCid)).to.include({ status: "retrieved", retrieved: true });
  });

  it("pulls with what a client of theirs signs", async () => {
    const data = pseudoRandom(MIB, 12);
    const pieceCid = Piece.calculate(data);
    await SP.uploadPiece({ serviceURL: base(other), data, pieceCid });
    const account = privateKeyToAccount(generatePrivateKey());
    // Their devnet's own contracts are known to whoever runs it: what is signed for is of no interest to this node.
    const chain = { ...Chains.calibration, id: DEVNET };
    const client = createClient({ account, chain, transport: http(net.anvil.url) });
    const pieces = [{ pieceCid, sourceUrl: `${other.url}/piece/${pieceCid}` }];
    const signed = { serviceURL: base(), pieces, payee: account.address, clientDataSetId: 1n, nonce: 1n };
    const done = await SP.waitForPullPieces(client, { ...signed, pollInterval: 20 });
    expect(done.status).to.equal("complete");
    expect(await download(node, pieceCid)).to.deep.equal(data);
  });

  it("hears that a pull failed", async () => {
    const pieceCid = Piece.calculate(pseudoRandom(1_000, 13));
    const nowhere = {
      ...pullOptions(pieceCid, other),
      pieces: [{ pieceCid: pieceCid.toString(), sourceUrl: `http://10.0.0.1/piece/${pieceCid}` }],
    };
    const done = await SP.waitForPullPiecesApiRequest({ ...nowhere, pollInterval: 20 });
    expect(done.status).to.equal("failed");
  });

  it("hears of data sets which routes to use instead", async () => {
    const asked = SP.getDataSet({ serviceURL: base(), dataSetId: 1n });
    expect(await failureOf(asked)).to.match(/POST \/deals/);
  });
});
