/** `holdfast keeper init`. */
import type { Command } from "commander";
import { readToken } from "../client/tokens.js";
import { type ChainFlags, chainCommand, printResult, withChain } from "./context.js";
import { dirOption, readNodeFolder, writeNodeFolder } from "./node-folder.js";
import { KEEPER_SETTINGS, keeperPolicyText } from "./node-template.js";

/** What `holdfast keeper init --json` prints. */
export interface KeeperInitReport {
  readonly dir: string;
  /** Files that were written; the others were there. */
  readonly written: readonly string[];
}

/** `holdfast keeper init [--dir DIR]`. */
export function keeperInitCommand(): Command {
  return chainCommand("init")
    .description("make a folder for a keeper that settles anybody's deals; one who proves has a provider's folder")
    .addOption(dirOption("holdfast-keeper"))
    .action((flags: ChainFlags & { readonly dir: string }) =>
      withChain(flags, async ({ provider, deployment }) => {
        const token = await readToken(provider, deployment.stakeToken);
        const files = { settings: KEEPER_SETTINGS, policy: keeperPolicyText(token), deployment };
        const written = await writeNodeFolder(flags.dir, files);
        const { dir } = await readNodeFolder(flags.dir);
        printResult<KeeperInitReport>(flags, { dir, written }, () => [
          `folder    ${dir}${written.length === 0 ? "" : `  (${written.join(", ")} written)`}`,
          "",
          `look at ${dir}/policy.yaml, then: holdfast keeper run --dir ${dir}`,
        ]);
      }),
    );
}
