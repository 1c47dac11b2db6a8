/** The transaction that is being sent, on disk before it is: Ignition writes down what it has sent, and not what it is about to. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeWhole } from "./write-whole.js";

const signed = z.strictObject({ hash: z.string(), raw: z.string() });
export type SignedTransaction = z.output<typeof signed>;

export class WriteAhead {
  readonly #path: string;

  /** @param dir - the folder of a deployment's journal, which is there */
  constructor(dir: string) {
    this.#path = join(dir, "sending.json");
  }

  /** Undefined where nothing was about to be sent. @throws what the file system throws */
  async read(): Promise<SignedTransaction | undefined> {
    try {
      return signed.parse(JSON.parse(await readFile(this.#path, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Resolves when it is on disk, whole or not at all. */
  async write(transaction: SignedTransaction): Promise<void> {
    await writeWhole(this.#path, JSON.stringify(transaction));
  }

  async clear(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
