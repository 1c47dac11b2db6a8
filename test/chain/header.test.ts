import { expect } from "chai";
import { decodeRlp, JsonRpcProvider, keccak256 } from "ethers";
import { network } from "hardhat";
import { startAnvil } from "../../src/chain/anvil.js";
import { encodeHeader, type HeaderJson } from "../../src/chain/header.js";
import { HoldfastError } from "../../src/errors.js";

/** Ethereum mainnet's genesis block: a header of 15 fields whose hash everybody knows. */
const GENESIS: HeaderJson = {
  hash: "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
  parentHash: `0x${"00".repeat(32)}`,
  sha3Uncles: "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
  miner: `0x${"00".repeat(20)}`,
  stateRoot: "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
  transactionsRoot: "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
  receiptsRoot: "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
  logsBloom: `0x${"00".repeat(256)}`,
  difficulty: "0x400000000",
  number: "0x0",
  gasLimit: "0x1388",
  gasUsed: "0x0",
  timestamp: "0x0",
  extraData: "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
  mixHash: `0x${"00".repeat(32)}`,
  nonce: "0x0000000000000042",
};

const FIELDS_BY_FORK = { london: 16, shanghai: 17, cancun: 20, prague: 21, osaka: 21 };

function fieldsOf(header: string): number {
  return (decodeRlp(header) as unknown[]).length;
}

function without(name: keyof HeaderJson): HeaderJson {
  const { [name]: _, ...rest } = GENESIS;
  return rest as HeaderJson;
}

describe("encodeHeader", () => {
  it("hashes to mainnet's genesis", () => {
    const header = encodeHeader(GENESIS);
    expect(keccak256(header)).to.equal(GENESIS.hash);
    expect(fieldsOf(header)).to.equal(15);
  });

  for (const [fork, fields] of Object.entries(FIELDS_BY_FORK)) {
    it(`has ${fields} fields at ${fork} and hashes to anvil's blocks`, async () => {
      const anvil = await startAnvil({ chainId: 31337, args: ["--hardfork", fork] });
      const provider = new JsonRpcProvider(anvil.url);
      try {
        await provider.send("anvil_mine", ["0x3"]);
        const signer = await provider.getSigner();
        await (await signer.sendTransaction({ to: signer.address, value: 1 })).wait();
        for (const number of ["0x1", "0x2", "0x4"]) {
          const block = await provider.send("eth_getBlockByNumber", [number, false]);
          const header = encodeHeader(block);
          expect(keccak256(header)).to.equal(block.hash);
          expect(fieldsOf(header)).to.equal(fields);
        }
      } finally {
        provider.destroy();
        await anvil.stop();
      }
    });
  }

  it("hashes to the blocks of the Hardhat network, with and without transactions", async () => {
    const { ethers, networkHelpers } = await network.create();
    await networkHelpers.mine(2);
    const [sender] = await ethers.getSigners();
    await sender!.sendTransaction({ to: sender!.address, value: 1 });
    for (const number of ["0x0", "0x2", "0x3"]) {
      const block = await ethers.provider.send("eth_getBlockByNumber", [number, false]);
      const header = encodeHeader(block);
      expect(keccak256(header)).to.equal(block.hash);
      expect(fieldsOf(header)).to.equal(21);
    }
  });

  it("accepts null for fields of later forks, and a block without a hash", () => {
    const { hash: _, ...rest } = GENESIS;
    const nulls = { ...rest, baseFeePerGas: null, requestsHash: null, blockAccessListHash: null };
    expect(keccak256(encodeHeader(nulls))).to.equal(GENESIS.hash);
  });

  it("HEADER_HASH: refuses a header that doesn't hash to the block's hash", () => {
    const foreign = { ...GENESIS, gasUsed: "0x1" };
    expect(() => encodeHeader(foreign))
      .to.throw(HoldfastError, "The 15 known header fields of block 0x0 hash to")
      .with.property("code", "HEADER_HASH");
  });

  const malformed: [string, HeaderJson, string][] = [
    ["a missing field", without("mixHash"), "mixHash of block 0x0 is missing"],
    ["a field of the wrong length", { ...GENESIS, miner: "0x00" }, "miner of block 0x0 has 1 bytes instead of 20"],
    ["bytes that aren't hex", { ...GENESIS, extraData: "0x1" }, "extraData of block 0x0 is not hex bytes: 0x1"],
    ["a quantity that isn't hex", { ...GENESIS, gasUsed: "7" }, "gasUsed of block 0x0 is not a quantity: 7"],
    [
      "a later fork's field without an earlier's",
      { ...GENESIS, baseFeePerGas: "0x7", requestsHash: GENESIS.mixHash },
      "withdrawalsRoot of block 0x0 is missing, though the later requestsHash is there",
    ],
  ];
  for (const [what, block, message] of malformed) {
    it(`HEADER_FIELD: refuses ${what}`, () => {
      expect(() => encodeHeader(block))
        .to.throw(HoldfastError, message)
        .with.property("code", "HEADER_FIELD");
    });
  }
});
