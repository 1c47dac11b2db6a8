/** `holdfast keeper status`. */

import type { Command } from "commander";
import { ZeroAddress } from "ethers";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import { dealIdText } from "../client/index.js";
import { amountText, readToken } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { keySourceFrom } from "../keys/index.js";
import { type DealStanding, providerStanding } from "../provider/index.js";
import { accountText } from "./account-text.js";
import { type ChainFlags, printResult, withChain } from "./context.js";
import { shortId } from "./deals.js";
import { type FolderFlags, folderCommand, type NodeFolder, readNodeFolder } from "./node-folder.js";
import { type OpsReport, opsReport, opsUrl } from "./ops-report.js";

/** A duty in what `holdfast keeper status --json` prints. */
export interface DutyStatus {
  readonly deal: string;
  readonly window: number;
  readonly epoch: number;
  readonly lastBlock: number;
}

/** What `holdfast keeper status --json` prints. */
export interface KeeperStatus {
  readonly head: number;
  /** What the keeper of the folder says of itself; null where it does not run here. */
  readonly keeper: OpsReport | null;
  /** The account that pays for its transactions, and its coin in wei; null where that is not known. */
  readonly account: { readonly address: string; readonly balance: bigint } | null;
  /** Why it is not, null where it is: `MISSING_SETTING` where no key is named. */
  readonly accountProblem: { readonly code: string; readonly message: string } | null;
  /** Windows that are open and not proven. */
  readonly due: readonly DutyStatus[];
  /** The first window that opens after these; null where there is none. */
  readonly next: DutyStatus | null;
}

/** `holdfast keeper status [--dir DIR]`. */
export function keeperStatusCommand(): Command {
  return folderCommand("status")
    .description("what a keeper has to do now and next, whether it is well, and what it has for gas")
    .option("--json", "print one JSON object last on standard output")
    .action(async (flags: FolderFlags & { readonly json?: boolean }) => {
      const folder = await readNodeFolder(flags.dir);
      await withChain(flags, (chain) => status(chain, folder, flags), folder.deployment);
    });
}

async function status(chain: Chain, { settings }: NodeFolder, flags: Pick<ChainFlags, "json">): Promise<void> {
  const { signal } = new AbortController();
  const { provider } = settings;
  const standing = provider === undefined ? undefined : await providerStanding(chain, provider, signal);
  const deals = standing?.deals ?? [];
  const due = deals.filter(({ next }) => next?.state === "open").map(dutyOf);
  const ahead = deals.filter(({ next }) => next?.state === "ahead").map(dutyOf);
  const report: KeeperStatus = {
    head: standing?.head ?? (await chain.provider.getBlockNumber()),
    keeper: await opsReport(opsUrl(settings.ops)),
    ...(await accountOf(chain)),
    due,
    next: ahead.reduce<DutyStatus | null>((first, one) => (first && first.epoch <= one.epoch ? first : one), null),
  };
  const coin = await readToken(chain.provider, ZeroAddress);
  printResult(flags, report, ({ keeper, account, accountProblem, next, head }) => [
    `keeper    ${keeper === null ? "does not run here" : keeper.healthy ? "healthy" : `not healthy: ${keeper.wrong.join("; ")}`}`,
    `account   ${account === null ? accountProblem!.message : `${accountText(account.address, chain.deployment.chainId)}, ${amountText(account.balance, coin)}`}`,
    `due       ${due.length} windows are open and not proven`,
    ...due.map((duty) => `          ${dutyText(duty)}, ${duty.lastBlock - head} blocks left`),
    `next      ${next === null ? "nothing" : `${dutyText(next)}, in ${next.epoch - head} blocks`}`,
  ]);
}

/** What is wrong with a key hides nothing else of a keeper that may have troubles enough. */
async function accountOf({ provider }: Chain): Promise<Pick<KeeperStatus, "account" | "accountProblem">> {
  try {
    const address = await keySourceFrom(process.env, "proving").address();
    return { account: { address, balance: await provider.getBalance(address) }, accountProblem: null };
  } catch (error) {
    const { code, message } = error instanceof HoldfastError ? error : chainError(error, "ask for its balance");
    return { account: null, accountProblem: { code, message } };
  }
}

function dutyOf({ deal, next }: DealStanding): DutyStatus {
  const { window, epoch, lastBlock } = next!;
  return { deal: dealIdText(deal.id), window, epoch, lastBlock };
}

function dutyText({ deal, window }: DutyStatus): string {
  return `window ${window} of deal ${shortId(deal)}`;
}
