/** One JSON-RPC endpoint of several: asks it, keeps its record, and knows whether it may be used. */

import { HoldfastError } from "../errors.js";
import type { Clock } from "./clock.js";
import { unreachable, wrongChain } from "./endpoint-errors.js";
import { EndpointScore } from "./endpoint-score.js";
import { askOverHttp, EndpointFault, type RpcAnswer, type RpcLimits, type RpcQuestion } from "./rpc-http.js";
import { asksForHead, blockShown, isEndpointsOwn, quantity } from "./rpc-methods.js";

/** What an endpoint is like now, for metrics and people. */
export interface EndpointHealth {
  /** Its origin, without path, query and user, which carry keys. */
  readonly name: string;
  /** From 0 to 1; 0 where it may not be used. */
  readonly score: number;
  /** Mean, in ms; undefined before its first answer. */
  readonly latencyMs: number | undefined;
  /** Share of failures, from 0 to 1, lately. */
  readonly errorRate: number;
  /** Its head; 0 before it has said one. */
  readonly head: number;
  /** Blocks behind the best endpoint. */
  readonly lag: number;
  /** Why it is out: `WRONG_CHAIN`, `DEPLOYMENT_MISMATCH`, `CHAIN_UNREACHABLE`, `HEAD_UNLIKELY`; undefined where it is in use. */
  readonly out: string | undefined;
}

export interface EndpointSettings {
  readonly chainId: number;
  readonly limits: RpcLimits;
  readonly clock: Clock;
  /**
   * Looks whether the chain behind it has what it should: before it is used for the first time, whenever it has been out, and
   * every hour.
   *
   * @throws {HoldfastError} Where it has not: the endpoint stays out. Anything else: it is looked at again later.
   */
  readonly verify: (endpoint: Endpoint) => Promise<void>;
  /** Ends every question. */
  readonly signal: AbortSignal;
}

/** What came of asking; `behind`, `lacking`, `fault`: another endpoint may know. */
export type Outcome =
  | { readonly kind: "answer"; readonly answer: RpcAnswer }
  | { readonly kind: "lacking"; readonly answer: RpcAnswer }
  | { readonly kind: "behind"; readonly head: number }
  | { readonly kind: "fault"; readonly fault: EndpointFault };

/** Questions to one endpoint at the same time: what public ones bear. */
const CONCURRENT = 16;
/** Milliseconds for which one that refuses for its limits is left alone, where it does not say how long. */
const REST_MS = 1_000;
/** How often it is asked what {@link Endpoint.insist} is for, and the pause after the first time, in ms; it doubles. */
const TRIES = 3;
const PAUSE_MS = 100;
/** Milliseconds after which it is verified again, all being well: what is behind an address can change. */
const VERIFY_MS = 3_600_000;

export class Endpoint {
  readonly name: string;
  readonly score = new EndpointScore();
  readonly #url: URL;
  readonly #settings: EndpointSettings;
  #head = 0;
  #grewAt = Number.NEGATIVE_INFINITY;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;
  /** When it was last found to have what it should; undefined where it has to be looked at before it is used. */
  #verifiedAt: number | undefined;
  #out: HoldfastError | undefined;
  #running = 0;
  readonly #waiting: { readonly go: () => void; readonly giveUp: (fault: EndpointFault) => void }[] = [];

  /** @param name - What it is called in logs and metrics. */
  constructor(url: URL, name: string, settings: EndpointSettings) {
    this.#url = url;
    this.name = name;
    this.#settings = settings;
    this.#out = unreachable(name);
  }

  /** The head that it was last seen to have; 0 before. */
  get head(): number {
    return this.#head;
  }

  /** When its head was higher than before, last. */
  get grewAt(): number {
    return this.#grewAt;
  }

  /** Why it may not be used; undefined where it may. */
  get out(): HoldfastError | undefined {
    return this.#out;
  }

  get checkedAt(): number {
    return this.#checkedAt;
  }

