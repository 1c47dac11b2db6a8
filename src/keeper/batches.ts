/** How many items go into one transaction, and what happens where the chain refuses it whole. */
import { ChainError } from "../chain/errors.js";
import { NODE_SIZE } from "../piece/index.js";
import { packedSize } from "../protocol/index.js";

/** What one transaction may take. */
export interface BatchLimits {
  /** Bytes of calldata. */
  readonly calldata: number;
  /** Units of gas. */
  readonly gas: number;
}

/** Since EIP-7825 no transaction may take more gas than this, however large blocks are. */
const TRANSACTION_GAS_CAP = 2 ** 24;

/** Selector, two offsets, two lengths, and the padding of the packed proofs. */
const CALL_OVERHEAD = 4 + 5 * 32;
const ID_SIZE = 32;
/** Upper bounds of what a batch takes at least, for each proof, and for each of its nodes (docs/keeper.md). */
const GAS_PER_BATCH = 60_000;
const GAS_PER_PROOF = 60_000;
const GAS_PER_NODE = 1_700;

/**
 * The limits on a chain whose blocks hold `blockGasLimit`.
 *
 * @param share - The part of a block that one transaction may take, over 0 and at most 1.
 * @param calldata - Bytes that the chain's nodes take in one transaction.
 */
export function batchLimits(blockGasLimit: bigint, share: number, calldata: number): BatchLimits {
  return { calldata, gas: Math.min(Math.floor(Number(blockGasLimit) * share), TRANSACTION_GAS_CAP) };
}

/** Fills batches of `proveMany` one proof after another. */
export class ProofBatcher<T extends { readonly proof: Uint8Array }> {
  readonly #limits: BatchLimits;
  #items: T[] = [];
  #calldata = CALL_OVERHEAD;
  #gas = GAS_PER_BATCH;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Takes an item; gives the batch before it where the item did not fit in. One item always fits. */
  add(item: T): T[] | undefined {
    const calldata = ID_SIZE + packedSize(item.proof);
    const gas = GAS_PER_PROOF + (item.proof.length / NODE_SIZE) * GAS_PER_NODE;
    const full = this.#calldata + calldata > this.#limits.calldata || this.#gas + gas > this.#limits.gas;
    const batch = full && this.#items.length > 0 ? this.take() : undefined;
    this.#items.push(item);
    this.#calldata += calldata;
    this.#gas += gas;
    return batch;
  }

  /** Everything that waits, which may be nothing. */
  take(): T[] {
    const items = this.#items;
    this.#items = [];
    this.#calldata = CALL_OVERHEAD;
    this.#gas = GAS_PER_BATCH;
    return items;
  }
}

/**
 * Sends items together; where the chain refuses them as a whole (a revert, or that they are too large), in halves, so that one that can't be sent stops no
 * other.
 *
 * @param refused - Called with the items that can't be sent, and why: a single one, or all of them where the trouble is
 *   on the way to the chain.
 */
export async function sendSplitting<T>(
  items: readonly T[],
  send: (items: readonly T[]) => Promise<void>,
  refused: (items: readonly T[], error: unknown) => void,
): Promise<void> {
  try {
    await send(items);
  } catch (error) {
    const splittable = error instanceof ChainError && error.failure === "hopeless" && items.length > 1;
    if (!splittable) return refused(items, error);
    const middle = Math.ceil(items.length / 2);
    await sendSplitting(items.slice(0, middle), send, refused);
    await sendSplitting(items.slice(middle), send, refused);
  }
}

/**
 * Does something with each of many, the next as soon as one has ended.
 *
 * @param all - asked for one more whenever there is a place
 * @param most - of them at a time
 * @throws what `all` and `act` throw, when all that was begun has ended
 */
export async function sideBySide<T>(
  all: IterableIterator<T> | AsyncGenerator<T>,
  most: number,
  act: (one: T) => Promise<void>,
): Promise<void> {
  const places = Array.from({ length: most }, async () => {
    for await (const one of all) await act(one);
  });
  const failed = (await Promise.allSettled(places)).find((place) => place.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
