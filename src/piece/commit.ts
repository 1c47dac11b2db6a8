import { HoldfastError } from "../errors.js";
import { sameBytes } from "./bytes.js";
import { type Commitment, commitmentOf, MAX_PAYLOAD_SIZE, MIN_HEIGHT, NODE_SIZE } from "./geometry.js";
import { TreeLayer } from "./layer.js";
import { readStream } from "./stream.js";
import { hashNodes, Subtree, zeroNode, zeroSubtree } from "./tree.js";

/** What {@link commit} reads: bytes at once, in chunks of any size, or as a web stream. */
export type PieceSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** Level of the nodes that a {@link TreeLayer} keeps by default: 4096 leaves, 128 KiB padded, 127 KiB of payload. */
export const DEFAULT_LAYER_LEVEL = 12;

const MAX_LAYER_LEVEL = 20;

/** Head of a saved state: the magic, the layer's level (0 without one), seven zeros, the size as a little-endian uint64. */
const STATE_MAGIC = new TextEncoder().encode("HFSTATE1");
const STATE_HEADER = 24;

/**
 * Height of the subtree that is hashed at once: 128 KiB of leaves, which stay in a core's second-level cache. Levels
 * 10 to 13 measured alike, 14 a tenth slower.
 */
const CHUNK_LEVEL = 12;

export interface CommitOptions {
  /**
   * Gives the commitment of an empty payload (127 zero bytes of padding, leafCount 0n) where the default is to throw
   * `EMPTY_PIECE`. No deal accepts it.
   */
  readonly allowEmpty?: boolean;
}

export interface LayerOptions {
  /** Level of the cached nodes, 2 to 20: a proof re-reads 127·2^(level−2) bytes for each subtree it touches. */
  readonly level?: number;
}

/**
 * Computes a commitment from chunks as they come, in memory that does not grow with the payload, apart from the
 * layer that it is asked to keep: 32 bytes for each 127·2^(level−2).
 *
 * @example
 * const hasher = new PieceHasher();
 * for await (const chunk of upload) hasher.update(chunk);
 * const { root, leafCount } = hasher.finish();
 */
export class PieceHasher {
  readonly #chunk = new Subtree(CHUNK_LEVEL);
  readonly #layer: NodeList | undefined;
  readonly #layerLevel: number;
  /** Full left subtrees that wait for their right sibling: at most one a level, as the digits of a binary counter. */
  readonly #pending: (Uint8Array | undefined)[] = [];
  #filled = 0;
  #size = 0;

