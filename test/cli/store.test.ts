import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import type { FetchReport } from "../../src/cli/fetch.js";
import type { StoreReport } from "../../src/cli/store.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn } from "../support/cli-net.js";
import { removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

describe("cli: store and fetch", () => {
  let net: StorageNet;
  let cheap: TestProvider;
  let dear: TestProvider;
  let wallet: Wallet;
  let folder: string;
  let file: string;
  let piece: TestPiece;
  let restore: () => void;

  before(async () => {
    net = await startStorageNet();
    cheap = await net.addProvider(priced(net.token, 2n));
    dear = await net.addProvider(priced(net.token, 3n));
    wallet = await net.rich();
    folder = await tempFolder();
    piece = await testPiece(10_000);
    file = join(folder, "some file");
    await writeFile(file, piece.payload);
    restore = await commandsOn(net);
    actAs(wallet);
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  const store = (...args: string[]) => holdfast(["store", file, "--periods", "6", "--token", net.token, ...args]);

  it("stores a file with the cheapest, and fetches it back from who has a deal on it", async () => {
    const stored = await store("--tier", "hot", "--max-periods", "9", "--json");
    expect(stored.stderr).to.match(
      /^commitment .+\n.+ has the bytes and checked them\ndeal 0x\w{64} with 0x\w{40} is open\nrecord 0x\w{64} says where it came from\n$/,
    );
    expect(stored.status).to.equal(0);
    const report = JSON.parse(stored.stdout) as StoreReport;
    const [deal] = report.deals;
    expect(report).to.include({ file, bytes: 10_000, pieceCid: piece.cid });
    expect(deal).to.include({ provider: cheap.wallet.address, url: cheap.url, token: net.token, periods: 6 });
    expect(deal).to.include({ pricePerPeriod: "20000", cost: "120000", collateral: "200000" });
    const view = await net.contracts.lens.dealOf(deal?.id as string);
    expect([view.owner, view.maxPeriods]).to.deep.equal([wallet.address, 9n]);

    const copy = join(folder, "copy");
    const fetched = await holdfast(["fetch", piece.cid, "-o", copy, "--json"]);
    expect(fetched.stderr).to.equal("");
    const expected = { pieceCid: piece.cid, file: copy, bytes: 10_000, url: cheap.url, failures: [] };
    expect(JSON.parse(fetched.stdout) as FetchReport).to.deep.equal(expected);
    expect(new Uint8Array(await readFile(copy))).to.deep.equal(piece.payload);
  });

  it("stores with several, and says what it cost", async () => {
    const { status, stdout } = await store("--replicas", "2", "--max-price", "0.03 TUSD");
    expect(status).to.equal(0);
    for (const line of [piece.cid, "120000 base units for 6 periods", "180000 base units for 6 periods"]) {
      expect(stdout).to.include(line);
    }
  });

  it("says which deals are open where there are too few providers", async () => {
    const { status, stdout, stderr } = await store("--replicas", "2", "--max-price", "29999", "--json");
    expect(status).to.equal(1);
    expect(stdout).to.equal("");
    const [, id = ""] = /^open and paid for: (0x\w{64}) at /m.exec(stderr) ?? [];
    expect(await net.contracts.market.ownerOf(id)).to.equal(wallet.address);
    expect(stderr).to.match(/^error: 1 of 2 copies were placed/m);
  });

  it("fetches from the nodes that it is told to ask, without a chain, and says who failed", async () => {
    const copy = join(folder, "another copy");
    const rpc = process.env.HOLDFAST_RPC;
    delete process.env.HOLDFAST_RPC;
    const { stdout, stderr, status } = await holdfast([
      ...["fetch", piece.cid, "-o", copy, "--url", "http://127.0.0.1:1", dear.url],
    ]).finally(() => {
      process.env.HOLDFAST_RPC = rpc;
    });
    expect(status).to.equal(0);
    expect(stderr).to.equal("http://127.0.0.1:1 does not answer\n");
    expect(stdout).to.equal(`${copy}  10000 bytes from ${dear.url}, verified\n`);
  });

  it("fails where nobody has the piece, where it is no CID, and where there is no file", async () => {
    const { cid } = await testPiece(10_000, 2);
    const nobody = await holdfast(["fetch", cid, "--json"]);
    expect([nobody.status, nobody.stdout]).to.deep.equal([1, ""]);
    expect(nobody.stderr).to.match(/^error: no provider served .+: no provider was named\n/);
    expect((await holdfast(["fetch", "bafy"])).stderr).to.match(/^error: /);
    const missing = await holdfast(["store", join(folder, "nowhere"), "--periods", "6"]);
    expect(missing.stderr).to.match(/^error: .+nowhere cannot be read\n/);
    expect((await store("--tier", "cold")).stderr).to.match(/no tier cold\nhint: it has these: 0 \(hot\)/);
    expect((await store("--replicas", "0")).stderr).to.match(/--replicas <n>.+invalid/);
  });
});
