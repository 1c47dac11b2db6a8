/** Sends sources to explorers, each by itself: one that is down keeps no other from them. */
import { setTimeout as sleep } from "node:timers/promises";
import { printable } from "../../../src/cli/printable.js";
import { withoutSecrets } from "../../../src/secrets.js";
import { type Answer, type ExplorerClient, ExplorerStop, type Submission } from "./explorer.js";
import type { Pace } from "./http.js";

/** What came of one contract's sources at one explorer. */
export interface SourceReport {
  readonly explorer: string;
  readonly name: string;
  readonly address: string;
  /** `pending`: it has not said what comes of it in the time that there was. */
  readonly state: "verified" | "already verified" | "pending" | "refused" | "unreachable";
  /** The explorer's own, or what happened instead of an answer; printable, without secrets. */
  readonly words: string;
}

/** Whether the sources are there to be read. */
export function isShown({ state }: SourceReport): boolean {
  return state === "verified" || state === "already verified";
}

const MAX_WORDS = 300;
/** Contracts in a row that an explorer may be silent about; one alone may be what it fails at. */
const MAX_SILENT = 2;

/**
 * Sends each contract's sources to each explorer, and waits until each has said what it makes of them, for a bounded time. Explorers are
 * served side by side, contracts one after the other.
 *
 * @param heard - told of each contract when it is settled
 */
export async function submitSources(
  explorers: readonly ExplorerClient[],
  submissions: readonly Submission[],
  pace: Pick<Pace, "pollMs" | "settleMs">,
  heard: (report: SourceReport) => void = () => undefined,
): Promise<SourceReport[]> {
  const rounds = explorers.map((explorer) => new Round(explorer, submissions, heard).run(pace));
  return (await Promise.all(rounds)).flat();
}

/** One explorer, until all that it is given is settled. */
class Round {
  readonly #explorer: ExplorerClient;
  readonly #submissions: readonly Submission[];
  readonly #heard: (report: SourceReport) => void;
  readonly #reports = new Map<Submission, SourceReport>();
  /** What it gave for what it has. */
  readonly #tickets = new Map<Submission, string>();
  /** Why it does not take what it has not. */
  readonly #notYet = new Map<Submission, string>();
  #silent = 0;

  constructor(explorer: ExplorerClient, submissions: readonly Submission[], heard: (report: SourceReport) => void) {
    this.#explorer = explorer;
    this.#submissions = submissions;
    this.#heard = heard;
  }

  async run({ pollMs, settleMs }: Pick<Pace, "pollMs" | "settleMs">): Promise<SourceReport[]> {
    try {
      await this.#pass();
      const until = Date.now() + settleMs;
      while (this.#open.length > 0 && Date.now() < until) {
        await sleep(pollMs);
        await this.#pass();
      }
      for (const one of this.#open) {
        this.#settle(one, "pending", this.#notYet.get(one) ?? "it has not said yet what comes of it");
      }
    } catch (error) {
      if (!(error instanceof ExplorerStop)) throw error;
      for (const one of this.#open) this.#settle(one, error.state, error.message);
    }
    return this.#submissions.map((one) => this.#reports.get(one)!);
  }

  get #open(): Submission[] {
    return this.#submissions.filter((one) => !this.#reports.has(one));
  }

  /** Sends what it does not have, and asks about what it has. */
  async #pass(): Promise<void> {
    for (const one of this.#open) {
      const ticket = this.#tickets.get(one);
      try {
        this.#take(one, await (ticket === undefined ? this.#explorer.submit(one) : this.#explorer.check(ticket)));
        this.#silent = 0;
      } catch (error) {
        if (!(error instanceof ExplorerStop) || error.state === "refused") throw error;
        this.#settle(one, error.state, error.message);
        if (++this.#silent === MAX_SILENT) throw error;
      }
    }
  }

  #take(one: Submission, answer: Answer): void {
    if (answer.state === "queued") {
      this.#tickets.set(one, answer.ticket);
      this.#notYet.delete(one);
    } else if (answer.state === "not yet") this.#notYet.set(one, answer.words);
    else this.#settle(one, answer.state, answer.words);
  }

  #settle(one: Submission, state: SourceReport["state"], words: string): void {
    const { name, address } = one;
    const report = { explorer: this.#explorer.title, name, address, state, words: spoken(words) };
    this.#reports.set(one, report);
    this.#heard(report);
  }
}

/** A stranger's words, on one line. */
function spoken(words: string): string {
  const clean = [...withoutSecrets(words).replaceAll(/\s+/g, " ").trim()];
  return printable(clean.slice(0, MAX_WORDS).join("")) + (clean.length > MAX_WORDS ? "…" : "");
}
