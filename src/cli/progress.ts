const WIDTH = 30;
const REDRAW_MS = 100;

/** Where a bar is drawn: standard error, or a stand-in of a test. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A progress bar for long work on bytes. It stays silent where nobody watches: on a pipe, in a log. */
export class ProgressBar {
  readonly #total: number;
  readonly #stream: ProgressStream;
  #done = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** @param total - bytes that make 100 % */
  constructor(total: number, stream: ProgressStream = process.stderr) {
    this.#total = total;
    this.#stream = stream;
  }

  /** Counts `bytes` more as done, and draws when the last drawing is a while ago. */
  advance(bytes: number): void {
    this.#done += bytes;
    if (!this.#stream.isTTY || performance.now() - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = performance.now();
    const part = Math.min(1, this.#done / this.#total);
    const bar = "#".repeat(Math.round(part * WIDTH)).padEnd(WIDTH, ".");
    this.#stream.write(`\r[${bar}] ${Math.floor(part * 100)} %`);
  }

  /** Clears the line, so that nothing of the bar stays beside the result. */
  finish(): void {
    if (this.#stream.isTTY) this.#stream.write("\r\u001b[K");
  }
}
