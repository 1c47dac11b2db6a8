import { Command } from "commander";
import { benchKeeper, type KeeperBenchOptions } from "../../scripts/bench/keeper.js";
import { parseCount } from "./values.js";

/** `holdfast bench keeper [--deals N] [--periods N] [--block-ms MS] [--json]`. */
export function benchKeeperCommand(): Command {
  return new Command("keeper")
    .description("measure a keeper that proves many deals of one provider, on a chain of its own")
    .option("--deals <n>", "open deals", parseCount, 1_000)
    .option("--periods <n>", "windows of each", parseCount, 3)
    .option("--block-ms <ms>", "milliseconds from block to block while something is due", parseCount, 1_000)
    .option("--json", "print one JSON object last")
    .action(async (options: KeeperBenchOptions) => {
      await benchKeeper(options);
    });
}
