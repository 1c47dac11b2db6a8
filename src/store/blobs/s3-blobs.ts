import { createReadStream } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { HoldfastError } from "../../errors.js";
import { isBeyondEnd, isMissing, s3Error } from "./s3-errors.js";
import { steadyStream } from "./s3-stream.js";
import { Slots } from "./slots.js";
import { type BlobInfo, type BlobStore, checkName, type OpenedBlob } from "./types.js";

/** A bucket, or a part of one. */
export interface S3Options {
  /** `s3://bucket/prefix`, the prefix being what names of this store begin with; it may be left out. */
  readonly url: string;
  /** Of a service other than Amazon's, as `https://s3.example`. */
  readonly endpoint?: string;
  /** `us-east-1` where neither this nor the environment says another. */
  readonly region?: string;
  /** Whether the bucket is in the path rather than the host's name; true where `endpoint` is set, by default. */
  readonly pathStyle?: boolean;
  /** By default the SDK looks for them: environment, shared files, the machine's role. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Bytes of a part, at least 5 MiB; 8 MiB by default, more for files that would not fit in 10,000 of them. */
  readonly partBytes?: number;
  /** Milliseconds after which a request that nobody answers has failed; 60,000 by default. */
  readonly answerMs?: number;
  /** Streams that are read at once, each by a connection of its own; 1,000 by default. */
  readonly readers?: number;
}

const MIB = 1 << 20;
const PART_BYTES = 8 * MIB;
/** That is all that S3 takes. */
const MAX_PARTS = 10_000;
/** Parts of one file on their way at once. */
const PARTS_AT_ONCE = 2;
/** Files that are sent at once: with their parts, 64 MiB of memory. */
const FILES_AT_ONCE = 4;
/** Connections of those who read streams: each has one for as long as he takes. */
const READERS = 1_000;
/** All others, which no number of slow readers can keep waiting. */
const CONNECTIONS = 256;
const CONNECT_MS = 10_000;
const ANSWER_MS = 60_000;
/** Age of uploads in parts that nobody finishes any more, in milliseconds. */
const STALE_MS = 24 * 3_600_000;

/** Blobs as objects of a bucket. Opened by `openBlobStore`. */
export class S3Blobs implements BlobStore {
  readonly where: string;
  readonly #client: S3Client;
  /** For streams, which last as long as their readers take. */
  readonly #streams: S3Client;
  readonly #bucket: string;
  /** Empty, or with a slash at its end. */
  readonly #prefix: string;
  readonly #partBytes: number;
  readonly #sending = new Slots(FILES_AT_ONCE);

  /** @throws TypeError for a URL that names no bucket */
  constructor({ url, endpoint, region, pathStyle = endpoint !== undefined, credentials, ...limits }: S3Options) {
    const { partBytes, answerMs = ANSWER_MS, readers = READERS } = limits;
    const { hostname, pathname } = parse(url);
    this.#bucket = hostname;
    this.#prefix = pathname.replace(/^\/+|\/+$/g, "").replace(/(.)$/, "$1/");
    this.#partBytes = partBytes ?? PART_BYTES;
    this.where = `s3://${hostname}/${this.#prefix}`;
    const withConnections = (maxSockets: number) =>
      new S3Client({
        region: region ?? process.env.AWS_REGION ?? "us-east-1",
        forcePathStyle: pathStyle,
        ...(endpoint !== undefined && { endpoint }),
        ...(credentials && { credentials }),
        // Services other than Amazon's often know no other checksums than the one that each request is signed with.
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
        requestHandler: {
          connectionTimeout: CONNECT_MS,
          requestTimeout: answerMs,
          // Otherwise it would be logged, and waited for on and on.
          throwOnRequestTimeout: true,
          httpAgent: { maxSockets },
          httpsAgent: { maxSockets },
        },
      });
    this.#client = withConnections(CONNECTIONS);
    this.#streams = withConnections(readers);
  }

  async size(name: string, signal?: AbortSignal): Promise<number | undefined> {
    const head = new HeadObjectCommand(this.#at(name));
    const found = await this.#found("look for a blob", signal, () => this.#client.send(head, aborted(signal)));
    return found?.ContentLength;
  }

  open(name: string, start: number, end: number, signal?: AbortSignal): Promise<OpenedBlob | undefined> {
    return this.#open(this.#streams, name, [start, end], signal);
  }

  async #open(
    by: S3Client,
    name: string,
    [start, end]: readonly [number, number],
    signal: AbortSignal | undefined,
  ): Promise<OpenedBlob | undefined> {
    const got = end > start ? await this.#get(by, name, start, end, signal) : "beyond";
    if (got === undefined) return undefined;
    if (got === "beyond") {
      const size = await this.size(name, signal);
      return size === undefined ? undefined : { size, bytes: new Blob([]).stream() };
    }
    const ask = async (from: number) => {
      const again = await this.#get(by, name, from, end, signal);
      return again === undefined || again === "beyond" ? undefined : again.body;
    };
    const { size, body } = got;
    const explain = (cause: unknown) => s3Error(cause, this.where, "read a blob", signal);
    return { size, bytes: steadyStream(name, [start, Math.min(end, size)], body, ask, explain) };
  }

