import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { devTiers } from "../../src/chain/deploy.js";
import { type Deployment, formatDeployment } from "../../src/chain/deployment.js";
import { deploymentPath, findDeployment } from "../../src/chain/find-deployment-node.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const SETTINGS = ["HOLDFAST_DEPLOYMENT", "HOLDFAST_DEPLOYMENTS"] as const;

/** A deployment that is told from others by its `block`. */
function deployment(chainId: number, block: number): Deployment {
  const at = (n: number) => `0x${String(n).repeat(40)}`;
  const contracts = { vault: at(1), registry: at(2), randomness: at(3), market: at(4), lens: at(5), requests: at(6) };
  const choices = { feeBps: 0, treasury: ZeroAddress, stakeToken: ZeroAddress, minStake: 0n, tiers: devTiers() };
  const windows = { challengeFinality: 2, demandWindow: 32, randomnessKind: "blockhash" as const };
  const sealed = { chainProofs: ZeroAddress, chainTiers: 0 };
  return { chainId, block, ...contracts, provenance: at(7), ...choices, ...windows, ...sealed };
}

describe("finding a deployment", () => {
  let [own, folder, working] = ["", "", ""];
  const cwd = process.cwd();
  const settings = new Map(SETTINGS.map((name) => [name, process.env[name]]));
  const write = async (dir: string, name: string, chainId: number, block: number) => {
    await mkdir(dir, { recursive: true });
    const file = join(dir, name);
    await writeFile(file, formatDeployment(deployment(chainId, block)));
    return file;
  };

  beforeEach(async () => {
    for (const name of SETTINGS) delete process.env[name];
    [own, folder, working] = await Promise.all([tempFolder(), tempFolder(), tempFolder()]);
    process.chdir(working);
  });
  afterEach(() => process.chdir(cwd));
  after(async () => {
    for (const [name, value] of settings) if (value !== undefined) process.env[name] = value;
    await removeFolders();
  });

  it("takes the file that is named, else the folder's that is named, else the working directory's, else the package's", async () => {
    const blockOf = async (chain: number | string = 314) => (await findDeployment(chain, { own })).deployment.block;
    await expectError("NO_DEPLOYMENT", () => blockOf());
    await write(own, "314.json", 314, 1);
    expect(await blockOf()).to.equal(1);
    expect(await blockOf("Filecoin")).to.equal(1);
    await write("deployments", "314159.json", 314_159, 2);
    expect(await blockOf("calibration")).to.equal(2);
    expect(await blockOf()).to.equal(1);
    process.env.HOLDFAST_DEPLOYMENTS = folder;
    expect(await blockOf()).to.equal(1);
    // A folder that is named is looked at instead of the working directory's.
    await expectError("NO_DEPLOYMENT", () => blockOf("calibration"));
    await write(folder, "314.json", 314, 3);
    expect(await blockOf()).to.equal(3);
    process.env.HOLDFAST_DEPLOYMENT = await write(folder, "mine.json", 314, 4);
    expect(await blockOf()).to.equal(4);
    const named = await write(folder, "other.json", 314, 5);
    const found = await findDeployment(314, { own, file: named });
    expect([found.file, found.deployment.block]).to.deep.equal([named, 5]);
    for (const name of SETTINGS) process.env[name] = "";
    expect(await blockOf()).to.equal(1);
  });

  it("lets a working directory take the place of the package's deployment only where it is the same", async () => {
    await write(own, "314.json", 314, 1);
    const there = await write("deployments", "314.json", 314, 2);
    const error = await expectError("AMBIGUOUS_DEPLOYMENT", () => findDeployment(314, { own }));
    expect(error.message).to.include("deployments/314.json of the working directory");
    expect((await findDeployment(314, { own, file: there })).deployment.block).to.equal(2);
    expect((await findDeployment(314, { own, folder: "deployments" })).deployment.block).to.equal(2);
    await write("deployments", "314.json", 314, 1);
    expect((await findDeployment(314, { own })).deployment.block).to.equal(1);
  });

  it("refuses a file of another chain, a folder that is none, and a network that nobody knows", async () => {
    const other = await write("deployments", "314.json", 1, 1);
    const wrong = await expectError("WRONG_CHAIN", () => findDeployment(314, { own }));
    expect(wrong.message).to.match(/314\.json is a deployment on chain 1, not on chain 314/);
    await expectError("WRONG_CHAIN", () => findDeployment(314, { own, file: other }));
    const unreadable = await expectError("DEPLOYMENT_UNREADABLE", () =>
      findDeployment(314, { own, file: "none.json" }),
    );
    expect(unreadable.message).to.include("none.json");
    for (const named of ["nowhere", other]) {
      const error = await expectError("INVALID_SETTING", () => findDeployment(314, { own, folder: named }));
      expect(error.message).to.include(named);
    }
    await expectError("UNKNOWN_NETWORK", () => findDeployment("nowhere", { own }));
    await writeFile(join(folder, "314.json"), "{");
    const broken = await expectError("DEPLOYMENT_INVALID", () => findDeployment(314, { own, folder }));
    expect(broken.message).to.include("314.json can't be used: it is not JSON");
  });

  it("has deployments written where they are found", async () => {
    expect(deploymentPath(314)).to.match(/deployments\/314\.json$/);
    process.env.HOLDFAST_DEPLOYMENTS = folder;
    const path = deploymentPath(314);
    await write(folder, "314.json", 314, 7);
    expect(await findDeployment(314, { own })).to.deep.include({ file: path });
  });
});
