/** The commands that run an owner's keepers. */
import { type Command, Option } from "commander";
import { dealIdFrom, dealIdText, statusName } from "../client/index.js";
import { keyFromKeyring } from "../client/replicas/keyring-node.js";
import { type LockedManifest, openManifest } from "../client/replicas/manifest-node.js";
import { parseAmountOf, readToken } from "../client/tokens.js";
import { FundingKeeper, type KeptFile, ReplicasKeeper } from "../keeper/index.js";
import {
  type ChainFlags,
  chainCommand,
  commandLogger,
  printResult,
  type Session,
  tell,
  withClient,
} from "./context.js";
import { type KeyringFlags, keyringPath, withKeyring } from "./replicas.js";
import { untilStopped } from "./until-stopped.js";
import { parseAddress, parseCount } from "./values.js";

interface FundFlags extends ChainFlags {
  readonly target: number;
  readonly budget: string;
  readonly token?: string;
  readonly margin?: number;
}

interface ReplicasFlags extends ChainFlags, KeyringFlags {
  readonly manifest: readonly string[];
  readonly budget: string;
}

/** What `holdfast keeper fund --json` prints when it is stopped. */
export interface FundReport {
  /** What the account has paid for these deals, ever; base units. */
  readonly spent: bigint;
  /** Periods that this run paid for, and what they cost. */
  readonly periods: number;
  readonly cost: bigint;
}

/** What `holdfast keeper replicas --json` prints when it is stopped. */
export interface RepairReport {
  /** What keepers have paid for new replicas of these files, ever; base units. */
  readonly spent: bigint;
  /** Replicas that this run lost, and placed. */
  readonly lost: number;
  readonly placed: number;
}

/** `holdfast keeper fund DEAL… --target PERIODS --budget AMOUNT [--token ADDRESS] [--margin BLOCKS]`. */
export function keeperFundCommand(): Command {
  return chainCommand("fund")
    .description("keep deals alive: pay for more periods before they run out, until the budget or the deals end")
    .argument("<deal...>", "ids of the deals, yours or anybody's, or their first digits")
    .requiredOption("--target <periods>", "periods that are to lie ahead, at least 2", parseCount)
    .requiredOption(
      "--budget <amount>",
      'the most to spend on them in all, past runs included: base units, or "1.5 USDC"',
    )
    .addOption(
      new Option("--token <address>", "what the budget is in; the market's own by default").argParser(parseAddress),
    )
    .option("--margin <blocks>", "blocks before its window closes at which a period counts as over", parseCount)
    .action((texts: string[], flags: FundFlags) =>
      withClient(flags, async (session) => {
        const report = await fund(session, texts, flags);
        printResult<FundReport>(flags, report, ({ spent, periods, cost }) => [
          `${periods} periods for ${cost} base units; ${spent} in all`,
        ]);
      }),
    );
}

async function fund({ chain, access }: Session, texts: string[], flags: FundFlags): Promise<FundReport> {
  const { target, margin } = flags;
  const token = await readToken(chain.provider, flags.token ?? chain.deployment.stakeToken);
  const budget = parseAmountOf(flags.budget, token);
  const deals: bigint[] = [];
  for (const text of texts) deals.push(await dealIdFrom(chain, text));
  const live = new Set(deals);
  const options = { token: token.address, target, budget, ...(margin === undefined ? {} : { margin }) };
  const keeper = new FundingKeeper({ chain, access, deals, logger: commandLogger(), ...options });
  let [periods, cost] = [0, 0n];
  await untilStopped((signal, stop) => {
    keeper.on("extended", (event) => {
      periods += event.periods;
      cost += event.cost;
      tell(`deal ${dealIdText(event.id)}: ${event.periods} periods more for ${event.cost}, in ${event.hash}`);
    });
    keeper.on("trouble", ({ id, code, message }) => tell(`deal ${dealIdText(id)}: ${code}: ${message}`));
    keeper.on("ended", ({ id, status }) => {
      tell(`deal ${dealIdText(id)} is ${statusName(status).toLowerCase()}`);
      live.delete(id);
      if (live.size === 0) stop();
    });
    return keeper.run(signal);
  });
  return { spent: keeper.spent, periods, cost };
}

/** `holdfast keeper replicas --manifest FILE… --budget AMOUNT [--keyring FILE]`. */
export function keeperReplicasCommand(): Command {
  return withKeyring(chainCommand("replicas"))
    .description(
      "keep files at their number of unique replicas: make those anew, elsewhere, whose deals default or end",
    )
    .requiredOption("--manifest <file...>", "manifests of the files")
    .requiredOption(
      "--budget <amount>",
      'the most to spend on new replicas in all, past runs included: base units, or "1.5 USDC"',
    )
    .action((flags: ReplicasFlags) => {
      const keyring = keyringPath(flags);
      return withClient(flags, async (session) => {
        const report = await keepReplicas(session, keyring, flags);
        printResult<RepairReport>(flags, report, ({ lost, placed, spent }) => [
          `${lost} replicas lost, ${placed} placed; ${spent} base units in all`,
        ]);
      });
    });
}

async function keepReplicas(session: Session, keyring: string, flags: ReplicasFlags): Promise<RepairReport> {
  const { chain } = session;
  const locked: LockedManifest[] = [];
  try {
    const files: KeptFile[] = [];
    for (const path of flags.manifest) {
      const manifest = await openManifest(path);
      locked.push(manifest);
      files.push({ book: manifest.book, key: await keyFromKeyring(keyring, manifest.book.manifest.key) });
    }
    const paidIn = files[0]?.book.manifest.wishes.token ?? chain.deployment.stakeToken;
    const budget = parseAmountOf(flags.budget, await readToken(chain.provider, paidIn));
    const keeper = new ReplicasKeeper({ chain, session, files, budget, logger: commandLogger() });
    let [lost, placed] = [0, 0];
    await untilStopped((signal) => {
      keeper.on("lost", ({ file, replica, status }) => {
        lost++;
        tell(`${file.name ?? file.sha256}: deal ${replica.deal} is ${statusName(status).toLowerCase()}`);
      });
      keeper.on("over", ({ file, replica }) =>
        tell(`${file.name ?? file.sha256}: deal ${replica.deal} has run its time`),
      );
      keeper.on("repaired", ({ file, replica }) => {
        placed++;
        tell(`${file.name ?? file.sha256}: a replica is with ${replica.provider}, deal ${replica.deal}`);
      });
      keeper.on("trouble", ({ file, code, message }) => tell(`${file.name ?? file.sha256}: ${code}: ${message}`));
      return keeper.run(signal);
    });
    return { spent: keeper.spent, lost, placed };
  } finally {
    for (const { release } of locked) await release();
  }
}
