/**
 * Deals that were opened to go on where one of another market ends: neither market knows the other, so the terms of the new
 * deal name the old one, by their salt.
 *
 * @packageDocumentation
 */
import { AbiCoder, keccak256, type Provider, zeroPadValue } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { logsBetween } from "../chain/logs.js";
import { HoldfastError } from "../errors.js";
import { type DealTerms, Status } from "../protocol/index.js";
import { type DealInfo, type DealReader, readDeals } from "./deals.js";
import { ask, type ChainAccess } from "./funds.js";
import { pause } from "./http.js";

const POLL_MS = 500;
/** Keeps the salt apart from hashes of anything else. */
const PURPOSE = "holdfast: carried from";

/** The salt of the terms that go on where a deal of a market ends: 32 bytes in hex. */
export function carriedSalt({ chainId, market }: Pick<Deployment, "chainId" | "market">, id: bigint): string {
  const types = ["string", "uint256", "address", "uint256"];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, [PURPOSE, chainId, market, id]));
}

/**
 * Waits until what the account has on its way now is in blocks: a run that was cut off may have sent what opens the new deal,
 * and {@link findCarried} sees only what is on chain. What is sent meanwhile is not waited for.
 *
 * @param patienceMs - milliseconds to wait at most
 * @throws HoldfastError `TRANSACTION_PENDING` where some of it is in no block by then
 * @throws ChainError where the chain can't be asked
 */
export async function landed({ address, contracts }: ChainAccess, patienceMs: number): Promise<void> {
  const provider = contracts.market.runner?.provider as Provider;
  const count = (tag: "latest" | "pending") => ask("count transactions", provider.getTransactionCount(address, tag));
  const sent = await count("pending");
  const until = performance.now() + patienceMs;
  for (let mined = await count("latest"); mined < sent; mined = await count("latest")) {
    if (performance.now() >= until) throw pending(address, sent - mined);
    await pause(POLL_MS, undefined);
  }
}

function pending(address: string, open: number): HoldfastError {
  const message = `${open} ${open === 1 ? "transaction" : "transactions"} of ${address} wait for a block: one may be an earlier run's`;
  return new HoldfastError(
    "TRANSACTION_PENDING",
    message,
    "wait until they are in blocks, or replace them, and try again",
  );
}

/**
 * The deal that an earlier run opened in a market to go on where `old` ends: open, on the same piece, still `old`'s owner's.
 *
 * Only what the owner signed or sent counts. Anybody can work out the salt and give the owner a deal with it, a worthless
 * one, for which the old one must not be ended.
 *
 * @param salt - from {@link carriedSalt}
 * @throws ChainError where the chain can't be asked
 */
export async function findCarried(
  there: DealReader,
  { owner, root, leafCount }: Pick<DealInfo, "owner" | "root" | "leafCount">,
  salt: string,
): Promise<DealInfo | undefined> {
  const ids = await ask("look for deals", openedWith(there, owner, salt));
  const deals = await readDeals(there, ids);
  return deals.find(
    (deal) => deal.status === Status.Open && deal.owner === owner && deal.root === root && deal.leafCount === leafCount,
  );
}

/** Ids of the deals that a client opened under a salt, oldest first. */
async function openedWith({ contracts, deployment }: DealReader, client: string, salt: string): Promise<bigint[]> {
  const { market } = contracts;
  const provider = market.runner?.provider as Provider;
  const topics = [market.interface.getEvent("Opened").topicHash, null, zeroPadValue(client, 32)];
  const filter = { address: deployment.market, topics };
  const ids: bigint[] = [];
  for await (const { logs } of logsBetween(provider, filter, deployment.block, await provider.getBlockNumber())) {
    for (const { data, topics } of logs) {
      const opened = market.interface.decodeEventLog("Opened", data, topics) as unknown as Opened;
      if (opened.terms.salt === salt && !opened.gift) ids.push(opened.id);
    }
  }
  return ids;
}

interface Opened {
  readonly id: bigint;
  readonly terms: Pick<DealTerms, "salt">;
  /** Whether the client signed nothing. */
  readonly gift: boolean;
}
