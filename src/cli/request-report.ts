/** How requests are printed. */
import type { Deployment } from "../chain/deployment.js";
import { tierName } from "../chain/tiers.js";
import { dealIdText, type RequestStatus, statusName } from "../client/index.js";
import { amountText, type Token } from "../client/tokens.js";
import { regionText } from "../protocol/index.js";
import { type DealReport, dealReport, shortId } from "./deals.js";

/** As `--json` prints a request: ids in hex, amounts as decimal strings of base units. */
export interface RequestReport extends Omit<RequestStatus, "id" | "replicas"> {
  readonly id: string;
  readonly replicas: readonly {
    readonly deal: DealReport;
    readonly proven: boolean;
    readonly repairs: number;
    readonly waiting: boolean;
  }[];
}

export function requestReport(status: RequestStatus): RequestReport {
  const replicas = status.replicas.map((replica) => ({ ...replica, deal: dealReport(replica.deal) }));
  return { ...status, id: dealIdText(status.id), replicas };
}

export const ROW_COLUMNS = [
  { title: "request" },
  { title: "state" },
  { title: "piece" },
  { title: "filled", right: true },
  { title: "proven", right: true },
  { title: "repaired", right: true },
  { title: "price now", right: true },
  { title: "locked", right: true },
];

export function requestRow(status: RequestStatus, token: Token): string[] {
  const { id, request, priceNow, locked, replicasFilled, replicasProven, repaired } = status;
  return [
    shortId(dealIdText(id)),
    stateText(status),
    shortId(request.root),
    `${replicasFilled} of ${request.replicas}`,
    String(replicasProven),
    String(repaired),
    priceNow === undefined ? "" : amountText(priceNow, token),
    amountText(locked, token),
  ];
}

/** A request for a person. */
export function requestLines(status: RequestStatus, token: Token, deployment: Deployment): string[] {
  const { id, request, priceNow, locked, replicas, replicasFilled, replicasProven, repaired } = status;
  const { startPrice, maxPrice, rampEpochs, regions, periods, maxPeriods, dataUri } = request;
  return [
    `request   ${dealIdText(id)}`,
    `state     ${stateText(status)}`,
    `client    ${request.client}`,
    `root      ${request.root}`,
    `leafCount ${request.leafCount}`,
    `tier      ${tierName(request.tier, deployment)}`,
    `periods   ${periods}, at most ${maxPeriods}`,
    `price     ${amountText(startPrice, token)} to ${amountText(maxPrice, token)} over ${rampEpochs} blocks`,
    ...(priceNow === undefined ? [] : [`now       ${amountText(priceNow, token)}`]),
    `regions   ${regions.map(regionText).join(", ") || "anywhere"}`,
    // Somebody else's text, and a terminal's control characters are text as well.
    `data      ${JSON.stringify(dataUri).slice(1, -1)}`,
    `expires   ${new Date(Number(request.expires) * 1_000).toISOString()}`,
    `repair    ${request.repair ? "by the contract, which owns the deals" : "no"}`,
    `locked    ${amountText(locked, token)}`,
    `replicas  ${replicasFilled} of ${request.replicas} filled, ${replicasProven} proven, ${repaired} repaired`,
    ...replicas.map(({ deal, proven, repairs, waiting }) => {
      const state = waiting ? "waits for a provider" : proven ? "proven" : statusName(deal.status);
      const again = repairs > 0 ? `, repaired ${repairs} times` : "";
      return `  ${deal.provider}  deal ${shortId(dealIdText(deal.id))}  ${state}${again}`;
    }),
  ];
}

function stateText({ open, lastEpoch, unfilled }: RequestStatus): string {
  if (open) return lastEpoch === undefined ? "open" : `open until block ${lastEpoch}`;
  if (unfilled === 0) return "filled";
  return lastEpoch === undefined ? "expired" : "cancelled";
}
