import { HoldfastError } from "../../errors.js";

/** What is not a CAR, or is cut off, or was made to harm its reader. */
export function malformedCar(reason: string, cause?: unknown): HoldfastError {
  const hint = "if it is a plain file that was stored, fetch it without a path; else ask whoever packed it";
  return new HoldfastError("CAR_MALFORMED", `this is no CAR of a folder: ${reason}`, hint, { cause });
}

/** A tree whose blocks are what their CIDs say, and make no sense all the same. */
export function malformedFolder(reason: string, cause?: unknown): HoldfastError {
  const hint = "whoever packed it made a mistake, or means harm";
  return new HoldfastError("FOLDER_MALFORMED", `the folder's tree is wrong: ${reason}`, hint, { cause });
}

/** What other tools may write, and this one does not read. */
export function unsupported(what: string): HoldfastError {
  return new HoldfastError("CAR_UNSUPPORTED", `${what} is not supported`, "read it with an IPFS tool");
}
