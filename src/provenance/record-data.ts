import { getAddress } from "ethers";
import type { RecordStruct } from "../protocol/index.js";

const WORD = 32;

/** Part of ABI-encoded data, from a place on; the places in it are counted in words. */
class Words {
  readonly #hex: string;
  readonly #from: number;

  /** @param from - bytes */
  constructor(hex: string, from: number) {
    this.#hex = hex;
    this.#from = from;
  }

  /** @throws RangeError where the data ends before */
  hex(place: number, bytes = WORD): string {
    const start = 2 + 2 * (this.#from + WORD * place);
    const end = start + 2 * bytes;
    if (!(end <= this.#hex.length)) throw new RangeError("the data of an event ends early");
    return `0x${this.#hex.slice(start, end)}`;
  }

  number(place: number): number {
    return Number(this.hex(place));
  }

  /** What a place points at. */
  at(place: number): Words {
    return new Words(this.#hex, this.#from + this.number(place));
  }

  /** What has its length in the first word. */
  bytes(): string {
    return this.hex(1, this.number(0));
  }
}

/**
 * The record in the data of a `Registered` event, by the ABI
 * (https://docs.soliditylang.org/en/v0.8.30/abi-spec.html#formal-specification-of-the-encoding). ethers would give the
 * same and takes thirty times as long, which is felt from some thousand records on.
 *
 * @returns the record with its licence as bytes in hex, since it need not be UTF-8
 * @throws RangeError where the data is cut short
 */
export function recordFromData(data: string): RecordStruct {
  const record = new Words(data.toLowerCase(), 0).at(0);
  const parents = record.at(5);
  return {
    registrant: getAddress(`0x${record.hex(0).slice(26)}`),
    contentHash: record.hex(1),
    size: BigInt(record.hex(2)),
    pieceId: record.hex(3),
    cid: record.at(4).bytes(),
    parents: Array.from({ length: parents.number(0) }, (_, i) => ({
      parent: parents.hex(1 + 2 * i),
      kind: parents.number(2 + 2 * i),
    })),
    kind: record.number(6),
    license: record.at(7).bytes(),
    aiTraining: record.number(8),
    manifestHash: record.hex(9),
  };
}
