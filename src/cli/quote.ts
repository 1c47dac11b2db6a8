import { type Command, Option } from "commander";
import { ZeroAddress } from "ethers";
import { type Candidate, paysToSettle, type Quote, quote } from "../client/index.js";
import { amountText, parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { chainCommand, printResult, tell, withChain } from "./context.js";
import { table } from "./table.js";
import { parseSize } from "./values.js";
import { type WishFlags, wishesFrom, withWishes } from "./wishes.js";

interface QuoteFlags extends WishFlags {
  readonly size: bigint;
  readonly coinPrice?: string;
}

/** A provider in what `holdfast quote --json` prints. Amounts in base units of the token. */
export interface CandidateReport
  extends Pick<Candidate, "provider" | "url" | "regions" | "price" | "cost" | "collateral" | "bounty" | "record"> {
  /** Whether the bounty for a miss pays for the gas of settling it; null where that can't be known. */
  readonly paysToSettle: boolean | null;
}

/** What `holdfast quote --json` prints. */
export interface QuoteReport extends Pick<Quote, "token" | "cost" | "leftOut" | "settleCost"> {
  /** Bytes. */
  readonly size: bigint;
  readonly tier: number;
  readonly periods: number;
  readonly replicas: number;
  /** Best first. */
  readonly candidates: readonly CandidateReport[];
  /** Addresses of those that `cost` is for. */
  readonly best: readonly string[];
}

/** What the lines for a person are made of, besides the report. */
interface Units {
  readonly token: Token;
  /** The native coin. */
  readonly coin: Token;
}

const COLUMNS = [
  { title: "provider" },
  { title: "region" },
  { title: "a period", right: true },
  { title: "in all", right: true },
  { title: "stake", right: true },
  { title: "proven", right: true },
  { title: "missed", right: true },
  { title: "node" },
];

/** `holdfast quote --size 10MiB --periods N [--tier T] [--replicas N] [--region CODE] …`. */
export function quoteCommand(): Command {
  return withWishes(chainCommand("quote"))
    .description("ask all providers what storing a piece would cost; nobody is bound, nothing is paid")
    .addOption(new Option("--size <size>", "of the piece: 10MiB, 1.5GB").argParser(parseSize).makeOptionMandatory())
    .option("--coin-price <amount>", 'what a native coin is worth, "3000 USDC", to tell whether bounties pay their gas')
    .action((flags: QuoteFlags) =>
      withChain(flags, async (chain) => {
        const { wishes, token } = await wishesFrom(flags, chain);
        const coinPrice = flags.coinPrice === undefined ? undefined : parseAmountOf(flags.coinPrice, token);
        const result = await quote(chain, { ...wishes, size: flags.size });
        if (result.recordsMissing) tell(`warning: ranked by price alone: ${result.recordsMissing}`);
        for (const { provider, url, reason } of result.leftOut) tell(`left out: ${provider ?? url}: ${reason}`);
        const units = { token, coin: await readToken(chain.provider, ZeroAddress) };
        printResult(flags, reportOf(flags, wishes.tier, result, coinPrice), (report) => quoteLines(report, units));
      }),
    );
}

function reportOf(
  { size, periods, replicas }: QuoteFlags,
  tier: number,
  result: Quote,
  coinPrice: bigint | undefined,
): QuoteReport {
  const { token, cost, leftOut, settleCost } = result;
  const candidates = result.candidates.map((candidate) => {
    const { provider, url, regions, price, cost, collateral, bounty, record } = candidate;
    const pays = paysToSettle(candidate, result, coinPrice) ?? null;
    return { provider, url, regions, price, cost, collateral, bounty, record, paysToSettle: pays };
  });
  const best = result.best.map(({ provider }) => provider);
  return { token, size, tier, periods, replicas, cost, best, candidates, leftOut, settleCost };
}

/** A quote for a person: a table, what the best of it costs together, and whether its bounties are worth anything. */
export function quoteLines(report: QuoteReport, units: Units): string[] {
  const { candidates, best, replicas, periods, cost } = report;
  if (candidates.length === 0) return ["no provider offers this"];
  const rows = candidates.map((candidate) => row(candidate, units));
  const together = `${best.length} of ${replicas} replicas for ${periods} periods: ${amountText(cost, units.token)}`;
  return [...table(COLUMNS, rows), "", together, ...bountyLines(report, units)];
}

function row({ provider, url, regions, price, cost, collateral, record }: CandidateReport, { token }: Units): string[] {
  const amounts = [price, cost, collateral].map((amount) => amountText(amount, token));
  return [provider, regions.join(" ") || "-", ...amounts, `${record.proven}`, `${record.missed}`, url];
}

/** PROTOCOL section 6: where a bounty would not pay its gas, owner and provider settle for themselves. */
function bountyLines({ candidates, best, settleCost }: QuoteReport, { token, coin }: Units): string[] {
  const chosen = candidates.filter(({ provider }) => best.includes(provider));
  const gas = `about ${amountText(settleCost, coin)} of gas`;
  return chosen.flatMap(({ provider, bounty, paysToSettle }) => {
    if (paysToSettle === true) return [];
    const bountyText = `a miss of ${provider} pays a bounty of ${amountText(bounty, token)}`;
    if (paysToSettle === false) return [`warning: ${bountyText}, and costs ${gas} to settle: do it yourself`];
    return [`${bountyText}, and costs ${gas} to settle; --coin-price tells whether that pays`];
  });
}
