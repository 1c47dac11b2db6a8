import { setTimeout as sleep } from "node:timers/promises";
import { HoldfastError } from "../../errors.js";

/** The right to be the only one who does something, as long as it is renewed. */
export interface Lease {
  readonly name: string;
  /** A UUID, another for each lease. */
  readonly holder: string;
  /** Aborted when the lease can't be relied on any more. */
  readonly signal: AbortSignal;
  /** Call it just before what nobody else may do at the same time. @throws HoldfastError `LEASE_LOST` */
  check(): void;
  /** May be called again. */
  release(): Promise<void>;
}

export interface Leases {
  /** The lease of a name; undefined where somebody else has it. */
  lease(name: string): Promise<Lease | undefined>;
}

const WAIT_MS = 200;

/**
 * Waits for a lease, does something, and gives it back.
 *
 * @throws what `act` throws, and the reason of `signal`
 */
export async function withLease<T>(
  leases: Leases,
  name: string,
  act: (lease: Lease) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    const lease = await leases.lease(name);
    if (lease) {
      try {
        return await act(lease);
      } finally {
        await lease.release();
      }
    }
    await sleep(WAIT_MS * (0.5 + Math.random()), undefined, signal ? { signal } : {});
  }
}

/** A lease that was not renewed in time: somebody else may have it. */
export function leaseLost(name: string): HoldfastError {
  const message = `this process is not the only one any more that works on ${name}`;
  return new HoldfastError("LEASE_LOST", message, "try again; check that the database answers");
}