  async read(name: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const opened = await this.#open(this.#client, name, [offset, offset + length], signal);
    return opened && new Uint8Array(await new Response(opened.bytes).arrayBuffer());
  }

  async put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const put = new PutObjectCommand({ ...this.#at(name), Body: bytes, ContentLength: bytes.length });
    await this.#asked("store a blob", signal, () => this.#client.send(put, aborted(signal)));
  }

  async take(name: string, path: string, signal?: AbortSignal): Promise<void> {
    const { size } = await stat(path);
    await this.#sending.run(async () => {
      signal?.throwIfAborted();
      if (size <= this.#partBytes) await this.put(name, await readFile(path), signal);
      else await this.#asked("store a blob", signal, () => this.#sendParts(name, path, size, signal));
    });
    await rm(path);
  }

  async delete(name: string, signal?: AbortSignal): Promise<void> {
    const gone = new DeleteObjectCommand(this.#at(name));
    await this.#found("delete a blob", signal, () => this.#client.send(gone, aborted(signal)));
  }

  async *list(folder: string, signal?: AbortSignal): AsyncGenerator<BlobInfo> {
    const where = { Bucket: this.#bucket, Prefix: `${this.#prefix}${folder}/` };
    for (let after: string | undefined, more = true; more; ) {
      const ask = new ListObjectsV2Command({ ...where, ...(after !== undefined && { ContinuationToken: after }) });
      const page = await this.#asked("list blobs", signal, () => this.#client.send(ask, aborted(signal)));
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key !== undefined) yield { name: Key.slice(this.#prefix.length), size: Size ?? 0 };
      }
      after = page.NextContinuationToken;
      more = page.IsTruncated === true && after !== undefined;
    }
  }

  async sweep(signal?: AbortSignal): Promise<void> {
    const oldest = Date.now() - STALE_MS;
    const where = { Bucket: this.#bucket, Prefix: this.#prefix };
    for (let marker = {}, more = true; more; ) {
      const ask = new ListMultipartUploadsCommand({ ...where, ...marker });
      const page = await this.#asked("list uploads", signal, () => this.#client.send(ask, aborted(signal)));
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Initiated === undefined || Initiated.getTime() > oldest) continue;
        const end = new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId });
        await this.#found("end an upload", signal, () => this.#client.send(end, aborted(signal)));
      }
      marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
      more = page.IsTruncated === true && page.NextKeyMarker !== undefined;
    }
  }

  close(): void {
    this.#client.destroy();
    this.#streams.destroy();
  }

  async #sendParts(name: string, path: string, size: number, signal?: AbortSignal): Promise<void> {
    const abortController = new AbortController();
    const abort = () => abortController.abort();
    signal?.addEventListener("abort", abort, { once: true });
    const partSize = Math.max(this.#partBytes, Math.ceil(size / MAX_PARTS / MIB) * MIB);
    const body = createReadStream(path, { highWaterMark: MIB });
    const params = { ...this.#at(name), Body: body };
    try {
      const options = { client: this.#client, params, partSize, queueSize: PARTS_AT_ONCE, abortController };
      const upload = new Upload(options);
      await upload.done();
    } finally {
      signal?.removeEventListener("abort", abort);
      body.destroy();
    }
  }

  /** A body from `start` on, and the size of the whole; "beyond" where the object ends before. */
  async #get(by: S3Client, name: string, start: number, end: number, signal?: AbortSignal) {
    const get = new GetObjectCommand({ ...this.#at(name), Range: `bytes=${start}-${end - 1}` });
    const ask = () =>
      by.send(get, aborted(signal)).catch((error: unknown) => {
        if (isBeyondEnd(error)) return "beyond" as const;
        throw error;
      });
    const got = await this.#found("read a blob", signal, ask);
    if (got === undefined || got === "beyond") return got;
    const body = got.Body as Readable;
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(got.ContentRange ?? "") ?? [];
    if (Number(from) === start) return { size: Number(total), body };
    body.destroy();
    const message = `${this.where} serves no ranges: ${name} was asked for from byte ${start}`;
    throw new HoldfastError("BLOBS_UNREACHABLE", message, "use a service that does");
  }

  async #found<T>(doing: string, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T | undefined> {
    return this.#asked(doing, signal, () =>
      ask().catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      }),
    );
  }

  async #asked<T>(doing: string, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      throw s3Error(error, this.where, doing, signal);
    }
  }

  #at(name: string): { Bucket: string; Key: string } {
    checkName(name);
    return { Bucket: this.#bucket, Key: this.#prefix + name };
  }
}

function aborted(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}

function parse(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed?.protocol === "s3:" && parsed.hostname !== "" && parsed.username === "") return parsed;
  throw new TypeError("a bucket is named by a URL like s3://bucket/prefix, without a user in it");
}
