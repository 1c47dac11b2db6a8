/** The commands about one deal. */
import type { Command } from "commander";
import type { Deployment } from "../chain/deployment.js";
import { tierName } from "../chain/tiers.js";
import {
  type DealInfo,
  dealIdFrom,
  dealIdText,
  extendDeal,
  type PendingAmendment,
  readDeal,
  readState,
  statusName,
  terminateDeal,
  transferDeal,
} from "../client/index.js";
import { amountText, parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { type ChainFlags, chainCommand, printResult, tell, withChain, withClient } from "./context.js";
import { dealReport, shortId } from "./deals.js";
import { parseAddress, parseCount } from "./values.js";

const ID_HELP = "id of the deal, or its first digits where they name one";

/** `holdfast deal show ID [--json]`. */
export function dealShowCommand(): Command {
  return chainCommand("show")
    .description("print how a deal stands, and the state that a transfer of it can be bound to")
    .argument("<id>", ID_HELP)
    .action((text: string, flags: ChainFlags) =>
      withChain(flags, async (chain) => {
        const { deal, stateHash } = await readState(chain, await dealIdFrom(chain, text));
        const token = await readToken(chain.provider, deal.token);
        const head = await chain.provider.getBlockNumber();
        printResult(flags, { ...dealReport(deal), stateHash }, () => [
          ...describeDeal(deal, token, chain.deployment, head),
          `state       ${stateHash}`,
        ]);
      }),
    );
}

interface ExtendFlags extends ChainFlags {
  readonly periods: number;
  readonly maxCost: string;
}

/** `holdfast deal extend ID --periods N --max-cost AMOUNT`. */
export function dealExtendCommand(): Command {
  return chainCommand("extend")
    .description("pay for more periods of a deal, your own or anybody's")
    .argument("<id>", ID_HELP)
    .requiredOption("--periods <number>", "periods to add", parseCount)
    .requiredOption("--max-cost <amount>", 'the most to pay in all, in base units or as "1.25 TUSD"')
    .action((text: string, flags: ExtendFlags) =>
      withClient(flags, async ({ chain, access }) => {
        const id = await dealIdFrom(chain, text);
        const { token: address } = await readDeal(chain, id);
        const token = await readToken(chain.provider, address);
        await extendDeal(access, id, flags.periods, parseAmountOf(flags.maxCost, token));
        const deal = await readDeal(chain, id);
        printResult(flags, dealReport(deal), () => [
          `deal ${shortId(dealIdText(id))} has ${deal.periods} periods now, paid until block ${deal.paidUntil}`,
        ]);
      }),
    );
}

/** `holdfast deal terminate ID`. */
export function dealTerminateCommand(): Command {
  return chainCommand("terminate")
    .description("end a deal of your own: the period in progress is still paid, the rest comes back at once")
    .argument("<id>", ID_HELP)
    .action((text: string, flags: ChainFlags) =>
      withClient(flags, async ({ chain, access }) => {
        const id = await dealIdFrom(chain, text);
        const before = await readDeal(chain, id);
        await terminateDeal(access, id);
        const deal = await readDeal(chain, id);
        const refund = deal.totals.refunded - before.totals.refunded;
        const token = await readToken(chain.provider, deal.token);
        printResult(flags, { ...dealReport(deal), refund }, () => [
          `deal ${shortId(dealIdText(id))} ends after ${deal.periods} of ${before.periods} periods`,
          `${amountText(refund, token)} is back in your account in the vault`,
        ]);
      }),
    );
}

interface TransferFlags extends ChainFlags {
  readonly if?: string;
}

/** `holdfast deal transfer ID TO [--if STATE]`. */
export function dealTransferCommand(): Command {
  return chainCommand("transfer")
    .description("hand a deal of your own to somebody else, as it stands now or as they have seen it")
    .argument("<id>", ID_HELP)
    .argument("<to>", "address of the new owner", parseAddress)
    .option("--if <state>", "the state that the receiver agreed to, from `deal show`; what it is now by default")
    .action((text: string, to: string, flags: TransferFlags) =>
      withClient(flags, async ({ chain, access }) => {
        const id = await dealIdFrom(chain, text);
        const { deal, stateHash } = await readState(chain, id);
        const token = await readToken(chain.provider, deal.token);
        const head = await chain.provider.getBlockNumber();
        for (const line of describeDeal(deal, token, chain.deployment, head)) tell(line);
        const expected = flags.if ?? stateHash;
        await transferDeal(access, id, to, expected);
        printResult(flags, { id: dealIdText(id), from: deal.owner, to, stateHash: expected }, () => [
          `deal ${shortId(dealIdText(id))} is ${to}'s now, in the state ${expected}`,
        ]);
      }),
    );
}

/** A deal for a person. @param head - the latest block */
export function describeDeal(deal: DealInfo, token: Token, deployment: Deployment, head: number): string[] {
  const { totals, paidUntil, allowance, pending, successor } = deal;
  const left = paidUntil > head ? `, in ${paidUntil - head} blocks` : "";
  return [
    `deal        ${dealIdText(deal.id)}`,
    `status      ${statusName(deal.status)}`,
    `owner       ${deal.owner}`,
    `provider    ${deal.provider}`,
    `root        ${deal.root}`,
    `leafCount   ${deal.leafCount}`,
    `tier        ${tierName(deal.tier, deployment)}`,
    `price       ${amountText(deal.pricePerPeriod, token)} a period`,
    `periods     ${deal.periods}, at most ${deal.maxPeriods}`,
    `proven      ${deal.proven} windows of ${Math.max(deal.closed, deal.proven)}, ${deal.missed} of ${allowance} misses`,
    `paid until  block ${paidUntil}${left}`,
    `escrow      ${amountText(totals.escrow, token)}`,
    `paid        ${amountText(totals.paid + totals.fee, token)}, ${amountText(totals.refunded, token)} came back`,
    `stake       ${amountText(totals.stake, token)}, ${amountText(totals.slashed, token)} was slashed`,
    ...(pending ? [`amended     from window ${pending.from} on: ${pending.root}, ${priceThen(pending, token)}`] : []),
    ...(successor === undefined ? [] : [`moved to    ${dealIdText(successor)}`]),
  ];
}

function priceThen({ pricePerPeriod }: PendingAmendment, token: Token): string {
  return `${amountText(pricePerPeriod, token)} a period`;
}
