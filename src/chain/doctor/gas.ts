/** What gas costs on a chain now, and a proof with it. */
import { dataLength, formatEther, getBytes, type JsonRpcApiProvider } from "ethers";
import { Vault__factory } from "../../../typechain-types/index.js";
import type { Deployment } from "../deployment.js";
import { presentFee } from "../fees.js";

/** EVM gas of one proof: 5 challenges of a piece of 32 MiB (`prove.1.h20` of docs/benchmarks.md), rounded up. */
export const PROOF_GAS = 140_000n;

/** Of deploying, by EIP-2028, EIP-3860 and the yellow paper. */
const GAS = { create: 53_000, zero: 4, nonzero: 16, initWord: 2, codeByte: 200 };

export interface GasCosts {
  /** Base units of the coin for a unit of gas. */
  readonly price: bigint;
  /** Base units for one proof. */
  readonly proof: bigint;
  /** Gas that the chain's nodes ask for what takes 1,000 on an EVM: FVM gas is another. */
  readonly scale: bigint;
}

/**
 * Asks what gas costs, and the node for what it would take to deploy the vault, which is known of an EVM.
 *
 * @param account - whom to ask for, where it has coin: an FVM node estimates for nobody in particular, but for no account
 *   that never had any
 * @throws {HoldfastError} `NO_FEE_MARKET`; what the provider throws
 */
export async function gasCosts(
  provider: JsonRpcApiProvider,
  deployment: Deployment,
  account: string | undefined,
): Promise<GasCosts> {
  const { bytecode: data } = Vault__factory;
  const isFunded = account !== undefined && (await provider.getBalance(account)) > 0n;
  const [price, asked, code] = await Promise.all([
    presentFee(provider),
    provider.estimateGas({ ...(isFunded && { from: account }), data }),
    provider.getCode(deployment.vault),
  ]);
  const scale = (asked * 1_000n) / deployingGas(data, dataLength(code));
  return { price, scale, proof: (PROOF_GAS * scale * price) / 1_000n };
}

/** An amount of the coin for people, with four digits that count: what it is compared with is no more exact. */
export function coinText(amount: bigint, symbol: string): string {
  const text = formatEther(amount);
  const rounded = /^(?:0\.0*[1-9]\d{0,3}|\d+(?:\.\d{1,4})?)/.exec(text)?.[0] ?? text;
  return `${rounded.replace(/\.0+$/, "")} ${symbol}`;
}

/** EVM gas of deploying: all but what the constructor computes. */
function deployingGas(data: string, size: number): bigint {
  const bytes = getBytes(data);
  const zeros = bytes.filter((byte) => byte === 0).length;
  const calldata = zeros * GAS.zero + (bytes.length - zeros) * GAS.nonzero;
  return BigInt(GAS.create + calldata + Math.ceil(bytes.length / 32) * GAS.initWord + size * GAS.codeByte);
}
