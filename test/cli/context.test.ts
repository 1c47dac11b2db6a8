import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { formatDeployment } from "../../src/chain/deployment.js";
import { type ChainFlags, chainCommand, printResult, withChain, withClient } from "../../src/cli/context.js";
import { writeKeystore } from "../../src/keys/index.js";
import { expectError } from "../piece/helpers.js";
import { CHAIN_ID, type DevChain, startDevChain } from "../support/dev-chain.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { startRpcProxy } from "../support/rpc-proxy.js";

const SETTINGS = [
  ...[
    "HOLDFAST_NETWORK",
    "LOCAL_RPC_URL",
    "SEPOLIA_RPC_URL",
    "HOLDFAST_RPC",
    "HOLDFAST_DEPLOYMENT",
    "HOLDFAST_DEPLOYMENTS",
    "HOLDFAST_PRIVATE_KEY",
    "HOLDFAST_KEYSTORE",
    "HOLDFAST_KEY_PASSWORD",
  ],
] as const;

describe("cli: what commands share", () => {
  let chain: DevChain;
  let folder: string;
  let flags: ChainFlags;
  const environment = new Map(SETTINGS.map((name) => [name, process.env[name]]));

  before(async () => {
    chain = await startDevChain();
    folder = await tempFolder();
    const deployment = join(folder, `${CHAIN_ID}.json`);
    await writeFile(deployment, formatDeployment(chain.deployment));
    flags = { rpc: chain.anvil.url, deployment };
  });
  beforeEach(() => {
    for (const name of SETTINGS) delete process.env[name];
  });
  after(async () => {
    for (const [name, value] of environment) if (value !== undefined) process.env[name] = value;
    await chain.stop();
    await removeFolders();
  });

  const parse = async (args: string[]): Promise<ChainFlags> => {
    const command = chainCommand("x").action(() => undefined);
    await command.parseAsync(args, { from: "user" });
    return command.opts();
  };

  it("takes settings from the environment, and options before those", async () => {
    expect(await parse([])).to.deep.equal({});
    process.env.HOLDFAST_RPC = "http://env";
    process.env.HOLDFAST_DEPLOYMENT = "env.json";
    expect(await parse([])).to.deep.equal({ rpc: "http://env", deployment: "env.json" });
    const named = await parse(["--rpc", "http://named", "--deployment", "named.json", "--json"]);
    expect(named).to.deep.equal({ rpc: "http://named", deployment: "named.json", json: true });
  });

  it("takes several endpoints, again and with commas, and acts through one that works", async () => {
    const { rpc = "", deployment = "" } = flags;
    const named = await parse(["--rpc", "http://127.0.0.1:1", "--rpc", `http://127.0.0.1:2,${rpc}`]);
    expect(named.rpc).to.equal(`http://127.0.0.1:1,http://127.0.0.1:2,${rpc}`);
    for (const more of [{ deployment }, {}]) {
      const act = withChain({ ...named, ...more }, async ({ contracts }) => contracts.market.tierCount());
      if (more.deployment !== undefined) expect(await act).to.equal(3n);
      else expect((await expectError("NO_DEPLOYMENT", () => act)).message).to.include(String(CHAIN_ID));
    }
    await expectError("INVALID_SETTING", () => withChain({ rpc: `${rpc},ftp://x` }, async () => undefined));
  });

  it("takes a network by its name: the endpoint that a setting names for it, and its deployment", async () => {
    const { rpc = "", deployment = "" } = flags;
    expect(await parse(["--network", "local"])).to.deep.equal({ network: "local" });
    process.env.HOLDFAST_NETWORK = "local";
    expect(await parse([])).to.deep.equal({ network: "local" });
    const chainIdOf = (more: ChainFlags) =>
      withChain(more, async ({ provider }) => Number((await provider.getNetwork()).chainId));
    process.env.LOCAL_RPC_URL = rpc;
    expect(await chainIdOf({ network: "Local", deployment })).to.equal(CHAIN_ID);
    expect(await chainIdOf({ network: "local", rpc: "", deployment })).to.equal(CHAIN_ID);
    expect(await chainIdOf({ network: "", rpc, deployment })).to.equal(CHAIN_ID);
    process.env.LOCAL_RPC_URL = "http://127.0.0.1:1";
    expect(await chainIdOf({ network: "local", rpc, deployment })).to.equal(CHAIN_ID);
    await expectError("CHAIN_UNREACHABLE", () => chainIdOf({ network: "local", deployment }));
  });

  it("refuses a network that it does not know, and an endpoint or a deployment of another one", async () => {
    const { rpc = "", deployment = "" } = flags;
    const act = (more: ChainFlags) => withChain(more, async () => undefined);
    await expectError("UNKNOWN_NETWORK", () => act({ network: "nowhere", deployment }));
    const other = await expectError("WRONG_CHAIN", () => act({ network: "sepolia", rpc, deployment }));
    expect(other.message).to.match(/on chain 31337, not on chain 11155111/);
    expect((await expectError("NO_DEPLOYMENT", () => act({ network: "sepolia", rpc }))).message).to.include("11155111");
    const sepolia = join(folder, "11155111.json");
    await writeFile(sepolia, formatDeployment({ ...chain.deployment, chainId: 11_155_111 }));
    process.env.SEPOLIA_RPC_URL = rpc;
    await expectError("WRONG_CHAIN", () => act({ network: "sepolia", deployment: sepolia }));
  });

  it("reads a chain without any key, and closes the connection", async () => {
    const provider = await withChain(flags, async ({ provider, contracts }) => {
      expect(await contracts.market.tierCount()).to.equal(3n);
      return provider;
    });
    expect(provider.destroyed).to.equal(true);
  });

  it("closes the connection where the command fails", async () => {
    const reason = new Error("no");
    const closed: (() => boolean)[] = [];
    const act = withChain(flags, async ({ provider }) => {
      closed.push(() => provider.destroyed);
      throw reason;
    });
    expect(await act.catch((error) => error)).to.equal(reason);
    expect(closed.map((is) => is())).to.deep.equal([true]);
  });

  it("acts as the account of the key", async () => {
    const wallet = await chain.account();
    process.env.HOLDFAST_PRIVATE_KEY = wallet.privateKey;
    await withClient(flags, async ({ signer, access, client, chain: { provider } }) => {
      expect(access.address).to.equal(wallet.address);
      await access.sender.send({ to: wallet.address, data: "0x" }, "send nothing");
      expect(await provider.getTransactionCount(signer)).to.equal(1);
      expect(await client.balance(chain.deployment.stakeToken)).to.equal(0n);
    });
  });

  it("warns of a key in the clear on a chain that is not a developer's own, and acts with a keystore", async () => {
    const wallet = await chain.account();
    const said: string[] = [];
    const { error } = console;
    console.error = (line: string) => said.push(line);
    // The same contracts on a chain of another name.
    const proxy = await startRpcProxy(chain.anvil.url, () => ({
      says: ({ method }, result) => (method === "eth_chainId" ? "0x13a" : result),
    }));
    const elsewhere = join(folder, "elsewhere.json");
    await writeFile(elsewhere, formatDeployment({ ...chain.deployment, chainId: 314 }));
    try {
      const actor = (on: ChainFlags) => withClient(on, async ({ signer }) => signer.address);
      process.env.HOLDFAST_PRIVATE_KEY = wallet.privateKey;
      expect(await actor(flags)).to.equal(wallet.address);
      expect(said).to.deep.equal([]);
      const other = { rpc: proxy.url, deployment: elsewhere };
      expect(await actor(other)).to.equal(wallet.address);
      expect(said.join()).to.match(/HOLDFAST_PRIVATE_KEY is in the clear, on chain 314/);
      delete process.env.HOLDFAST_PRIVATE_KEY;
      const quick = { N: 1_024, r: 8, p: 1 };
      const { path } = await writeKeystore(folder, "acting", wallet, "correct horse", quick);
      Object.assign(process.env, { HOLDFAST_KEYSTORE: path, HOLDFAST_KEY_PASSWORD: "correct horse" });
      said.length = 0;
      expect(await actor(other)).to.equal(wallet.address);
      expect(said).to.deep.equal([]);
    } finally {
      console.error = error;
      await proxy.stop();
    }
  });

  it("says which setting is missing or wrong, and repeats no secret", async () => {
    const nothing = async () => undefined;
    expect((await expectError("MISSING_SETTING", () => withChain({}, nothing))).hint).to.match(/--rpc.*HOLDFAST_RPC/);
    await expectError("MISSING_SETTING", () => withChain({ rpc: "" }, nothing));
    for (const rpc of ["ws://secret", "secret", "file:///secret"]) {
      expect((await expectError("INVALID_SETTING", () => withChain({ rpc }, nothing))).message).not.to.match(/secret/);
    }
    const keyless = await expectError("MISSING_SETTING", () => withClient({}, nothing));
    expect(keyless.hint).to.match(/HOLDFAST_PRIVATE_KEY/);
    for (const key of ["5ec2e7", `0x${"0".repeat(64)}`, `${"5ec2e7".repeat(11)}`]) {
      process.env.HOLDFAST_PRIVATE_KEY = key;
      const error = await expectError("INVALID_SETTING", () => withClient({}, nothing));
      expect(JSON.stringify(error) + String(error.stack)).not.to.include(key);
      expect(error.cause).to.equal(undefined);
    }
  });

  it("says so where the account has no coin", async () => {
    const { address, privateKey } = Wallet.createRandom();
    process.env.HOLDFAST_PRIVATE_KEY = privateKey;
    const error = await expectError("EMPTY_BALANCE", () => withClient(flags, async () => undefined));
    expect(error.message).to.include(address);
  });

  it("refuses another chain, another deployment, and a node that is not there", async () => {
    const nothing = async () => undefined;
    const write = async (name: string, change: object) => {
      const path = join(folder, name);
      await writeFile(path, formatDeployment({ ...chain.deployment, ...change }));
      return { ...flags, deployment: path };
    };
    const elsewhere = await write("chain.json", { chainId: 5 });
    await expectError("WRONG_CHAIN", () => withChain(elsewhere, nothing));
    const other = await write("market.json", { feeBps: 99 });
    await expectError("DEPLOYMENT_MISMATCH", () => withChain(other, nothing));
    await expectError("DEPLOYMENT_UNREADABLE", () => withChain({ ...flags, deployment: "/nowhere" }, nothing));
    await expectError("CHAIN_UNREACHABLE", () => withChain({ rpc: "http://127.0.0.1:1" }, nothing));
  });

  it("finds the deployment of the node's chain, and says so where there is none", async () => {
    const { rpc } = flags as { rpc: string };
    process.env.HOLDFAST_DEPLOYMENTS = folder;
    for (const more of [{}, { network: "local" }]) {
      const found = await withChain({ rpc, ...more }, async ({ deployment }) => deployment);
      expect(found).to.deep.equal(chain.deployment);
    }
    process.env.HOLDFAST_DEPLOYMENTS = join(folder, "nowhere");
    await expectError("INVALID_SETTING", () => withChain({ rpc }, async () => undefined));
    delete process.env.HOLDFAST_DEPLOYMENTS;
    const error = await expectError("NO_DEPLOYMENT", () => withChain({ rpc, deployment: "" }, async () => undefined));
    expect(error.message).to.include(String(CHAIN_ID));
  });

  it("prints one line of JSON, or lines", () => {
    const printed: string[] = [];
    const { log } = console;
    console.log = (line: string) => printed.push(line);
    try {
      for (const json of [true, false]) printResult({ json }, { id: 2n ** 70n }, ({ id }) => [`deal ${id}`, "ends"]);
    } finally {
      console.log = log;
    }
    expect(printed).to.deep.equal(['{"id":"1180591620717411303424"}', "deal 1180591620717411303424\nends"]);
  });
});
