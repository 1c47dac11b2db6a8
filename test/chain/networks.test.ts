import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { getAddress, type Signer } from "ethers";
import { network as hardhat } from "hardhat";
import { verifyDeployment } from "../../src/chain/contracts.js";
import { deployHoldfast } from "../../src/chain/deploy.js";
import { NETWORKS, networkNamed, networkOf } from "../../src/chain/networks.js";
import { expectError } from "../piece/helpers.js";
import { PRECOMPILE } from "../randomness/fixtures.js";

const HOUR = 3_600;

describe("networks", () => {
  it("are found by name, whatever its case, and by chain id", async () => {
    expect(networkNamed("calibration").chainId).to.equal(314_159);
    expect(networkNamed("basesepolia").name).to.equal("baseSepolia");
    expect(networkOf(314n)?.name).to.equal("filecoin");
    expect(networkOf(1)).to.equal(undefined);
    const error = await expectError("UNKNOWN_NETWORK", () => networkNamed("mainnet"));
    for (const { name } of NETWORKS) expect(error.hint).to.include(name);
  });

  it("differ in name, chain id and setting; their addresses have their checksums", () => {
    for (const of of ["name", "chainId", "rpcVariable"] as const) {
      expect(new Set(NETWORKS.map((one) => one[of])).size, of).to.equal(NETWORKS.length);
    }
    for (const { tokens, rpc, explorer = "", faucet = rpc } of NETWORKS) {
      for (const { address, source } of tokens) {
        expect(getAddress(address)).to.equal(address);
        expect(source).to.match(/^https:/);
      }
      for (const url of [rpc, faucet]) expect(URL.canParse(url), url).to.equal(true);
      expect(explorer).not.to.match(/\/$/);
    }
  });

  it("are told of as they are, each in its row", async () => {
    const page = await readFile(new URL("../../docs/networks.md", import.meta.url), "utf8");
    for (const one of NETWORKS) {
      const row = page.split("\n").find((line) => line.startsWith(`| \`${one.name}\` |`)) ?? "";
      const facts = [one.chainId, one.rpcVariable, one.blockSeconds, one.randomnessKind, one.challengeFinality];
      for (const fact of facts) expect(row).to.match(new RegExp(`\\W${fact}\\W`));
      for (const { symbol, address } of one.tokens) expect(row).to.include(`${symbol} \`${address}\``);
    }
  });

  for (const network of NETWORKS.filter(({ name }) => name !== "local")) {
    it(`gives ${network.title} the protocol's tiers, in its own blocks`, () => {
      const { tiers, blockSeconds, demandWindow } = network;
      const seconds = tiers.map(({ period, window }) => [period * blockSeconds, window * blockSeconds]);
      expect(seconds).to.deep.equal([
        [4 * HOUR, HOUR],
        [24 * HOUR, 2 * HOUR],
        [7 * 24 * HOUR, 24 * HOUR],
      ]);
      expect(tiers.map(({ challenges, maxMisses }) => [challenges, maxMisses])).to.deep.equal([
        [3, 6],
        [5, 4],
        [10, 3],
      ]);
      expect(demandWindow * blockSeconds).to.equal(24 * HOUR);
    });
  }

  for (const network of NETWORKS) {
    it(`has what the market's constructor takes, for ${network.title}`, async () => {
      const { ethers, networkHelpers } = await hardhat.create();
      const standIn = await ethers.deployContract("DrandPrecompile");
      await networkHelpers.setCode(PRECOMPILE, await ethers.provider.getCode(standIn));
      const [signer] = (await ethers.getSigners()) as unknown as [Signer];
      const { randomnessKind, tiers, challengeFinality, demandWindow } = network;
      const deployment = await deployHoldfast(signer, { randomnessKind, tiers, challengeFinality, demandWindow });
      await verifyDeployment(signer.provider!, deployment);
    });
  }
});
