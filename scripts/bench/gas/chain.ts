import {
  BrowserProvider,
  type ContractTransaction,
  getBytes,
  type JsonRpcSigner,
  keccak256,
  toBeHex,
  toUtf8Bytes,
} from "ethers";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import config from "../../../hardhat.config.js";
import { encodeHeader } from "../../../src/chain/header.js";
import { ROOT } from "../../../src/cli/root.js";

/** EIP-7623: a transaction costs at least this much for its calldata, whatever it executes. */
const INTRINSIC_GAS = 21_000;
const FLOOR_GAS_PER_TOKEN = 10;
const TOKENS_PER_NONZERO_BYTE = 4;

/** Seconds between blocks, and the first block's time: fixed, so that header hashes are too. */
const BLOCK_TIME = 12;
const GENESIS = "2026-01-01T00:00:00Z";

/** Named in every transaction, so that nothing depends on an estimate. */
const FEES = { gasLimit: 16_000_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 10n ** 9n };

/** What a transaction cost. */
export interface Cost {
  /** Gas used by the whole transaction. */
  readonly gas: number;
  readonly calldataBytes: number;
  /** The least that EIP-7623 charges for such calldata. */
  readonly calldataFloor: number;
}

/** 21000 + 10 × (zero bytes + 4 × nonzero bytes), as EIP-7623 counts. */
export function calldataFloor(calldata: Uint8Array): number {
  const zeros = calldata.filter((byte) => byte === 0).length;
  const tokens = zeros + TOKENS_PER_NONZERO_BYTE * (calldata.length - zeros);
  return INTRINSIC_GAS + FLOOR_GAS_PER_TOKEN * tokens;
}

/**
 * Hardhat's network with everything fixed that it leaves to the clock or to chance: block times, fees, and the RANDAO
 * of the epochs that matter. Two runs give the same blocks, hash for hash.
 */
export class BenchChain {
  readonly provider: BrowserProvider;
  readonly signers: readonly JsonRpcSigner[];
  #time: number;

  private constructor(provider: BrowserProvider, signers: readonly JsonRpcSigner[], time: number) {
    this.provider = provider;
    this.signers = signers;
    this.#time = time;
  }

  /** An empty chain, id 31337, at the hardfork that is Hardhat's default. */
  static async create(): Promise<BenchChain> {
    const hre = await createHardhatRuntimeEnvironment(config, {}, ROOT);
    const connection = await hre.network.create({
      network: "default",
      override: { chainId: 31_337, initialDate: GENESIS },
    });
    const provider = new BrowserProvider(connection.provider, 31_337, { cacheTimeout: -1, staticNetwork: true });
    return new BenchChain(provider, await provider.listAccounts(), Date.parse(GENESIS) / 1000);
  }

  /** Sends a call in a block of its own. @throws Error when it reverts */
  async send(from: JsonRpcSigner, call: ContractTransaction): Promise<Cost> {
    await this.#stamp(1);
    const response = await from.sendTransaction({ ...call, ...FEES });
    const receipt = await response.wait();
    if (receipt?.status !== 1) throw new Error(`a transaction of the gas bench reverted: ${response.hash}`);
    const calldata = getBytes(call.data);
    return {
      gas: Number(receipt.gasUsed),
      calldataBytes: calldata.length,
      calldataFloor: calldataFloor(calldata),
    };
  }

  blockNumber(): Promise<number> {
    return this.provider.getBlockNumber();
  }

  /** Mines empty blocks until `height` is the latest. */
  async mineTo(height: number): Promise<void> {
    const count = height - (await this.blockNumber());
    if (count < 0) throw new Error(`block ${height} has passed`);
    if (count === 0) return;
    await this.#stamp(count);
    await this.provider.send("hardhat_mine", [toBeHex(count), toBeHex(BLOCK_TIME)]);
  }

  /** Mines up to block `epoch`, whose RANDAO is a fixed value, and returns that block's header as RLP. */
  async mineEpoch(epoch: number): Promise<string> {
    await this.mineTo(epoch - 1);
    await this.provider.send("hardhat_setPrevRandao", [keccak256(toUtf8Bytes(`holdfast gas bench, epoch ${epoch}`))]);
    await this.mineTo(epoch);
    return encodeHeader(await this.provider.send("eth_getBlockByNumber", [toBeHex(epoch), false]));
  }

  /** Fixes the time of the next block, which `count` blocks follow on. */
  async #stamp(count: number): Promise<void> {
    await this.provider.send("evm_setNextBlockTimestamp", [this.#time + BLOCK_TIME]);
    this.#time += BLOCK_TIME * count;
  }
}
