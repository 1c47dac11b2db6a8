import { expect } from "chai";
import {
  Contract,
  type ContractFactory,
  dataSlice,
  getAddress,
  type Provider,
  toBeHex,
  Wallet,
  ZeroAddress,
} from "ethers";
import { compareCreation } from "../../scripts/deploy/creation.js";
import { recordOf } from "../../scripts/deploy/record.js";
import { CREATE_X, runDeployment, saltOf } from "../../scripts/deploy/run.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import { deployHoldfast, devTiers, marketConfig } from "../../src/chain/deploy.js";
import { type Deployment, type Part, partsOf } from "../../src/chain/deployment.js";
import { ofMarket } from "../../src/chain/immutables.js";
import {
  MarketChanges__factory,
  ProviderRegistry__factory,
  TermsChecker__factory,
  Vault__factory,
} from "../../typechain-types/index.js";
import { holdfast } from "../support/cli.js";
import { commandsOn } from "../support/cli-net.js";
import { CHAIN_ID, type DevChain, startDevChain } from "../support/dev-chain.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

/** What `verify-deployment` says of each contract of a deployment. */
async function verified(chain: Pick<DevChain, "anvil" | "deployment">) {
  const restore = await commandsOn(chain);
  try {
    const outcome = await holdfast(["verify-deployment", "--json"]);
    const contracts: { name: string; differs?: string; creationUnknown?: true }[] = JSON.parse(
      outcome.stdout,
    ).contracts;
    const differing = Object.fromEntries(contracts.flatMap(({ name, differs }) => (differs ? [[name, differs]] : [])));
    return { ...outcome, contracts, differing };
  } finally {
    restore();
  }
}

