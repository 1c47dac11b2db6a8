import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { FetchReport, ListReport, UnpackReport } from "../../src/cli/fetch.js";
import type { StoreIntoReport, StoreReport } from "../../src/cli/store.js";
import { readFolder } from "../../src/client/file-node.js";
import { packFolder } from "../../src/piece/car/index.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { carOf, folderBlock, link, rawBlock, text } from "../piece/car/helpers.js";
import { pseudoRandom } from "../piece/helpers.js";
import { holdfast, type Outcome } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

/** What Node runs the command line with. */
const MAIN = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url)),
];

const TREE = {
  "readme.txt": text("read me"),
  "photos/2025/a.jpg": pseudoRandom(1_500_000),
  "photos/2025/b \u001b[31m.jpg": pseudoRandom(1_000, 2),
  "photos/日本.txt": text("日本"),
};

describe("cli: folders", () => {
  let net: StorageNet;
  let provider: TestProvider;
  let base: string;
  let source: string;
  let temporary: string;
  let stored: StoreReport;
  let storing: Outcome;
  let restore: () => void;

  before(async () => {
    net = await startStorageNet();
    provider = await net.addProvider();
    base = await tempFolder();
    [source, temporary] = [join(base, "source"), join(base, "tmp")];
    await mkdir(join(source, "photos/2025"), { recursive: true });
    await mkdir(join(source, "empty"));
    await mkdir(temporary);
    for (const [path, content] of Object.entries(TREE)) await writeFile(join(source, path), content);
    restore = await commandsOn(net, { TMPDIR: temporary });
    actAs(await net.rich());
    storing = await store(source, "--json");
    stored = JSON.parse(storing.stdout || "{}") as StoreReport;
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  const store = (path: string, ...args: string[]) =>
    holdfast(["store", path, "--periods", "6", "--token", net.token, ...args]);
  const fetch = (path: string, ...args: string[]) => holdfast(["fetch", stored.pieceCid + path, ...args]);

  /** The spools of all that was done so far. */
  const leftOver = async () => (await readdir(temporary)).filter((name) => name.startsWith("holdfast-"));

  it("stores a folder as one piece with one deal", async () => {
    expect(storing.status, storing.stderr).to.equal(0);
    const packed = await packFolder(readFolder(source));
    expect(stored).to.include({ file: source, files: 4, bytes: packed.car.size, rootCid: String(packed.root) });
    expect(stored.pieceCid).to.equal(String(encodePieceCid(await commit(packed.car.stream()))));
    expect(stored.deals).to.have.length(1);
    expect(storing.stderr).to.contain(`packed 4 files of ${packed.bytes} bytes as the folder ${packed.root}\n`);
    expect(await leftOver()).to.deep.equal([]);
  });

  it("says what it stored", async () => {
    const { stdout } = await store(source);
    expect(stdout).to.match(
      new RegExp(
        `^pieceCid  ${stored.pieceCid}\nrecord    0x\\w{64}\nfolder    ${stored.rootCid}  4 files\nset       0x\\w{64}\ndeal      0x`,
      ),
    );
  });

  it("fetches one file out of it, verified", async () => {
    const copy = join(base, "copy.jpg");
    const { stdout, stderr, status } = await fetch("/photos/2025/a.jpg", "-o", copy, "--json");
    expect([stderr, status]).to.deep.equal(["", 0]);
    const expected = { pieceCid: stored.pieceCid, file: copy, bytes: 1_500_000, url: provider.url, failures: [] };
    expect(JSON.parse(stdout) as FetchReport).to.deep.equal(expected);
    expect(new Uint8Array(await readFile(copy))).to.deep.equal(TREE["photos/2025/a.jpg"]);
    expect(await leftOver()).to.deep.equal([]);
  });

  it("unpacks it, or a folder in it, to a folder that is new", async () => {
    const all = join(base, "all");
    const { stdout, status } = await fetch("", "--unpack", "-o", all, "--json");
    expect(status).to.equal(0);
    const bytes = String(Object.values(TREE).reduce((sum, { length }) => sum + length, 0));
    const report = JSON.parse(stdout) as UnpackReport;
    expect(report).to.deep.include({ pieceCid: stored.pieceCid, folder: all, files: 4, folders: 3, bytes });
    expect(String((await packFolder(readFolder(all))).root)).to.equal(stored.rootCid);
    const part = join(base, "part");
    expect((await fetch("/photos/2025", "--unpack", "-o", part)).stdout).to.equal(
      `${part}  2 files, 1501000 bytes from ${provider.url}, verified\n`,
    );
    expect((await readdir(part)).sort()).to.deep.equal(["a.jpg", "b \u001b[31m.jpg"]);
    const again = await fetch("", "--unpack", "-o", all);
    expect([again.status, again.stderr.split("\n")[0]]).to.deep.equal([1, `error: ${all} exists`]);
    expect(await leftOver()).to.deep.equal([]);
  });

  it("lists it, and does not let a name steer the terminal", async () => {
    const { stdout } = await fetch("", "--list");
    expect(stdout.trimEnd().split("\n")).to.deep.equal([
      "      0  empty/",
      "      0  photos/",
      "      0  photos/2025/",
      "1500000  photos/2025/a.jpg",
      "   1000  photos/2025/b \\x1b[31m.jpg",
      "      6  photos/日本.txt",
      "      7  readme.txt",
    ]);
    const part = JSON.parse((await fetch("/photos/2025", "--list", "--json")).stdout) as ListReport;
    expect(part.items[0]).to.deep.equal({ path: "a.jpg", type: "file", bytes: "1500000" });
  });

  it("says what is wrong with a path", async () => {
    const wrong: [string, RegExp][] = [
      ["/photos/none.jpg", /^error: the folder has no photos\/none\.jpg\n/],
      ["/photos", /^error: photos is a folder\n/],
      ["/../etc/passwd", /^error: .+ is no path in a folder/],
    ];
    for (const [path, message] of wrong) {
      const { status, stderr } = await fetch(path, "-o", join(base, "never"));
      expect(status).to.equal(1);
      expect(stderr).to.match(message);
    }
    const plain = await testPiece(5_000);
    const file = join(base, "plain");
    await writeFile(file, plain.payload);
    expect((await store(file)).status).to.equal(0);
    expect((await holdfast(["fetch", `${plain.cid}/a`])).stderr).to.match(/^error: this is no CAR of a folder/);
    expect((await fetch("", "--list", "--unpack")).stderr).to.match(/cannot be used with/);
    expect(await readdir(base)).to.not.include("never");
    expect(await leftOver()).to.deep.equal([]);
  });

  it("refuses symbolic links, or leaves them out, and says so", async () => {
    await symlink("/etc/passwd", join(source, "link"));
    const refused = await store(source);
    expect([refused.status, refused.stdout]).to.deep.equal([1, ""]);
    expect(refused.stderr).to.contain(`error: ${join(source, "link")} is a symbolic link`);
    const { stderr, stdout } = await store(source, "--skip-links", "--json");
    expect(stderr).to.contain("left out the symbolic link link\n");
    expect((JSON.parse(stdout) as StoreReport).pieceCid).to.equal(stored.pieceCid);
    expect(await leftOver()).to.deep.equal([]);
  });

  it("adds a folder to the one of a deal", async () => {
    const first = JSON.parse((await store(source, "--skip-links", "--json")).stdout) as StoreReport;
    const [deal] = first.deals;
    const more = join(base, "more");
    await mkdir(join(more, "photos"), { recursive: true });
    await writeFile(join(more, "photos/new.txt"), "new");
    await writeFile(join(more, "readme.txt"), "read me again");
    const into = (...args: string[]) => holdfast(["store", more, "--into", (deal?.id ?? "").slice(0, 14), ...args]);
    const dear = await into("--max-price", "1");
    expect(dear.stderr).to.match(/^error: a period of the new piece costs \d+ base units, over 1\n/m);
    const { stdout, stderr, status } = await into("--json");
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(stdout) as StoreIntoReport;
    expect(report).to.include({ file: more, deal: deal?.id, files: 2 });
    // What the old piece holds stays in the new one.
    const { parents } = jsonOf(await holdfast(["provenance", "show", report.record!, "--json"]));
    const kind = "component";
    expect(parents).to.have.deep.members([first.set, report.set].map((id) => ({ id, kind })));
    expect(stderr).to.contain(`commitment ${report.pieceCid}\n`).and.to.contain(`base units a period\n`);
    const copy = join(base, "merged");
    expect((await holdfast(["fetch", report.pieceCid, "--unpack", "-o", copy])).status).to.equal(0);
    expect(String((await packFolder(readFolder(copy))).root)).to.equal(report.rootCid);
    expect(await readFile(join(copy, "readme.txt"), "utf8")).to.equal("read me again");
    expect((await readdir(join(copy, "photos"))).sort()).to.deep.equal(["2025", "new.txt", "日本.txt"]);
    expect(await leftOver()).to.deep.equal([]);
  });

  it("says what --into can't be used with", async () => {
    const into = (path: string, ...args: string[]) => holdfast(["store", path, "--into", "0x1234", ...args]);
    expect((await into(source, "--periods", "5")).stderr).to.match(/^error: a deal has its periods already/);
    expect((await into(source, "--replicas", "2")).stderr).to.match(/'--into <deal>' cannot be used with .*--replicas/);
    expect((await into(join(source, "readme.txt"))).stderr).to.match(/^error: .+readme\.txt is not a folder\n/);
    expect((await holdfast(["store", source])).stderr).to.match(/required option '--periods <n>' not specified/);
  });

  it("needs a key before it reads a folder", async () => {
    const key = process.env.HOLDFAST_PRIVATE_KEY;
    delete process.env.HOLDFAST_PRIVATE_KEY;
    const { stderr } = await store(source).finally(() => {
      process.env.HOLDFAST_PRIVATE_KEY = key;
    });
    expect(stderr).to.match(/^error: there is no key to act with/);
  });

  it("leaves no temporary file behind when it is interrupted", async () => {
    const server = createServer((_, response) => void response.write(new Uint8Array(100_000)));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, [...MAIN, "fetch", stored.pieceCid, "--list", "--url", url], {
      stdio: "ignore",
    });
    const ended = once(child, "close");
    try {
      await once(server, "request");
      while ((await leftOver()).length === 0) await setTimeout(20);
      child.kill("SIGINT");
      expect(await ended).to.deep.equal([null, "SIGINT"]);
    } finally {
      child.kill("SIGKILL");
      server.closeAllConnections();
      server.close();
    }
    expect(await leftOver()).to.deep.equal([]);
  });

  it("unpacks nothing of a stranger's folder that leads elsewhere", async () => {
    const leaf = await rawBlock(text("owned"));
    const root = await folderBlock(link("../evil", leaf));
    const file = join(base, "evil.car");
    await writeFile(file, new Uint8Array(await carOf(root, root, leaf).arrayBuffer()));
    const { pieceCid } = JSON.parse((await store(file, "--json")).stdout) as StoreReport;
    const { status, stderr } = await holdfast(["fetch", pieceCid, "--unpack", "-o", join(base, "out")]);
    expect([status, stderr.split("\n")[0]]).to.deep.equal([
      1,
      `error: the folder's tree is wrong: a name in ${root.cid} can't be used: it holds a slash`,
    ]);
    expect(await readdir(base)).to.not.include.members(["evil"]);
    expect((await readdir(base)).filter((name) => name.startsWith("out"))).to.deep.equal([]);
  });
});
