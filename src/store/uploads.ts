import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../errors.js";
import type { Commitment } from "../piece/index.js";
import { diskFull } from "./disk-full.js";
import { lockFolder } from "./folder-lock.js";
import { CHECKPOINT_BYTES, PartialPiece, removeUpload, type UploadPaths } from "./partial.js";
import { syncFolder } from "./sync-folder.js";
import type { AppendOptions, UploadInfo } from "./types.js";

/** Bytes of a finished upload, on disk and not in the store yet. */
export interface Arrival {
  readonly commitment: Commitment;
  readonly paths: UploadPaths;
}

/** An upload that was given away: it counts as one until it is put back, or its files are deleted. */
export interface Handover {
  putBack(): void;
  remove(): Promise<void>;
}

interface Upload {
  readonly piece: PartialPiece;
  readonly paths: UploadPaths;
  /** Whether bytes are coming in at this moment. */
  writing: boolean;
  /** Bytes that were announced and have not all come. */
  announced: number;
  /** When something happened last. */
  since: number;
  /** When it last had moved on, and how far it was: a byte now and then is no moving on. */
  moved: { readonly at: number; readonly size: number };
  /** Set once all bytes are here. */
  commitment: Commitment | undefined;
}

export interface UploadsOptions {
  /** Uploads at once, begun ones included; 64 by default. A quarter is kept for those that have no owner. */
  readonly maxUploads?: number;
  /** Milliseconds after which one that nobody goes on with is forgotten; an hour by default. */
  readonly expireMs?: number;
  /** Bytes after which an upload is synced, so that a later process can go on there; 256 MiB by default. */
  readonly checkpointBytes?: number;
  /** Milliseconds, as of any clock that only goes forward. */
  readonly now?: () => number;
}

const DEFAULT_MAX_UPLOADS = 64;
const DEFAULT_EXPIRE_MS = 3_600_000;
/** Milliseconds after which one that has not moved on makes room for another, where all places are taken. */
const IDLE_MS = 60_000;
/** Bytes with which an upload has moved on: what whoever feeds it gets across in that time. */
const STEP_BYTES = 64 * 1024;
const STATE = ".state";
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Uploads under way, in a folder of their own. Those that can be gone on with outlive the process. */
export class Uploads {
  readonly #dir: string;
  /** Gives the folder back. */
  readonly close: () => Promise<void>;
  readonly #maxUploads: number;
  readonly #expireMs: number;
  readonly #checkpointBytes: number;
  readonly #now: () => number;
  /** Ids come from here alone, so a name that a peer makes up is in no path. */
  readonly #uploads = new Map<string, Upload>();
  /** Given away, with files here still. */
  readonly #leaving = new Map<string, Upload>();
  /** What is being taken at this moment. */
  readonly #taking = new Set<Promise<unknown>>();