describe("holdfast verify-deployment", function () {
  this.timeout(300_000);
  after(removeFolders);

  const choices = { feeBps: 50, treasury: Wallet.createRandom().address, minStake: 7n };
  for (const [what, options] of [
    ["blockhash", { ...choices, stakeToken: Wallet.createRandom().address }],
    ["randao", { randomnessKind: "randao", feeBps: 0, treasury: ZeroAddress }],
    ["drand and sealed tiers, on Filecoin", { ...choices, profile: profileNamed("filecoin"), sealedTiers: [0, 2] }],
  ] as [string, Parameters<typeof startDevChain>[0]][]) {
    it(`finds everything as built: ${what}`, async () => {
      const chain = await startDevChain(options);
      try {
        const { status, stderr, contracts, differing } = await verified(chain);
        expect([status, differing], stderr).to.deep.equal([0, {}]);
        expect(contracts).to.have.length(partsOf(chain.deployment).length + 3);
      } finally {
        await chain.stop();
      }
    });
  }

  it("knows by a factory's address what made a contract", async () => {
    const { deployment: plain, ...chain } = await startDevChain();
    try {
      const { provider } = chain;
      const account = await chain.account();
      const options = { randomnessKind: plain.randomnessKind, tiers: plain.tiers };
      const run = {
        provider,
        signer: account,
        chainId: CHAIN_ID,
        options,
        confirmations: 1,
        pollMs: 50,
      };
      const salt = saltOf(account.address, "salt");
      const deployed = await runDeployment({ ...run, salt, dir: await tempFolder() });
      const deployment = await recordOf(provider, CHAIN_ID, options, deployed);
      const honest = await verified({ ...chain, deployment });
      expect([honest.status, honest.differing, honest.stderr]).to.deep.equal([0, {}, ""]);

      // Another vault by the same factory, whose init code writes into its storage.
      const factory = new Contract(CREATE_X, ["function deployCreate2(bytes32, bytes) returns (address)"], account);
      const { blockNumber, logs } = (await (await factory.deployCreate2!(salt, "0x600160005560016000f3")).wait())!;
      const vault = getAddress(dataSlice(logs[0].topics[1], 12));
      await provider.send("anvil_setCode", [vault, await provider.getCode(deployment.vault)]);
      const build = { ...deployment.build!, blocks: { ...deployment.build!.blocks, vault: blockNumber } };
      const made = await compareCreation(provider, { ...deployment, vault, build });
      const said = Object.fromEntries(made.map(({ name, differs = "" }) => [name, differs.slice(0, 43)]));
      expect(said.Vault).to.equal("it was made by other code than the build's,");
      // Those that it was given to were given another.
      expect([said.ProviderRegistry, said.StorageMarket, said.MarketLens]).to.deep.equal([said.Vault, said.Vault, ""]);
    } finally {
      await chain.stop();
    }
  });

  describe("a market that its own init code has put there", () => {
    let chain: DevChain;
    let of: Record<ReturnType<typeof ofMarket>[number]["name"], string>;
    let config: Parameters<MarketChanges__factory["deploy"]>[0];
    /** Somebody's own: whatever it is, it has another address. */
    const other = Wallet.createRandom().address;

    before(async () => {
      chain = await startDevChain();
      const { deployment } = chain;
      of = Object.fromEntries(ofMarket(deployment.market).map(({ name, address }) => [name, address])) as typeof of;
      config = { ...deployment, ...marketConfig(deployment), chainTiers: deployment.chainTiers };
    });
    after(() => chain.stop());

    /** Leaves at an address what a constructor gives there, called by the market; gives what was there before. */
    const put = async <T extends ContractFactory>(address: string, factory: T, args: Parameters<T["deploy"]>) => {
      const { provider, deployment } = chain;
      const before = await provider.getCode(address);
      const { data } = await factory.getDeployTransaction(...args);
      await provider.send("anvil_setCode", [address, data]);
      const code = await provider.call({ from: deployment.market, to: address });
      await provider.send("anvil_setCode", [address, code]);
      return before;
    };
    /** What is said of a deployment with something else there, and that the rest is as built. */
    const differenceAt = async <T extends ContractFactory>(
      name: string,
      address: string,
      factory: T,
      ...args: Parameters<T["deploy"]>
    ) => {
      const before = await put(address, factory, args);
      const { status, stderr, differing } = await verified(chain);
      await chain.provider.send("anvil_setCode", [address, before]);
      expect([status, Object.keys(differing)], stderr).to.deep.equal([1, [name]]);
      expect(stderr).to.include(`the code of ${name} is not of this build`);
      return differing[name];
    };

    it("is as built where its parts were given what the market was", async () => {
      await put(of.MarketChanges, new MarketChanges__factory(), [config, of.TermsChecker, of.ProofVerifier]);
      expect((await verified(chain)).differing).to.deep.equal({});
    });

    it("is found out where its changes believe another chain's proofs, of all tiers", async () => {
      const tampered = { ...config, chainProofs: other, chainTiers: 255 };
      const factory = new MarketChanges__factory();
      const args = [of.TermsChecker, of.ProofVerifier] as const;
      const said = await differenceAt("MarketChanges", of.MarketChanges, factory, tampered, ...args);
      expect(said).to.equal(`its chainProofs is ${other.toLowerCase()}, not 0x0; its chainTiers is 0xff, not 0x0`);
    });

    it("is found out where its changes have anything else of their own", async () => {
      const tiers = Array.from({ length: 8 }, () => ({ period: 16, window: 4, challenges: 1, maxMisses: 9 }));
      const numbers = { feeBps: 99, challengeFinality: 1, demandWindow: 1, minStake: 1, tiers };
      const addresses = { vault: other, registry: other, randomness: other, treasury: other, stakeToken: other };
      const args = [{ ...config, ...numbers, ...addresses }, other, other] as const;
      const said = await differenceAt("MarketChanges", of.MarketChanges, new MarketChanges__factory(), ...args);
      const named = said?.split("; ").map((words) => words.split(" ")[1]);
      expect(named).to.have.members([
        ...Object.keys(addresses),
        ...["feeBps", "challengeFinality", "demandWindow", "minStake", "termsChecker", "proofVerifier"],
        ...["tierCount", "_tiers01", "_tiers23", "_tiers45", "_tiers67"],
      ]);
    });

    it("is found out where its terms checker asks another registry, or for another stake", async () => {
      const { vault, registry, stakeToken, minStake } = chain.deployment;
      const checker = (...args: Parameters<TermsChecker__factory["deploy"]>) =>
        differenceAt("TermsChecker", of.TermsChecker, new TermsChecker__factory(), ...args);
      expect(await checker(vault, registry, stakeToken, minStake + 1n)).to.equal("its _minStake is 0x1, not 0x0");
      expect(await checker(vault, other, stakeToken, minStake)).to.match(/^its _registry is 0x\w{40}, not 0x\w+$/);
    });

    it("is found out where its registry has another vault", async () => {
      const { registry, randomness } = chain.deployment;
      // A contract, as the constructor wants it.
      const said = await differenceAt("ProviderRegistry", registry, new ProviderRegistry__factory(), randomness);
      expect(said).to.match(/^its vault is 0x\w+, not 0x\w+$/);
    });

    it("is found out where lens or requests were built on another market", async () => {
      const { deployment, provider } = chain;
      const account = await chain.account();
      const { vault, registry } = deployment;
      const second = await deployHoldfast(account, {
        ...{ randomnessKind: "blockhash", tiers: devTiers(), shared: { vault, registry } },
        ...{ feeBps: 1, treasury: account.address, challengeFinality: 3 },
      });
      /** What is said where an address has the code of the second one's, made to name the addresses of the first. */
      const differenceWith = async (part: "lens" | "requests") => {
        const before = await provider.getCode(deployment[part]);
        let code = await provider.getCode(second[part]);
        for (const name of ["market", "lens"] as const) {
          code = code.replaceAll(
            ...([second[name], deployment[name]].map((at) => at.slice(2).toLowerCase()) as [string, string]),
          );
        }
        await provider.send("anvil_setCode", [deployment[part], code]);
        const { status, differing } = await verified(chain);
        await provider.send("anvil_setCode", [deployment[part], before]);
        expect(status).to.equal(1);
        return differing;
      };
      expect(await differenceWith("lens")).to.deep.equal({ MarketLens: "its _feeBps is 0x1, not 0x64" });
      const { StorageRequests, ...others } = await differenceWith("requests");
      expect(StorageRequests).to.match(/^its _randomness is 0x\w+, not 0x\w+; its _challengeFinality is 0x3, not 0x2$/);
      expect(others).to.deep.equal({});
    });

    it("is found out where its vault signs for another address", async () => {
      const { deployment, provider } = chain;
      const second = await deployHoldfast(await chain.account(), { randomnessKind: "blockhash", tiers: devTiers() });
      await provider.send("anvil_setCode", [deployment.vault, await provider.getCode(second.vault)]);
      const { status, differing } = await verified(chain);
      expect([status, Object.keys(differing)]).to.deep.equal([1, ["Vault"]]);
      expect(differing.Vault).to.include("its _cachedThis is ").and.to.include("its _cachedDomainSeparator is ");
    });

    it("is found out where a contract's init code has left something in its storage, and told of where nobody knows", async () => {
      const { provider } = chain;
      const account = await chain.account();
      // Writes a word of storage, as if somebody had paid in; the code is that of a vault.
      const { contractAddress } = (await (await account.sendTransaction({ data: "0x600160005500" })).wait())!;
      const vault = contractAddress!;
      await put(vault, new Vault__factory(), []);
      const registry = await (await new ProviderRegistry__factory(account).deploy(vault)).waitForDeployment();
      const shared = { vault, registry: await registry.getAddress() };
      const deployment = await deployHoldfast(account, { randomnessKind: "blockhash", tiers: devTiers(), shared });
      expect(await provider.getStorage(vault, 0)).to.equal(toBeHex(1, 32));

      const silent = await verified({ ...chain, deployment });
      expect([silent.status, silent.differing], silent.stderr).to.deep.equal([0, {}]);
      expect(silent.contracts.find(({ name }) => name === "Vault")?.creationUnknown).to.equal(true);
      expect(silent.stderr).to.match(/how Vault, .*ProvenanceRegistry.* were made is not known/);
      const build = { compiler: "", settings: "", codeHashes: {}, blocks: await blocksOf(provider, deployment) };
      const told = await verified({ ...chain, deployment: { ...deployment, build } });
      expect([told.status, Object.keys(told.differing)], told.stderr).to.deep.equal([1, ["Vault"]]);
      expect(told.differing.Vault).to.match(/^it was made by other code than the build's/);
      expect(told.stderr).not.to.include("not known");
      expect(told.contracts.some(({ creationUnknown }) => creationUnknown)).to.equal(false);
      // Nor does it help to name another block, as whoever used a factory of their own would have to.
      const elsewhere = { ...build, blocks: { ...build.blocks, vault: build.blocks.registry! } };
      const misled = await verified({ ...chain, deployment: { ...deployment, build: elsewhere } });
      expect([misled.status, Object.keys(misled.differing)], misled.stderr).to.deep.equal([1, ["Vault"]]);
      expect(misled.differing.Vault).to.match(/^no transaction of block \d+ made it/);
    });
  });
});

/** The blocks of the transactions that made the parts of a deployment. */
async function blocksOf(provider: Provider, deployment: Deployment): Promise<Partial<Record<Part, number>>> {
  const blocks = new Map<string, number>();
  for (let number = await provider.getBlockNumber(); number > 0; number--) {
    for (const hash of (await provider.getBlock(number))!.transactions) {
      const { contractAddress } = (await provider.getTransactionReceipt(hash))!;
      if (contractAddress !== null) blocks.set(contractAddress, number);
    }
  }
  return Object.fromEntries(partsOf(deployment).map((part) => [part, blocks.get(deployment[part])!]));
}
