/** Many deals, opened quickly. */
import { createCipheriv } from "node:crypto";
import { hexlify, toBeHex, toQuantity } from "ethers";
import { type Commitment, commit, encodePieceCid } from "../../../src/piece/index.js";
import { type DealTerms, dealDomain, dealIdOf, signTerms } from "../../../src/protocol/index.js";
import type { PieceStore } from "../../../src/store/index.js";
import { type Blocks, COIN, TIER, type World } from "./world.js";

/** Transactions that wait for a block at once. */
const PER_BLOCK = 500;
const OPEN_GAS = 400_000;
const FEES = { maxFeePerGas: toQuantity(10n ** 13n), maxPriorityFeePerGas: toQuantity(1_000_000_000) };
const PRICE = 10_000n;
const COLLATERAL = 60_000n;

/** Stores pieces that differ, each from its number alone. */
export async function storePieces(store: PieceStore, count: number, bytes: number): Promise<Commitment[]> {
  const commitments: Commitment[] = [];
  for (let i = 0; i < count; i++) {
    const payload = payloadOf(i, bytes);
    const commitment = await commit(payload);
    const id = await store.beginUpload();
    await store.writeUpload(id, once(payload), bytes);
    await store.finishUpload(id, encodePieceCid(commitment).toString());
    commitments.push(commitment);
  }
  return commitments;
}

/** A key stream: random to look at, the same every time. */
function payloadOf(number: number, bytes: number): Uint8Array {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(number);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export interface OpenOptions {
  readonly count: number;
  readonly periods: number;
  readonly pieces: readonly Commitment[];
}

/**
 * Opens deals over the pieces in turn. Client and provider sign each; accounts that have nothing to do with it bring them to
 * the chain. Gives the ids.
 */
export async function openDeals(world: World, blocks: Blocks, { count, ...options }: OpenOptions): Promise<bigint[]> {
  const ids: bigint[] = [];
  for (let from = 0; from < count; from += PER_BLOCK) {
    const numbers = Array.from({ length: Math.min(PER_BLOCK, count - from) }, (_, i) => from + i);
    ids.push(...(await Promise.all(numbers.map((number) => relay(world, number, options)))));
    await blocks.mineAll();
  }
  return ids;
}

async function relay(world: World, number: number, options: Omit<OpenOptions, "count">): Promise<bigint> {
  const { contracts, deployment, client, owner, provider, relayers } = world;
  const domain = dealDomain(deployment.chainId, deployment.market);
  const terms = termsOf(world, number, options);
  const [byClient, byOwner] = [await signTerms(client, domain, terms), await signTerms(owner, domain, terms)];
  const data = contracts.market.interface.encodeFunctionData("open", [terms, byClient, byOwner]);
  const from = relayers[number % relayers.length];
  // They have sent nothing before; left to the node, those that come at once would have the same nonce.
  const nonce = toQuantity(Math.floor(number / relayers.length));
  const transaction = { from, nonce, to: deployment.market, data, gas: toQuantity(OPEN_GAS), ...FEES };
  await provider.send("eth_sendTransaction", [transaction]);
  return dealIdOf(domain, terms);
}

function termsOf({ client, owner }: World, number: number, { periods, pieces }: Omit<OpenOptions, "count">): DealTerms {
  const { root, leafCount } = pieces[number % pieces.length] as Commitment;
  return {
    client: client.address,
    provider: owner.address,
    root: hexlify(root),
    leafCount,
    tier: TIER,
    periods,
    maxPeriods: periods,
    token: COIN,
    pricePerPeriod: PRICE,
    collateral: COLLATERAL,
    egressPricePerGiB: 0n,
    validUntil: 2n ** 40n,
    salt: toBeHex(number, 32),
  };
}
