/** A blob that is there. */
export interface BlobInfo {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

/** A blob, opened to be read. */
export interface OpenedBlob {
  /** Of the whole blob, in bytes. */
  readonly size: number;
  /**
   * The bytes that were asked for, as far as the blob reaches. Read it to its end, or cancel it. It fails on the way with
   * HoldfastError `BLOB_DAMAGED` where bytes have gone missing, `BLOBS_UNREACHABLE`.
   */
  readonly bytes: ReadableStream<Uint8Array>;
}

/**
 * Immutable bytes under names like `pieces/baf….piece`: a folder's name, a slash, a file's name. A name appears only when
 * all its bytes are there and will stay through a power cut.
 *
 * Every method throws HoldfastError `BLOBS_UNREACHABLE` or `BLOBS_REFUSED` where a bucket does not answer or lets nobody in,
 * what the file system throws, and the reason of its signal.
 */
export interface BlobStore {
  /** Where it is, for people: a folder, or `s3://bucket/prefix`. There are no credentials in it. */
  readonly where: string;
  /** Size in bytes; undefined where there is no such blob. */
  size(name: string, signal?: AbortSignal): Promise<number | undefined>;
  /** The bytes from `start` up to and without `end`, as a stream; undefined where there is no such blob. */
  open(name: string, start: number, end: number, signal?: AbortSignal): Promise<OpenedBlob | undefined>;
  /**
   * What {@link BlobStore.open} gives, at less cost: a chunk is valid only until the next one is asked for. It throws out of the
   * iteration, HoldfastError `BLOB_MISSING` and `BLOB_DAMAGED` among others. A store that knows no cheaper way does without.
   */
  chunks?(name: string, start: number, end: number): AsyncIterable<Uint8Array>;
  /** A few bytes at once, fewer at the blob's end; undefined where there is no such blob. */
  read(name: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** Stores a few bytes. What had the name is replaced. @throws HoldfastError `DISK_FULL` */
  put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * Takes a local file, whose bytes are on disk. What had the name is replaced. The file is gone afterwards, and is left as it
   * was where that fails.
   *
   * @throws HoldfastError `DISK_FULL`
   */
  take(name: string, path: string, signal?: AbortSignal): Promise<void>;
  /** Deletes a blob, where it is there. */
  delete(name: string, signal?: AbortSignal): Promise<void>;
  /** All blobs of a folder, in no order. @param folder - without the slash */
  list(folder: string, signal?: AbortSignal): AsyncIterable<BlobInfo>;
  /** Clears away what was left a day ago, or earlier, by processes that died while they put something. */
  sweep(signal?: AbortSignal): Promise<void>;
  /** Closes connections. */
  close(): void;
}

const NAME = /^[a-z]+\/[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** Names are made by this program, never by a peer; one that is not of their form is a defect. @throws TypeError */
export function checkName(name: string): void {
  if (!NAME.test(name)) throw new TypeError(`${JSON.stringify(name.slice(0, 100))} is no name of a blob`);
}
