import { Command, Option } from "commander";
import { demo } from "../../scripts/demo.js";
import { PROFILES } from "../../scripts/profiles/profiles.js";
import { HoldfastError } from "../errors.js";

/** `holdfast demo [FILE] [--profile NAME] [--json]`. */
export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "have FILE kept by three providers on a chain of this machine's own, lose one of them for good, see it slashed, the " +
        "client compensated and its replica taken over by a fourth, verify where the file came from, and fetch it back",
    )
    .argument("[file]", "the file to store; a picture made on the spot where none is named")
    .addOption(
      new Option(
        "--profile <name>",
        "what its chain is like: seconds a block, seeds, finality; filecoin: null rounds, too",
      )
        .choices(PROFILES.map(({ name }) => name))
        .default("local"),
    )
    .option("--json", "print one JSON object last on standard output, the story on standard error")
    .action(async (file: string | undefined, { json = false, profile }: { json?: boolean; profile: string }) => {
      const report = await demo({ ...(file === undefined ? {} : { file }), json, profile });
      const same = report.fetchedSha256 === report.originalSha256;
      if (!same || !report.conserved) {
        throw new HoldfastError("DEMO_FAILED", "the demo ended with bytes or money missing", "please report it");
      }
    });
}
