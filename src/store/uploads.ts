import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../errors.js";
import { type Commitment, DEFAULT_LAYER_LEVEL, PieceHasher, type TreeLayer } from "../piece/index.js";

/** Bytes of a finished upload, on disk and not in the store yet. */
export interface Arrival {
  readonly commitment: Commitment;
  readonly payloadPath: string;
  readonly layerPath: string;
}

type State =
  | { readonly step: "begun"; readonly since: number }
  | { readonly step: "writing" }
  | { readonly step: "written"; readonly since: number; readonly arrival: Arrival };

export interface UploadsOptions {
  /** Uploads at once, begun ones included; 64 by default. */
  readonly maxUploads?: number;
  /** Milliseconds after which one that nobody goes on with is forgotten; an hour by default. */
  readonly expireMs?: number;
  /** Milliseconds, as of any clock that only goes forward. */
  readonly now?: () => number;
}

const DEFAULT_MAX_UPLOADS = 64;
const DEFAULT_EXPIRE_MS = 3_600_000;

/** Uploads under way, in a folder of their own. They do not outlive the process. */
export class Uploads {
  readonly #dir: string;
  readonly #maxUploads: number;
  readonly #expireMs: number;
  readonly #now: () => number;
  /** Ids come from here alone, so a name that a peer makes up is in no path. */
  readonly #states = new Map<string, State>();

  private constructor(dir: string, options: UploadsOptions) {
    this.#dir = dir;
    this.#maxUploads = options.maxUploads ?? DEFAULT_MAX_UPLOADS;
    this.#expireMs = options.expireMs ?? DEFAULT_EXPIRE_MS;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Makes the folder, and deletes what an earlier process left in it. */
  static async open(dir: string, options: UploadsOptions = {}): Promise<Uploads> {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    return new Uploads(dir, options);
  }

  /** @throws HoldfastError `TOO_MANY_UPLOADS` */
  async begin(): Promise<string> {
    await this.#expire();
    if (this.#states.size >= this.#maxUploads) {
      throw new HoldfastError("TOO_MANY_UPLOADS", `${this.#states.size} uploads are under way`, "try again later");
    }
    const id = randomUUID();
    this.#states.set(id, { step: "begun", since: this.#now() });
    return id;
  }

  /** @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_WRITTEN`, `PIECE_TOO_LARGE`, `EMPTY_PIECE`, `DISK_FULL` */
  async write(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment> {
    if (this.#state(id).step !== "begun") {
      throw new HoldfastError("UPLOAD_WRITTEN", `upload ${id} has its bytes already`, "begin another upload");
    }
    this.#states.set(id, { step: "writing" });
    const [payloadPath, layerPath] = this.#paths(id);
    try {
      const { commitment, layer } = await receive(payloadPath, body, maxBytes);
      await writeFile(layerPath, layer.encode(), { flush: true });
      const arrival = { commitment, payloadPath, layerPath };
      this.#states.set(id, { step: "written", since: this.#now(), arrival });
      return commitment;
    } catch (error) {
      await this.discard(id);
      throw explained(error);
    }
  }

  /** What arrived. @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_INCOMPLETE` */
  arrivalOf(id: string): Arrival {
    const state = this.#state(id);
    if (state.step === "written") return state.arrival;
    throw new HoldfastError("UPLOAD_INCOMPLETE", `upload ${id} has not got all its bytes`, "send them with PUT first");
  }

  /** Gives an upload away: from now on its id is unknown here, its files are the caller's. */
  take(id: string): void {
    this.#states.delete(id);
  }

  /** Forgets an upload and deletes what it has. Ids that did not come from here are in no path. */
  async discard(id: string): Promise<void> {
    if (!this.#states.delete(id)) return;
    await Promise.all(this.#paths(id).map((path) => rm(path, { force: true })));
  }

  #state(id: string): State {
    const state = this.#states.get(id);
    if (!state) throw new HoldfastError("UNKNOWN_UPLOAD", `there is no upload ${id}`, "begin another upload");
    return state;
  }

  #paths(id: string): [payload: string, layer: string] {
    return [join(this.#dir, `${id}.piece`), join(this.#dir, `${id}.layer`)];
  }

  /** Those being written end by themselves: whoever feeds them gives up on slow peers. */
  async #expire(): Promise<void> {
    const oldest = this.#now() - this.#expireMs;
    const old = [...this.#states].filter(([, state]) => state.step !== "writing" && state.since <= oldest);
    for (const [id] of old) await this.discard(id);
  }
}

async function receive(
  path: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ commitment: Commitment; layer: TreeLayer }> {
  const hasher = new PieceHasher({ level: DEFAULT_LAYER_LEVEL });
  const file = await open(path, "wx");
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) {
        throw new HoldfastError("PIECE_TOO_LARGE", `more than ${maxBytes} bytes were sent`, "send a smaller piece");
      }
      hasher.update(chunk);
      await writeAll(file, chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hasher.finishWithLayer();
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

/** No space, no quota, or a limit on the size of files. */
const FULL: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

function explained(error: unknown): unknown {
  if (!FULL.has((error as NodeJS.ErrnoException).code)) return error;
  return new HoldfastError("DISK_FULL", "there is no space for this piece", "free some space", { cause: error });
}
