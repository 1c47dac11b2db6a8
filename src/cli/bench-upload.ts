import { Command } from "commander";
import { benchUpload } from "../../scripts/bench/upload.js";
import { parseCount } from "./values.js";

/** `holdfast bench upload [--json] [--size MIB] [--rounds N]`. */
export function benchUploadCommand(): Command {
  return new Command("upload")
    .description("measure how fast a node takes uploads, with committing and syncing to disk")
    .option("--json", "print one JSON object last")
    .option("--size <mib>", "size of each piece, in MiB", parseCount, 512)
    .option("--rounds <n>", "pieces, one after the other", parseCount, 5)
    .action(async ({ size, ...rest }: { json?: boolean; size: number; rounds: number }) => {
      await benchUpload({ ...rest, sizeMiB: size });
    });
}
