/** `holdfast provider init`. */
import type { Command } from "commander";
import type { EnrolmentStep } from "../provider/index.js";
import { chainCommand, printResult, type Session, withClient } from "./context.js";
import { deploymentFile, dirOption, type NodeParts, readNodeParts, writeNodeFolder } from "./node-folder.js";
import { requireSame } from "./provider-differences.js";
import { draftFolder, requireOwn } from "./provider-draft.js";
import { type InitFlags, withInitOptions } from "./provider-options.js";
import { planEnrolment, register } from "./provider-register.js";
import { openAsker } from "./questions.js";

/** What `holdfast provider init --json` prints. */
export interface InitReport {
  readonly provider: string;
  readonly dir: string;
  /** Files that were written; the others were there. */
  readonly written: readonly string[];
  /** What was done on the chain. */
  readonly steps: readonly EnrolmentStep[];
}

const INIT_HELP = `
It acts with the provider's own key (HOLDFAST_KEYSTORE), which owns the stake and need not be on the machine that the node runs on:
copy the folder there. Files of the folder that are there already stay, and are what is registered; so after a change of node.yaml or
policy.yaml, do it again. Where an option says something else than they do, nothing is done, and it is told.
Everything is asked for before anything is written or sent, and what broke off can be done again.`;

/** `holdfast provider init [--dir DIR] [--url URL] [--price AMOUNT] [--stake AMOUNT] …`. */
export function providerInitCommand(): Command {
  return withInitOptions(
    chainCommand("init")
      .description("make a provider's folder, register the provider and stake; what is not given is asked for")
      .addOption(dirOption()),
  )
    .addHelpText("after", INIT_HELP)
    .action(async (flags: InitFlags) => {
      const parts = await readNodeParts(flags.dir);
      // A folder knows its market; one that is named has to be the same.
      const known = parts.deployment === undefined ? {} : { deployment: deploymentFile(flags.dir) };
      await withClient({ ...known, ...flags }, async (session) => {
        const report = await init(session, parts, flags);
        printResult(flags, report, initLines);
      });
    });
}

async function init(session: Session, parts: NodeParts, flags: InitFlags): Promise<InitReport> {
  const { access, chain } = session;
  requireOwn(parts, access.address);
  await requireSame(flags, parts, chain);
  const asker = openAsker(flags.yes === true);
  try {
    const draft = await draftFolder(asker, session, parts, flags);
    const enrolment = flags.register ? await planEnrolment(asker, session, draft, flags) : undefined;
    const written = await writeNodeFolder(parts.dir, draft.files);
    const steps = enrolment === undefined ? [] : await register(session, enrolment);
    return { provider: access.address, dir: parts.dir, written, steps };
  } finally {
    asker.close();
  }
}

function initLines({ provider, dir, written, steps }: InitReport): string[] {
  return [
    `provider  ${provider}`,
    `folder    ${dir}${written.length === 0 ? "" : `  (${written.join(", ")} written)`}`,
    ...(steps.length === 0 ? [] : [`on chain  ${steps.join(", ")}`]),
    "",
    `look at ${dir}/policy.yaml, then: holdfast provider run --dir ${dir}`,
  ];
}
