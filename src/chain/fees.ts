/** What a transaction pays for gas (EIP-1559), in wei for a unit. */
import type { Provider } from "ethers";
import { HoldfastError } from "../errors.js";

export interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}

/**
 * What the chain asks now: twice the base fee and the node's advice for the priority fee.
 *
 * @param cap - The most to pay, if there is a limit.
 * @throws {HoldfastError} `NO_FEE_MARKET` where the chain has no base fee.
 */
export async function marketFees(provider: Provider, cap: bigint | undefined): Promise<Fees> {
  const { maxFeePerGas, maxPriorityFeePerGas } = await provider.getFeeData();
  if (maxFeePerGas === null || maxPriorityFeePerGas === null) {
    throw new HoldfastError("NO_FEE_MARKET", "The chain has no base fee", "Use a chain with EIP-1559.");
  }
  return capped({ maxFeePerGas, maxPriorityFeePerGas }, cap);
}

/**
 * What a unit of gas costs now, in wei: the base fee of the latest block and the node's advice for the priority fee.
 *
 * @throws {HoldfastError} `NO_FEE_MARKET` where the chain has no base fee.
 */
export async function presentFee(provider: Provider): Promise<bigint> {
  const { maxFeePerGas, maxPriorityFeePerGas } = await marketFees(provider, undefined);
  // The maximum has the base fee twice.
  return (maxFeePerGas + maxPriorityFeePerGas) / 2n;
}

/** No transaction is raised above so many times what the chain asks: what is stuck at that is not stuck for its fee. */
const MOST_RAISED = 16n;

/**
 * Fees with which a node lets a transaction replace the one of the same nonce that paid `fees`: a quarter more of both
 * (nodes ask for a tenth or an eighth), and no less than the chain asks by now. The same fees again where they are sixteen
 * times that already.
 */
export function bumpedFees(fees: Fees, market: Fees, cap: bigint | undefined): Fees {
  const raised = (fee: bigint, now: bigint) => {
    if (fee >= MOST_RAISED * now) return fee;
    const more = fee + fee / 4n + 1n;
    if (now > more) return now;
    return more < MOST_RAISED * now ? more : MOST_RAISED * now;
  };
  return capped(
    {
      maxFeePerGas: raised(fees.maxFeePerGas, market.maxFeePerGas),
      maxPriorityFeePerGas: raised(fees.maxPriorityFeePerGas, market.maxPriorityFeePerGas),
    },
    cap,
  );
}

function capped(fees: Fees, cap: bigint | undefined): Fees {
  if (cap === undefined) return fees;
  const least = (fee: bigint) => (fee < cap ? fee : cap);
  return {
    maxFeePerGas: least(fees.maxFeePerGas),
    maxPriorityFeePerGas: least(fees.maxPriorityFeePerGas),
  };
}
