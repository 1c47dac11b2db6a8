/**
 * Which duties there are, and which of several keepers does each.
 *
 * @packageDocumentation
 */

/** One duty: a window of a deal. */
export interface DutyRef {
  /** The deal. */
  readonly id: bigint;
  readonly window: number;
}

/** A duty as it is known ahead. */
export interface PlannedDuty extends DutyRef {
  /** The block that its challenge depends on, and the last one that a proof may be in. */
  readonly epoch: number;
  readonly lastBlock: number;
}

/** A duty that this worker has now, and nobody else. */
export interface Claim {
  readonly id: bigint;
  /** Whether a worker had it that has died since. */
  readonly takenOver: boolean;
}

/** What to claim. */
export interface Wanted {
  readonly epoch: number;
  /** Hash of that block, as this worker knows it. */
  readonly key: string;
  readonly head: number;
  /** At most so many at a time: what is left is for others. */
  readonly limit: number;
}

/** A duty that another worker has done, and the block of its proof, where it is known. */
export interface FinishedDuty {
  readonly id: bigint;
  readonly block: number | undefined;
}

/** Milliseconds for which a worker that says nothing counts as living. */
export const DEFAULT_LEASE_MS = 30_000;

/**
 * The duties of one provider on one market, shared by its workers. A deal has one window for an epoch at most, so epoch and deal
 * name a duty. What is due follows from the chain alone; this says only who does it, so whatever is lost here costs work
 * that is done twice, and no window.
 */
export interface Duties {
  /** Whether it outlives the process: then what was missed while nobody ran is told of at the next start. */
  readonly lasting: boolean;
  /** Milliseconds without a {@link beat} after which a worker's claims are others' to take. */
  readonly leaseMs: number;
  /** Says that this worker lives; call it several times within `leaseMs`. Gives the number of workers that live. */
  beat(): Promise<number>;
  /** Notes duties ahead of their time. Those that are known already stay as they are. */
  plan(duties: readonly PlannedDuty[]): Promise<void>;
  /**
   * Names the block that an epoch's challenges are drawn from. Where it was another one before, what is claimed, or was done,
   * has to be done anew.
   */
  draw(epoch: number, key: string): Promise<void>;
  /** Takes duties that nobody living has; none where all are taken or done. */
  claim(wanted: Wanted): Promise<Claim[]>;
  /**
   * Gives back what this worker has, or has noted as done, of an epoch, and does not do: an answer that was lost, a note that came
   * too late. Ask it where nothing of the epoch is being done here.
   *
   * @param ids - deals whose duties are open here
   */
  resume(epoch: number, ids: readonly bigint[]): Promise<void>;
  /** Which of these deals' duties another worker has that lives, under the same block of their epoch, or has done. */
  cared(epoch: number, key: string, ids: readonly bigint[]): Promise<bigint[]>;
  /**
   * Which of these deals' duties are still this worker's, under the same block of their epoch; it counts as a {@link beat}. A
   * worker that was paused has lost what others took over meanwhile. Ask right before something is sent.
   */
  held(epoch: number, key: string, ids: readonly bigint[]): Promise<bigint[]>;
  /** They are proven, whoever did it. @param block - of the proof, where it is known */
  done(epoch: number, ids: readonly bigint[], block?: number): Promise<void>;
  /** Gives claims back; nobody takes them before the head is `retryAt`. */
  release(epoch: number, ids: readonly bigint[], retryAt: number): Promise<void>;
  /** What was done is to be done again: the chain has forgotten the proof. */
  reopen(epoch: number, ids: readonly bigint[]): Promise<void>;
  /** Duties of an epoch that other workers have done since this was asked last; some may come again. */
  finished(epoch: number): Promise<FinishedDuty[]>;
  /** Notes misses; gives those that nobody has noted before. Of workers that note one at the same time, one is given it. */
  tellMisses(misses: readonly DutyRef[]): Promise<DutyRef[]>;
  /** How many misses are noted of each deal. */
  missesTold(): Promise<Map<bigint, number>>;
  /** Forgets duties whose last block is before this one. */
  forget(before: number): Promise<void>;
  /** Gives back whatever this worker has, at its end. */
  leave(): Promise<void>;
}

