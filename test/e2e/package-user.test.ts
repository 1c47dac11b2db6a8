import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { formatDeployment } from "../../src/chain/deployment.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSX = fileURLToPath(import.meta.resolve("tsx/esm"));
const run = promisify(execFile);

const PROGRAM = `
import deployment from "./deployments/31337.json" with { type: "json" };
import { connect, connectChain, formatDeployment, networkNamed, parseDeployment, verifyDeployment } from "holdfast";
import { findDeployment, readDeployment } from "holdfast/node";

const { chainId } = networkNamed("local");
const found = await findDeployment("local");
const named = await readDeployment("deployments/31337.json");
const imported = parseDeployment(deployment);
const chain = await connectChain(process.env.RPC_URL ?? "", chainId);
await verifyDeployment(chain, imported);
const tiers = await connect(chain, imported).market.tierCount();
chain.destroy();
const same = [found.deployment, named].every((one) => formatDeployment(one) === formatDeployment(imported));
const other = await findDeployment("sepolia").catch(({ code }) => code);
console.log(JSON.stringify({ same, tiers: Number(tiers), other }));
`;

describe("a package user", function () {
  this.timeout(300_000);
  let chain: DevChain;
  let dir: string;

  before(async () => {
    chain = await startDevChain();
    dir = await tempFolder();
    await install(dir);
  });
  after(async () => {
    await chain.stop();
    await removeFolders();
  });

  it("has a deployment file of its own found, read and compared with the chain", async () => {
    await mkdir(join(dir, "deployments"));
    await writeFile(join(dir, "deployments", "31337.json"), formatDeployment(chain.deployment));
    await writeFile(join(dir, "program.ts"), PROGRAM);
    const { HOLDFAST_DEPLOYMENT: _, HOLDFAST_DEPLOYMENTS: __, TSX_TSCONFIG_PATH: ___, ...rest } = process.env;
    const env = { ...rest, RPC_URL: chain.anvil.url };
    const { stdout } = await run(process.execPath, ["--import", TSX, "program.ts"], { cwd: dir, env });
    expect(JSON.parse(stdout)).to.deep.equal({ same: true, tiers: 3, other: "NO_DEPLOYMENT" });
  });
});

/** The packed package, with what it depends on from here, as npm would put it there. */
async function install(dir: string): Promise<void> {
  const modules = join(dir, "node_modules");
  await mkdir(join(modules, "holdfast"), { recursive: true });
  await writeFile(join(dir, "package.json"), JSON.stringify({ type: "module", private: true }));
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", dir], { cwd: ROOT });
  const [packed = ""] = (await readdir(dir)).filter((name) => name.endsWith(".tgz"));
  await run("tar", ["-xzf", packed, "-C", join(modules, "holdfast"), "--strip-components=1"], { cwd: dir });
  const { dependencies } = JSON.parse(await readFile(join(modules, "holdfast", "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) {
    await mkdir(join(modules, name, ".."), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
}
