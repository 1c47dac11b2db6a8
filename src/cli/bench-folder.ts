import { Command } from "commander";
import { benchFolder } from "../../scripts/bench/folder.js";
import { parseCount } from "./values.js";

/** `holdfast bench folder [--json] [--files N]`. */
export function benchFolderCommand(): Command {
  return new Command("folder")
    .description("measure storing a folder of small files with a provider on a chain of this machine's own")
    .option("--json", "print one JSON object last")
    .option("--files <n>", "files of 2 KiB on average in the folder", parseCount, 10_000)
    .action(async (options: { json?: boolean; files: number }) => {
      await benchFolder(options);
    });
}
