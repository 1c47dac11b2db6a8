import { Command, InvalidArgumentError } from "commander";
import { benchPiece } from "../../scripts/bench/piece.js";

/** `holdfast bench piece [--json] [--size MIB]`. */
export function benchPieceCommand(): Command {
  return new Command("piece")
    .description("measure how fast piece commitments are computed, against the published WASM hasher")
    .option("--json", "print one JSON object last")
    .option("--size <mib>", "size of the file to hash, in MiB", parseSize, 256)
    .action(async ({ json = false, size }: { json?: boolean; size: number }) => {
      await benchPiece({ json, sizeMiB: size });
    });
}

function parseSize(text: string): number {
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1 || size > 65_536) {
    throw new InvalidArgumentError("It has to be a whole number from 1 to 65536.");
  }
  return size;
}
