import { expect } from "chai";
import {
  concat,
  decodeRlp,
  encodeRlp,
  JsonRpcProvider,
  keccak256,
  type RlpStructuredData,
  toBeHex,
  zeroPadValue,
} from "ethers";
import { network } from "hardhat";
import { startAnvil } from "../../src/chain/anvil.js";
import { RandaoRandomness__factory } from "../../typechain-types/index.js";
import { answering, blockJson, headerOf } from "./fixtures.js";

const HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935";
/** The history contract as EIP-2935 gives it; the Hardhat network has a stub in its place. */
const HISTORY_CODE =
  "0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";
const EPOCH = 5;

async function deploy() {
  const { ethers, networkHelpers } = await network.create();
  const randomness = await ethers.deployContract("RandaoRandomness");
  // One by one: blocks that `hardhat_mine` makes in bulk have a zero mixHash.
  while ((await ethers.provider.getBlockNumber()) < 20) await networkHelpers.mine();
  const [keeper, rival] = await ethers.getSigners();
  const header = await headerOf(ethers.provider, EPOCH);
  const mixHash = BigInt((await blockJson(ethers.provider, EPOCH)).mixHash);
  /** Makes the chain say that `hash` is the hash of block EPOCH, which must be over 256 blocks old. */
  const pretend = async (hash: string) => {
    await networkHelpers.setCode(HISTORY, HISTORY_CODE);
    await networkHelpers.setStorageAt(HISTORY, EPOCH % 8191, hash);
  };
  return { ethers, networkHelpers, randomness, keeper: keeper!, rival: rival!, header, mixHash, pretend };
}

/** The header of EPOCH with one field replaced, on a chain that vouches for it. */
async function deployWithHeader(change: (fields: string[]) => void) {
  const setup = await deploy();
  await setup.networkHelpers.mineUpTo(400);
  const fields = decodeRlp(setup.header) as string[];
  change(fields);
  const header = encodeRlp(fields);
  await setup.pretend(keccak256(header));
  return { ...setup, header };
}