  /** @throws HoldfastError `INVALID_LAYER_LEVEL` */
  constructor(layer?: LayerOptions) {
    this.#layerLevel = layer?.level ?? DEFAULT_LAYER_LEVEL;
    if (!Number.isInteger(this.#layerLevel) || this.#layerLevel < MIN_HEIGHT || this.#layerLevel > MAX_LAYER_LEVEL) {
      throw new HoldfastError(
        "INVALID_LAYER_LEVEL",
        `a layer of level ${this.#layerLevel} cannot be kept`,
        `choose a whole number from ${MIN_HEIGHT} to ${MAX_LAYER_LEVEL}`,
      );
    }
    this.#layer = layer && new NodeList();
  }

  /** Takes the next bytes of the payload; they are copied. */
  update(bytes: Uint8Array): void {
    const { payload } = this.#chunk;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + payload.length - this.#filled);
      payload.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === payload.length) this.#flush();
    }
    this.#size += bytes.length;
  }

  /**
   * The commitment of all bytes so far. Call it once, last.
   *
   * @throws HoldfastError `EMPTY_PIECE`, `PIECE_TOO_LARGE`
   */
  finish({ allowEmpty = false }: CommitOptions = {}): Commitment {
    if (this.#size === 0) {
      if (!allowEmpty) throw new HoldfastError("EMPTY_PIECE", "the payload has no bytes", "store at least one byte");
      return commitmentOf(zeroSubtree(MIN_HEIGHT), 0n);
    }
    if (this.#filled > 0) this.#flush();
    const { height } = commitmentOf(zeroNode(0), BigInt(this.#size));
    const root = height < CHUNK_LEVEL ? this.#chunk.node(height, 0) : this.#close(height);
    return commitmentOf(root, BigInt(this.#size));
  }

  /**
   * The commitment together with the layer that this hasher was made to keep.
   *
   * @throws HoldfastError `EMPTY_PIECE`, `PIECE_TOO_LARGE`, `NO_LAYER`
   */
  finishWithLayer(): { commitment: Commitment; layer: TreeLayer } {
    const commitment = this.finish();
    if (!this.#layer) {
      throw new HoldfastError("NO_LAYER", "this hasher keeps no layer", "pass layer options to its constructor");
    }
    // A tree lower than the layer has one node to keep, its root.
    const level = Math.min(this.#layerLevel, commitment.height);
    const nodes = level < this.#layerLevel ? commitment.root : this.#layer.take();
    return { commitment, layer: new TreeLayer(commitment, level, nodes) };
  }

  /**
   * All that {@link PieceHasher.restore} needs to go on after the bytes so far: a kilobyte, the layer, and up to 127 KiB of
   * payload that no full subtree holds yet. Of no use after `finish`.
   *
   * @example
   * await writeFile("upload.state", hasher.save());
   */
  save(): Uint8Array {
    const header = new Uint8Array(STATE_HEADER);
    header.set(STATE_MAGIC);
    header[STATE_MAGIC.length] = this.#layer ? this.#layerLevel : 0;
    new DataView(header.buffer).setBigUint64(16, BigInt(this.#size), true);
    const nodes = this.#pending.filter((node) => node !== undefined);
    const rest = this.#chunk.payload.subarray(0, this.#filled);
    return joined([header, ...nodes, this.#layer?.take() ?? new Uint8Array(0), rest]);
  }

  /**
   * A hasher that has taken what the saved one had.
   *
   * @throws HoldfastError `CORRUPT_STATE` for bytes that `save` did not write
   * @example
   * const hasher = PieceHasher.restore(await readFile("upload.state"));
   */
  static restore(state: Uint8Array): PieceHasher {
    const level = state[STATE_MAGIC.length] ?? 0;
    const known = state.length >= STATE_HEADER && sameBytes(state.subarray(0, STATE_MAGIC.length), STATE_MAGIC);
    if (!known || level === 1 || level > MAX_LAYER_LEVEL) throw corruptState("it has no header");
    const size = new DataView(state.buffer, state.byteOffset, state.length).getBigUint64(16, true);
    if (size > MAX_PAYLOAD_SIZE) throw corruptState(`no piece has ${size} bytes`);
    const hasher = new PieceHasher(level === 0 ? undefined : { level });
    hasher.#take(state.subarray(STATE_HEADER), Number(size));
    return hasher;
  }

  /** The size says which nodes wait, as the digits of a binary counter, and how many the layer has. */
  #take(body: Uint8Array, size: number): void {
    const { payload } = this.#chunk;
    const chunks = Math.floor(size / payload.length);
    const kept = this.#layer ? Math.floor(chunks * 2 ** (CHUNK_LEVEL - this.#layerLevel)) : 0;
    const levels = [...chunks.toString(2)].reverse().flatMap((digit, i) => (digit === "1" ? [CHUNK_LEVEL + i] : []));
    const layerAt = levels.length * NODE_SIZE;
    const restAt = layerAt + kept * NODE_SIZE;
    this.#filled = size % payload.length;
    if (body.length !== restAt + this.#filled) throw corruptState(`${body.length} bytes are not those of ${size}`);
    for (const [i, level] of levels.entries()) this.#pending[level] = body.slice(i * NODE_SIZE, (i + 1) * NODE_SIZE);
    this.#layer?.push(body.subarray(layerAt, restAt));
    payload.set(body.subarray(restAt));
    this.#size = size;
  }

  #flush(): void {
    this.#chunk.build(this.#filled);
    this.#filled = 0;
    if (this.#layerLevel < CHUNK_LEVEL) this.#layer?.push(this.#chunk.touched(this.#layerLevel));
    let node = this.#chunk.root();
    let level = CHUNK_LEVEL;
    this.#keep(node, level);
    for (let left = this.#pending[level]; left; left = this.#pending[level]) {
      this.#pending[level] = undefined;
      node = hashNodes(left, node);
      this.#keep(node, ++level);
    }
    this.#pending[level] = node;
  }

  /** Pads the open right edge with zero subtrees up to `height`. */
  #close(height: number): Uint8Array {
    let edge: Uint8Array | undefined;
    for (let level = CHUNK_LEVEL; level < height; level++) {
      const left = this.#pending[level];
      if (!left && !edge) continue;
      edge = left ? hashNodes(left, edge ?? zeroNode(level)) : hashNodes(edge as Uint8Array, zeroNode(level));
      this.#keep(edge, level + 1);
    }
    return edge ?? (this.#pending[height] as Uint8Array);
  }

  #keep(node: Uint8Array, level: number): void {
    if (level === this.#layerLevel) this.#layer?.push(node);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function corruptState(reason: string): HoldfastError {
  return new HoldfastError(
    "CORRUPT_STATE",
    `the saved state is damaged: ${reason}`,
    "hash the bytes from the beginning",
  );
}

/** A list of nodes in one growing buffer. */
class NodeList {
  #bytes = new Uint8Array(64 * NODE_SIZE);
  #length = 0;

  push(nodes: Uint8Array): void {
    if (this.#length + nodes.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.#length + nodes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(nodes, this.#length);
    this.#length += nodes.length;
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/**
 * The piece commitment (CommP) of a payload, read once and in bounded memory.
 *
 * @param source - bytes, or an iterable, async iterable or web stream of chunks of any size
 * @throws HoldfastError `EMPTY_PIECE` for a payload of no bytes (unless `allowEmpty`), `PIECE_TOO_LARGE` over
 *   127·2^38 bytes; whatever the source throws
 * @example
 * const { root, leafCount, height } = await commit(createReadStream("video.mp4"));
 */
export async function commit(source: PieceSource, options: CommitOptions = {}): Promise<Commitment> {
  const hasher = new PieceHasher();
  for await (const chunk of chunksOf(source)) hasher.update(chunk);
  return hasher.finish(options);
}

/**
 * The commitment and, from the same pass, the tree layer that lets {@link prove} re-read kilobytes of the payload.
 *
 * @throws HoldfastError as {@link commit}, and `INVALID_LAYER_LEVEL`
 * @example
 * const { commitment, layer } = await commitWithLayer(stream);
 * await writeFile(`${name}.layer`, layer.encode());
 */
export async function commitWithLayer(
  source: PieceSource,
  options: LayerOptions = {},
): Promise<{ commitment: Commitment; layer: TreeLayer }> {
  const hasher = new PieceHasher(options);
  for await (const chunk of chunksOf(source)) hasher.update(chunk);
  return hasher.finishWithLayer();
}

/** The chunks of a source, one after the other. */
export function chunksOf(source: PieceSource): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (source instanceof Uint8Array) return [source];
  return "getReader" in source ? readStream(source) : source;
}
