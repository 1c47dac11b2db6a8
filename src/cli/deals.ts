import type { Command } from "commander";
import { Option } from "commander";
import { type DealInfo, dealIdText, findDeals, readDeals, statusName } from "../client/index.js";
import { amountText, readTokens, type Token } from "../client/tokens.js";
import { type ChainFlags, chainCommand, printResult, withChain } from "./context.js";
import { table } from "./table.js";
import { parseAddress } from "./values.js";

interface DealsFlags extends ChainFlags {
  readonly client?: string;
  readonly provider?: string;
}

/** A deal as `--json` prints it: ids in hex, amounts as decimal strings of base units. */
export interface DealReport extends Omit<DealInfo, "id" | "status" | "successor"> {
  readonly id: string;
  readonly status: string;
  readonly successor?: string;
}

/** As `--json` prints a deal. */
export function dealReport(deal: DealInfo): DealReport {
  const { successor, ...rest } = deal;
  const moved = successor === undefined ? {} : { successor: dealIdText(successor) };
  return { ...rest, id: dealIdText(deal.id), status: statusName(deal.status), ...moved };
}

/** The first digits of an id, enough to tell deals apart and for `deal show`. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

const COLUMNS = [
  { title: "deal" },
  { title: "status" },
  { title: "piece" },
  { title: "provider" },
  { title: "proven", right: true },
  { title: "missed", right: true },
  { title: "paid until", right: true },
  { title: "escrow", right: true },
];

/** `holdfast deals [--client ADDR] [--provider ADDR] [--json]`. */
export function dealsCommand(): Command {
  return chainCommand("deals")
    .description("list deals, of all clients and providers where none is named")
    .addOption(new Option("--client <address>", "deals that this account owns now").argParser(parseAddress))
    .addOption(new Option("--provider <address>", "deals of this provider").argParser(parseAddress))
    .action((flags: DealsFlags) =>
      withChain(flags, async (chain) => {
        const { client, provider } = flags;
        const filter = {
          ...(client === undefined ? {} : { owner: client }),
          ...(provider === undefined ? {} : { provider }),
        };
        const deals = await readDeals(chain, await findDeals(chain, filter));
        const tokens = await readTokens(
          chain.provider,
          deals.map(({ token }) => token),
        );
        printResult(flags, { deals: deals.map(dealReport) }, ({ deals }) => {
          if (deals.length === 0) return ["no deals"];
          return table(
            COLUMNS,
            deals.map((deal) => row(deal, tokens.get(deal.token) as Token)),
          );
        });
      }),
    );
}

function row(deal: DealReport, token: Token): string[] {
  const { id, status, root, provider, proven, closed, missed, allowance, paidUntil, totals } = deal;
  return [
    shortId(id),
    status,
    shortId(root),
    provider,
    `${proven} of ${Math.max(closed, proven)}`,
    `${missed} of ${allowance}`,
    `block ${paidUntil}`,
    amountText(totals.escrow, token),
  ];
}
