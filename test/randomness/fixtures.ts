import { AbiCoder, keccak256, toQuantity } from "ethers";
import { encodeHeader, type HeaderJson } from "../../src/chain/header.js";

/** What both `JsonRpcProvider` and Hardhat's provider offer, as far as these tests ask for blocks. */
export interface Rpc {
  send(method: string, params: unknown[]): Promise<HeaderJson>;
}

export const PRECOMPILE = "0xfe00000000000000000000000000000000000006";

export function blockJson(rpc: Rpc, number: number): Promise<HeaderJson> {
  return rpc.send("eth_getBlockByNumber", [toQuantity(number), false]);
}

export async function headerOf(rpc: Rpc, number: number): Promise<string> {
  return encodeHeader(await blockJson(rpc, number));
}

/** The answer of the stand-in for the drand precompile. */
export function drandSeed(epoch: bigint): bigint {
  return BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["string", "uint256"], ["drand", epoch])));
}

/** Runtime code that answers `data` to every call, by RETURN or by REVERT. */
export function answering(data: string, how: "return" | "revert" = "return"): string {
  const bytes = data.slice(2);
  const size = (bytes.length / 2).toString(16).padStart(2, "0");
  // PUSH1 size, PUSH1 11, PUSH0, CODECOPY, PUSH1 size, PUSH0, RETURN or REVERT: 11 bytes, then the data.
  return `0x60${size}600b5f3960${size}5f${how === "return" ? "f3" : "fd"}00${bytes}`;
}
