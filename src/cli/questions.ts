/** Asking a person at a terminal. */
import { createInterface } from "node:readline/promises";
import { HoldfastError } from "../errors.js";
import { printableLines } from "./printable.js";

/** A question, asked where its option was not given. */
export interface Question {
  /** `--url`, for whoever has no terminal. */
  readonly option: string;
  readonly text: string;
  /** Taken for an empty answer; without it, one has to be given. */
  readonly fallback?: string;
}

/** What an answer means; what it throws is shown, and the question asked again. */
export type Parse<T> = (text: string) => T;

export interface Asker {
  /**
   * The answer; what is `given`, where something is.
   *
   * @throws HoldfastError `MISSING_SETTING` where nobody can be asked; what `parse` throws of what is given
   */
  ask<T>(given: string | undefined, question: Question, parse: Parse<T>): Promise<T>;
  close(): void;
}

/** Where somebody may sit. */
export interface Streams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

const STANDARD: Streams = { input: process.stdin, output: process.stderr };

/**
 * Asks on standard error and reads from standard input, where that is a terminal. Otherwise what has no fallback is missing.
 *
 * @param silent - ask nothing even so
 */
export function openAsker(silent: boolean, { input, output }: Streams = STANDARD): Asker {
  const terminal = input.isTTY && !silent ? createInterface({ input, output }) : undefined;
  return {
    async ask(given, { option, text, fallback }, parse) {
      if (given !== undefined) return parse(given);
      if (terminal === undefined) {
        if (fallback !== undefined) return parse(fallback);
        throw new HoldfastError("MISSING_SETTING", `${option} is missing: ${text}`, `give ${option}`);
      }
      const shown = fallback === undefined || fallback === "" ? "" : ` [${fallback}]`;
      for (;;) {
        const answer = (await terminal.question(printableLines(`${text}${shown}: `))).trim();
        if (answer === "" && fallback === undefined) continue;
        try {
          return parse(answer === "" ? (fallback as string) : answer);
        } catch (error) {
          output.write(`${printableLines(error instanceof Error ? error.message : String(error))}\n`);
        }
      }
    },
    close: () => terminal?.close(),
  };
}
