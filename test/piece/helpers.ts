import { expect } from "chai";
import { HoldfastError } from "../../src/errors.js";

/** Bytes that differ from place to place and are the same in every run (xorshift32). */
export function pseudoRandom(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = (seed * 0x9e3779b9) | 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state >>> 11;
  }
  return bytes;
}

/** Cuts bytes at the given places. */
export function cut(bytes: Uint8Array<ArrayBuffer>, places: readonly number[]): Uint8Array<ArrayBuffer>[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

/** Expects `act` to throw, or to reject with, a HoldfastError of this code that says something. */
export async function expectError(code: string, act: () => unknown): Promise<HoldfastError> {
  let thrown: unknown;
  try {
    await act();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `nothing was thrown, ${code} was due`).to.be.instanceOf(HoldfastError);
  const error = thrown as HoldfastError;
  expect(error.code).to.equal(code);
  expect(error.message).to.not.equal("");
  expect(error.hint).to.not.equal("");
  return error;
}
