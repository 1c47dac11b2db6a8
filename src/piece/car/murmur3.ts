const MASK = (1n << 64n) - 1n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

/**
 * The first 64 bits of MurmurHash3 x64 128 with seed 0, after Austin Appleby's reference code: what UnixFS spreads the names
 * of a large folder by (multicodec 0x22). No cryptographic hash: names that collide are easily made.
 *
 * @example
 * murmur3(new TextEncoder().encode("hello")); // 0xcbd8a7b341bd9b02n
 */
export function murmur3(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const whole = bytes.length - (bytes.length % 16);
  let [h1, h2] = [0n, 0n];
  for (let at = 0; at < whole; at += 16) {
    h1 = times(rotate(h1 ^ mix1(view.getBigUint64(at, true)), 27n) + h2, 5n, 0x52dce729n);
    h2 = times(rotate(h2 ^ mix2(view.getBigUint64(at + 8, true)), 31n) + h1, 5n, 0x38495ab5n);
  }
  const tail = new DataView(new ArrayBuffer(16));
  for (let at = whole; at < bytes.length; at++) tail.setUint8(at - whole, bytes[at] as number);
  const length = BigInt(bytes.length);
  h2 ^= mix2(tail.getBigUint64(8, true)) ^ length;
  h1 ^= mix1(tail.getBigUint64(0, true)) ^ length;
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  return (finish(h1) + finish(h2)) & MASK;
}

function mix1(k: bigint): bigint {
  return times(rotate(times(k, C1), 31n), C2);
}

function mix2(k: bigint): bigint {
  return times(rotate(times(k, C2), 33n), C1);
}

function times(value: bigint, factor: bigint, summand = 0n): bigint {
  return (value * factor + summand) & MASK;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

function finish(value: bigint): bigint {
  const once = times(value ^ (value >> 33n), 0xff51afd7ed558ccdn);
  const twice = times(once ^ (once >> 33n), 0xc4ceb9fe1a85ec53n);
  return twice ^ (twice >> 33n);
}
