import { HoldfastError } from "../../errors.js";

/** What an error of the SDK looks like. Some carry the key's id and the text that was signed: nothing else of them goes on. */
interface S3Fault {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Whether the bucket answered that there is no such object. */
export function isMissing(error: unknown): boolean {
  const { name, $metadata } = error as S3Fault;
  return name === "NoSuchKey" || name === "NotFound" || (name !== "NoSuchBucket" && $metadata?.httpStatusCode === 404);
}

/** Whether a range begins at or after the end of its object. */
export function isBeyondEnd(error: unknown): boolean {
  return (error as S3Fault).$metadata?.httpStatusCode === 416;
}

/**
 * What to throw for an error of the SDK.
 *
 * @param where - the bucket, for people
 * @param doing - what was asked of it, as in "read a blob"
 * @returns the reason of `signal` where that is why; otherwise HoldfastError `BLOBS_REFUSED` or `BLOBS_UNREACHABLE`
 */
export function s3Error(error: unknown, where: string, doing: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof HoldfastError) return error;
  const { name, code, $metadata } = error as S3Fault;
  const status = $metadata?.httpStatusCode;
  const what = [typeof code === "string" ? code : name, status].filter((part) => part !== undefined).join(" ");
  const cause = new Error(what || "an error without a name");
  if (status === 401 || status === 403 || name === "CredentialsProviderError") {
    const hint = "check the credentials, and what they may do in the bucket";
    return new HoldfastError("BLOBS_REFUSED", `${where} refused to ${doing}: ${what}`, hint, { cause });
  }
  const hint = "check endpoint, region and bucket, and that the service is up";
  return new HoldfastError("BLOBS_UNREACHABLE", `${where} failed to ${doing}: ${what}`, hint, { cause });
}