  /** @param out - why it is not used though it may be */
  health(now: number, best: number, out = this.#out?.code): EndpointHealth {
    const lag = this.#head === 0 ? 0 : Math.max(0, best - this.#head);
    const score = out === undefined ? this.score.value(now, lag) : 0;
    const { latencyMs } = this.score;
    return { name: this.name, score, latencyMs, errorRate: this.score.errorRate(now), head: this.#head, lag, out };
  }

  /**
   * Asks once. What it does not know, and what it refuses for limits of its own, is no answer.
   *
   * @param floor - The height that its head must have; where it is not known to, it is asked.
   * @throws The reason of the signal.
   */
  async ask(question: RpcQuestion, floor = 0): Promise<Outcome> {
    if (this.#head < floor && question.method !== "eth_blockNumber") {
      const head = await this.#exchange({ method: "eth_blockNumber", params: [] });
      if (head.kind !== "answer") return head;
      if (this.#head < floor) return { kind: "behind", head: this.#head };
    }
    return this.#exchange(question);
  }

  /**
   * Asks again where it fails at once, thrice in all: who looks an endpoint over asks it two dozen things, and one that drops
   * a question now and then would hardly ever get through. Not where it is silent, or wants to be left alone for longer.
   *
   * @throws The reason of the signal.
   */
  async insist(question: RpcQuestion): Promise<Outcome> {
    const { clock, signal } = this.#settings;
    for (let tries = 1, pauseMs = PAUSE_MS; ; tries++, pauseMs *= 2) {
      const outcome = await this.#exchange(question);
      const passes = outcome.kind === "fault" && outcome.fault.kind !== "timeout";
      if (!passes || tries === TRIES || this.score.restMs(clock.now()) > pauseMs) return outcome;
      await clock.sleep(pauseMs, signal);
    }
  }

  /** Asks for chain id and head, verifies what was not verified yet, and decides whether it may be used. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(): Promise<void> {
    const { clock, chainId, signal } = this.#settings;
    this.#checkedAt = clock.now();
    try {
      const id = quantity(await this.#resultOf("eth_chainId"));
      if (id !== chainId) throw wrongChain(this.name, id, chainId);
      await this.#resultOf("eth_blockNumber");
      const verified = this.#verifiedAt ?? Number.NEGATIVE_INFINITY;
      if (clock.now() - verified >= VERIFY_MS) {
        await this.#settings.verify(this);
        this.#verifiedAt = clock.now();
      }
      this.#out = undefined;
    } catch (error) {
      if (signal.aborted) return;
      // A node that only does not answer is not another chain: what was verified stays so, and its score says the rest.
      if (error instanceof HoldfastError) {
        this.#verifiedAt = undefined;
        this.#out = error;
      } else if (this.#verifiedAt === undefined) this.#out = unreachable(this.name, error);
    }
  }

  async #resultOf(method: string): Promise<unknown> {
    const outcome = await this.insist({ method, params: [] });
    if (outcome.kind === "answer" && "result" in outcome.answer) return outcome.answer.result;
    throw outcome.kind === "fault" ? outcome.fault : new EndpointFault("format", `${method} was refused`);
  }

  async #exchange(question: RpcQuestion): Promise<Outcome> {
    const { clock, limits, signal } = this.#settings;
    let began: number | undefined;
    try {
      await this.#enter();
      began = clock.now();
      const answer = await askOverHttp(this.#url, question, limits, signal);
      return this.#judge(question, answer, began);
    } catch (error) {
      if (!(error instanceof EndpointFault)) throw error;
      if (began !== undefined) this.#failed(error);
      return { kind: "fault", fault: error };
    } finally {
      if (began !== undefined) this.#leave();
    }
  }

  #failed(fault: EndpointFault): void {
    const rest = fault.retryAfterMs ?? (fault.status === 429 ? REST_MS : 0);
    this.score.failed(this.#settings.clock.now(), rest);
    // Who waits for a place would wait for as long, and be told the same: others may answer at once.
    if (fault.kind === "timeout") for (const { giveUp } of this.#waiting.splice(0)) giveUp(fault);
  }

  #judge(question: RpcQuestion, answer: RpcAnswer, began: number): Outcome {
    const now = this.#settings.clock.now();
    const own = "error" in answer ? isEndpointsOwn(question, answer.error) : undefined;
    if (own === "limited") {
      this.score.failed(now, REST_MS);
      return { kind: "fault", fault: new EndpointFault("status", "it refuses for its limits", { status: 429 }) };
    }
    this.score.succeeded(now - began, now);
    if (own === "lacking") return { kind: "lacking", answer };
    const shown = "result" in answer ? blockShown(question, answer.result) : undefined;
    if (shown !== undefined) {
      if (shown > this.#head) this.#grewAt = now;
      this.#head = asksForHead(question) ? shown : Math.max(this.#head, shown);
    }
    return { kind: "answer", answer };
  }

  async #enter(): Promise<void> {
    if (this.#running < CONCURRENT) this.#running++;
    else await new Promise<void>((go, giveUp) => this.#waiting.push({ go, giveUp }));
  }

  /** Hands the place on, or gives it back. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next.go();
  }
}
