/** What all explorers have in common: what they are given, and what they say to it. */

/** One contract, as its sources are sent. */
export interface Submission {
  readonly name: string;
  readonly address: string;
  /** solc's standard JSON: the contract's own file and what it imports, nothing else. */
  readonly input: StandardInput;
  /** `file:Contract`, as the input names the file. */
  readonly identifier: string;
  /** `0.8.30+commit.73712a01`. */
  readonly compiler: string;
  /** ABI-encoded, in hex without `0x`. */
  readonly constructorArguments: string;
  /** The transaction that made it, where it is known. */
  readonly creation?: string;
}

export interface StandardInput {
  readonly language: string;
  readonly sources: Readonly<Record<string, { readonly content: string }>>;
  readonly settings: object;
}

/** What an explorer says to sources, or to the question what became of them. */
export type Answer =
  | { readonly state: "verified" | "already verified" | "refused"; readonly words: string }
  /** It has them, and says later what comes of it. */
  | { readonly state: "queued"; readonly ticket: string }
  /** It can't take them yet, because it does not know of the contract or is at it already: they are to be sent again. */
  | { readonly state: "not yet"; readonly words: string };

export interface ExplorerClient {
  readonly title: string;
  /** @throws ExplorerStop */
  submit(submission: Submission): Promise<Answer>;
  /** Asks what became of sources. @throws ExplorerStop */
  check(ticket: string): Promise<Answer>;
}

/** An explorer does not answer (`unreachable`), or takes nothing from us (`refused`). */
export class ExplorerStop extends Error {
  override name = "ExplorerStop";
  readonly state: "unreachable" | "refused";

  constructor(state: "unreachable" | "refused", words: string) {
    super(words);
    this.state = state;
  }
}
