import { expect } from "chai";
import { type Addressable, ContractFactory, parseEther, toBeHex, toQuantity, Wallet } from "ethers";
import hre from "hardhat";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { PROOF_GAS } from "../../src/chain/doctor/gas.js";
import { type DoctorOptions, examine, type Finding } from "../../src/chain/doctor/index.js";
import { networkNamed } from "../../src/chain/networks.js";
import { localBuild } from "../../src/cli/artifacts.js";
import snapshot from "../gas-snapshot.json" with { type: "json" };
import { PRECOMPILE } from "../randomness/fixtures.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { type Fault, oldHead, type RpcProxy, startRpcProxy, wrongChain } from "../support/rpc-proxy.js";

describe("doctor", function () {
  this.timeout(300_000);
  const open: { stop(): Promise<void> }[] = [];
  const start = async (options: Parameters<typeof startDevChain>[0] = {}) => {
    const chain = await startDevChain(options);
    open.push(chain);
    return chain;
  };
  const behind = async (chain: DevChain, fault: () => Fault | undefined): Promise<RpcProxy> => {
    const proxy = await startRpcProxy(chain.anvil.url, fault);
    open.push(proxy);
    return proxy;
  };
  const look = (chain: DevChain, more: Partial<DoctorOptions> = {}) =>
    examine({
      urls: [chain.anvil.url],
      chainId: chain.deployment.chainId,
      network: undefined,
      deployment: chain.deployment,
      logger: testLogger(),
      ...more,
    });
  const only = (findings: readonly Finding[], what: string): Finding => {
    const found = findings.filter((one) => one.what === what);
    expect(found, what).to.have.length(1);
    return found[0]!;
  };
  const bad = (findings: readonly Finding[]) =>
    findings
      .filter(({ state }) => state === "failed" || state === "warning")
      .map(({ what, state }) => `${what} ${state}`);

  let chain: DevChain;
  before(async () => {
    chain = await start();
    await chain.mine(5);
  });
  after(async () => {
    for (const one of open.splice(0).reverse()) await one.stop();
  });

  it("finds nothing wrong where nothing is, and says what a proof costs by the gas of an EVM", async () => {
    const { address } = await chain.account();
    const findings = await look(chain, { network: networkNamed("local"), account: address });
    expect(bad(findings)).to.deep.equal([]);
    expect(findings.map(({ what }) => what)).to.include.members([
      ...["endpoint", "chain id", "head", "tags", "state", "logs", "code", "parameters"],
      ...["randomness", "history", "gas", "balance", "stake"],
    ]);
    expect(only(findings, "endpoint").seen).to.match(/answers in \d+ ms, anvil\//);
    expect(only(findings, "gas").seen).not.to.include("times as much");
    expect(only(findings, "balance").seen).to.match(/^1000 ETH; 300 proofs cost about 0\.0\d+ ETH now$/);
    for (const { todo, state } of findings) if (state !== "ok") expect(todo + state).to.match(/note/);
  });

  it("counts a proof at what the gas snapshot has for it", () => {
    const { gas } = snapshot.rows.find(({ op }) => op === "prove.1.h20")!;
    expect(Number(PROOF_GAS)).to.be.within(gas, gas * 1.05);
  });

  it("tells of each endpoint: nobody there, another chain, an old head, an old timestamp; and acts on the best", async () => {
    await chain.mine(80);
    const other = await behind(chain, () => wrongChain);
    const late = await behind(chain, () => oldHead(chain.anvil.url, 75));
    const urls = ["http://127.0.0.1:1", other.url, late.url, chain.anvil.url];
    const findings = await look(chain, { urls });
    const of = (url: string) => bad(findings.filter(({ at }) => at === url));
    expect(of(urls[0]!)).to.deep.equal(["endpoint failed"]);
    expect(of(other.url)).to.deep.equal(["endpoint failed"]);
    expect(findings.find(({ at }) => at === other.url)?.seen).to.match(/serves chain 1, not 31337/);
    expect(of(late.url)).to.deep.equal([]);
    expect(of(chain.anvil.url)).to.deep.equal([]);
    expect(only(findings, "heads")).to.deep.include({ state: "warning", seen: "75 blocks apart" });
    expect(only(findings, "randomness").seen).to.include("is there");
    for (const { todo, state } of findings)
      if (state === "failed" || state === "warning") expect(todo).not.to.equal("");
  });

  it("calls a head stale as keepers do, and tells of one that is ahead of this machine", async () => {
    const sepolia = await start({ chainId: 11_155_111 });
    const network = networkNamed("sepolia");
    const shifted = async (seconds: number) => {
      const { url } = await behind(sepolia, () => ({
        says: ({ method }, result) => {
          if (method !== "eth_getBlockByNumber" || result === null) return result;
          const block = result as { timestamp: string };
          return { ...block, timestamp: toQuantity(Number(block.timestamp) + seconds) };
        },
      }));
      return only(await look(sepolia, { network, urls: [url] }), "head");
    };
    expect((await shifted(0)).state).to.equal("ok");
    expect((await shifted(-100)).state).to.equal("ok");
    expect(await shifted(-500)).to.deep.include({ state: "failed" });
    expect((await shifted(-500)).seen).to.match(/block takes 12 s: it is stale/);
    expect(await shifted(500)).to.deep.include({ state: "warning", todo: "set this machine's clock" });
  });

  it("finds how far back logs go, which is a failure where no endpoint has all", async () => {
    const head = await chain.mine(40);
    const from = head - 25;
    const pruned = await behind(chain, () => ({
      says: ({ method, params }, result) => {
        const [{ fromBlock = "0x0" } = {}] = params as [{ fromBlock?: string }?];
        return method === "eth_getLogs" && Number(fromBlock) < from ? null : result;
      },
    }));
    const alone = only(await look(chain, { urls: [pruned.url] }), "logs");
    expect(alone.state).to.equal("failed");
    expect(alone.seen).to.include(`only from block ${from} on`);
    const beside = (await look(chain, { urls: [pruned.url, chain.anvil.url] })).filter(({ what }) => what === "logs");
    expect(beside.map(({ state }) => state)).to.deep.equal(["warning", "ok"]);
  });

  it("tells of tags and state that an endpoint does not serve", async () => {
    const lacking = await behind(chain, () => ({
      says: ({ method, params: [first, second] }, result) => {
        if (method === "eth_getBlockByNumber" && ["pending", "finalized"].includes(String(first))) return null;
        return method === "eth_getCode" && second !== "latest" ? 7 : result;
      },
    }));
    const findings = await look(chain, { urls: [lacking.url] });
    expect(bad(findings)).to.deep.equal(["tags warning", "state warning"]);
    expect(only(findings, "tags").seen).to.match(/no finalized, no pending/);
  });

  it("tells of a deployment of another build, of other parameters, and of contracts that are not there", async () => {
    const { deployment } = chain;
    const hash = `0x${"12".repeat(32)}`;
    const parts = ["vault", "registry", "randomness", "market", "lens", "requests", "provenance"] as const;
    const record = <T>(value: T) =>
      Object.fromEntries(parts.map((part) => [part, value])) as Record<(typeof parts)[number], T>;
    const build = { compiler: "solc", settings: "", blocks: record(1), codeHashes: record(hash) };
    const another = await look(chain, { deployment: { ...deployment, build } });
    expect(only(another, "code")).to.deep.include({ state: "failed" });
    expect(only(another, "code").seen).to.match(/vault is of another build.*provenance is of another build/);
    const choices: Partial<Deployment> = { feeBps: 1, demandWindow: 7 };
    const chosen = only(await look(chain, { deployment: { ...deployment, ...choices } }), "parameters");
    expect(chosen.seen).to.equal("feeBps is 100 there, 1 in the file; demandWindow is 32 there, 7 in the file");
    const nowhere = await look(chain, { deployment: { ...deployment, market: Wallet.createRandom().address } });
    expect(bad(nowhere)).to.include.members(["code failed", "parameters failed"]);
    expect(only(nowhere, "gas").state).to.equal("ok");
    const none = await look(chain, { deployment: undefined, account: deployment.treasury });
    expect([bad(none), none.map(({ what }) => what).includes("balance")]).to.deep.equal([[], true]);
  });

  it("compares the code with what is compiled here", async () => {
    const artifact = localBuild();
    expect(only(await look(chain, { build: artifact }), "local build").state).to.equal("ok");
    const vault = await artifact("Vault");
    const { state, seen } = only(
      await look(chain, { build: async (name) => (name === "MarketLens" ? vault : artifact(name)) }),
      "local build",
    );
    expect([state, /^MarketLens: it has \d+ bytes, not \d+$/.test(seen)]).to.deep.equal(["failed", true]);
    // As of sources that have an immutable more than is known of.
    const lens = { ...(await artifact("MarketLens")), immutableNames: { 1: "market" } };
    const build = async (name: string) => (name === "MarketLens" ? lens : artifact(name));
    const unknown = only(await look(chain, { build }), "local build");
    expect(unknown.seen).to.match(
      /^MarketLens: what its \d+ should be is not known; what its \d+ should be is not known$/,
    );
  });

  it("rehearses a checkpoint where seeds need one, and says whether the chain has EIP-2935", async () => {
    const randao = await start({ randomnessKind: "randao", anvilArgs: ["--hardfork", "prague"] });
    await randao.mine(3);
    const findings = await look(randao);
    expect(bad(findings)).to.deep.equal([]);
    expect(only(findings, "randomness").seen).to.match(/randao: block \d+ could be checkpointed/);
    expect(only(findings, "history").seen).to.match(/^EIP-2935/);
    const odd = await behind(randao, () => ({
      says: ({ method }, result) =>
        method === "eth_getBlockByNumber" && result !== null ? { ...(result as object), extraData: "0x77" } : result,
    }));
    const { state, todo } = only(await look(randao, { urls: [odd.url] }), "randomness");
    expect([state, todo === ""]).to.deep.equal(["failed", false]);
    const before = await start({ randomnessKind: "randao", anvilArgs: ["--hardfork", "cancun"] });
    await before.mine(3);
    expect(bad(await look(before))).to.deep.equal(["history warning"]);
  });

  it("says what gas costs beside an account that Filecoin does not know yet", async () => {
    const filecoin = await start({ profile: profileNamed("filecoin") });
    await filecoin.mine(60);
    const { address } = Wallet.createRandom();
    const findings = await look(filecoin, { account: address });
    expect(only(findings, "gas")).to.include({ state: "ok" });
    expect(only(findings, "balance").state).to.equal("failed");
  });

  it("asks drand's precompile, through the contract", async () => {
    const filecoin = await start({ chainId: 314_159 });
    const { deployedBytecode } = await hre.artifacts.readArtifact("DrandPrecompile");
    await filecoin.provider.send("anvil_setCode", [PRECOMPILE, deployedBytecode]);
    const { abi, bytecode } = await hre.artifacts.readArtifact("DrandRandomness");
    const contract: Addressable = await new ContractFactory(abi, bytecode, await filecoin.account()).deploy();
    await filecoin.mine(60);
    const randomness = await contract.getAddress();
    const deployment: Deployment = { ...filecoin.deployment, randomness, randomnessKind: "drand" };
    const seen = only(await look(filecoin, { deployment }), "randomness");
    expect([seen.state, /drand: the seeds of blocks \d+ and \d+ are there/.test(seen.seen)]).to.deep.equal([
      "ok",
      true,
    ]);
    await filecoin.provider.send("anvil_setCode", [PRECOMPILE, "0x"]);
    const gone = only(await look(filecoin, { deployment }), "randomness");
    expect([gone.state, /SeedUnavailable/.test(gone.seen)]).to.deep.equal(["failed", true]);
  });

  it("compares the payment tokens with the table, and reads the token of stakes", async () => {
    const sepolia = await start({ chainId: 11_155_111 });
    const network = networkNamed("sepolia");
    const { address } = network.tokens[0]!;
    const token = async () => only(await look(sepolia, { network }), "token USDC");
    expect((await token()).seen).to.equal(`no code at ${address}`);
    await sepolia.provider.send("anvil_setCode", [address, await sepolia.provider.getCode(sepolia.deployment.vault)]);
    expect((await token()).seen).to.include("is no ERC-20 token");
    const { abi, bytecode } = await hre.artifacts.readArtifact("TestToken");
    const make = async (decimals: number) => {
      const factory = new ContractFactory<unknown[], Addressable>(abi, bytecode, await sepolia.account());
      const made = await (await factory.deploy("USD Coin", "USDC", decimals)).getAddress();
      await sepolia.mine();
      await sepolia.provider.send("anvil_setCode", [address, await sepolia.provider.getCode(made)]);
      const symbol = await sepolia.provider.getStorage(made, 4);
      await sepolia.provider.send("anvil_setStorageAt", [address, toBeHex(4, 32), symbol]);
      return made;
    };
    await make(18);
    expect((await token()).seen).to.include("USDC with 18 decimals");
    expect((await token()).state).to.equal("failed");
    const stakeToken = await make(6);
    expect(await token()).to.deep.include({ state: "ok", seen: `USDC with 6 decimals at ${address}` });
    const stakes = await look(sepolia, { deployment: { ...sepolia.deployment, stakeToken } });
    expect(only(stakes, "stake token").seen).to.equal(`USDC with 6 decimals at ${stakeToken}`);
    const none = { ...sepolia.deployment, stakeToken: sepolia.deployment.lens };
    expect(only(await look(sepolia, { deployment: none }), "stake token").state).to.equal("warning");
  });

  it("looks at the coin and the stake of the account", async () => {
    const network = networkNamed("local");
    const poor = Wallet.createRandom().address;
    const empty = only(await look(chain, { network, account: poor }), "balance");
    expect([empty.state, empty.seen]).to.deep.equal(["failed", "0 ETH: it can't pay for gas"]);
    await chain.provider.send("anvil_setBalance", [poor, toQuantity(parseEther("0.0001"))]);
    const little = only(await look(chain, { network, account: poor }), "balance");
    expect([little.state, little.seen.startsWith("0.0001 ETH, and 300 proofs cost about")]).to.deep.equal([
      "warning",
      true,
    ]);
    expect(only(await look(chain, { account: poor }), "stake")).to.deep.include({ state: "note" });
  });
});
