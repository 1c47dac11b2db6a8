import { Command } from "commander";
import { benchLineage, printLineageBench } from "../../scripts/bench/lineage.js";
import { untilStopped } from "./until-stopped.js";
import { parseCount } from "./values.js";

/** `holdfast bench lineage [--json] [--records N]`. */
export function benchLineageCommand(): Command {
  return new Command("lineage")
    .description("measure reading and drawing a lineage of many records on a chain of this machine's own")
    .option("--json", "print one JSON object last")
    .option("--records <n>", "records in the registry", parseCount, 10_000)
    .action(({ json, records }: { json?: boolean; records: number }) =>
      untilStopped(async (signal) => {
        const result = await benchLineage(records, signal);
        if (json) console.log(JSON.stringify(result));
        else printLineageBench(result);
      }),
    );
}
