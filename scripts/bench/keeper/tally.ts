import type { BatchEvent, ProvingKeeper } from "../../../src/keeper/index.js";

const MIB = 1 << 20;

/** When the block of a challenge was made, in milliseconds of this machine's clock. */
export interface WindowStart {
  readonly window: number;
  readonly epoch: number;
  readonly at: number;
}

/** From the start of a window to the block of a proof. */
export interface Delays {
  readonly median: number;
  readonly most: number;
}

/** What a keeper has done. */
export interface KeeperFigures {
  readonly due: number;
  readonly proven: number;
  readonly missed: number;
  readonly troubles: Readonly<Record<string, number>>;
  readonly batches: number;
  readonly gasPerProof: number;
  /** In the largest transaction. */
  readonly mostProofs: number;
  readonly blocks: Delays;
  readonly seconds: Delays;
  readonly cpuMsPerProof: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** Parts of it at their own peaks, looked at each second: objects, and the database's memory with all buffers. */
  readonly heapMiB: number;
  readonly externalMiB: number;
  readonly requests: number;
  /** At a head at which there was nothing to do: the one in the middle. */
  readonly requestsPerIdleHead: number;
}

/** Listens to a keeper, and to what is asked of the chain. */
export class Tally {
  readonly #starts = new Map<number, WindowStart>();
  readonly #due = new Set<string>();
  readonly #proven = new Set<string>();
  readonly #troubles: Record<string, number> = {};
  readonly #batches: BatchEvent[] = [];
  readonly #blocks: number[] = [];
  readonly #seconds: number[] = [];
  readonly #idle: number[] = [];
  #heap = 0;
  #external = 0;
  #missed = 0;
  #requests = 0;
  #requestsBefore = 0;

  /** Proven and missed, of all windows so far. */
  get over(): number {
    return this.#proven.size + this.#missed;
  }

  asked(): void {
    this.#requests++;
  }

  /** Looks at what the process holds now. */
  look(): void {
    const { heapTotal, external } = process.memoryUsage();
    this.#heap = Math.max(this.#heap, heapTotal);
    this.#external = Math.max(this.#external, external);
  }

  started(start: WindowStart): void {
    this.#starts.set(start.window, start);
  }

  listen(keeper: ProvingKeeper): void {
    keeper.on("due", ({ id, window }) => this.#due.add(`${id} ${window}`));
    keeper.on("missed", () => this.#missed++);
    keeper.on("batch", (batch) => this.#batches.push(batch));
    keeper.on("trouble", ({ code }) => {
      this.#troubles[code] = (this.#troubles[code] ?? 0) + 1;
    });
    keeper.on("proven", ({ id, window, block }) => {
      this.#proven.add(`${id} ${window}`);
      const start = this.#starts.get(window);
      if (start === undefined || block === undefined) return;
      this.#blocks.push(block - start.epoch);
      this.#seconds.push((Date.now() - start.at) / 1e3);
    });
    keeper.on("head", () => {
      const idle = keeper.inFlight === 0 && this.over === this.#due.size && this.#due.size > 0;
      if (idle) this.#idle.push(this.#requests - this.#requestsBefore);
      this.#requestsBefore = this.#requests;
    });
  }

  figures(cpuSeconds: number, peakMiB: number): KeeperFigures {
    const gas = this.#batches.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
    const proven = this.#proven.size;
    return {
      due: this.#due.size,
      proven,
      missed: this.#missed,
      troubles: this.#troubles,
      batches: this.#batches.length,
      gasPerProof: Math.round(Number(gas) / Math.max(1, proven)),
      mostProofs: Math.max(0, ...this.#batches.map(({ size }) => size)),
      blocks: delaysOf(this.#blocks),
      seconds: delaysOf(this.#seconds),
      cpuMsPerProof: tenths((cpuSeconds * 1e3) / Math.max(1, proven)),
      cpuSeconds: tenths(cpuSeconds),
      peakMiB: Math.round(peakMiB),
      heapMiB: Math.round(this.#heap / MIB),
      externalMiB: Math.round(this.#external / MIB),
      requests: this.#requests,
      requestsPerIdleHead: middle(this.#idle),
    };
  }
}

function delaysOf(values: readonly number[]): Delays {
  return { median: tenths(middle(values)), most: tenths(values.reduce((most, value) => Math.max(most, value), 0)) };
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
