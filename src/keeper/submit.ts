/** Getting finished proofs into a block: simulate, send, read what the market made of each. */
import { hexlify, type TransactionReceipt } from "ethers";
import type { Chain } from "../chain/chain.js";
import { chainError, errorName } from "../chain/errors.js";
import type { Call, TransactionSender } from "../chain/sender.js";
import { packProofs } from "../protocol/index.js";
import type { BatchEvent } from "./events.js";

export interface Submission {
  readonly id: bigint;
  /** The window that it proves. */
  readonly window: number;
  readonly proof: Uint8Array;
}

/** What became of one proof. `already`: somebody else proved the window first. */
export type Outcome =
  | { readonly kind: "proven"; readonly hash: string; readonly block: number; readonly blockHash: string }
  | { readonly kind: "already" }
  | { readonly kind: "refused"; readonly reason: string; readonly message: string };

export interface Submitted {
  /** By deal. */
  readonly outcomes: ReadonlyMap<bigint, Outcome>;
  /** Undefined where nothing was left to send. */
  readonly batch: BatchEvent | undefined;
}

export class ProofSubmitter {
  readonly #chain: Chain;
  readonly #sender: TransactionSender;

  constructor(chain: Chain, sender: TransactionSender) {
    this.#chain = chain;
    this.#sender = sender;
  }

  /**
   * Sends proofs in one transaction, without those that the market would skip now.
   *
   * @throws {ChainError} Where the transaction as a whole can't be sent or reverts; `IN_FLIGHT` where another proves one of
   *   these windows already.
   */
  async submit(items: readonly Submission[], signal: AbortSignal): Promise<Submitted> {
    const outcomes = await this.#refusedNow(items);
    const good = items.filter(({ id }) => !outcomes.has(id));
    if (good.length === 0) return { outcomes, batch: undefined };
    const call = this.#call(good);
    const guards = good.map((item) => this.#guardOf(item));
    const sent = await this.#sender.send(call, `prove ${good.length} deals`, signal, guards);
    if (sent.status === "done") {
      for (const { id } of good) outcomes.set(id, { kind: "already" });
      return { outcomes, batch: undefined };
    }
    const { receipt } = sent;
    const accepted = this.#readReceipt(receipt, outcomes);
    const { hash, blockNumber: block, gasUsed } = receipt;
    const calldataBytes = (call.data.length - 2) / 2;
    return { outcomes, batch: { hash, block, size: good.length, proven: accepted, calldataBytes, gasUsed } };
  }

  /**
   * Proves one window by what the chain itself knows.
   *
   * @param evidence - in hex, as the market's `chainProofs` wants it
   * @throws {ChainError} Where it can't be sent or reverts; `IN_FLIGHT` where another proves this window already.
   */
  async submitByChain(item: Omit<Submission, "proof">, evidence: string, signal: AbortSignal): Promise<Outcome> {
    const { market } = this.#chain.contracts;
    const { id, window } = item;
    const from = await this.#sender.address();
    try {
      await market.proveByChain.staticCall(id, evidence, { from });
    } catch (error) {
      const failed = chainError(error, "prove a deal by its sector");
      if (failed.failure === "done") return { kind: "already" };
      if (failed.revert === undefined) throw failed;
      return { kind: "refused", reason: failed.revert.name, message: failed.revert.text };
    }
    const data = market.interface.encodeFunctionData("proveByChain", [id, evidence]);
    const call = { to: this.#chain.deployment.market, data };
    const doing = `prove window ${window} of a deal by its sector`;
    const sent = await this.#sender.send(call, doing, signal, [this.#guardOf(item)]);
    if (sent.status === "done") return { kind: "already" };
    const { hash, blockNumber: block, blockHash } = sent.receipt;
    return { kind: "proven", hash, block, blockHash };
  }

  /** Pays more for proofs that are on their way, or for the next ones of the same windows. */
  hurry(items: readonly Omit<Submission, "proof">[]): void {
    this.#sender.hurry(items.map((item) => this.#guardOf(item)));
  }

  /** Names a window of a deal: of no two proofs of it, two are on their way. */
  #guardOf({ id, window }: Omit<Submission, "proof">): string {
    return `prove ${this.#chain.deployment.market} ${id} ${window}`;
  }

  #call(items: readonly Submission[]): Call {
    const { market } = this.#chain.contracts;
    const proofs = packProofs(items.map(({ proof }) => proof));
    const data = market.interface.encodeFunctionData("proveMany", [items.map(({ id }) => id), proofs]);
    return { to: this.#chain.deployment.market, data };
  }

  /** A batch that would be accepted whole costs one call; otherwise each proof is asked for, which gives its reason. */
  async #refusedNow(items: readonly Submission[]): Promise<Map<bigint, Outcome>> {
    const { market } = this.#chain.contracts;
    const from = await this.#sender.address();
    const outcomes = new Map<bigint, Outcome>();
    try {
      const answer = await this.#chain.provider.call({ from, ...this.#call(items) });
      if (market.interface.decodeFunctionResult("proveMany", answer)[0] === BigInt(items.length)) return outcomes;
    } catch (error) {
      throw chainError(error, `simulate ${items.length} proofs`);
    }
    const asked = items.map(async ({ id, proof }) => {
      try {
        await market.prove.staticCall(id, proof, { from });
      } catch (error) {
        const failed = chainError(error, "prove a deal");
        // No answer is no refusal: the transaction will tell.
        if (failed.revert === undefined) return;
        const reason = failed.revert.name;
        const refused = { kind: "refused", reason, message: failed.revert.text } as const;
        outcomes.set(id, failed.failure === "done" ? { kind: "already" } : refused);
      }
    });
    await Promise.all(asked);
    return outcomes;
  }

  /** Notes what the market says in its events; gives the number of proofs that it accepted. */
  #readReceipt(receipt: TransactionReceipt, outcomes: Map<bigint, Outcome>): number {
    const { market } = this.#chain.contracts;
    let accepted = 0;
    for (const log of receipt.logs) {
      if (log.address !== this.#chain.deployment.market) continue;
      const event = market.interface.parseLog(log);
      if (event?.name === "Proven") {
        const { hash, blockNumber: block, blockHash } = receipt;
        outcomes.set(event.args[0], { kind: "proven", hash, block, blockHash });
        accepted++;
      } else if (event?.name === "ProofSkipped") {
        const reason = errorName(hexlify(event.args[1]));
        const message = `the market skipped the proof: ${reason}`;
        outcomes.set(
          event.args[0],
          reason === "AlreadyProven" ? { kind: "already" } : { kind: "refused", reason, message },
        );
      }
    }
    return accepted;
  }
}