interface Row {
  readonly lastBlock: number;
  owned: boolean;
  done: boolean;
  retryAt: number;
}

interface Epoch {
  key: string | undefined;
  /** By deal. */
  readonly rows: Map<bigint, Row>;
}

/** Duties of a process that shares them with nobody. */
export class MemoryDuties implements Duties {
  readonly lasting = false;
  readonly leaseMs = DEFAULT_LEASE_MS;
  readonly #epochs = new Map<number, Epoch>();
  readonly #misses = new Map<bigint, Set<number>>();

  async beat(): Promise<number> {
    return 1;
  }

  async plan(duties: readonly PlannedDuty[]): Promise<void> {
    for (const { id, epoch, lastBlock } of duties) {
      const known = this.#epochs.get(epoch) ?? { key: undefined, rows: new Map() };
      this.#epochs.set(epoch, known);
      if (!known.rows.has(id)) known.rows.set(id, { lastBlock, owned: false, done: false, retryAt: 0 });
    }
  }

  async draw(epoch: number, key: string): Promise<void> {
    const known = this.#epochs.get(epoch);
    if (known === undefined || known.key === key) return;
    if (known.key !== undefined) await this.reopen(epoch, [...known.rows.keys()]);
    known.key = key;
  }

  async claim({ epoch, key, head, limit }: Wanted): Promise<Claim[]> {
    const known = this.#epochs.get(epoch);
    const claims: Claim[] = [];
    if (known?.key !== key) return claims;
    for (const [id, row] of known.rows) {
      if (claims.length === limit) break;
      if (row.owned || row.done || row.retryAt > head || row.lastBlock <= head) continue;
      row.owned = true;
      claims.push({ id, takenOver: false });
    }
    return claims;
  }

  async resume(epoch: number, ids: readonly bigint[]): Promise<void> {
    this.#set(epoch, ids, { owned: false, done: false });
  }

  async cared(): Promise<bigint[]> {
    return [];
  }

  async held(epoch: number, key: string, ids: readonly bigint[]): Promise<bigint[]> {
    const known = this.#epochs.get(epoch);
    return known?.key === key ? ids.filter((id) => known.rows.get(id)?.owned) : [];
  }

  async done(epoch: number, ids: readonly bigint[]): Promise<void> {
    this.#set(epoch, ids, { owned: false, done: true });
  }

  async release(epoch: number, ids: readonly bigint[], retryAt: number): Promise<void> {
    this.#set(epoch, ids, { owned: false, retryAt });
  }

  async reopen(epoch: number, ids: readonly bigint[]): Promise<void> {
    this.#set(epoch, ids, { owned: false, done: false, retryAt: 0 });
  }

  async finished(): Promise<FinishedDuty[]> {
    return [];
  }

  async tellMisses(misses: readonly DutyRef[]): Promise<DutyRef[]> {
    return misses.filter(({ id, window }) => {
      const told = this.#misses.get(id) ?? new Set();
      this.#misses.set(id, told);
      return !told.has(window) && told.add(window);
    });
  }

  async missesTold(): Promise<Map<bigint, number>> {
    return new Map([...this.#misses].map(([id, told]) => [id, told.size]));
  }

  async forget(before: number): Promise<void> {
    for (const [epoch, { rows }] of this.#epochs) {
      for (const [id, { lastBlock }] of rows) if (lastBlock < before) rows.delete(id);
      if (rows.size === 0) this.#epochs.delete(epoch);
    }
  }

  async leave(): Promise<void> {
    for (const { rows } of this.#epochs.values()) for (const row of rows.values()) row.owned = false;
  }

  #set(epoch: number, ids: readonly bigint[], to: Partial<Omit<Row, "lastBlock">>): void {
    const rows = this.#epochs.get(epoch)?.rows;
    for (const id of ids) Object.assign(rows?.get(id) ?? {}, to);
  }
}
