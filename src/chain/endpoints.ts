/**
 * Several endpoints of one chain, asked as one: the best answers, another where it fails, and nobody is shown an older chain
 * than before.
 */
import { keccak256 } from "ethers";
import type { Logger } from "pino";
import { HoldfastError } from "../errors.js";
import { type Clock, steadyClock } from "./clock.js";
import { Endpoint, type EndpointHealth, type Outcome } from "./endpoint.js";
import { behind, neverAsked, rateLimited } from "./endpoint-errors.js";
import { namedEndpoints } from "./endpoint-names.js";
import { isKnown, weightiestRefusal } from "./refusals.js";
import { EndpointFault, type RpcAnswer, type RpcQuestion, type RpcRefusal } from "./rpc-http.js";
import { asksForHead, blockAskedFor, blockShown, methodKind, quantity } from "./rpc-methods.js";
import { noAnswer } from "./rpc-provider.js";
import { highestLikely } from "./unlikely-head.js";

const UNLIKELY = new EndpointFault("format", "it names a head that no other endpoint comes near");

export interface EndpointsOptions {
  readonly chainId: number;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** See `EndpointSettings`; by default only the chain id is looked at. */
  readonly verify?: (endpoint: Endpoint) => Promise<void>;
  /** Milliseconds that one endpoint may take for one answer; 10,000 by default. */
  readonly timeoutMs?: number;
  /** Bytes of an answer at most; 64 MiB by default. */
  readonly maxBytes?: number;
  /** Milliseconds between looks at each endpoint's chain id and head, while anything is asked; 5,000 by default. */
  readonly checkMs?: number;
  /**
   * Milliseconds after which a head that no endpoint has any more is forgotten; 60,000 by default. A chain can become shorter;
   * endpoints are behind far more often.
   */
  readonly forgetHeadMs?: number;
}

/** How often all endpoints are asked the same, and the pause after the first round, in ms; it doubles. */
const ROUNDS = 3;
/** Nobody else is asked once a question has taken this many times as long as one endpoint may take. */
const PATIENCE = 3;
const PAUSE_MS = 100;
/** Milliseconds for which an answer waits for endpoints that ask to be left alone, where there is no other. */
const MAX_REST_MS = 5_000;
/** Milliseconds that the other endpoints get to say what all are asked for, once one has. */
const OTHERS_PATIENCE_MS = 500;
/** The one in use stays so until another is this much better: heads and caches are warm there. */
const LOYALTY = 1.25;

