/** What a transaction pays for gas (EIP-1559), in wei for a unit. */
import type { JsonRpcApiProvider } from "ethers";
import { HoldfastError } from "../errors.js";

export interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}

/** Who is asked for fees. */
export type FeeSource = Pick<JsonRpcApiProvider, "getFeeData" | "send">;

const GWEI = 10n ** 9n;
/** Blocks whose priority fees are looked at, and the percentile of gas in each: what all but the most eager paid. */
const HISTORY = { blocks: "0x14", percentile: 90 };
/** A priority fee up to this is believed whatever the chain shows: empty blocks show nothing. */
const HARMLESS_TIP = 3n * GWEI;
/** The most that geth itself advises (`gpo.maxprice`), where a node does not say what was paid. */
const MOST_TIP = 500n * GWEI;

/**
 * What the chain asks now: twice the base fee, and the node's advice for the priority fee, as far as transactions of late blocks
 * have paid as much. A node could advise anything.
 *
 * @param cap - The most to pay, if there is a limit.
 * @throws {HoldfastError} `NO_FEE_MARKET` where the chain has no base fee.
 */
export async function marketFees(provider: FeeSource, cap: bigint | undefined): Promise<Fees> {
  const [{ maxFeePerGas, maxPriorityFeePerGas }, most] = await Promise.all([provider.getFeeData(), mostTip(provider)]);
  if (maxFeePerGas === null || maxPriorityFeePerGas === null) {
    throw new HoldfastError("NO_FEE_MARKET", "The chain has no base fee", "Use a chain with EIP-1559.");
  }
  const tip = least(maxPriorityFeePerGas, most);
  return capped({ maxFeePerGas: maxFeePerGas - maxPriorityFeePerGas + tip, maxPriorityFeePerGas: tip }, cap);
}

/** The middle one of what late blocks were paid, those left out that show nothing: one rich sender changes little. */
async function mostTip(provider: FeeSource): Promise<bigint> {
  const asked = provider.send("eth_feeHistory", [HISTORY.blocks, "latest", [HISTORY.percentile]]);
  const history: unknown = await asked.catch(() => undefined);
  const { reward } = (history ?? {}) as { reward?: unknown };
  if (!Array.isArray(reward)) return MOST_TIP;
  const paid = reward.flatMap((ofBlock: unknown) => tipOf(ofBlock)).sort((a, b) => (a < b ? -1 : 1));
  const middle = paid[paid.length >> 1] ?? 0n;
  return middle > HARMLESS_TIP ? middle : HARMLESS_TIP;
}

function tipOf(ofBlock: unknown): bigint[] {
  const [text] = Array.isArray(ofBlock) ? (ofBlock as unknown[]) : [];
  const tip = typeof text === "string" && /^0x[0-9a-f]{1,64}$/i.test(text) ? BigInt(text) : 0n;
  return tip === 0n ? [] : [tip];
}

/**
 * What a unit of gas costs now, in wei: the base fee of the latest block and the priority fee of {@link marketFees}.
 *
 * @throws {HoldfastError} `NO_FEE_MARKET` where the chain has no base fee.
 */
export async function presentFee(provider: FeeSource): Promise<bigint> {
  const { maxFeePerGas, maxPriorityFeePerGas } = await marketFees(provider, undefined);
  // The maximum has the base fee twice.
  return (maxFeePerGas + maxPriorityFeePerGas) / 2n;
}

/** No transaction is raised above so many times what the chain asks: what is stuck at that is not stuck for its fee. */
const MOST_RAISED = 16n;

/**
 * Fees with which a node lets a transaction replace the one of the same nonce that paid `fees`: a quarter more of both, and no
 * less than the chain asks by now. Nodes want both to rise, by a tenth or an eighth: a limit may leave less than the quarter,
 * but never less than the eighth.
 *
 * @returns undefined where the cap does not allow both, or where they are sixteen times what the chain asks
 */
export function bumpedFees(fees: Fees, market: Fees, cap: bigint | undefined): Fees | undefined {
  const enough = MOST_RAISED * market.maxFeePerGas;
  const most = cap === undefined ? enough : least(enough, cap);
  const maxFeePerGas = raised(fees.maxFeePerGas, market.maxFeePerGas, most);
  if (maxFeePerGas === undefined) return undefined;
  // Where it is high enough itself it rises by the least that a node wants, since the other one could not rise alone.
  const tip = fees.maxPriorityFeePerGas;
  const mostTip = MOST_RAISED * market.maxPriorityFeePerGas;
  const upTo = least(maxFeePerGas, mostTip > leastOver(tip) ? mostTip : leastOver(tip));
  const maxPriorityFeePerGas = raised(tip, market.maxPriorityFeePerGas, upTo);
  return maxPriorityFeePerGas === undefined ? undefined : { maxFeePerGas, maxPriorityFeePerGas };
}

function raised(fee: bigint, now: bigint, most: bigint): bigint | undefined {
  if (leastOver(fee) > most) return undefined;
  const more = fee + fee / 4n + 1n;
  return least(now > more ? now : more, most);
}

/** An eighth more, and never the same. */
function leastOver(fee: bigint): bigint {
  return fee + fee / 8n + 1n;
}

function capped(fees: Fees, cap: bigint | undefined): Fees {
  if (cap === undefined) return fees;
  return {
    maxFeePerGas: least(fees.maxFeePerGas, cap),
    maxPriorityFeePerGas: least(fees.maxPriorityFeePerGas, cap),
  };
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
