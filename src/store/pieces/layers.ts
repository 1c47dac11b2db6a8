import { readFile } from "node:fs/promises";
import { HoldfastError } from "../../errors.js";
import {
  type Commitment,
  commitWithLayer,
  DEFAULT_LAYER_LEVEL,
  decodePieceCid,
  NODE_SIZE,
  readStream,
  TreeLayer,
} from "../../piece/index.js";
import type { BlobStore } from "../blobs/index.js";
import { layerBlob, nameOf, payloadBlob } from "./names.js";
import type { IndexedPiece, PieceIndex } from "./types.js";

/** Layers of up to so many bytes are in the index, those of payloads up to 254 MiB: a proof asks for its layer each time. */
const MAX_INDEXED_BYTES = 64 << 10;
const HEADER_BYTES = 32;

/** Where the cached tree layers of pieces are: in the index, or blobs. */
export class Layers {
  readonly #blobs: BlobStore;
  readonly #index: PieceIndex;
  /** Each is built once, however many ask for it. */
  readonly #building = new Map<string, Promise<TreeLayer>>();

  constructor(blobs: BlobStore, index: PieceIndex) {
    this.#blobs = blobs;
    this.#index = index;
  }

  /** Keeps the layer that a local file holds, of a piece that comes. @returns what is to be noted of the piece */
  async take(pieceCid: string, path: string, signal: AbortSignal): Promise<IndexedPiece> {
    const layer = await readFile(path);
    if (layer.length <= MAX_INDEXED_BYTES) return { pieceCid, layer };
    // The file stays until the piece is in: it may have to be tried again.
    await this.#blobs.put(layerBlob(pieceCid), layer, signal);
    return { pieceCid, layer: undefined };
  }

  /** The layer that is kept; undefined where it is lost or damaged. */
  async kept({ pieceCid, layer }: IndexedPiece, commitment: Commitment): Promise<TreeLayer | undefined> {
    const bytes = layer ?? (await this.#blobs.read(layerBlob(pieceCid), 0, layerBytes(commitment)));
    try {
      return bytes && TreeLayer.decode(bytes, commitment);
    } catch {
      return undefined;
    }
  }

  /** Builds a layer again from the payload, and keeps it. @throws HoldfastError `PIECE_DAMAGED`, `UNKNOWN_PIECE` */
  rebuild(pieceCid: string): Promise<TreeLayer> {
    const known = this.#building.get(pieceCid);
    if (known) return known;
    const building = this.#build(pieceCid).finally(() => this.#building.delete(pieceCid));
    this.#building.set(pieceCid, building);
    return building;
  }

  async #build(pieceCid: string): Promise<TreeLayer> {
    const { payloadSize } = decodePieceCid(pieceCid);
    const opened = await this.#blobs.open(payloadBlob(pieceCid), 0, Number(payloadSize));
    if (!opened) throw new HoldfastError("UNKNOWN_PIECE", `piece ${pieceCid} is not here any more`, "upload it again");
    const { commitment, layer } = await commitWithLayer(readStream(opened.bytes));
    if (nameOf(commitment) !== pieceCid) {
      const message = `piece ${pieceCid} is damaged: its bytes are ${nameOf(commitment)} now`;
      throw new HoldfastError("PIECE_DAMAGED", message, "restore it, or check the disk");
    }
    const bytes = layer.encode();
    if (bytes.length <= MAX_INDEXED_BYTES) await this.#index.keepLayer({ pieceCid, layer: bytes });
    else await this.#blobs.put(layerBlob(pieceCid), bytes);
    return layer;
  }
}

/** Of an encoded layer, at the level that is cached here. */
function layerBytes({ leafCount, height }: Commitment): number {
  return HEADER_BYTES + NODE_SIZE * Math.ceil(Number(leafCount) / 2 ** Math.min(DEFAULT_LAYER_LEVEL, height));
}
