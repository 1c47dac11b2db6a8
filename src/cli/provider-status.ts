/** `holdfast provider status`. */

import { type Command, Option } from "commander";
import type { Chain } from "../chain/chain.js";
import { tierName } from "../chain/tiers.js";
import { dealIdText, statusName } from "../client/index.js";
import { amountText, readTokens, type Token } from "../client/tokens.js";
import { type DealStanding, type NextWindow, type ProviderStanding, providerStanding } from "../provider/index.js";
import { nodePolicy } from "../provider/policy/index.js";
import { accountText } from "./account-text.js";
import { type ChainFlags, chainCommand, printResult, withChain } from "./context.js";
import { shortId } from "./deals.js";
import { dirOption, type NodeFolder, providerOf, readNodeFolder } from "./node-folder.js";
import { type OpsReport, opsReport, opsUrl } from "./ops-report.js";
import { table } from "./table.js";
import { parseAddress } from "./values.js";

interface StatusFlags extends ChainFlags {
  readonly dir: string;
  readonly provider?: string;
  readonly all?: boolean;
}

/** A deal in what `holdfast provider status --json` prints. Amounts in base units of `token`. */
export interface DealStatus {
  readonly id: string;
  readonly status: string;
  readonly tier: string;
  readonly token: string;
  readonly price: bigint;
  /** Windows that closed without a proof, and how many more of them it survives. */
  readonly missed: number;
  readonly missesLeft: number;
  /** Stake that the next miss costs. */
  readonly missCosts: bigint;
  readonly next: NextWindow | null;
}

/** What `holdfast provider status --json` prints. */
export interface ProviderStatus extends Omit<ProviderStanding, "deals"> {
  readonly deals: readonly DealStatus[];
  /** What the node of the folder says of itself; null where there is none, or it does not run here. */
  readonly node: OpsReport | null;
}

const SHOWN = 20;
const COLUMNS = [
  { title: "deal" },
  { title: "status" },
  { title: "tier" },
  { title: "window", right: true },
  { title: "" },
  { title: "missed", right: true },
  { title: "a miss costs", right: true },
];

/** `holdfast provider status [--dir DIR | --provider ADDR]`. */
export function providerStatusCommand(): Command {
  return chainCommand("status")
    .addOption(dirOption())
    .description("deals, next windows, earnings and risk of a provider, as the chain has them, and how its node does")
    .addOption(new Option("--provider <address>", "anybody's; that of the folder by default").argParser(parseAddress))
    .option("--all", `all deals that live; the ${SHOWN} whose windows close first by default`)
    .action(async (flags: StatusFlags) => {
      const folder = flags.provider === undefined ? await readNodeFolder(flags.dir) : undefined;
      await withChain(flags, (chain) => status(chain, folder, flags), folder?.deployment);
    });
}

async function status(chain: Chain, folder: NodeFolder | undefined, flags: StatusFlags): Promise<void> {
  const provider = flags.provider ?? providerOf(folder!);
  // Whoever has changed it learns here what is wrong with it.
  const offered = folder === undefined ? [] : [(await nodePolicy(folder.policy, chain)).policy.token];
  const { deals, ...standing } = await providerStanding(chain, provider, new AbortController().signal, offered);
  const node = folder === undefined ? null : await opsReport(opsUrl(folder.settings.ops));
  const report = { ...standing, deals: deals.map((deal) => dealStatus(chain, deal)), node };
  const tokens = await readTokens(chain.provider, [
    ...standing.tokens.map(({ token }) => token),
    ...report.deals.map(({ token }) => token),
  ]);
  printResult<ProviderStatus>(flags, report, () =>
    statusLines(report, tokens, flags.all === true, chain.deployment.chainId),
  );
}

function dealStatus({ deployment }: Chain, { deal, next, missesLeft, missCosts }: DealStanding): DealStatus {
  return {
    id: dealIdText(deal.id),
    status: statusName(deal.standing.status),
    tier: tierName(deal.tier, deployment),
    token: deal.token,
    price: deal.price,
    missed: deal.standing.missed,
    ...{ missesLeft, missCosts, next: next ?? null },
  };
}

/** A status for a person. */
export function statusLines(
  report: ProviderStatus,
  tokens: ReadonlyMap<string, Token>,
  all: boolean,
  chainId: number,
): string[] {
  const { provider, head, registered, signer, payee, deals, ended, node } = report;
  const shown = all ? deals : deals.slice(0, SHOWN);
  const more = deals.length > shown.length ? [`and ${deals.length - shown.length} more: --all`] : [];
  return [
    `provider  ${accountText(provider, chainId)}${registered ? "" : "  (not registered)"}`,
    `signer    ${/^0x0+$/.test(signer) ? "its own key" : accountText(signer, chainId)}`,
    `paid to   ${accountText(payee, chainId)}`,
    ...moneyLines(report, tokens),
    `node      ${node === null ? "not reached here" : node.healthy ? "healthy" : `not healthy: ${node.wrong.join("; ")}`}`,
    `deals     ${deals.length} live, ${ended} over; block ${head}`,
    ...(shown.length === 0
      ? []
      : [
          "",
          ...table(
            COLUMNS,
            shown.map((deal) => row(deal, head, tokens)),
          ),
          ...more,
        ]),
  ];
}

function moneyLines({ tokens: amounts }: ProviderStatus, tokens: ReadonlyMap<string, Token>): string[] {
  return amounts.flatMap(({ token, freeStake, lockedStake, earned, slashed, atRisk }) => {
    const text = (amount: bigint) => amountText(amount, tokens.get(token)!);
    return [
      `stake     ${text(freeStake)} free, ${text(lockedStake)} behind deals, ${text(slashed)} lost`,
      `earned    ${text(earned)}; ${text(atRisk)} at risk in windows that are open`,
    ];
  });
}

function row(deal: DealStatus, head: number, tokens: ReadonlyMap<string, Token>): string[] {
  const { id, status, tier, token, missed, missesLeft, missCosts, next } = deal;
  return [
    ...[shortId(id), status, tier, next === null ? "-" : String(next.window), windowText(next, head)],
    ...[`${missed}, ${missesLeft} left`, amountText(missCosts, tokens.get(token)!)],
  ];
}

function windowText(next: NextWindow | null, head: number): string {
  if (next === null) return "none left";
  if (next.state === "proven") return "proven";
  if (next.state === "ahead") return `in ${next.epoch - head} blocks`;
  return `open, ${next.lastBlock - head} blocks left`;
}
