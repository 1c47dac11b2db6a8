import { Command } from "commander";
import { benchAnchor, printAnchorBench } from "../../scripts/bench/anchor.js";
import { parseCount } from "./values.js";

/** `holdfast bench anchor [--json] [--files N]`. */
export function benchAnchorCommand(): Command {
  return new Command("anchor")
    .description("measure making one set of a folder of small files, and verifying one of them")
    .option("--json", "print one JSON object last")
    .option("--files <n>", "files of 2 KiB on average in the folder", parseCount, 100_000)
    .action(async ({ json, files }: { json?: boolean; files: number }) => {
      const result = await benchAnchor(files);
      if (json) console.log(JSON.stringify(result));
      else printAnchorBench(result);
    });
}
