/**
 * Whole numbers in as few bytes as they need: unsigned LEB128, as https://github.com/multiformats/unsigned-varint has it.
 *
 * @packageDocumentation
 */

const MORE = 0x80n;
/** A uint64 takes so many. */
const MAX_BYTES = 10;

/** Seven bits a byte, the lowest first; the highest bit says that more come. @param value - not negative */
export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= MORE; rest >>= 7n) bytes.push(Number((rest & 0x7fn) | MORE));
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** Reads bytes from the front; each method throws a RangeError where they are not what was asked for. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("it ends early");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** In its one form: a last byte of zero would be another for the same number. */
  varint(max: bigint): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_BYTES; i++) {
      const byte = BigInt(this.take(1)[0] as number);
      value |= (byte & 0x7fn) << BigInt(7 * i);
      if (byte >= MORE) continue;
      if (byte === 0n && i > 0) break;
      if (value <= max) return value;
      break;
    }
    throw new RangeError(`no whole number up to ${max}`);
  }

  number(max: number): number {
    return Number(this.varint(BigInt(max)));
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.number(values.length - 1)] as T;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError("more follows");
  }
}
