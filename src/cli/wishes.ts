/**
 * The options that say what a deal is to be like.
 *
 * @packageDocumentation
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Chain } from "../chain/chain.js";
import { tierIndex } from "../chain/tiers.js";
import type { QuoteWishes } from "../client/index.js";
import { parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { regionBytes } from "../protocol/index.js";
import type { ChainFlags } from "./context.js";
import { parseAddress, parseCount } from "./values.js";

/** The options that {@link withWishes} gives a command. */
export interface WishFlags extends ChainFlags {
  readonly tier: string;
  readonly periods: number;
  readonly maxPeriods?: number;
  readonly replicas: number;
  readonly maxPrice?: string;
  readonly token?: string;
  readonly region?: readonly string[];
  readonly provider?: readonly string[];
}

/** What is wished for, of a piece of any size, and the token that it is paid with. */
export interface Wishes {
  readonly wishes: Omit<QuoteWishes, "size">;
  readonly token: Token;
}

/** Adds `--tier`, `--periods`, `--replicas`, `--max-price` and their like to a command. */
export function withWishes(command: Command): Command {
  const regions = (text: string, before: readonly string[] = []) => [...before, parseRegion(text)];
  const providers = (text: string, before: readonly string[] = []) => [...before, parseAddress(text)];
  return command
    .option("--tier <tier>", "tier of the market's table, by index or name", "0")
    .requiredOption("--periods <n>", "periods paid now", parseCount)
    .option("--max-periods <n>", "up to where the deal may be extended; as many as are paid by default", parseCount)
    .option("--replicas <n>", "how many providers keep it", parseCount, 1)
    .option("--max-price <amount>", 'the most that a period may cost at one provider: base units, or "1.5 USDC"')
    .addOption(new Option("--token <address>", "what to pay with; the market's own by default").argParser(parseAddress))
    .addOption(new Option("--region <code>", "where it may lie: DE, US, US-CA; may be repeated").argParser(regions))
    .addOption(new Option("--provider <address>", "only this one; may be repeated").argParser(providers));
}

/**
 * What the flags ask for, in the market's terms.
 *
 * @throws HoldfastError `UNKNOWN_TIER`, `INVALID_AMOUNT`
 */
export async function wishesFrom(flags: WishFlags, { deployment, provider: chain }: Chain): Promise<Wishes> {
  const { periods, maxPeriods, replicas, maxPrice, region, provider } = flags;
  const tier = tierIndex(flags.tier, deployment);
  const token = await readToken(chain, flags.token ?? deployment.stakeToken);
  return {
    token,
    wishes: {
      tier,
      periods,
      replicas,
      token: token.address,
      ...(maxPeriods === undefined ? {} : { maxPeriods }),
      ...(maxPrice === undefined ? {} : { maxPricePerPeriod: parseAmountOf(maxPrice, token) }),
      ...(region === undefined ? {} : { regions: region }),
      ...(provider === undefined ? {} : { providers: provider }),
    },
  };
}

/** A region as the contracts know it. */
export function parseRegion(text: string): string {
  try {
    regionBytes(text);
    return text;
  } catch {
    throw new InvalidArgumentError("It has to be an ISO 3166 code in capitals: DE, US-CA.");
  }
}
