/** Where passwords of keystores come from. Never from a command line, which every process sees and the shell keeps. */
import type { Readable, Writable } from "node:stream";
import { HoldfastError } from "../errors.js";
import { keepSecret } from "../secrets.js";
import { readKeyFile } from "./key-file-node.js";

/** Gives a password. `what`: what is asked for, as a prompt says it. */
export type PasswordSource = (what: string) => Promise<string>;

/** The first line of a file with mode 0600. */
export function passwordFile(path: string): PasswordSource {
  return async () => kept((await readKeyFile(path, "password file")).split(/\r?\n/, 1)[0]!);
}

/** A value that is there already: of the environment. */
export function passwordValue(value: string): PasswordSource {
  return async () => kept(value);
}

/** A terminal, as `process.stdin` is one. */
export interface Terminal extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

const [ENTER, LINE, BACKSPACE, DELETE, INTERRUPT, END] = ["\r", "\n", "\b", "\x7f", "\x03", "\x04"];
const MAX_LENGTH = 1_024;

/**
 * Asks a person, and shows nothing of what is typed.
 *
 * @throws {HoldfastError} `NO_PASSWORD` where nobody can be asked, or nothing was typed; `INTERRUPTED` for Ctrl-C.
 */
export function passwordPrompt(input: Terminal = process.stdin, output: Writable = process.stderr): PasswordSource {
  return async (what) => {
    if (input.isTTY !== true || input.setRawMode === undefined) {
      throw noPassword("there is no terminal to ask at", "Set HOLDFAST_PASSWORD_FILE, or HOLDFAST_KEY_PASSWORD.");
    }
    output.write(`${what}: `);
    input.setRawMode(true);
    try {
      return kept(await readHidden(input));
    } finally {
      input.setRawMode(false);
      input.pause();
      output.write("\n");
    }
  };
}

/**
 * Asks twice, for a password that is new: a slip would be the end of the key.
 *
 * @throws {HoldfastError} `PASSWORDS_DIFFER`, and what `ask` throws.
 */
export function passwordTwice(ask: PasswordSource): PasswordSource {
  return async (what) => {
    const password = await ask(what);
    if ((await ask(`${what}, again`)) === password) return password;
    throw new HoldfastError("PASSWORDS_DIFFER", "The two passwords differ", "Nothing was written; try again.");
  };
}

function readHidden(input: Terminal): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const finish = (act: () => void) => {
      input.off("data", take).off("end", ended);
      act();
    };
    const ended = () => finish(() => reject(noPassword("the input ended", "Type it, and press Enter.")));
    const take = (chunk: Buffer | string) => {
      for (const key of chunk.toString()) {
        if (key === INTERRUPT) return finish(() => reject(interrupted()));
        if (key === ENTER || key === LINE || key === END) return finish(() => resolve(typed.join("")));
        if (key === BACKSPACE || key === DELETE) typed = typed.slice(0, -1);
        else if (typed.length < MAX_LENGTH) typed.push(key);
      }
    };
    input.on("data", take).on("end", ended).resume();
  });
}

function kept(password: string): string {
  if (password === "") throw noPassword("it is empty", "Give the password that the key was encrypted with.");
  keepSecret(password);
  return password;
}

function noPassword(why: string, hint: string): HoldfastError {
  return new HoldfastError("NO_PASSWORD", `There is no password: ${why}`, hint);
}

function interrupted(): HoldfastError {
  return new HoldfastError("INTERRUPTED", "Nothing was typed", "Nothing was done.");
}
