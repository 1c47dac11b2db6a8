import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { formatDeployment } from "../../src/chain/deployment.js";
import { removeFolders, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const EXAMPLE = fileURLToPath(new URL("../../examples/store-and-fetch.ts", import.meta.url));
const PAGE = fileURLToPath(new URL("../../docs/client.md", import.meta.url));

describe("client: the example of docs/client.md", () => {
  let net: StorageNet;

  before(async () => {
    net = await startStorageNet();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("is the one that runs here", async () => {
    expect(await readFile(PAGE, "utf8")).to.include(`\`\`\`ts\n${await readFile(EXAMPLE, "utf8")}\`\`\``);
  });

  it("stores a file with two providers and fetches it back", async () => {
    await net.addProvider();
    await net.addProvider();
    const folder = await tempFolder();
    const [source, copy, deployment] = ["source", "copy", "deployment.json"].map((name) => join(folder, name));
    const { payload, cid } = await testPiece(100_000);
    await writeFile(source as string, payload);
    await writeFile(deployment as string, formatDeployment(net.deployment));
    const { privateKey } = await net.rich();
    const env = {
      ...process.env,
      RPC_URL: net.anvil.url,
      DEPLOYMENT: deployment,
      PRIVATE_KEY: privateKey,
      TOKEN: net.token,
    };
    const run = promisify(execFile);
    const args = ["--import", "tsx", EXAMPLE, source as string, copy as string];
    const { stdout, stderr } = await run(process.execPath, args, { env });
    const { pieceCid, deals } = JSON.parse(stdout) as { pieceCid: string; deals: string[] };
    expect(pieceCid).to.equal(cid);
    expect(deals).to.have.length(2);
    expect(stderr).to.include("committed\nuploaded\nopened\nuploaded\nopened\n");
    expect(new Uint8Array(await readFile(copy as string))).to.deep.equal(payload);
  });
});
