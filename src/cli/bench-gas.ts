import { Command } from "commander";
import { benchGas } from "../../scripts/bench/gas.js";

/** `holdfast bench gas [--json]`. */
export function benchGasCommand(): Command {
  return new Command("gas")
    .description("measure the gas of every entry point, on Hardhat's network")
    .option("--json", "print one JSON object last")
    .action(async ({ json = false }: { json?: boolean }) => {
      await benchGas({ json });
    });
}
