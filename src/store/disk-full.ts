import { HoldfastError } from "../errors.js";

/** No space, no quota, or a limit on the size of files. */
const FULL: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What to throw for what the file system threw: `DISK_FULL` where that is it, otherwise the same. */
export function diskFull(error: unknown): unknown {
  if (!FULL.has((error as NodeJS.ErrnoException).code)) return error;
  return new HoldfastError("DISK_FULL", "there is no space for this piece", "free some space", { cause: error });
}
