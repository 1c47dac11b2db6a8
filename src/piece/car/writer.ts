import { createWriter, headerLength } from "@ipld/car/buffer-writer";
import { varint } from "multiformats";
import { CID } from "multiformats/cid";
import type { CarSpool } from "./spool.js";

/** The CID of no bytes: stands in the header until the root is known. */
const PLACEHOLDER = CID.parse("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");

/**
 * Writes a CARv1 of one root into a spool, each block once.
 *
 * It takes what the UnixFS importer hands to a block store.
 */
export class CarWriter {
  readonly #spool: CarSpool;
  /** CIDs of the blocks that are there: about 150 bytes of memory each. */
  readonly #known: Set<string>;
  #blocks = 0;
  #size = 0;

  private constructor(spool: CarSpool, known: Set<string>) {
    this.#spool = spool;
    this.#known = known;
  }

  static async create(spool: CarSpool): Promise<CarWriter> {
    const writer = new CarWriter(spool, new Set());
    await writer.#append(carHeader(PLACEHOLDER));
    return writer;
  }

  /**
   * Goes on after the blocks of an older CAR.
   *
   * @param known - their CIDs
   * @param body - all of the CAR but its header
   */
  static async resume(spool: CarSpool, known: Iterable<string>, body: AsyncIterable<Uint8Array>): Promise<CarWriter> {
    const writer = new CarWriter(spool, new Set(known));
    await writer.#append(carHeader(PLACEHOLDER));
    for await (const bytes of body) await writer.#append(bytes);
    return writer;
  }

  /** Blocks that were written, without those of an older CAR. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Bytes of the CAR so far. */
  get size(): number {
    return this.#size;
  }

  async put(cid: CID, bytes: Uint8Array): Promise<CID> {
    const key = cid.toString();
    if (this.#known.has(key)) return cid;
    this.#known.add(key);
    await this.#append(carSection(cid, bytes));
    this.#blocks++;
    return cid;
  }

  /** The whole CAR, with its root in the header. */
  finish(root: CID): Promise<Blob> {
    return this.#spool.finish(carHeader(root));
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#spool.append(bytes);
    this.#size += bytes.length;
  }
}

/** The header of a CARv1 with one root. Every CIDv1 with a sha2-256 digest gives one of the same length. */
export function carHeader(root: CID): Uint8Array {
  const headerSize = headerLength({ roots: [root] });
  return createWriter(new ArrayBuffer(headerSize), { roots: [root], headerSize }).close();
}

/** A block as it lies in a CAR: the length of what follows, the CID, the bytes. */
export function carSection(cid: CID, bytes: Uint8Array): Uint8Array {
  const length = cid.bytes.length + bytes.length;
  const cidAt = varint.encodingLength(length);
  const section = new Uint8Array(cidAt + length);
  varint.encodeTo(length, section);
  section.set(cid.bytes, cidAt);
  section.set(bytes, cidAt + cid.bytes.length);
  return section;
}
