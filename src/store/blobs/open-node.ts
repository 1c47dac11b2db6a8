import { mkdir } from "node:fs/promises";
import { HoldfastError } from "../../errors.js";
import { FileBlobs } from "./file-blobs.js";
import type { S3Options } from "./s3-blobs.js";
import type { BlobStore } from "./types.js";

/** A folder of this machine, or a bucket. */
export type BlobStoreOptions = { readonly dir: string } | S3Options;

/**
 * Opens a blob store, and looks once whether it is there.
 *
 * @throws HoldfastError `INVALID_BLOBS_URL`, `BLOBS_UNREACHABLE`, `BLOBS_REFUSED`; what the file system throws
 * @example
 * const blobs = await openBlobStore({ url: "s3://holdfast/node", endpoint: "https://s3.example" });
 * await blobs.put("pieces/note", bytes);
 */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  if ("dir" in options) {
    await mkdir(options.dir, { recursive: true });
    return new FileBlobs(options.dir);
  }
  // The SDK takes its time and memory to load: only whoever has a bucket pays for it.
  const { S3Blobs } = await import("./s3-blobs.js");
  const blobs = invalidAs(() => new S3Blobs(options));
  try {
    // To one who asks for a blob, a bucket that is missing looks like a blob that is.
    for await (const _ of blobs.list("pieces")) break;
    return blobs;
  } catch (error) {
    blobs.close();
    throw error;
  }
}

function invalidAs<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError("INVALID_BLOBS_URL", message, "see docs/storage.md", { cause });
  }
}