  private constructor(dir: string, release: () => Promise<void>, options: UploadsOptions) {
    this.#dir = dir;
    this.close = release;
    this.#maxUploads = options.maxUploads ?? DEFAULT_MAX_UPLOADS;
    this.#expireMs = options.expireMs ?? DEFAULT_EXPIRE_MS;
    this.#checkpointBytes = options.checkpointBytes ?? CHECKPOINT_BYTES;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Makes the folder, takes up what an earlier process left to be gone on with, and deletes the rest.
   *
   * @throws HoldfastError `FOLDER_IN_USE` where another process has it: what both write to would have the hashes of neither
   */
  static async open(dir: string, options: UploadsOptions = {}): Promise<Uploads> {
    await mkdir(dir, { recursive: true });
    const release = await lockFolder(dir, (cause) => inUse(dir, cause));
    try {
      const uploads = new Uploads(dir, release, options);
      await uploads.#takeUp();
      return uploads;
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #takeUp(): Promise<void> {
    const files = await readdir(this.#dir);
    const ids = files.filter((file) => file.endsWith(STATE)).map((file) => file.slice(0, -STATE.length));
    for (const id of ids.filter((name) => UUID.test(name))) await this.#recover(id);
    const known = new Set([...this.#uploads.values()].flatMap(({ paths }) => Object.values(paths)));
    const rest = files.map((file) => join(this.#dir, file)).filter((path) => !known.has(path));
    await Promise.all(rest.map((path) => rm(path, { recursive: true, force: true })));
  }

  /** All that are under way, those as well that are on their way into the store. */
  list(): UploadInfo[] {
    const coming = [...this.#uploads].map(([id, { piece, announced }]) => {
      return { id, owner: piece.owner, bytes: Math.max(piece.size, announced) };
    });
    // Its bytes are those of a piece already, and counted as such.
    const leaving = [...this.#leaving].map(([id, { piece }]) => ({ id, owner: piece.owner, bytes: 0 }));
    return [...coming, ...leaving];
  }

  /** Whether one more may begin. What has no owner is fetched by the node itself, and strangers leave it its places. */
  #hasRoom(owner: string | undefined): boolean {
    const all = this.list();
    if (all.length >= this.#maxUploads) return false;
    const strangers = all.filter((one) => one.owner !== undefined).length;
    return owner === undefined || strangers < this.#maxUploads - Math.floor(this.#maxUploads / 4);
  }

  /** @throws HoldfastError `TOO_MANY_UPLOADS` */
  async begin(owner?: string): Promise<string> {
    // What has expired is not in the map any more, though its files may be: whoever counts and begins at once, counts right.
    const expired = Promise.all([this.expire(), this.#hasRoom(owner) ? undefined : this.#makeRoom(owner)]);
    if (!this.#hasRoom(owner)) {
      await expired;
      throw new HoldfastError("TOO_MANY_UPLOADS", `${this.list().length} uploads are under way`, "try again later");
    }
    const id = randomUUID();
    const paths = this.#paths(id);
    this.#uploads.set(id, this.#begun(paths, owner));
    await expired;
    return id;
  }

  /** @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_WRITTEN`, `PIECE_TOO_LARGE`, `EMPTY_PIECE`, `DISK_FULL` */
  async write(id: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Commitment> {
    const commitment = await this.#track(this.#receive(id, body, { maxBytes, last: true }, false));
    return commitment as Commitment;
  }

  /** As {@link PieceStore.appendUpload} has it. */
  async append(id: string, body: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<Commitment | undefined> {
    const upload = this.#get(id);
    const { offset } = options;
    if (offset !== undefined && !upload.writing && offset !== upload.piece.size) {
      const message = `upload ${id} has ${upload.piece.size} bytes, not ${offset}`;
      throw new HoldfastError("WRONG_OFFSET", message, "ask with HEAD where to go on");
    }
    return this.#track(this.#receive(id, body, options, true));
  }

  /** How far an upload is. @throws HoldfastError `UNKNOWN_UPLOAD` */
  progressOf(id: string): { size: number; complete: boolean } {
    const { piece, commitment } = this.#get(id);
    return { size: piece.size, complete: commitment !== undefined };
  }

  /** What arrived. @throws HoldfastError `UNKNOWN_UPLOAD`, `UPLOAD_INCOMPLETE` */
  arrivalOf(id: string): Arrival {
    const { commitment, paths } = this.#get(id);
    if (commitment) return { commitment, paths };
    throw new HoldfastError("UPLOAD_INCOMPLETE", `upload ${id} has not got all its bytes`, "send them with PUT first");
  }

  /** Gives an upload away: from now on its id is unknown here, and its files are the caller's. */
  take(id: string): Handover {
    const upload = this.#get(id);
    this.#uploads.delete(id);
    this.#leaving.set(id, upload);
    return {
      putBack: () => {
        this.#leaving.delete(id);
        const since = this.#now();
        this.#uploads.set(id, Object.assign(upload, { since, moved: { ...upload.moved, at: since } }));
      },
      remove: async () => {
        await removeUpload(upload.paths).finally(() => this.#leaving.delete(id));
      },
    };
  }

  /** Forgets an upload and deletes what it has. Ids that did not come from here are in no path. */
  async discard(id: string): Promise<void> {
    const upload = this.#uploads.get(id);
    if (!upload) return;
    this.#uploads.delete(id);
    await removeUpload(upload.paths);
  }

  /** Those being written end by themselves: whoever feeds them gives up on slow peers. */
  async expire(): Promise<void> {
    const oldest = this.#now() - this.#expireMs;
    const old = [...this.#uploads].filter(([, { writing, since }]) => !writing && since <= oldest);
    await Promise.all(old.map(([id]) => this.discard(id)));
  }

  /** Resolves when what is being taken has ended, well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#taking);
  }

  async #track<T>(taking: Promise<T>): Promise<T> {
    this.#taking.add(taking);
    try {
      return await taking;
    } finally {
      this.#taking.delete(taking);
    }
  }

  /**
   * Gives up one that stands still: of those whose owner has the most, so that nobody has all places by holding many, and
   * never for an owner that has as many itself. One that is whole only lacks its name, and goes last.
   */
  async #makeRoom(owner: string | undefined): Promise<void> {
    const held = Map.groupBy(this.list(), (one) => one.owner);
    const countOf = (name: string | undefined) => (name === undefined ? 0 : (held.get(name)?.length ?? 0));
    const oldest = this.#now() - IDLE_MS;
    const [idle] = [...this.#uploads]
      .map(([id, upload]) => ({
        id,
        ...upload,
        count: countOf(upload.piece.owner),
        whole: Number(!!upload.commitment),
      }))
      .filter(({ writing, moved, count }) => !writing && moved.at <= oldest && count > countOf(owner))
      .sort((a, b) => b.count - a.count || a.whole - b.whole || a.moved.at - b.moved.at);
    if (idle) await this.discard(idle.id);
  }

  async #receive(
    id: string,
    body: AsyncIterable<Uint8Array>,
    { offset, maxBytes, announced = 0, last }: AppendOptions,
    lasting: boolean,
  ): Promise<Commitment | undefined> {
    const known = this.#get(id);
    if (known.writing || known.commitment) {
      throw new HoldfastError("UPLOAD_WRITTEN", `upload ${id} has its bytes already`, "begin another upload");
    }
    // Without an offset it is begun anew, whatever came before.
    const again = offset === undefined && known.piece.size > 0;
    const upload = again ? this.#begun(known.paths, known.piece.owner) : known;
    if (again) upload.moved = { at: known.moved.at, size: 0 };
    this.#uploads.set(id, Object.assign(upload, { writing: true, announced: upload.piece.size + announced }));
    try {
      if (again) await this.#startOver(upload);
      await upload.piece.append(body, maxBytes, lasting);
      await this.#arrived(upload, last, lasting);
    } catch (error) {
      await this.#failed(id, upload, lasting, error);
      throw diskFull(error);
    } finally {
      Object.assign(upload, { writing: false, announced: 0, since: this.#now(), moved: this.#moved(upload) });
    }
    if (this.#uploads.get(id) === upload) return upload.commitment;
    // It was discarded on the way, and what came since is nobody's.
    await removeUpload(upload.paths);
    throw unknown(id);
  }

  /** What was hashed before must not be found beside other bytes, whenever the process or the machine goes down. */
  async #startOver({ paths }: Upload): Promise<void> {
    await removeUpload(paths);
    await syncFolder(this.#dir);
  }

  /** When and where it moved on last, now that a part of it has ended. */
  #moved({ piece: { size }, commitment, moved }: Upload): Upload["moved"] {
    return commitment || size - moved.size >= STEP_BYTES ? { at: this.#now(), size } : moved;
  }

  async #arrived(upload: Upload, last: boolean, lasting: boolean): Promise<void> {
    if (lasting) await upload.piece.save(last);
    if (last) upload.commitment = await upload.piece.finish();
  }

  /** A peer that was lost can go on; whatever else fails leaves nothing. */
  async #failed(id: string, upload: Upload, lasting: boolean, error: unknown): Promise<void> {
    const broken = error instanceof HoldfastError && error.code === "UPLOAD_BROKEN";
    if (!broken || !lasting || this.#uploads.get(id) !== upload) {
      await this.discard(id);
      await removeUpload(upload.paths);
      return;
    }
    if (upload.piece.size === 0) await removeUpload(upload.paths);
    else await upload.piece.save(false).catch(() => this.discard(id));
  }

  async #recover(id: string): Promise<void> {
    const paths = this.#paths(id);
    try {
      const { piece, complete } = await PartialPiece.recover(paths, this.#checkpointBytes);
      const upload = this.#fresh(piece, paths);
      if (complete) upload.commitment = await piece.finish();
      this.#uploads.set(id, upload);
    } catch {
      // Nothing can be made of it, and the sender has the bytes.
      await removeUpload(paths);
    }
  }

  #begun(paths: UploadPaths, owner: string | undefined): Upload {
    return this.#fresh(new PartialPiece(paths, owner, this.#checkpointBytes), paths);
  }

  #fresh(piece: PartialPiece, paths: UploadPaths): Upload {
    const since = this.#now();
    const moved = { at: since, size: piece.size };
    return { piece, paths, writing: false, announced: 0, since, moved, commitment: undefined };
  }

  #get(id: string): Upload {
    const upload = this.#uploads.get(id);
    if (!upload) throw unknown(id);
    return upload;
  }

  #paths(id: string): UploadPaths {
    const at = (suffix: string) => join(this.#dir, id + suffix);
    return { payload: at(".piece"), layer: at(".layer"), state: at(STATE) };
  }
}

function unknown(id: string): HoldfastError {
  return new HoldfastError("UNKNOWN_UPLOAD", `there is no upload ${id}`, "begin another upload");
}

function inUse(dir: string, cause: unknown): HoldfastError {
  const hint = "stop the other process; nodes that share a database and a bucket have folders of their own";
  return new HoldfastError("FOLDER_IN_USE", `another process takes uploads into ${dir}`, hint, { cause });
}
