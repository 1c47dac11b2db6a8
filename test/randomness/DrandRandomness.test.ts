import { expect } from "chai";
import { network } from "hardhat";
import { answering, drandSeed, PRECOMPILE } from "./fixtures.js";

const WORD = `0x${"11".repeat(32)}`;

async function deploy() {
  const { ethers, networkHelpers } = await network.create();
  const standIn = await ethers.deployContract("DrandPrecompile");
  await networkHelpers.setCode(PRECOMPILE, await ethers.provider.getCode(standIn));
  const randomness = await ethers.deployContract("DrandRandomness");
  const answer = (code: string) => networkHelpers.setCode(PRECOMPILE, code);
  return { ethers, networkHelpers, randomness, answer };
}

describe("DrandRandomness", () => {
  it("reads the beacon of every past epoch, the same at any look-back", async () => {
    const { ethers, networkHelpers, randomness } = await deploy();
    await networkHelpers.mine(20);
    const now = await ethers.provider.getBlockNumber();
    for (const distance of [1, 300, 10_000]) {
      for (const epoch of [0, 1, now - 1]) {
        expect(await randomness.seed(epoch), `epoch ${epoch}`).to.equal(drandSeed(BigInt(epoch)));
      }
      await networkHelpers.mine(distance);
    }
  });

  it("asks about an epoch from the block after it on", async () => {
    const { ethers, networkHelpers, randomness } = await deploy();
    const next = (await ethers.provider.getBlockNumber()) + 1;
    await networkHelpers.mine(2);
    await expect(randomness.seed(next, { blockTag: next }))
      .to.be.revertedWithCustomError(randomness, "SeedUnavailable")
      .withArgs(next);
    expect(await randomness.seed(next, { blockTag: next + 1 })).to.equal(drandSeed(BigInt(next)));
  });

  it("SeedUnavailable: for the future, without asking the precompile, which would burn all gas", async () => {
    const { ethers, randomness } = await deploy();
    const data = randomness.interface.encodeFunctionData("seed", [1_000_000]);
    const [sender] = await ethers.getSigners();
    const hash = await sender!.sendTransaction({ to: await randomness.getAddress(), data, gasLimit: 5_000_000 }).then(
      (sent) => sent.hash,
      async () => (await ethers.provider.getBlock("latest"))!.transactions[0]!,
    );
    const receipt = await ethers.provider.getTransactionReceipt(hash);
    expect(receipt!.status).to.equal(0);
    expect(receipt!.gasUsed).to.be.lessThan(25_000n);
    for (const epoch of [1_000_000n, 2n ** 63n, 2n ** 256n - 1n]) {
      await expect(randomness.seed(epoch)).to.be.revertedWithCustomError(randomness, "SeedUnavailable").withArgs(epoch);
    }
  });

  const bad: [string, string][] = [
    ["nothing at all", answering("0x")],
    ["31 bytes", answering(`0x${"11".repeat(31)}`)],
    ["33 bytes", answering(`0x${"11".repeat(33)}`)],
    ["two words", answering(WORD + "22".repeat(32))],
    ["zero", answering(`0x${"00".repeat(32)}`)],
    ["a word as revert data", answering(WORD, "revert")],
    ["an invalid opcode", "0xfe"],
    ["no code", "0x"],
  ];
  for (const [what, code] of bad) {
    it(`SeedUnavailable: where the precompile answers ${what}`, async () => {
      const { randomness, answer } = await deploy();
      await answer(code);
      await expect(randomness.seed(0)).to.be.revertedWithCustomError(randomness, "SeedUnavailable").withArgs(0);
      await answer(answering(WORD));
      expect(await randomness.seed(0)).to.equal(BigInt(WORD));
    });
  }

  it("costs FIP-0075's price of the look-back and little more; SeedUnavailable where less gas is sent", async () => {
    const { ethers, networkHelpers, randomness } = await deploy();
    await networkHelpers.mine(20_160);
    const lookBack = BigInt(await ethers.provider.getBlockNumber()) - 1n;
    const price = 146_200n + 75n * lookBack;
    const gas = await randomness.seed.estimateGas(1);
    // 21,000 of the transaction, its calldata, one cold address; an estimate adds the 1/64 that is kept back.
    expect(gas)
      .to.be.greaterThan(price)
      .and.lessThan(price + price / 60n + 30_000n);
    expect(await randomness.seed(1, { gasLimit: gas })).to.equal(drandSeed(1n));
    await expect(randomness.seed(1, { gasLimit: price })).to.be.revertedWithCustomError(randomness, "SeedUnavailable");
  });

  it("SeedUnavailable: at deployment, on a chain without the precompile", async () => {
    const { ethers } = await network.create();
    const factory = await ethers.getContractFactory("DrandRandomness");
    await expect(factory.deploy()).to.be.revertedWithCustomError(factory, "SeedUnavailable").withArgs(0);
  });

  it("its stand-in burns all gas for an epoch that isn't past, and fails plainly beyond 63 bits", async () => {
    const { ethers } = await deploy();
    const call = (data: string) => ethers.provider.call({ to: PRECOMPILE, data, gasLimit: 1_000_000 });
    const burnt: Error | string = await call(ethers.toBeHex(1_000_000n, 32)).catch((error: Error) => error);
    expect(burnt)
      .to.be.instanceOf(Error)
      .with.property("message")
      .that.matches(/invalid opcode/i);
    const standIn = await ethers.getContractAt("DrandPrecompile", PRECOMPILE);
    await expect(call(ethers.toBeHex(2n ** 63n, 32))).to.be.revertedWithCustomError(standIn, "InvalidInput");
    expect(BigInt(await call("0x"))).to.equal(drandSeed(0n));
    expect(BigInt(await call(`0x${"00".repeat(31)}01ff`))).to.equal(drandSeed(1n));
  });
});
