/** `deal migrate --into`: a deal goes to another market. */
import type { Chain } from "../chain/chain.js";
import { connect, verifyDeployment } from "../chain/contracts.js";
import { readDeployment } from "../chain/deployment-node.js";
import { tierIndex } from "../chain/tiers.js";
import { fileSpool } from "../client/folder-node.js";
import {
  type CarryOptions,
  type CarryStep,
  carryDeal,
  checkMarkets,
  type DealReader,
  dealIdText,
} from "../client/index.js";
import { amountText, type Token } from "../client/tokens.js";
import { type ChainFlags, printResult, type Session, tell } from "./context.js";
import { shortId } from "./deals.js";

/** What `holdfast deal migrate --into --json` prints. Amounts in base units of `token`. */
export interface CarryReport {
  /** The old deal, 32 bytes in hex. */
  readonly id: string;
  /** The new deal, 32 bytes in hex. */
  readonly successor: string;
  /** That the new deal is in. */
  readonly market: string;
  readonly provider: string;
  readonly url: string;
  readonly periods: number;
  readonly token: string;
  readonly pricePerPeriod: bigint;
  /** What came back from the old deal. */
  readonly refund: bigint;
  /** Whether an earlier run had opened the new deal. */
  readonly resumed: boolean;
}

/**
 * The market of a deployment file, compared with the chain that the other one is on.
 *
 * @throws HoldfastError `DEPLOYMENT_UNREADABLE`, `DEPLOYMENT_INVALID`, `OTHER_CHAIN`, `SAME_MARKET`, `DEPLOYMENT_MISMATCH`
 */
export async function otherMarket({ provider, deployment: from }: Chain, file: string): Promise<DealReader> {
  const deployment = await readDeployment(file);
  checkMarkets(from, deployment);
  await verifyDeployment(provider, deployment);
  return { deployment, contracts: connect(provider, deployment) };
}

/** Moves a deal to another market, and prints what came of it. @param token - that the deal is paid in */
export async function carryInto(
  to: DealReader,
  { access }: Session,
  id: bigint,
  token: Token,
  wishes: Omit<CarryOptions, "tier" | "makeSpool" | "onProgress">,
  flags: ChainFlags & { readonly tier?: string },
): Promise<void> {
  const { deal, url, refund, resumed } = await carryDeal(access, to, id, {
    ...wishes,
    ...(flags.tier === undefined ? {} : { tier: tierIndex(flags.tier, to.deployment) }),
    makeSpool: () => fileSpool(),
    onProgress: (step) => tell(carryText(step)),
  });
  const { provider, periods, pricePerPeriod } = deal;
  const report: CarryReport = {
    ...{ id: dealIdText(id), successor: dealIdText(deal.id), market: to.deployment.market, provider, url, periods },
    ...{ token: deal.token, pricePerPeriod, refund, resumed },
  };
  printResult(flags, report, () => [
    `deal ${shortId(report.id)} has ended, ${report.successor} of market ${report.market} goes on`,
    `with ${provider} at ${url}, ${periods} periods at ${amountText(pricePerPeriod, token)}`,
    `${amountText(refund, token)} is back in your account in the old market's vault`,
  ]);
}

function carryText(step: CarryStep): string {
  if (step.step === "fetched") return `${step.size} bytes from ${step.url}, verified`;
  if (step.step === "resumed") return `deal ${dealIdText(step.id)} was opened by an earlier run, and is taken`;
  if (step.step === "committed") return `commitment ${step.pieceCid}`;
  if (step.step === "uploaded") return `${step.url} has the bytes and checked them`;
  return `deal ${dealIdText(step.deal.id)} with ${step.deal.terms.provider} is open`;
}