describe("RandaoRandomness", () => {
  it("stores the mixHash of a header, for ever", async () => {
    const { networkHelpers, randomness, keeper, header, mixHash } = await deploy();
    await expect(randomness.connect(keeper).checkpoint(EPOCH, header))
      .to.emit(randomness, "Checkpointed")
      .withArgs(EPOCH, mixHash, keeper.address);
    for (const blocks of [0, 256, 8_192]) {
      await networkHelpers.mine(blocks);
      expect(await randomness.seed(EPOCH)).to.equal(mixHash);
    }
  });

  it("does nothing for an epoch that has its seed: no revert, no event, whatever the bytes", async () => {
    const { randomness, rival, header, mixHash } = await deploy();
    await randomness.checkpoint(EPOCH, header);
    for (const bytes of [header, "0x"]) {
      await expect(randomness.connect(rival).checkpoint(EPOCH, bytes)).not.to.emit(randomness, "Checkpointed");
    }
    expect(await randomness.seed(EPOCH)).to.equal(mixHash);
  });

  it("checkpointable: from the block after on, until the hash is gone or the seed is there", async () => {
    const { ethers, networkHelpers, randomness } = await deploy();
    const at = (blockTag: number, epoch = EPOCH) => randomness.checkpointable(epoch, { blockTag });
    expect(await at(20, 20)).to.equal(false);
    expect(await at(20, 21)).to.equal(false);
    expect(await at(20, 19)).to.equal(true);
    await networkHelpers.mineUpTo(EPOCH + 256);
    expect(await at(EPOCH + 256)).to.equal(true);
    await networkHelpers.mine();
    expect(await at(EPOCH + 257)).to.equal(false);
    await randomness.checkpoint(EPOCH + 10, await headerOf(ethers.provider, EPOCH + 10));
    expect(await randomness.checkpointable(EPOCH + 10)).to.equal(false);
    expect(await randomness.checkpointable(EPOCH + 11)).to.equal(true);
  });

  it("takes 8,191 blocks of history where EIP-2935's contract stands", async () => {
    const { networkHelpers, randomness, header, mixHash, pretend } = await deploy();
    // A transaction runs in the block after the last one.
    await networkHelpers.mineUpTo(EPOCH + 8_190);
    await pretend(keccak256(header));
    const lastChance = await networkHelpers.takeSnapshot();
    await networkHelpers.mine();
    expect(await randomness.checkpointable(EPOCH, { blockTag: EPOCH + 8_191 })).to.equal(true);
    await networkHelpers.mine();
    expect(await randomness.checkpointable(EPOCH, { blockTag: EPOCH + 8_192 })).to.equal(false);
    await expect(randomness.checkpoint(EPOCH, header)).to.be.revertedWithCustomError(randomness, "UnknownBlockHash");
    await lastChance.restore();
    await randomness.checkpoint(EPOCH, header);
    expect(await randomness.seed(EPOCH)).to.equal(mixHash);
  });

  it("SeedUnavailable: where nobody has checkpointed", async () => {
    const { randomness } = await deploy();
    for (const epoch of [BigInt(EPOCH), 2n ** 256n - 1n]) {
      await expect(randomness.seed(epoch)).to.be.revertedWithCustomError(randomness, "SeedUnavailable").withArgs(epoch);
    }
  });

  it("UnknownBlockHash: for the present, the future and what is too old", async () => {
    const { ethers, networkHelpers, randomness, header } = await deploy();
    const next = (await ethers.provider.getBlockNumber()) + 1;
    for (const epoch of [BigInt(next), BigInt(next + 5), 2n ** 256n - 1n]) {
      await expect(randomness.checkpoint.staticCall(epoch, header, { blockTag: next - 1 }))
        .to.be.revertedWithCustomError(randomness, "UnknownBlockHash")
        .withArgs(epoch);
    }
    await networkHelpers.mineUpTo(EPOCH + 256);
    await expect(randomness.checkpoint(EPOCH, header))
      .to.be.revertedWithCustomError(randomness, "UnknownBlockHash")
      .withArgs(EPOCH);
  });

  it("UnknownBlockHash: where the history contract answers anything but one word", async () => {
    const { networkHelpers, randomness, header } = await deploy();
    await networkHelpers.mineUpTo(400);
    const hash = keccak256(header);
    for (const code of ["0x", answering("0x"), answering(hash, "revert"), answering(`${hash}00`), "0xfe"]) {
      await networkHelpers.setCode(HISTORY, code);
      await expect(randomness.checkpoint(EPOCH, header), code)
        .to.be.revertedWithCustomError(randomness, "UnknownBlockHash")
        .withArgs(EPOCH);
    }
    await networkHelpers.setCode(HISTORY, answering(hash));
    await randomness.checkpoint(EPOCH, header);
  });

  it("HeaderMismatch: for flipped bits all over, a cut byte, an added byte, another block's header", async () => {
    const { ethers, randomness, header } = await deploy();
    const expected = keccak256(header);
    const bytes = ethers.getBytes(header);
    const mutants = [header.slice(0, -2), `${header}00`, "0x", await headerOf(ethers.provider, EPOCH + 1)];
    for (let bit = 0; bit < 8 * bytes.length; bit += 37) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      mutants.push(ethers.hexlify(flipped));
    }
    for (const mutant of mutants) {
      await expect(randomness.checkpoint.staticCall(EPOCH, mutant))
        .to.be.revertedWithCustomError(randomness, "HeaderMismatch")
        .withArgs(EPOCH, expected, keccak256(mutant));
    }
  });

  it("MalformedHeader: where what the chain hashed is no header known here", async () => {
    const { networkHelpers, randomness, header, pretend } = await deploy();
    await networkHelpers.mineUpTo(400);
    const fields = decodeRlp(header) as string[];
    const withField = (index: number, value: RlpStructuredData) =>
      encodeRlp((fields as RlpStructuredData[]).with(index, value));
    const body = header.slice(8);
    const cases: [string, string][] = [
      ["no bytes", "0x"],
      ["one byte", "0xf9"],
      ["a string", encodeRlp(header)],
      ["a short list", encodeRlp(["0x01", "0x02"])],
      ["thirteen fields", encodeRlp(fields.slice(0, 13))],
      ["a list among the fields", withField(3, [])],
      ["a list for mixHash", withField(13, ["0x01"])],
      ["a short mixHash", withField(13, `0x${"11".repeat(31)}`)],
      ["a long mixHash", withField(13, `0x${"11".repeat(33)}`)],
      ["a number of 33 bytes", withField(8, `0x01${"00".repeat(32)}`)],
      ["a list that ends late", concat([`0xf9${(body.length / 2 + 1).toString(16).padStart(4, "0")}`, `0x${body}`])],
      ["a list that ends early", concat([`0xf9${(body.length / 2 - 1).toString(16).padStart(4, "0")}`, `0x${body}`])],
      ["a field that runs over the end", `0xf83a${"80".repeat(13)}b8${"80".repeat(44)}`],
      ["a length of 8 bytes", `0xf83a${"80".repeat(8)}bf${"ff".repeat(8)}${"80".repeat(41)}`],
    ];
    for (const [what, bytes] of cases) {
      await pretend(keccak256(bytes));
      const call = randomness.checkpoint(EPOCH, bytes, { gasLimit: 200_000 });
      await expect(call, what).to.be.revertedWithCustomError(randomness, "MalformedHeader").withArgs(EPOCH);
    }
  });

  it("NumberMismatch: for a header of another number that the chain vouches for", async () => {
    const { randomness, header } = await deployWithHeader((fields) => (fields[8] = "0x0a"));
    await expect(randomness.checkpoint(EPOCH, header))
      .to.be.revertedWithCustomError(randomness, "NumberMismatch")
      .withArgs(EPOCH, 10);
  });

  it("ZeroMixHash: on a chain without RANDAO", async () => {
    const { randomness, header } = await deployWithHeader((fields) => (fields[13] = zeroPadValue("0x", 32)));
    await expect(randomness.checkpoint(EPOCH, header))
      .to.be.revertedWithCustomError(randomness, "ZeroMixHash")
      .withArgs(EPOCH);
  });

  it("reads past extraData of any length, and takes fields of forks to come", async () => {
    for (const extra of [
      "0x",
      "0x00",
      "0x7f",
      `0x${"ab".repeat(32)}`,
      `0x${"ab".repeat(55)}`,
      `0x${"ab".repeat(300)}`,
    ]) {
      const { randomness, header, mixHash } = await deployWithHeader((fields) => {
        fields[12] = extra;
        fields.push(toBeHex(7), `0x${"22".repeat(32)}`);
      });
      await randomness.checkpoint(EPOCH, header);
      expect(await randomness.seed(EPOCH), extra).to.equal(mixHash);
    }
  });

  it("costs at most 61,000 gas with a header of 610 bytes", async () => {
    const { randomness, header, rival } = await deploy();
    const receipt = await (await randomness.connect(rival).checkpoint(EPOCH, header)).wait();
    expect(receipt!.gasUsed).to.be.lessThan(61_000n);
  });

  it("takes the headers of anvil, vouched for by the opcode and by EIP-2935", async () => {
    const anvil = await startAnvil({ chainId: 31337 });
    const provider = new JsonRpcProvider(anvil.url, undefined, { cacheTimeout: -1 });
    try {
      const keeper = await provider.getSigner();
      const randomness = await new RandaoRandomness__factory(keeper).deploy();
      await randomness.waitForDeployment();
      await provider.send("anvil_mine", ["0x190"]);
      for (const epoch of [EPOCH, 390]) {
        const block = await blockJson(provider, epoch);
        const header = await headerOf(provider, epoch);
        expect(keccak256(header)).to.equal(block.hash);
        await (await randomness.checkpoint(epoch, header)).wait();
        expect(await randomness.seed(epoch)).to.equal(BigInt(block.mixHash));
      }
    } finally {
      provider.destroy();
      await anvil.stop();
    }
  });
});
