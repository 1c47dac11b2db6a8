/**
 * Etherscan's API, version 2 (https://docs.etherscan.io/contract-verification/verify-with-api), which Blockscout serves too
 * (https://docs.blockscout.com/devs/apis/rpc/contract).
 */
import { z } from "zod";
import { EXPLORER_FACTS } from "../../../src/chain/explorers.js";
import { type Answer, type ExplorerClient, ExplorerStop, type Submission } from "./explorer.js";
import { ExplorerHttp, type Pace, tooMuch } from "./http.js";

const envelope = z.object({ status: z.string(), message: z.string().nullish(), result: z.string().nullish() });

const BUSY = /rate limit reached/i;
/** Etherscan's words, and Blockscout's: the deployment may be a few blocks old. */
const UNINDEXED = /^(Unable to locate ContractCode|The address is not a smart contract)/i;
const ALREADY = /already verified/i;
const WRONG_KEY = /(invalid|missing).{0,20}api ?key/i;
/** A ticket that is asked about before a worker of Blockscout has taken it up is unknown. */
const PENDING = /^(Pending in queue|In progress|Unknown UID)/i;
const PASSED = /^Pass\b/i;

export interface EtherscanOptions {
  readonly title: string;
  readonly url: string;
  readonly pace: Pace;
  /** What each request names beside what it asks: the chain and the key, where one API serves many. */
  readonly query: Readonly<Record<string, string>>;
}

export class EtherscanClient implements ExplorerClient {
  readonly title: string;
  readonly #http: ExplorerHttp;
  readonly #query: Readonly<Record<string, string>>;

  constructor({ title, url, pace, query }: EtherscanOptions) {
    this.title = title;
    this.#http = new ExplorerHttp(url, pace);
    this.#query = { ...query, module: "contract" };
  }

  async submit({ address, input, compiler, identifier, constructorArguments }: Submission): Promise<Answer> {
    const form = new URLSearchParams({
      contractaddress: address,
      sourceCode: JSON.stringify(input),
      codeformat: "solidity-standard-json-input",
      contractname: identifier,
      compilerversion: `v${compiler}`,
      constructorArguments,
      // As Etherscan spelled it for years.
      constructorArguements: constructorArguments,
    });
    const body = { type: "application/x-www-form-urlencoded", text: form.toString() };
    const { ok, words } = await this.#ask("POST", { action: "verifysourcecode" }, body);
    if (ok) return { state: "queued", ticket: words };
    if (ALREADY.test(words)) return { state: "already verified", words };
    return { state: UNINDEXED.test(words) ? "not yet" : "refused", words };
  }

  async check(ticket: string): Promise<Answer> {
    const { words } = await this.#ask("GET", { action: "checkverifystatus", guid: ticket });
    if (PENDING.test(words)) return { state: "queued", ticket };
    if (PASSED.test(words)) return { state: "verified", words };
    return { state: ALREADY.test(words) ? "already verified" : "refused", words };
  }

  async #ask(method: "GET" | "POST", query: Record<string, string>, body?: { type: string; text: string }) {
    const { status, answer } = await this.#http.ask({
      method,
      query: { ...this.#query, ...query },
      ...(body && { body }),
      isBusy: (code, found) => tooMuch(code) || BUSY.test(wordsOf(found)),
    });
    const parsed = envelope.safeParse(answer);
    if (!parsed.success) throw new ExplorerStop("unreachable", `it answered ${status}, not as its API does`);
    const words = wordsOf(parsed.data);
    const ok = parsed.data.status === "1";
    if (!ok && WRONG_KEY.test(words)) throw new ExplorerStop("refused", words);
    return { ok, words };
  }
}

/** The result says more than the message, where there is one. */
function wordsOf(answer: unknown): string {
  const { result, message } = envelope.safeParse(answer).data ?? {};
  return result || message || "it says nothing";
}

/** @param url - as of `https://filecoin.blockscout.com/api` */
export function blockscout(url: string, pace: Pace): ExplorerClient {
  return new EtherscanClient({ title: EXPLORER_FACTS.blockscout.title, url, pace, query: {} });
}

/** @param url - as of `https://api.etherscan.io/v2/api` */
export function etherscan(url: string, chainId: number, key: string, pace: Pace): ExplorerClient {
  const query = { chainid: String(chainId), apikey: key };
  return new EtherscanClient({ title: EXPLORER_FACTS.etherscan.title, url, pace, query });
}
