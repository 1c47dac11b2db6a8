/**
 * Blocks by their numbers, where a number may have none: on Filecoin an epoch for which nobody made a block is a null round, and
 * block numbers skip it.
 */
import { type Block, concat, keccak256, type Provider, toBeHex, ZeroHash } from "ethers";
import { rpcMessage } from "./errors.js";

type BlockReader = Pick<Provider, "getBlock">;

/** Lotus, by an error of code 12, of code 1 before 1.32; Venus and Forest have the same words. */
const NULL_ROUND = /epoch was a null round/i;
/** Lotus of a number beyond its head, where other nodes answer null. */
const FUTURE_EPOCH = /requested a future epoch/i;
/** Epochs that are searched for a block: no reorganisation that is lived through is deeper. */
const REACH = 64;

/**
 * The block of a number; null where there is none: it is to come, or the number is a null round's. Nodes say so by an error, by
 * null, or by another block: the one before.
 *
 * @throws What the provider throws otherwise.
 */
export async function blockAt(provider: BlockReader, number: number): Promise<Block | null> {
  const { block } = await look(provider, number);
  return block?.number === number ? block : null;
}

/**
 * The last block up to a number; null where the node has none within 64 of it.
 *
 * @throws What the provider throws.
 */
export async function blockUpTo(provider: BlockReader, number: number): Promise<Block | null> {
  for (let at = number; at >= 0 && at > number - REACH; at--) {
    const { block } = await look(provider, at);
    if (block !== null && block.number <= number) return block;
  }
  return null;
}

/**
 * The first block from a number on; null where the node has none until `last`.
 *
 * @throws What the provider throws.
 */
export async function blockFrom(provider: BlockReader, number: number, last: number): Promise<Block | null> {
  for (let at = number; at <= last; at++) {
    const block = await blockAt(provider, at);
    if (block !== null) return block;
  }
  return null;
}

/**
 * What tells the block of an epoch from others that may take its place: its hash, or of a null round, whose hash is that of the block
 * before on the chain itself, a hash of that and the epoch. 32 bytes in hex; undefined where the node knows no block and
 * cannot show that there is none.
 *
 * @param epoch - below the head
 * @throws What the provider throws.
 * @example
 * const before = await epochKey(provider, epoch);
 * const seed = await randomness.seed(epoch);
 * if ((await epochKey(provider, epoch)) !== before) throw new Error("the chain was reorganised meanwhile");
 */
export async function epochKey(provider: BlockReader, epoch: number): Promise<string | undefined> {
  const { block, isNull } = await look(provider, epoch);
  if (block?.number === epoch) return block.hash ?? undefined;
  const before = await blockUpTo(provider, epoch - 1);
  // A node that is behind says null as well: then the next block is no child of the one before.
  if (!isNull && (before === null || !(await isParent(provider, before, epoch)))) return undefined;
  return keccak256(concat([before?.hash ?? ZeroHash, toBeHex(epoch, 32)]));
}

async function isParent(provider: BlockReader, before: Block, epoch: number): Promise<boolean> {
  const after = await blockFrom(provider, epoch + 1, epoch + REACH);
  return after !== null && after.parentHash === before.hash;
}

interface Look {
  readonly block: Block | null;
  /** Whether the node says itself that nobody made a block. */
  readonly isNull: boolean;
}

async function look(provider: BlockReader, number: number): Promise<Look> {
  try {
    const block = await provider.getBlock(number);
    return { block, isNull: block !== null && block.number < number };
  } catch (error) {
    const said = rpcMessage(error) ?? "";
    if (NULL_ROUND.test(said)) return { block: null, isNull: true };
    if (FUTURE_EPOCH.test(said)) return { block: null, isNull: false };
    throw error;
  }
}
