import { Command } from "commander";
import { benchRetrieval } from "../../scripts/bench/retrieval.js";
import { parseCount } from "./values.js";

/** `holdfast bench retrieval [--json] [--size MIB] [--rounds N]`. */
export function benchRetrievalCommand(): Command {
  return new Command("retrieval")
    .description("measure how fast a node serves pieces, beside nginx with the same bytes")
    .option("--json", "print one JSON object last")
    .option("--size <mib>", "size of each piece, in MiB", parseCount, 64)
    .option("--rounds <n>", "rounds of each measurement", parseCount, 5)
    .action(async ({ json = false, size, rounds }: { json?: boolean; size: number; rounds: number }) => {
      await benchRetrieval({ json, sizeMiB: size, rounds });
    });
}
