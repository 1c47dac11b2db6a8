import { Command } from "commander";
import { benchUpload } from "../../scripts/bench/upload.js";
import { parseCount } from "./values.js";

/** `holdfast bench upload [--json] [--size MIB]`. */
export function benchUploadCommand(): Command {
  return new Command("upload")
    .description("measure how fast a node takes uploads, with committing and syncing to disk")
    .option("--json", "print one JSON object last")
    .option("--size <mib>", "size of each piece, in MiB", parseCount, 512)
    .action(async ({ json = false, size }: { json?: boolean; size: number }) => {
      await benchUpload({ json, sizeMiB: size });
    });
}