const DEFAULT_LIMITS = { timeoutMs: 10_000, maxBytes: 64 * 2 ** 20 };

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();
  readonly #all: readonly Endpoint[];
  /** What was logged last of each: the code of why it is out, empty where it is in use. */
  readonly #told = new Map<Endpoint, string>();
  #current: Endpoint | undefined;
  /** The highest block that somebody was shown, and when an endpoint last had it. */
  #shown = 0;
  #shownAt = 0;

  /**
   * @param urls - `http:` or `https:`, at least one; the same twice counts once.
   * @throws {HoldfastError} `INVALID_ENDPOINT`, which repeats no URL.
   */
  constructor(urls: readonly string[], options: EndpointsOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#clock = options.clock ?? steadyClock;
    const { chainId, verify = async () => undefined } = options;
    const { timeoutMs = DEFAULT_LIMITS.timeoutMs, maxBytes = DEFAULT_LIMITS.maxBytes } = options;
    const limits = { timeoutMs, maxBytes };
    this.#timeoutMs = timeoutMs;
    const settings = { chainId, verify, limits, clock: this.#clock, signal: this.#closing.signal };
    this.#all = namedEndpoints(urls).map(({ url, name }) => new Endpoint(url, name, settings));
  }

  /** How each of them does, in the order that they were given in. */
  health(): EndpointHealth[] {
    const limit = this.#highestLikely();
    const likely = this.#all.map(({ head }) => head).filter((head) => head <= limit);
    const [now, best] = [this.#clock.now(), Math.max(0, ...likely)];
    return this.#all.map((endpoint) => endpoint.health(now, best, this.#whyOut(endpoint, limit)));
  }

  /**
   * Looks at all endpoints, and resolves as soon as one may be used.
   *
   * @throws {HoldfastError} Where none may: why the first of them is refused, or `CHAIN_UNREACHABLE`.
   */
  async open(): Promise<void> {
    const looks = this.#all.map(async (endpoint) => {
      await endpoint.check();
      if (endpoint.out !== undefined) throw endpoint.out;
    });
    try {
      await Promise.any(looks);
    } catch {
      this.#closing.signal.throwIfAborted();
      throw this.#whyNone();
    }
    // Where none may be used, the error says so; otherwise each is told of when it has been looked at.
    for (const [i, look] of looks.entries()) {
      const tell = () => this.#tell(this.#all[i]!);
      void look.then(tell, tell);
    }
  }

  /** Ends everything that is under way. */
  close(): void {
    this.#closing.abort(new HoldfastError("CLOSED", "The connection to the chain was closed", "Open it again."));
  }

  /**
   * Asks whoever can answer.
   *
   * @throws What `noAnswer` makes, where nobody did; {@link open}'s errors; `STALE_HEAD` where every endpoint is behind a block
   *   that was shown already.
   */
  async ask(question: RpcQuestion): Promise<RpcAnswer> {
    await this.#refresh();
    const kind = methodKind(question.method);
    if (kind === "broadcast") return this.#broadcast(question);
    if (kind === "several") return this.#middle(question);
    return this.#read(question, kind === "read" ? ROUNDS : 0);
  }

  /** Endpoints are looked at while somebody asks, and not by a timer: who asks nothing needs none. */
  async #refresh(): Promise<void> {
    const { checkMs = 5_000 } = this.#options;
    const now = this.#clock.now();
    const due = this.#all.filter(({ checkedAt, score }) => now - checkedAt >= checkMs && score.restMs(now) === 0);
    const looks = due.map((endpoint) => this.#check(endpoint));
    if (this.#usable().length === 0) await Promise.all(looks);
    this.#forgetUnlikely();
  }

  async #check(endpoint: Endpoint): Promise<void> {
    await endpoint.check();
    this.#tell(endpoint);
  }

  /** Logs whether an endpoint is in use, where that has changed. */
  #tell(endpoint: Endpoint): void {
    const { name, out, head } = endpoint;
    const code = this.#whyOut(endpoint, this.#highestLikely()) ?? "";
    if (this.#closing.signal.aborted || this.#told.get(endpoint) === code) return;
    this.#told.set(endpoint, code);
    if (code === "") this.#logger.info({ endpoint: name, head }, "endpoint is in use");
    else this.#logger.warn({ endpoint: name, code, head, reason: out?.message }, "endpoint is out");
  }

  #usable(): Endpoint[] {
    const limit = this.#highestLikely();
    return this.#all.filter((endpoint) => this.#whyOut(endpoint, limit) === undefined);
  }

  #whyOut({ out, head }: Endpoint, limit: number): string | undefined {
    return out?.code ?? (head > limit ? "HEAD_UNLIKELY" : undefined);
  }

  #highestLikely(): number {
    const onChain = this.#all.filter(({ out }) => out === undefined);
    return highestLikely(onChain, this.#clock.now());
  }

  /** What one endpoint made up was shown before the others had said anything: nobody else would ever be up to it. */
  #forgetUnlikely(): void {
    if (this.#shown <= this.#highestLikely()) return;
    const [was, head] = [this.#shown, this.#best()];
    this.#logger.warn({ was, head }, "a block was shown that no other endpoint comes near: it is forgotten");
    [this.#shown, this.#shownAt] = [head, this.#clock.now()];
  }

  /** Those that may be used, best first; those that ask to be left alone last. */
  #ranked(): Endpoint[] {
    const usable = this.#usable();
    if (usable.length === 0) throw this.#whyNone();
    const now = this.#clock.now();
    const best = Math.max(...usable.map(({ head }) => head));
    const worth = (endpoint: Endpoint) => {
      const value = endpoint.score.value(now, Math.max(0, best - endpoint.head));
      return endpoint === this.#current ? value * LOYALTY : value;
    };
    const rest = (endpoint: Endpoint) => endpoint.score.restMs(now);
    return usable
      .map((endpoint) => ({ endpoint, value: worth(endpoint), rest: rest(endpoint) }))
      .sort((a, b) => a.rest - b.rest || b.value - a.value)
      .map(({ endpoint }) => endpoint);
  }

  /** @param rounds - How often all are asked; 0: only the best, once. */
  async #read(question: RpcQuestion, rounds: number): Promise<RpcAnswer> {
    const until = this.#clock.now() + PATIENCE * this.#timeoutMs;
    let failed: { readonly endpoint: Endpoint; readonly outcome: Outcome } | undefined;
    for (let round = 0; round < Math.max(1, rounds); round++) {
      if (round > 0) await this.#clock.sleep(PAUSE_MS * 2 ** (round - 1), this.#closing.signal);
      // Others may have come in since, and know that what was shown is made up.
      this.#forgetUnlikely();
      const floor = rounds === 0 ? 0 : this.#shown;
      for (const [rank, endpoint] of this.#ranked().entries()) {
        if (failed !== undefined && this.#clock.now() >= until) return this.#gaveUp(question, failed);
        if ((rounds === 0 && rank > 0) || !(await this.#rested(endpoint, rank > 0))) continue;
        const outcome = this.#judge(question, floor, await endpoint.ask(question, floor));
        if (outcome.kind === "fault" && outcome.fault === UNLIKELY) this.#tell(endpoint);
        if (outcome.kind === "answer") return this.#answered(endpoint, question, outcome.answer);
        // What a node said of the question says more than that another was silent.
        if (failed?.outcome.kind !== "lacking" || outcome.kind === "lacking") failed = { endpoint, outcome };
        this.#logger.debug(
          { endpoint: endpoint.name, method: question.method, outcome: outcome.kind },
          "asking the next",
        );
      }
      if (failed?.outcome.kind === "behind" && this.#becameShorter()) return this.#read(question, rounds);
      // Others have said so too: once is enough.
      if (failed?.outcome.kind === "lacking") return failed.outcome.answer;
    }
    return this.#gaveUp(question, failed);
  }

  /** Waits for an endpoint that asked to be left alone, where that is not long and there is no other to ask. */
  async #rested(endpoint: Endpoint, isAnother: boolean): Promise<boolean> {
    const ms = endpoint.score.restMs(this.#clock.now());
    if (ms === 0) return true;
    if (isAnother || ms > MAX_REST_MS) return false;
    await this.#clock.sleep(ms, this.#closing.signal);
    return true;
  }

  /** A head below one that was shown, and a block that should be there and is not, are an endpoint that is behind. */
  #judge(question: RpcQuestion, floor: number, outcome: Outcome): Outcome {
    if (outcome.kind !== "answer" || !("result" in outcome.answer)) return outcome;
    const { result } = outcome.answer;
    const head = asksForHead(question) ? blockShown(question, result) : undefined;
    if (head !== undefined && head < floor) return { kind: "behind", head };
    if (head !== undefined && head > this.#highestLikely()) return { kind: "fault", fault: UNLIKELY };
    const asked = blockAskedFor(question);
    const isGone = result === null && asked !== undefined && asked <= floor;
    return isGone ? { kind: "lacking", answer: outcome.answer } : outcome;
  }

  #answered(endpoint: Endpoint, question: RpcQuestion, answer: RpcAnswer): RpcAnswer {
    if (this.#current !== endpoint) this.#logger.debug({ endpoint: endpoint.name }, "asking this endpoint from now on");
    this.#current = endpoint;
    const shown = "result" in answer ? blockShown(question, answer.result) : undefined;
    if (shown !== undefined) this.#shown = Math.max(this.#shown, shown);
    if (endpoint.head >= this.#shown) this.#shownAt = this.#clock.now();
    return answer;
  }

  #gaveUp({ method }: RpcQuestion, failed: { endpoint: Endpoint; outcome: Outcome } | undefined): never {
    if (failed?.outcome.kind === "fault") throw noAnswer(failed.endpoint.name, method, failed.outcome.fault);
    if (failed?.outcome.kind !== "behind") throw rateLimited();
    throw behind(this.#best(), this.#shown);
  }

  /** Whether no endpoint has had the block that was shown for so long that it can't be their lag; it is then forgotten. */
  #becameShorter(): boolean {
    const { forgetHeadMs = 60_000 } = this.#options;
    const [was, head, now] = [this.#shown, this.#best(), this.#clock.now()];
    if (head >= was || now - this.#shownAt < forgetHeadMs) return false;
    this.#logger.warn({ was, head }, "no endpoint has the latest block any more: the chain has become shorter");
    [this.#shown, this.#shownAt] = [head, now];
    return true;
  }

  #best(): number {
    return Math.max(...this.#usable().map(({ head }) => head));
  }

  /**
   * To everybody at once: one that takes it is enough, and who has it already has taken it. It is refused only where all who may have
   * seen it say so: one whose answer was lost may have taken it.
   */
  async #broadcast(question: RpcQuestion): Promise<RpcAnswer> {
    const raw = Array.isArray(question.params) ? question.params[0] : undefined;
    const refusals: RpcRefusal[] = [];
    const faults: { endpoint: Endpoint; outcome: Outcome }[] = [];
    const ranked = this.#ranked();
    const awake = ranked.filter((endpoint) => endpoint.score.restMs(this.#clock.now()) === 0);
    const offered = (awake.length > 0 ? awake : ranked).map(async (endpoint) => {
      const outcome = await endpoint.ask(question);
      if (outcome.kind === "behind" || outcome.kind === "fault") {
        faults.push({ endpoint, outcome });
        throw new Error(outcome.kind);
      }
      const { answer } = outcome;
      if ("result" in answer || isKnown(answer.error.message)) return;
      refusals.push(answer.error);
      throw new Error("refused");
    });
    try {
      await Promise.any(offered);
      return { result: keccak256(String(raw)) };
    } catch {
      this.#closing.signal.throwIfAborted();
      const open = faults.find(({ outcome }) => outcome.kind === "fault" && !neverAsked(outcome.fault));
      const error = weightiestRefusal(refusals);
      return open === undefined && error !== undefined ? { error } : this.#gaveUp(question, open ?? faults[0]);
    }
  }

  /**
   * How many transactions of an account each endpoint that is up to date counts in blocks, the lowest first.
   *
   * @throws What {@link ask} throws, where none says.
   */
  async transactionCounts(account: string): Promise<number[]> {
    await this.#refresh();
    const question = { method: "eth_getTransactionCount", params: [account, "latest"] };
    const counts = await this.#quantities(question);
    if (counts.length > 0) return counts;
    const answer = await this.#read(question, ROUNDS);
    const count = "result" in answer ? quantity(answer.result) : undefined;
    return count === undefined ? [] : [count];
  }

  /**
   * Asks everybody, and takes the lower one of the middle. A single one among three that says something else changes nothing; of two,
   * the lower is mended where it is wrong: a nonce is refused, a fee raised, where the higher would leave a gap, or be paid.
   */
  async #middle(question: RpcQuestion): Promise<RpcAnswer> {
    const said = this.#awake().length < 2 ? [] : await this.#quantities(question);
    if (said.length === 0) return this.#read(question, ROUNDS);
    return { result: `0x${said[(said.length - 1) >> 1]!.toString(16)}` };
  }

  #awake(): Endpoint[] {
    return this.#usable().filter((endpoint) => endpoint.score.restMs(this.#clock.now()) === 0);
  }

  /** What everybody says at the height that was shown, the lowest first; nobody is waited for long once one has. */
  async #quantities(question: RpcQuestion): Promise<number[]> {
    const counts: number[] = [];
    const floor = this.#shown;
    const asked = this.#awake().map(async (endpoint) => {
      const outcome = await endpoint.ask(question, floor);
      const count =
        outcome.kind === "answer" && "result" in outcome.answer ? quantity(outcome.answer.result) : undefined;
      if (count === undefined) throw new Error("no count");
      counts.push(count);
    });
    const all = Promise.allSettled(asked);
    try {
      await Promise.any(asked);
    } catch {
      return [];
    }
    const done = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, done.signal]);
    await Promise.race([all, this.#clock.sleep(OTHERS_PATIENCE_MS, signal)]);
    done.abort();
    return counts.sort((a, b) => a - b);
  }

  /** A reason that names another chain says more than that one does not answer. */
  #whyNone(): HoldfastError {
    const reasons = this.#all.map(({ out }) => out).filter((out) => out !== undefined);
    return reasons.find(({ code }) => code !== "CHAIN_UNREACHABLE") ?? reasons[0] ?? rateLimited();
  }
}
