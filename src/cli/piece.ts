import { stat } from "node:fs/promises";
import { Command } from "commander";
import { HoldfastError } from "../errors.js";
import { readFileChunks } from "../piece/file-node.js";
import { type Commitment, commit, encodePieceCid } from "../piece/index.js";
import { ProgressBar } from "./progress.js";

/** Smaller files are done before anybody could look at a bar. */
const PROGRESS_FROM = 64 << 20;

/** What `holdfast piece --json` prints. */
export interface PieceReport {
  readonly file: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** PieceCIDv2, base32. */
  readonly pieceCid: string;
  /** Root of the tree, 0x and 64 hexadecimal digits. */
  readonly root: string;
  /** Leaves that the file touches, at most 2^40. */
  readonly leafCount: number;
  readonly height: number;
}

/**
 * Computes the commitment of a file.
 *
 * @throws HoldfastError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `EMPTY_PIECE`
 */
export async function describePiece(file: string): Promise<PieceReport> {
  const commitment = await commitFile(file);
  return {
    file,
    bytes: Number(commitment.payloadSize),
    pieceCid: encodePieceCid(commitment).toString(),
    root: `0x${Buffer.from(commitment.root).toString("hex")}`,
    leafCount: Number(commitment.leafCount),
    height: commitment.height,
  };
}

async function commitFile(file: string): Promise<Commitment> {
  let bar: ProgressBar | undefined;
  try {
    const { size } = await stat(file);
    if (size >= PROGRESS_FROM) bar = new ProgressBar(size);
    return await commit(readFileChunks(file, (bytes) => bar?.advance(bytes)));
  } catch (error) {
    throw explain(file, error);
  } finally {
    bar?.finish();
  }
}

/** Says which file it is about; whatever is neither ours nor the file system's stays as it is. */
function explain(file: string, error: unknown): unknown {
  if (error instanceof HoldfastError && error.code === "EMPTY_PIECE") {
    return new HoldfastError(error.code, `${file} is empty`, "a piece has at least one byte", { cause: error });
  }
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") {
    return new HoldfastError("FILE_NOT_FOUND", `there is no file ${file}`, "check the path", { cause: error });
  }
  if (error instanceof Error && "syscall" in error) {
    const hint = "name a regular file that you may read";
    return new HoldfastError("FILE_UNREADABLE", `${file} cannot be read: ${error.message}`, hint, { cause: error });
  }
  return error;
}

function print(report: PieceReport): void {
  console.log(`pieceCid   ${report.pieceCid}`);
  console.log(`root       ${report.root}`);
  console.log(`leafCount  ${report.leafCount}`);
  console.log(`height     ${report.height}`);
  console.log(`size       ${report.bytes} bytes`);
}

/** `holdfast piece FILE [--json]`. */
export function pieceCommand(): Command {
  return new Command("piece")
    .description("print the piece commitment of a file: PieceCIDv2, root, leafCount and height")
    .argument("<file>", "the file to read")
    .option("--json", "print one JSON object")
    .action(async (file: string, { json }: { json?: boolean }) => {
      const report = await describePiece(file);
      if (json) console.log(JSON.stringify(report));
      else print(report);
    });
}
