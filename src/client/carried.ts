/**
 * Deals that were opened to go on where one of another market ends: neither market knows the other, so the terms of the new
 * deal name the old one, by their salt.
 *
 * @packageDocumentation
 */
import { AbiCoder, keccak256, type Provider, zeroPadValue } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { logsBetween } from "../chain/logs.js";
import { type DealTerms, Status } from "../protocol/index.js";
import { type DealInfo, type DealReader, readDeals } from "./deals.js";
import { ask } from "./funds.js";

/** Keeps the salt apart from hashes of anything else. */
const PURPOSE = "holdfast: carried from";

/** The salt of the terms that go on where a deal of a market ends: 32 bytes in hex. */
export function carriedSalt({ chainId, market }: Pick<Deployment, "chainId" | "market">, id: bigint): string {
  const types = ["string", "uint256", "address", "uint256"];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, [PURPOSE, chainId, market, id]));
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
