/** How deals are settled, as a policy says. */
import { ZeroAddress } from "ethers";
import type { Chain } from "../../chain/chain.js";
import { HoldfastError } from "../../errors.js";
import { type CrewOptions, type SettleEconomics, type SettlePolicy, settleAlways } from "../../keeper/index.js";
import type { PolicyFile } from "./file.js";
import { amountsOf } from "./resolve.js";

const COIN = 10n ** 18n;

/** Others' deals are left to others. */
const settleNothing: SettlePolicy = () => false;

/**
 * What a policy says of settling. Without a section of its own, a provider's own deals are settled.
 *
 * @param provider - whose own deals are settled whatever a bounty says; without it, nobody's are
 * @throws HoldfastError `INVALID_AMOUNT`, `POLICY_INCOMPLETE` where nothing would be settled
 */
export async function settlingOf(
  { settle }: PolicyFile,
  { provider: reader, deployment }: Pick<Chain, "provider" | "deployment">,
  provider?: string,
): Promise<NonNullable<CrewOptions["settling"]>> {
  const { whose = "own", everyBlocks, depth, bountyTo, batch } = settle ?? {};
  if (whose === "own" && provider === undefined) throw nothingOwn();
  return {
    policy: whose === "own" ? settleNothing : settleAlways,
    ...(whose === "paying" && { economics: await economicsOf(settle!, reader) }),
    ...(provider !== undefined && { own: { provider, everyBlocks: everyBlocks ?? longestPeriod(deployment) } }),
    ...(depth !== undefined && { depth }),
    ...(bountyTo !== undefined && { bountyTo }),
    ...(batch !== undefined && { batchSize: batch }),
  };
}

/** A coin is worth so many base units of each token: what it is worth in itself needs no saying. */
async function economicsOf(
  { coinPrice, margin }: NonNullable<PolicyFile["settle"]>,
  provider: Chain["provider"],
): Promise<SettleEconomics> {
  const prices = new Map([[ZeroAddress, { wei: COIN, units: COIN }]]);
  for (const [token, units] of await amountsOf(coinPrice, { provider })) {
    if (token === ZeroAddress) throw inItself();
    if (units === 0n) throw worthless(token);
    prices.set(token, { wei: COIN, units });
  }
  return { prices, ...(margin !== undefined && { marginPercent: margin }) };
}

function nothingOwn(): HoldfastError {
  const message = "the policy can't be used: a keeper of no provider has no deals of its own to settle";
  return new HoldfastError("POLICY_INCOMPLETE", message, "set settle.whose to paying or all");
}

function worthless(token: string): HoldfastError {
  const message = `settle.coinPrice says that a coin is worth nothing in ${token}`;
  return new HoldfastError("INVALID_AMOUNT", message, "leave the token out: its deals are left to others then");
}

function inItself(): HoldfastError {
  const message = "settle.coinPrice says what a coin is worth in coin";
  return new HoldfastError("INVALID_AMOUNT", message, "leave the zero address out: a coin is worth a coin");
}

/** Earnings of more than one period of any deal come in one transaction. */
function longestPeriod({ tiers }: Chain["deployment"]): number {
  return Math.max(...tiers.map(({ period }) => period));
}
