/**
 * How long to wait for a peer that sends bytes: it has to get `lapBytes` across in `lapMs` of waiting, or whoever waits
 * gives up. Time that the receiver spends on its own (a slow disk) doesn't count, and one byte now and then doesn't help.
 *
 * @example
 * const patience = new Patience(30_000, () => abort.abort());
 * const { value } = await patience.during(reader.read());
 * patience.received(value.length);
 */
export class Patience {
  readonly #lapMs: number;
  readonly #lapBytes: number;
  readonly #giveUp: () => void;
  #waited = 0;
  #bytes = 0;

  /** @param giveUp - has to make the promises fail that are waited for */
  constructor(lapMs: number, giveUp: () => void, lapBytes = 64 * 1024) {
    this.#lapMs = lapMs;
    this.#lapBytes = lapBytes;
    this.#giveUp = giveUp;
  }

  /** Waits for `promise` as long as patience lasts. */
  async during<T>(promise: Promise<T>): Promise<T> {
    const started = performance.now();
    const timer = setTimeout(this.#giveUp, Math.max(0, this.#lapMs - this.#waited));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waited += performance.now() - started;
    }
  }

  /** Books what came. */
  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#lapBytes) return;
    this.#bytes = 0;
    this.#waited = 0;
  }
}
