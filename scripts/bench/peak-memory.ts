/** The most memory that a process held. */
import { readFileSync } from "node:fs";

const KIB_PER_MIB = 1024;

/**
 * The most memory that this process has held so far, in MiB. Linux counts what the parent held at the fork into a child's
 * `maxRSS`, which is many times its own where the parent is large; the kernel's high-water mark of the address space is the
 * process's alone.
 */
export function peakMiB(): number {
  return peakKiB() / KIB_PER_MIB;
}

function peakKiB(): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    if (kib !== undefined) return Number(kib);
  } catch {
    // Only Linux has it.
  }
  return process.resourceUsage().maxRSS;
}
