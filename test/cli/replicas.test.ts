import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import type { FundReport, RepairReport } from "../../src/cli/keeper.js";
import type { UniqueFetchReport, UniqueReport } from "../../src/cli/replicas.js";
import { readManifest } from "../../src/client/file-node.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn } from "../support/cli-net.js";
import { removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet } from "../support/storage-net.js";

describe("cli: unique replicas and the keepers of an owner", () => {
  let net: StorageNet;
  let wallet: Wallet;
  let folder: string;
  let file: string;
  let piece: TestPiece;
  let restore: () => void;

  beforeEach(async () => {
    net = await startStorageNet();
    for (const price of [1n, 2n, 3n]) await net.addProvider(priced(net.token, price));
    wallet = await net.rich();
    folder = await tempFolder();
    piece = await testPiece(100_000);
    file = join(folder, "some file");
    await writeFile(file, piece.payload);
    restore = await commandsOn(net, { HOLDFAST_KEYRING: join(folder, "keyring") });
    actAs(wallet);
  });
  afterEach(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  const store = (...args: string[]) =>
    holdfast(["store", file, "--unique-replicas", "--periods", "6", "--token", net.token, "--replicas", "2", ...args]);
  const manifestPath = () => `${file}.holdfast.json`;
  const opened = async () => (await net.contracts.market.queryFilter(net.contracts.market.filters.Opened())).length;

  it("stores a file, fetches it back by its manifest, and shows the secret to nobody", async () => {
    const stored = await store("--json", "--max-periods", "9");
    expect(stored.stderr).to.match(/^(replica .+\n.+ has its bytes and checked them\ndeal 0x\w{64} .+ is open\n){2}$/);
    expect(stored.status).to.equal(0);
    const report = JSON.parse(stored.stdout) as UniqueReport;
    expect(report).to.include({ file, bytes: 100_000, manifest: manifestPath() });
    expect(new Set(report.replicas.map(({ pieceCid }) => pieceCid)).size).to.equal(2);
    expect((await stat(join(folder, "keyring"))).mode & 0o777).to.equal(0o600);
    const secret = /[0-9a-f]{64}/.exec(await readFile(join(folder, "keyring"), "utf8"))?.[0] as string;

    const copy = join(folder, "copy");
    const fetched = await holdfast(["fetch", manifestPath(), "-o", copy, "--json"]);
    const [first] = report.replicas;
    const expected = { file: copy, bytes: 100_000, sha256: report.sha256, replica: first?.id, url: first?.url };
    expect(JSON.parse(fetched.stdout) as UniqueFetchReport).to.deep.equal({ ...expected, failures: [] });
    expect(new Uint8Array(await readFile(copy))).to.deep.equal(piece.payload);
    const seen = [stored, fetched].map(({ stdout, stderr }) => stdout + stderr).join("");
    expect(seen + (await readFile(manifestPath(), "utf8"))).to.not.include(secret);

    delete process.env.HOLDFAST_RPC;
    const offline = await holdfast(["fetch", manifestPath(), "-o", copy]);
    expect([offline.status, offline.stdout]).to.deep.equal([
      0,
      `${copy}  100000 bytes from ${first?.url}, decrypted and verified\n`,
    ]);
  });

  it("says what is wrong before anything is paid", async () => {
    const refusal = async (run: ReturnType<typeof holdfast>, message: string) => {
      const { status, stderr } = await run;
      expect(status, stderr).to.equal(1);
      expect(stderr).to.include(message);
    };
    await writeFile(manifestPath(), "{}");
    await refusal(store(), "there is a manifest");
    await refusal(store("--manifest", join(folder, "nowhere", "a.json")), "can't be written");
    await refusal(holdfast(["fetch", manifestPath(), "-o", "x"]), "not a manifest");
    await refusal(holdfast(["fetch", manifestPath(), "--unpack"]), "leave out --list");
    const plain = ["store", file, "--periods", "6", "--manifest", join(folder, "c.json")];
    await refusal(holdfast(plain), "--manifest goes with --unique-replicas");
    delete process.env.HOLDFAST_KEYRING;
    await refusal(store("--manifest", join(folder, "b.json")), "no keyring is named");
    expect(await opened()).to.equal(0);
  });

  it("does not write over a file that nobody named", async () => {
    // Commands run in the repository, which has such a file.
    file = join(folder, "package.json");
    await writeFile(file, piece.payload);
    expect((await store()).status).to.equal(0);
    const { status, stderr } = await holdfast(["fetch", manifestPath()]);
    expect(status).to.equal(1);
    expect(stderr).to.match(/there is a file .+package\.json already/);
  });

  it("leaves a manifest that a keeper completes where there are too few providers", async () => {
    const { status, stderr } = await store("--replicas", "4");
    expect(status).to.equal(1);
    expect(stderr).to.include("what is open and paid for is in");
    expect((await readManifest(manifestPath())).replicas).to.have.length(3);
  });

  it("keeps replicas until it is stopped", async () => {
    expect((await store()).status).to.equal(0);
    const { replicas } = await readManifest(manifestPath());
    await (await net.contracts.market.connect(wallet).terminate(replicas[0]!.deal)).wait();
    const args = ["keeper", "replicas", "--manifest", manifestPath(), "--budget", "9 TUSD", "--json"];
    let told = false;
    const keeper = holdfast(args, (text, child) => {
      if (told || !text.includes("a replica is with")) return;
      // Once: a second signal would not let it finish.
      told = child.kill("SIGINT");
    });
    for (let tries = 0; (await opened()) < 3; tries++) {
      if (tries > 300) throw new Error("no new replica");
      await net.mine();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { status, stdout, stderr } = await keeper;
    // Blocks went on while it started: by then the deal may be over.
    expect(stderr).to.match(/deal 0x\w{64} is (ending|completed)\n.*: a replica is with 0x\w{40}, deal 0x\w{64}\n/s);
    expect(status).to.equal(0);
    const report = JSON.parse(stdout) as RepairReport;
    expect(report).to.include({ lost: 1, placed: 1 });
    const after = await readManifest(manifestPath());
    expect(after.replicas.map(({ state }) => state).sort()).to.deep.equal(["lost", "open", "open"]);
    expect(String(report.spent)).to.equal(after.replicas.find(({ repair }) => repair)?.cost);
  });

  it("keeps a deal alive until its budget ends, and itself until the deals do", async () => {
    const { stdout } = await store("--max-periods", "20", "--json", "--replicas", "1");
    const { deal } = (JSON.parse(stdout) as UniqueReport).replicas[0]!;
    const { price } = await net.contracts.lens.dealOf(deal);
    const args = ["--target", "8", "--budget", String(price + 1n), "--token", net.token, "--json"];
    const keeper = holdfast(["keeper", "fund", deal.slice(0, 12), ...args]);
    const periods = async () => (await net.contracts.lens.dealOf(deal)).periods;
    for (let tries = 0; (await periods()) < 7n; tries++) {
      if (tries > 300) throw new Error("not extended");
      await net.mine();
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    await (await net.contracts.market.connect(wallet).terminate(deal)).wait();
    const { status, stderr, stdout: printed } = await keeper;
    expect(status).to.equal(0);
    expect(stderr)
      .to.match(/1 periods more for \d+, in 0x\w{64}\n/)
      .and.to.include("is ending\n");
    expect(JSON.parse(printed) as FundReport).to.deep.equal({ spent: `${price}`, periods: 1, cost: `${price}` });
  });
});
