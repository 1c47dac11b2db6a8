import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { artifacts, config } from "hardhat";
import { MarketChanges__factory } from "../../typechain-types/index.js";
import { deployMarket, ethers, networkHelpers, standardMarket, TIERS } from "../support/market.js";

/** Initcode of EIP-3860. */
const INITCODE_LIMIT = 49_152;

interface Variable {
  readonly label: string;
  readonly slot: string;
  readonly offset: number;
  readonly type: string;
}

/** Where the compiler put each variable of a contract. Types without the numbers that the compiler gave them. */
async function layoutOf(contract: string): Promise<string[]> {
  const source = `contracts/${contract}.sol`;
  const buildId = await artifacts.getBuildInfoId(`${source}:${contract}`);
  const path = join(config.paths.artifacts, "build-info", `${buildId}.output.json`);
  const { output } = JSON.parse(readFileSync(path, "utf8")) as {
    output: { contracts: Record<string, Record<string, { storageLayout: { storage: Variable[] } }>> };
  };
  const layout = output.contracts[`project/${source}`]?.[contract]?.storageLayout;
  if (layout === undefined) throw new Error(`${path} has no layout of ${contract}`);
  return layout.storage.map(({ label, slot, offset, type }) => {
    return `${slot}+${offset} ${label} ${type.replaceAll(/\)\d+_/g, ")_")}`;
  });
}

/** The other part of a market: the contract that it deployed third, after terms checker and proof verifier. */
const partOf = (market: string) =>
  MarketChanges__factory.connect(ethers.getCreateAddress({ from: market, nonce: 3 }), ethers.provider);

describe("StorageMarket: its two parts", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  it("agree on where everything lies that the second one touches", async () => {
    const [market, part] = [await layoutOf("StorageMarket"), await layoutOf("MarketChanges")];
    expect(part.map((line) => line.split(" ")[1])).to.deep.equal(["_deals", "_revisions", "_successors"]);
    expect(market.slice(0, part.length)).to.deep.equal(part);
  });

  it("agree on everything that was chosen at deployment", async () => {
    const world = await fixture();
    const part = partOf(world.marketAddress);
    for (const name of [
      "vault",
      "registry",
      "randomness",
      "treasury",
      "feeBps",
      "challengeFinality",
      "demandWindow",
      "stakeToken",
      "minStake",
      "tierCount",
      "termsChecker",
      "proofVerifier",
    ] as const) {
      expect(await part[name](), name).to.equal(await world.market[name]());
    }
    expect(await part.tierCount()).to.equal(BigInt(TIERS.length));
  });

  it("are one contract to the outside: the second runs for the first alone", async () => {
    const { market, marketAddress, client } = await fixture();
    const part = partOf(marketAddress).connect(client);
    for (const call of [part.extend(1n, 1, 1n), part.restore(1n, 1), part.terminate(1n)]) {
      await expect(call).to.be.revertedWithCustomError(market, "NotAMarket");
    }
    await expect(market.extend(1n, 1, 1n))
      .to.be.revertedWithCustomError(market, "UnknownDeal")
      .withArgs(1n);
    await expect(market.restore(1n, 1)).to.be.revertedWithCustomError(market, "UnknownDeal").withArgs(1n);
    await expect(market.terminate(1n)).to.be.revertedWithCustomError(market, "UnknownDeal").withArgs(1n);
  });

  it("can be deployed together: their code and the constructor's fit what a transaction may create", async () => {
    const { market } = await deployMarket();
    const { data } = (await market.deploymentTransaction()) ?? { data: "0x" };
    expect((data.length - 2) / 2).to.be.within(1, INITCODE_LIMIT);
  });
});
