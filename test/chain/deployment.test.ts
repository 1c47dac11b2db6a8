import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { keccak256, Wallet, ZeroAddress } from "ethers";
import { connect, verifyDeployment } from "../../src/chain/contracts.js";
import { deployHoldfast, devTiers } from "../../src/chain/deploy.js";
import { type Deployment, formatDeployment, PARTS, type Part, parseDeployment } from "../../src/chain/deployment.js";
import { readDeployment, writeDeployment } from "../../src/chain/deployment-node.js";
import { connectChain } from "../../src/chain/provider.js";
import type { HoldfastError } from "../../src/errors.js";
import { MarketLens__factory, ProvenanceRegistry__factory } from "../../typechain-types/index.js";
import { CHAIN_ID, type DevChain, startDevChain } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";

const TOKEN = "0x52908400098527886E0F7030069857D2E4169EE7";

describe("deployment", () => {
  let chain: DevChain;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-deployment-"));
    chain = await startDevChain({ stakeToken: TOKEN, minStake: 2n ** 100n + 1n });
  });

  after(async () => {
    await chain.stop();
    await rm(folder, { recursive: true });
  });

  it("survives being written and read, amounts beyond 2^53 included", async () => {
    const path = join(folder, "deep", "31337.json");
    await writeDeployment(path, chain.deployment);
    expect(await readDeployment(path)).to.deep.equal(chain.deployment);
    expect(JSON.parse(await readFile(path, "utf8")).minStake).to.equal("1267650600228229401496703205377");
    expect(await readdir(join(folder, "deep"))).to.deep.equal(["31337.json"]);
  });

  it("reads addresses in any case and gives them checksummed", () => {
    const json = formatDeployment({ ...chain.deployment, treasury: TOKEN.toLowerCase() });
    expect(parseDeployment(json).treasury).to.equal(TOKEN);
  });

  it("says which file can't be read", async () => {
    const error = await failure<HoldfastError>(readDeployment(join(folder, "none.json")));
    expect(error.code).to.equal("DEPLOYMENT_UNREADABLE");
    expect(error.message).to.contain("none.json");
  });

  for (const [what, change, named] of [
    ["a member that is missing", { lens: undefined }, "lens"],
    ["a member that nobody knows", { markt: ZeroAddress }, "markt"],
    ["an address with a wrong checksum", { vault: TOKEN.replace("E", "e") }, "vault"],
    ["an amount that is a number", { minStake: 5 }, "minStake"],
    ["a negative amount", { minStake: "-5" }, "minStake"],
    ["a kind of randomness that does not exist", { randomnessKind: "dice" }, "randomnessKind"],
    ["a window as long as its period", { tiers: [{ period: 16, window: 16, challenges: 1, maxMisses: 1 }] }, "tiers"],
    ["no tiers", { tiers: [] }, "tiers"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const path = join(folder, "bad.json");
      await writeFile(path, JSON.stringify({ ...JSON.parse(formatDeployment(chain.deployment)), ...change }));
      const error = await failure<HoldfastError>(readDeployment(path));
      expect(error.code).to.equal("DEPLOYMENT_INVALID");
      expect(error.message).to.contain(named);
    });
  }

  it("is read from what a bundler made of its JSON, and names every member that is wrong, with its place", async () => {
    const value = JSON.parse(formatDeployment(chain.deployment));
    expect(parseDeployment(value)).to.deep.equal(chain.deployment);
    const tiers = [value.tiers[0], { ...value.tiers[1], window: "8" }];
    const { code, message } = (() => {
      try {
        parseDeployment({ ...value, tiers, lens: "0x12", block: undefined }, "deployments/314.json");
      } catch (error) {
        return error as HoldfastError;
      }
      throw new Error("it was taken");
    })();
    expect(code).to.equal("DEPLOYMENT_INVALID");
    expect(message).to.match(/^deployments\/314\.json can't be used: /);
    for (const member of ["tiers[1].window: ", "lens: not an address", "block: "]) expect(message).to.include(member);
    for (const value of [null, 5, [], "null"]) expect(() => parseDeployment(value)).to.throw(/can't be used/);
  });

  it("refuses what is not JSON", async () => {
    const path = join(folder, "half.json");
    await writeFile(path, formatDeployment(chain.deployment).slice(0, 100));
    expect((await failure<HoldfastError>(readDeployment(path))).code).to.equal("DEPLOYMENT_INVALID");
  });

  it("agrees with the chain that it was deployed on", async () => {
    await verifyDeployment(chain.provider, chain.deployment);
  });

  for (const [what, change] of [
    ["chainId", { chainId: 1 }],
    ["lens", { lens: TOKEN }],
    ["requests", { requests: TOKEN }],
    ["provenance", { provenance: TOKEN }],
    ["feeBps", { feeBps: 99 }],
    ["minStake", { minStake: 1n }],
    ["treasury", { treasury: TOKEN }],
    ["number of tiers", { tiers: devTiers().slice(1) }],
    ["window of tier 1", { tiers: devTiers().map((tier, i) => (i === 1 ? { ...tier, window: 15 } : tier)) }],
  ] as [string, Partial<Deployment>][]) {
    it(`differs from the chain in: ${what}`, async () => {
      const error = await failure<HoldfastError>(verifyDeployment(chain.provider, { ...chain.deployment, ...change }));
      expect(error.code).to.equal("DEPLOYMENT_MISMATCH");
      expect(error.message).to.contain(`${what} is `);
    });
  }

  it("differs from the chain where the code is of another build than the file says, and where it is another contract", async () => {
    const { deployment, provider } = chain;
    const hashes = await Promise.all(
      PARTS.map(async (part) => [part, keccak256(await provider.getCode(deployment[part]))]),
    );
    const codeHashes = Object.fromEntries(hashes) as Record<Part, string>;
    const blocks = Object.fromEntries(PARTS.map((part) => [part, deployment.block])) as Record<Part, number>;
    const build = { compiler: "solc 0.8.30", settings: "cancun", blocks, codeHashes };
    await verifyDeployment(provider, { ...deployment, build });
    const other = { ...build, codeHashes: { ...codeHashes, requests: codeHashes.vault, lens: codeHashes.vault } };
    const { code, message } = await failure<HoldfastError>(verifyDeployment(provider, { ...deployment, build: other }));
    expect(code).to.equal("DEPLOYMENT_MISMATCH");
    expect(message).to.match(
      /lens is of another build, its code hash 0x\w{64} there, 0x\w{64} in the file, and 1 more$/,
    );
    const swapped = { ...deployment, requests: deployment.vault };
    const stranger = await failure<HoldfastError>(verifyDeployment(provider, swapped));
    expect(stranger.code).to.equal("DEPLOYMENT_MISMATCH");
    expect(stranger.message).to.contain("market of the requests is not answered there");
  });

  it("notices the lens or the requests of another market", async () => {
    const account = await chain.account();
    const { vault, registry } = chain.deployment;
    const tiers = devTiers();
    const other = await deployHoldfast(account, { randomnessKind: "randao", tiers, shared: { vault, registry } });
    expect(other).to.include({ vault, registry });
    expect(connect(chain.provider, other).randao).not.to.equal(undefined);
    expect(connect(chain.provider, chain.deployment).randao).to.equal(undefined);
    const mixed = { ...chain.deployment, lens: other.lens };
    expect((await failure(verifyDeployment(chain.provider, mixed))).message).to.contain("market of the lens");
    const strange = { ...chain.deployment, requests: other.requests };
    expect((await failure(verifyDeployment(chain.provider, strange))).message).to.contain("market of the requests");
  });

  it("notices requests and provenance that read by another lens", async () => {
    const account = await chain.account();
    const second = await new MarketLens__factory(account).deploy(chain.deployment.market);
    await second.waitForDeployment();
    const mixed = { ...chain.deployment, lens: await second.getAddress() };
    expect((await failure(verifyDeployment(chain.provider, mixed))).message).to.contain("lens of the requests");
    const provenance = await new ProvenanceRegistry__factory(account).deploy(second);
    await provenance.waitForDeployment();
    const strange = { ...chain.deployment, provenance: await provenance.getAddress() };
    const { message } = await failure(verifyDeployment(chain.provider, strange));
    expect(message).to.contain("lens of the provenance registry");
  });

  it("is refused by the market where its choices make no sense", async () => {
    const account = await chain.account();
    const tiers = [{ period: 15, window: 5, challenges: 1, maxMisses: 1 }];
    const error = await failure(deployHoldfast(account, { randomnessKind: "blockhash", tiers }));
    expect(error.message).to.contain("revert");
  });

  it("needs a signer with a provider", async () => {
    const deploying = deployHoldfast(Wallet.createRandom(), { randomnessKind: "blockhash", tiers: devTiers() });
    expect((await failure<HoldfastError>(deploying)).code).to.equal("NO_PROVIDER");
  });

  it("is not connected to another chain, or to no node at all", async () => {
    expect((await failure<HoldfastError>(connectChain(chain.anvil.url, CHAIN_ID + 1))).code).to.equal("WRONG_CHAIN");
    const nowhere = connectChain("http://127.0.0.1:1/secret-key", CHAIN_ID, { timeoutMs: 500 });
    const error = await failure<HoldfastError>(nowhere);
    expect(error.code).to.equal("CHAIN_UNREACHABLE");
    expect(error.message).not.to.contain("secret");
  });
});
