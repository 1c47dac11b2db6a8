import type { BigIntStats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { HoldfastError } from "../errors.js";
import { streamOf } from "../piece/index.js";

const READ_BYTES = 512 * 1024;

/**
 * A file, or a part of one, as a Blob that is read as needed. Node's own (`openAsBlob`) counts bytes in 32 bits and takes 6 GiB for
 * two, without a word.
 *
 * Reading fails with `FILE_CHANGED` once the file is not what it was when it was opened. A Blob or File made of this one
 * (`new Blob([file])`) would have to be made by Node, from what it does not know: that throws.
 */
export class FileBlob extends Blob {
  override readonly size: number;
  override readonly type: string;
  readonly #origin: Origin;
  readonly #start: number;

  private constructor(origin: Origin, start: number, size: number, type = "") {
    super();
    // What Node would read in the place of the file, where this is made part of another: nothing.
    for (const key of Object.getOwnPropertySymbols(this)) Reflect.deleteProperty(this, key);
    this.size = size;
    this.type = type;
    this.#origin = origin;
    this.#start = start;
  }

  /** @throws what the file system throws */
  static async open(path: string): Promise<FileBlob> {
    const info = await stat(path, { bigint: true });
    return new FileBlob({ path, info }, 0, Number(info.size));
  }

  override slice(start = 0, end = this.size, type = ""): FileBlob {
    const from = within(start, this.size);
    const size = Math.max(0, within(end, this.size) - from);
    return new FileBlob(this.#origin, this.#start + from, size, type);
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return streamOf(readPart(this.#origin, this.#start, this.size)) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for await (const chunk of readPart(this.#origin, this.#start, this.size)) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  override async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  [Symbol.toPrimitive](): never {
    throw new TypeError("a file can't be made part of another Blob; read it, or send it as it is");
  }
}

/** A file as it was when it was opened. */
interface Origin {
  readonly path: string;
  readonly info: BigIntStats;
}

/** As `Blob.slice` counts: from the end where it is negative. */
function within(at: number, size: number): number {
  return at < 0 ? Math.max(0, size + at) : Math.min(at, size);
}

async function* readPart({ path, info }: Origin, start: number, size: number): AsyncGenerator<Uint8Array> {
  const file = await open(path).catch((cause) => {
    throw changed(path, cause);
  });
  try {
    for (let at = 0; at < size; ) {
      const now = await file.stat({ bigint: true });
      if (now.size !== info.size || now.mtimeNs !== info.mtimeNs || now.ino !== info.ino) throw changed(path);
      const chunk = new Uint8Array(Math.min(READ_BYTES, size - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, start + at);
      if (bytesRead === 0) throw changed(path);
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function changed(path: string, cause?: unknown): HoldfastError {
  const hint = "begin again when nothing writes to it";
  return new HoldfastError("FILE_CHANGED", `${path} is not what it was when it was opened`, hint, { cause });
}
