import type { Request } from "./load.js";

const MIB = 1 << 20;
const KIB = 1 << 10;
/** A prime. */
const STEP = 7_919;

/** A way to fetch. */
export interface Case {
  readonly name: string;
  readonly connections: number;
  /** Bytes of each request; undefined for whole files. */
  readonly rangeBytes?: number;
  /** Requests in a round, in files' worth of bytes: rounds take about as long for each case. */
  readonly files: number;
}

export const CASES: readonly Case[] = [
  { name: "whole", connections: 1, files: 16 },
  { name: "whole", connections: 8, files: 16 },
  { name: "1 MiB ranges", connections: 1, rangeBytes: MIB, files: 8 },
  { name: "1 MiB ranges", connections: 8, rangeBytes: MIB, files: 8 },
  { name: "64 KiB ranges", connections: 1, rangeBytes: 64 * KIB, files: 2 },
  { name: "64 KiB ranges", connections: 8, rangeBytes: 64 * KIB, files: 2 },
];

/** The requests of a round: each file in turn, ranges all over it, the same for every server but for the path's `prefix`. */
export function requestsOf(
  { rangeBytes, files }: Case,
  { names, size, prefix }: { names: readonly string[]; size: number; prefix: string },
): Request[] {
  const length = Math.min(rangeBytes ?? size, size);
  const places = Math.floor(size / length);
  return Array.from({ length: Math.ceil((files * size) / length) }, (_, i) => {
    const path = prefix + names[i % names.length];
    // By steps that have no divisor in common with the number of places.
    const start = ((i * STEP) % places) * length;
    return rangeBytes === undefined ? { path, length } : { path, length, range: [start, start + length] as const };
  });
}
