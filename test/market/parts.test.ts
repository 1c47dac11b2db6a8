import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { artifacts, config } from "hardhat";
import { MarketChanges__factory } from "../../typechain-types/index.js";
import { amendmentFor } from "../support/changes.js";
import { deployMarket, ethers, networkHelpers, openDeal, standardMarket, TIERS } from "../support/market.js";

/** Bytes of EIP-3860, gas of EIP-7825. */
const INITCODE_LIMIT = 49_152;
const TRANSACTION_LIMIT = 2 ** 24;

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
      "chainProofs",
      "chainTiers",
      "termsChecker",
      "proofVerifier",
    ] as const) {
      expect(await part[name](), name).to.equal(await world.market[name]());
    }
    expect(await part.tierCount()).to.equal(BigInt(TIERS.length));
  });

  it("are one contract to the outside: the second runs for the first alone", async () => {
    const world = await fixture();
    const { market, marketAddress, client } = world;
    const part = partOf(marketAddress).connect(client);
    const deal = await openDeal(world);
    const amendment = await amendmentFor(world, deal, deal.piece);
    const calls = [
      () => part.extend(deal.id, 1, 1n),
      () => part.restore(deal.id, 1),
      () => part.terminate(deal.id),
      () => part.amend(amendment, "0x", "0x"),
      () => part.migrate(deal.id, deal.terms, "0x", "0x", "0x"),
      () => part.advance(deal.id),
    ];
    for (const call of calls) await expect(call()).to.be.revertedWithCustomError(market, "NotAMarket");
    const selector = part.interface.getFunction("advance").selector;
    const data = selector + ethers.toBeHex(deal.id, 32).slice(2);
    await expect(
      client.sendTransaction({ to: marketAddress, data }),
      "not even the market can be told to",
    ).to.be.revert(ethers);
    await expect(market.extend(1n, 1, 1n))
      .to.be.revertedWithCustomError(market, "UnknownDeal")
      .withArgs(1n);
    await expect(market.restore(1n, 1)).to.be.revertedWithCustomError(market, "UnknownDeal").withArgs(1n);
    await expect(market.terminate(1n)).to.be.revertedWithCustomError(market, "UnknownDeal").withArgs(1n);
  });

  it("have a code size that can be deployed: theirs and the constructor's together fit into a transaction", async () => {
    const { market } = await deployMarket();
    const deployment = market.deploymentTransaction();
    const receipt = await deployment?.wait();
    expect(((deployment?.data.length ?? 0) - 2) / 2).to.be.within(1, INITCODE_LIMIT);
    expect(Number(receipt?.gasUsed)).to.be.within(1, TRANSACTION_LIMIT);
  });
});
