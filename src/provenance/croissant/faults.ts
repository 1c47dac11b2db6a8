import { HoldfastError } from "../../errors.js";

/** More than the reader lets in. */
export function tooLarge(what: string): HoldfastError {
  return new HoldfastError(
    "MANIFEST_TOO_LARGE",
    `the manifest has ${what}`,
    "describe parts of the data set in their own manifests",
  );
}

/** JSON that is no Croissant, or needs something from the network to become one. */
export function notJsonLd(reason: string, cause?: unknown): HoldfastError {
  const hint = "begin it with the @context that the Croissant specification recommends, and @type sc:Dataset";
  return new HoldfastError("MANIFEST_NOT_JSONLD", `this is no Croissant manifest: ${reason}`, hint, { cause });
}

/**
 * A field that is missing or wrong.
 *
 * @param field - as it is found in the document: `distribution[3].sha256`
 */
export function invalid(field: string, reason: string): HoldfastError {
  const hint = "http://mlcommons.org/croissant/1.1 says what the field takes";
  return new HoldfastError("MANIFEST_INVALID", `${field} ${reason}`, hint);
}
