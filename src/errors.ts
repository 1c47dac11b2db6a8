/** What every error of Holdfast's TypeScript side carries; see {@link HoldfastError}. */
export interface HoldfastErrorOptions {
  /** The error that led to this one. Kept for logs and for `HOLDFAST_DEBUG=1`, left out of JSON. */
  cause?: unknown;
}

/**
 * The base of every error that Holdfast throws on purpose. Whoever catches one can print `message` and
 * `hint` to a person and branch on `code`; anything else that is thrown is a defect.
 *
 * @example
 * throw new HoldfastError("PIECE_EMPTY", "the file is empty", "store a file of at least one byte");
 */
export class HoldfastError extends Error {
  /** Stable, upper-case name of the condition: part of the interface, never reworded. */
  readonly code: string;
  /** What to do next, in a few words. */
  readonly hint: string;

  constructor(code: string, message: string, hint: string, options: HoldfastErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }

  /** What may leave the process, in an HTTP body or a log line: no stack, no cause, nothing that only we should see. */
  toJSON(): { code: string; message: string; hint: string } {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}
