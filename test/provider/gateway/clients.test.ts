import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createVerifiedFetch } from "@helia/verified-fetch";
import { expect } from "chai";
import { packFolder } from "../../../src/piece/car/index.js";
import { entriesOf, text } from "../../piece/car/helpers.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { startGateway, type TestGateway } from "../../support/gateway.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";

const MIB = 1 << 20;
const IPFS_CAR = fileURLToPath(new URL("bin.js", import.meta.resolve("ipfs-car")));

describe("gateway: other people's clients", () => {
  let gateway: TestGateway;
  let root: string;
  const tree: Record<string, Uint8Array> = {
    "index.html": text("<h1>Holdfast</h1>"),
    "photos/large.bin": pseudoRandom(3 * MIB + 5),
    "photos/ünï.txt": text("percent"),
  };

  before(async () => {
    gateway = await startGateway();
    for (let i = 0; i < 6_000; i++) tree[`many/file number ${i} with a name.txt`] = text(`${i}`);
    const packed = await packFolder(entriesOf(tree));
    root = String(packed.root);
    await gateway.put(packed.car);
  });
  after(async () => {
    await gateway.close();
    await removeFolders();
  });

  for (const [how, init] of [
    ["finds it by its routing", (url: string) => ({ routers: [url], gateways: [] })],
    ["is told that it is a gateway", (url: string) => ({ routers: [], gateways: [url] })],
  ] as const) {
    it(`@helia/verified-fetch ${how}, and fetches files by path`, async function () {
      this.timeout(60_000);
      // Without its defaults it would look for peers on the internet.
      const libp2pConfig = { services: {}, peerDiscovery: [], transports: [], addresses: { listen: [] } } as object;
      const local = { allowLocal: true, allowInsecure: true, libp2pConfig };
      const verified = await createVerifiedFetch({ ...init(gateway.url), ...local });
      try {
        for (const path of [
          "index.html",
          "photos/large.bin",
          "photos/ünï.txt",
          "many/file number 4321 with a name.txt",
        ]) {
          const response = await verified(`ipfs://${root}/${path.split("/").map(encodeURIComponent).join("/")}`);
          expect(response.status).to.equal(200);
          expect(new Uint8Array(await response.arrayBuffer())).to.deep.equal(tree[path]);
        }
        const part = await verified(`ipfs://${root}/photos/large.bin`, {
          headers: { Range: `bytes=${MIB - 2}-${MIB + 1}` },
        });
        expect(part.status).to.equal(206);
        expect(new Uint8Array(await part.arrayBuffer())).to.deep.equal(
          tree["photos/large.bin"]?.slice(MIB - 2, MIB + 2),
        );
      } finally {
        await verified.stop();
      }
    });
  }

  it("ipfs-car unpacks what it sends: a folder, and a file below it", async function () {
    this.timeout(60_000);
    const dir = await tempFolder();
    const unpack = async (path: string, out: string) => {
      const response = await gateway.get(`/ipfs/${root}${path}?format=car`);
      const car = join(dir, `${out}.car`);
      await writeFile(car, new Uint8Array(await response.arrayBuffer()));
      await promisify(execFile)(process.execPath, [IPFS_CAR, "unpack", car, "--output", join(dir, out)]);
    };
    await unpack("", "all");
    for (const [path, content] of Object.entries(tree).filter((_, i) => i < 3 || i % 500 === 0)) {
      expect(new Uint8Array(await readFile(join(dir, "all", path)))).to.deep.equal(content);
    }
    // The root of a CAR is what lies at the end of the path.
    const response = await gateway.get(`/ipfs/${root}/photos/large.bin?format=car&dag-scope=entity`);
    await writeFile(join(dir, "file.car"), new Uint8Array(await response.arrayBuffer()));
    const { stdout } = await promisify(execFile)(process.execPath, [IPFS_CAR, "roots", join(dir, "file.car")]);
    expect(stdout.trim())
      .to.match(/^bafybei/)
      .and.not.equal(root);
    await promisify(execFile)(process.execPath, [
      IPFS_CAR,
      "unpack",
      join(dir, "file.car"),
      "--output",
      join(dir, "large.bin"),
    ]);
    expect(new Uint8Array(await readFile(join(dir, "large.bin")))).to.deep.equal(tree["photos/large.bin"]);
  });
});
