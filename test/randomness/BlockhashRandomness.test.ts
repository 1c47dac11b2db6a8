import { expect } from "chai";
import { JsonRpcProvider } from "ethers";
import { network } from "hardhat";
import { startAnvil } from "../../src/chain/anvil.js";
import { BlockhashRandomness__factory } from "../../typechain-types/index.js";
import { blockJson } from "./fixtures.js";

describe("BlockhashRandomness", () => {
  it("is the block's hash for 256 blocks, then SeedUnavailable, on the Hardhat network (no EIP-2935)", async () => {
    const { ethers, networkHelpers } = await network.create();
    const randomness = await ethers.deployContract("BlockhashRandomness");
    const epoch = 5;
    await networkHelpers.mineUpTo(epoch + 1);
    const hash = BigInt((await blockJson(ethers.provider, epoch)).hash!);
    for (const distance of [1, 100, 256]) {
      await networkHelpers.mineUpTo(Math.max(epoch + distance, epoch + 2));
      expect(await randomness.seed(epoch, { blockTag: epoch + distance }), `${distance} on`).to.equal(hash);
    }
    // Hardhat's stub at the history contract's address reverts with a message. Its selector must never pass for a hash.
    for (const distance of [257, 258, 9_000]) {
      await networkHelpers.mineUpTo(epoch + distance);
      await expect(randomness.seed(epoch, { blockTag: epoch + distance }), `${distance} on`)
        .to.be.revertedWithCustomError(randomness, "SeedUnavailable")
        .withArgs(epoch);
    }
  });

  it("SeedUnavailable: for the block itself and for later ones", async () => {
    const { ethers, networkHelpers } = await network.create();
    const randomness = await ethers.deployContract("BlockhashRandomness");
    await networkHelpers.mineUpTo(20);
    for (const epoch of [20n, 21n, 10_000n, 2n ** 64n, 2n ** 256n - 1n]) {
      await expect(randomness.seed(epoch, { blockTag: 20 }))
        .to.be.revertedWithCustomError(randomness, "SeedUnavailable")
        .withArgs(epoch);
    }
    expect(await randomness.seed(19, { blockTag: 20 })).to.equal(BigInt((await blockJson(ethers.provider, 19)).hash!));
  });

  it("is the same hash for 8,191 blocks on anvil (EIP-2935), then SeedUnavailable", async () => {
    const anvil = await startAnvil({ chainId: 31337, args: ["--prune-history"] });
    const provider = new JsonRpcProvider(anvil.url, undefined, { cacheTimeout: -1 });
    try {
      const randomness = await new BlockhashRandomness__factory(await provider.getSigner()).deploy();
      await randomness.waitForDeployment();
      await provider.send("anvil_mine", ["0xa"]);
      const epoch = 5;
      const hash = BigInt((await blockJson(provider, epoch)).hash!);
      let at = await provider.getBlockNumber();
      for (const distance of [256, 257, 8_190, 8_191]) {
        await provider.send("anvil_mine", [`0x${(epoch + distance - at).toString(16)}`]);
        at = epoch + distance;
        expect(await randomness.seed(epoch, { blockTag: at }), `${distance} on`).to.equal(hash);
      }
      await provider.send("anvil_mine", ["0x1"]);
      await expect(randomness.seed(epoch, { blockTag: at + 1 }))
        .to.be.revertedWithCustomError(randomness, "SeedUnavailable")
        .withArgs(epoch);
    } finally {
      provider.destroy();
      await anvil.stop();
    }
    // Some 7 s of mining, many times that on a busy machine.
  }).timeout(300_000);
});
