/** `holdfast keeper abandon`. */
import { existsSync } from "node:fs";
import { Command } from "commander";
import type { JournalEntry } from "../chain/journal.js";
import { HoldfastError } from "../errors.js";
import { keySourceFrom } from "../keys/index.js";
import { DatabaseJournal, openDatabase } from "../store/database/index.js";
import { accountText } from "./account-text.js";
import { printResult } from "./context.js";
import { dirOption, type NodeFolder, readNodeFolder } from "./node-folder.js";
import { databaseOf } from "./operator.js";
import { parseAddress } from "./values.js";

interface AbandonFlags {
  readonly dir: string;
  readonly json?: boolean;
}

/** A transaction in what `holdfast keeper abandon --json` prints. */
export interface AbandonedTransaction {
  readonly nonce: number;
  /** What it was for, and each thing that it kept others from doing. */
  readonly doing: string;
  readonly guards: readonly string[];
  /** Of all that was signed for the nonce: one of them may be mined. */
  readonly hashes: readonly string[];
}

/** What `holdfast keeper abandon --json` prints. */
export interface AbandonReport {
  readonly account: string;
  /** The journal's database: a folder, or the name of the setting that says where it is. */
  readonly database: string;
  readonly abandoned: readonly AbandonedTransaction[];
}

const ABANDON_HELP = `
For a key that was stolen, or lost. What its account has on its way keeps every other key from doing the same, windows that are to be
proven before all, and only a process with that key would bring it to an end. So: stop whatever sends with it, name the new key
(HOLDFAST_PROVING_KEYSTORE), abandon the old account, start again. It works in the folder of \`provider init\` and of \`keeper init\`, on the
Postgres of DATABASE_URL or the database in the folder, which no other process may have open.

A node may still have some of it. What is mined after all costs the old account its gas; a window that is proven by then is not proven
again, and a keeper that finds it proven has nothing left to do.`;

/** `holdfast keeper abandon ADDRESS [--dir DIR]`. */
export function keeperAbandonCommand(): Command {
  return new Command("abandon")
    .description("give up what an account has on its way whose key is not used any more, so that another can do it")
    .argument("<address>", "the account", parseAddress)
    .addOption(dirOption())
    .option("--json", "print one JSON object last on standard output")
    .addHelpText("after", ABANDON_HELP)
    .action(async (account: string, flags: AbandonFlags) => {
      const folder = await readNodeFolder(flags.dir);
      await requireUnused(account, folder);
      const report = await abandon(account, folder);
      printResult(flags, report, (done) => linesOf(done, folder.deployment.chainId));
    });
}

/**
 * Two transactions of the provider's own account may do more than cost gas: a restore that is mined twice bonds stake twice.
 *
 * @throws HoldfastError `KEY_IN_USE` for an account that the folder still needs; `MISSING_SETTING` where no key for proving is named
 */
async function requireUnused(account: string, { settings }: NodeFolder): Promise<void> {
  if ((await keySourceFrom(process.env, "proving").address()) === account) {
    const hint =
      "what it has on its way goes on by itself; to give it up, name another first: HOLDFAST_PROVING_KEYSTORE";
    throw new HoldfastError("KEY_IN_USE", `${account} is the present key for proving`, hint);
  }
  if (settings.provider === account) {
    const hint = "what it has on its way is brought to its end by a process that sends with its key, and by no other";
    throw new HoldfastError("KEY_IN_USE", `${account} is the provider's own account`, hint);
  }
}

async function abandon(account: string, folder: NodeFolder): Promise<AbandonReport> {
  const where = databaseOf(folder);
  if (where.dir !== undefined && !existsSync(where.dir)) throw noJournal(where.dir);
  const database = await openDatabase(where);
  try {
    const entries = await new DatabaseJournal(database, folder.deployment.chainId).abandon(account);
    return { account, database: where.dir ?? "DATABASE_URL", abandoned: entries.map(abandonedOf) };
  } finally {
    await database.destroy();
  }
}

function abandonedOf({ nonce, doing, guards, attempts }: JournalEntry): AbandonedTransaction {
  return { nonce, doing, guards, hashes: attempts.map(({ hash }) => hash) };
}

function linesOf({ account, database, abandoned }: AbandonReport, chainId: number): string[] {
  const name = accountText(account, chainId);
  if (abandoned.length === 0) return [`nothing of ${name} is on its way, by the journal in ${database}`];
  return [
    `abandoned  ${abandoned.length} transactions of ${name}, in the journal in ${database}`,
    ...abandoned.map(({ nonce, doing, hashes }) => `           nonce ${nonce}: ${doing}  ${hashes.join(" ")}`),
    "",
    "Keepers with another key do this anew, while there is time. What is mined of these after all costs its gas.",
  ];
}

/** To open a folder would make an empty one: what is looked for is elsewhere then. */
function noJournal(dir: string): HoldfastError {
  const hint = "set DATABASE_URL as for `run`, or name the right folder (--dir)";
  return new HoldfastError("NO_JOURNAL", `there is no journal in ${dir}`, hint);
}
