/** The files of a new provider's folder, with what an operator may want to change. */

import { ZeroAddress } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { tierName } from "../chain/tiers.js";
import { amountText, type Token } from "../client/tokens.js";

const MONTH_SECONDS = 30 * 86_400;
/** Periods of its price that a deal is backed with: a provider that keeps nothing loses what they would have paid. */
export const DEFAULT_COLLATERAL = 30;

/** What a new provider has been asked. */
export interface Answers {
  readonly provider: string;
  readonly token: Token;
  /** Of a GiB for 30 days, in base units. */
  readonly price: bigint;
  readonly region: string;
  /** Origin of the node. */
  readonly url: string;
  readonly listen: string;
  /** Rows of the market's table. */
  readonly tiers: readonly number[];
}

/** How a node runs. */
export function settingsText({ provider, url, listen }: Pick<Answers, "provider" | "url" | "listen">): string {
  return `# How this node runs; see docs/policy.md.

# The account that owns the stake. Its key need not be on this machine.
provider: "${provider}"

# Where clients are answered; TLS is the business of a proxy in front of it.
listen: ${listen}
publicUrl: ${JSON.stringify(url)}

# Where metrics and health are told. They say what you earn: keep them to yourself.
ops: 127.0.0.1:9464

# Where pieces lie, where that is not data/: an S3 bucket.
# blobs: { url: "s3://bucket/prefix", region: eu-central-1 }
`;
}

/**
 * What a provider offers.
 *
 * @param blockSeconds - of the chain, for periods
 */
export function policyText(
  answers: Pick<Answers, "token" | "price" | "region" | "tiers">,
  deployment: Deployment,
  blockSeconds: number,
): string {
  const { token, price, region, tiers } = answers;
  return `# What this provider offers, and how its keepers behave; see docs/policy.md.
# Amounts are base units of the token, or "1.5 ${token.symbol}". Check it with \`holdfast provider status\`.

# What it is paid in, and stakes: ${token.symbol}.
token: "${token.address}"

pieces: { least: 128, most: 32GiB }
periods: { least: 1, most: 1000 }

# Where pieces lie: ISO 3166 codes.
regions: [${region}]

# Accounts that deals are opened with; anybody where it is left out.
# clients: ["0x…"]

tiers:
${tiers.map((tier) => tierText(tier, price, token, deployment, blockSeconds)).join("\n")}

# Disk that is left alone; how long pieces stay that nobody pays for yet, and those whose deals are over.
space: { keepFree: 10GiB, unpaidFor: 1h, endedFor: 7d }

# Fill requests of the open market. What a coin is worth, for gas; 0 leaves gas out.
# requests: { coinPrice: "${token.address === ZeroAddress ? 1 : 2_500} ${token.symbol}" }

# Whose deals are settled: own, paying (others' too, where the bounty pays its gas), all.
settle: { whose: own }

# Bond stake anew after a miss, within these limits. Needs HOLDFAST_STAKE_KEYSTORE, and another account that is paid (--payee).
# restore: { missesPerDeal: 1, stake: { "${token.address}": "100 ${token.symbol}" } }

# Below this balance of the account that sends proofs, health is red. No transaction's gas costs more than maxCost.
gas: { leastBalance: "0.05 coin", maxCost: "1 coin" }
`;
}

/** How a keeper runs that only settles. */
export const KEEPER_SETTINGS = `# How this keeper runs; see docs/policy.md.

# Where metrics and health are told. They say what you earn: keep them to yourself.
ops: 127.0.0.1:9464
`;

/** What such a keeper settles. */
export function keeperPolicyText(token: Token): string {
  return `# What this keeper settles; see docs/policy.md.

# paying: deals whose bounty pays the gas of settling them, and margin more; all: whatever there is.
settle:
  whose: paying
  margin: 20%
  # What a coin is worth in each token; deals in other tokens are left alone. Those in coin need no price.
${coinPriceText(token)}

# Below this balance, health is red. No transaction's gas costs more than maxCost.
gas: { leastBalance: "0.05 coin", maxCost: "1 coin" }
`;
}

/** What a coin is worth in itself is known, and may not be said. */
function coinPriceText({ address, symbol }: Token): string {
  if (address === ZeroAddress) return '  # coinPrice: { "0x…": "2500 USDC" }';
  return `  coinPrice: { "${address}": "2500 ${symbol}" }`;
}

/** A price for 30 days, for one period of a tier; rounded up. */
export function pricePerPeriod(price: bigint, period: number, blockSeconds: number): bigint {
  const seconds = BigInt(Math.round(period * blockSeconds * 1_000));
  const month = BigInt(MONTH_SECONDS * 1_000);
  return (price * seconds + month - 1n) / month;
}

function tierText(tier: number, price: bigint, token: Token, deployment: Deployment, blockSeconds: number): string {
  const { period } = deployment.tiers[tier]!;
  const each = pricePerPeriod(price, period, blockSeconds);
  const hours = ((period * blockSeconds) / 3_600).toFixed(1);
  return `  # A period is ${period} blocks, about ${hours} hours; ${amountText(each, token)} for a GiB of it.
  ${tierName(tier, deployment)}: { price: ${each}, egress: 0, collateral: ${DEFAULT_COLLATERAL} }`;
}
