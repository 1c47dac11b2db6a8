/** Seeds of past epochs, checkpointed first where the chain's randomness needs that. */
import { type Provider, toQuantity } from "ethers";
import type { IRandaoRandomness } from "../../typechain-types/index.js";
import { HoldfastError } from "../errors.js";
import type { Contracts } from "./contracts.js";
import type { Deployment } from "./deployment.js";
import { chainError } from "./errors.js";
import { encodeHeader, type HeaderJson } from "./header.js";
import type { TransactionSender } from "./sender.js";

export interface SeedAccess {
  /** Speaks JSON-RPC. */
  readonly provider: Provider;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  /** Pays for checkpoints. */
  readonly sender: Pick<TransactionSender, "send">;
}

export interface SeedOptions {
  readonly signal?: AbortSignal;
  /** Called with the checkpoint, where one was sent. */
  readonly onCheckpoint?: (epoch: number, hash: string) => void;
}

/**
 * The seed of `epoch` as a transaction in the block after `head` reads it. That of the latest block itself is only there
 * from the next one on, which nodes call pending.
 *
 * @throws What ethers throws: a revert with `SeedUnavailable` where the seed is not there yet.
 * @example
 * ```ts
 * const head = await provider.getBlockNumber();
 * const seed = await seedAfter(contracts, possessionEpoch(head + 1), head);
 * ```
 */
export function seedAfter({ randomness }: Pick<Contracts, "randomness">, epoch: number, head: number): Promise<bigint> {
  return randomness.seed(epoch, { blockTag: epoch < head ? "latest" : "pending" });
}

/**
 * The seed of an epoch up to the latest block. Where the chain's randomness has to be told of it, and nobody has, this
 * sends the checkpoint.
 *
 * @throws {HoldfastError} `SEED_LOST` where nobody checkpointed it in time; a `ChainError` where it can't be read yet.
 */
export async function obtainSeed(
  access: SeedAccess,
  epoch: number,
  { signal, onCheckpoint }: SeedOptions = {},
): Promise<bigint> {
  const { contracts, provider } = access;
  const { randao } = contracts;
  try {
    return await seedAfter(contracts, epoch, await provider.getBlockNumber());
  } catch (error) {
    const failed = chainError(error, `read the seed of epoch ${epoch}`);
    if (randao === undefined || failed.revert?.name !== "SeedUnavailable") throw failed;
  }
  try {
    const hash = await checkpoint(access, randao, epoch, signal);
    if (hash !== undefined) onCheckpoint?.(epoch, hash);
    return await randao.seed(epoch);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof HoldfastError) throw error;
    throw chainError(error, `checkpoint the seed of epoch ${epoch}`);
  }
}

/** The transaction's hash; undefined where somebody else was faster. */
async function checkpoint(
  { provider, deployment, sender }: SeedAccess,
  randao: IRandaoRandomness,
  epoch: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const header = encodeHeader(await headerOf(provider, epoch));
  const data = randao.interface.encodeFunctionData("checkpoint", [epoch, header]);
  const doing = `checkpoint the seed of epoch ${epoch}`;
  try {
    // Of several keepers with one journal, one sends it.
    const guards = [`checkpoint ${deployment.randomness} ${epoch}`];
    const sent = await sender.send({ to: deployment.randomness, data }, doing, signal, guards);
    return sent.status === "mined" ? sent.receipt.hash : undefined;
  } catch (error) {
    const failed = chainError(error, doing);
    if (failed.revert?.name === "UnknownBlockHash") throw seedLost(epoch, error);
    throw failed;
  }
}

async function headerOf(provider: Provider, epoch: number): Promise<HeaderJson> {
  const { send } = provider as { send?: (method: string, params: unknown[]) => Promise<HeaderJson | null> };
  const block = await send?.call(provider, "eth_getBlockByNumber", [toQuantity(epoch), false]);
  if (block) return block;
  throw new HoldfastError("NO_HEADER", `The node has no block ${epoch}`, "Use a node that is not behind.");
}

function seedLost(epoch: number, cause: unknown): HoldfastError {
  return new HoldfastError(
    "SEED_LOST",
    `The seed of epoch ${epoch} was not checkpointed, and the chain no longer serves that block's hash`,
    "Windows of this epoch can't be proven any more; leave a keeper running.",
    { cause },
  );
}
