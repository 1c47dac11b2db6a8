/**
 * The base of every error that Holdfast's TypeScript throws on purpose.
 *
 * `code` is stable and meant for programs, `message` says what happened, `hint` says what to do next.
 *
 * @example
 * ```ts
 * if (error instanceof HoldfastError && error.code === "HEADER_HASH") console.error(error.hint);
 * ```
 */
export class HoldfastError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "HoldfastError";
    this.code = code;
    this.hint = hint;
  }
}
