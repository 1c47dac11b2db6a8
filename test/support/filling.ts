/** What a provider does to fill a request, by hand. */
import { hexlify, randomBytes, type Wallet } from "ethers";
import { seedAfter } from "../../src/chain/seeds.js";
import { type KnownRequest, readRequest } from "../../src/client/index.js";
import { commitWithLayer, prove } from "../../src/piece/index.js";
import {
  challengeIndices,
  type DealTerms,
  dealDomain,
  fillQuestionId,
  firstFillBlock,
  possessionEpoch,
  signTerms,
} from "../../src/protocol/index.js";
import type { StorageNet } from "./storage-net.js";

/** Mines until a request can be filled, and fills a replica of it; gives the deal. */
export async function fillByHand(
  net: StorageNet,
  { id }: Pick<KnownRequest, "id">,
  payload: Uint8Array,
  by: Wallet,
  pricePerPeriod: bigint,
  { slot = 0n, periods }: { slot?: bigint; periods?: number } = {},
): Promise<bigint> {
  const { request } = await readRequest(net, id);
  const { chainId, market, requests, challengeFinality, tiers } = net.deployment;
  const { postedEpoch } = await net.contracts.requests.stateOf(id);
  const first = firstFillBlock(Number(postedEpoch), challengeFinality);
  const latest = await net.provider.getBlockNumber();
  if (latest < first - 1) await net.mine(first - 1 - latest);
  const { root, leafCount, tier, maxPeriods, token, collateral, maxEgressPricePerGiB: egressPricePerGiB } = request;
  const terms: DealTerms = {
    client: request.repair ? requests : request.client,
    provider: by.address,
    ...{ root, leafCount, tier, maxPeriods, token, collateral, egressPricePerGiB, pricePerPeriod },
    periods: periods ?? request.periods,
    validUntil: 4_000_000_000n,
    salt: hexlify(randomBytes(32)),
  };
  const head = await net.provider.getBlockNumber();
  const leaves = challengeIndices({
    ...{ chainId, market: requests, dealId: fillQuestionId(id, slot, by.address), window: 0, leafCount },
    seed: await seedAfter(net.contracts, possessionEpoch(head + 1), head),
    count: tiers[tier]!.challenges,
  });
  const { layer } = await commitWithLayer(payload);
  const proof = await prove(layer, (offset, length) => payload.subarray(offset, offset + length), leaves);
  const signature = await signTerms(by, dealDomain(chainId, market), terms);
  const call = { ...request, regions: [...request.regions] };
  const contract = net.contracts.requests.connect(by);
  await (await contract.fill(call, slot, terms, signature, hexlify(proof))).wait();
  return net.contracts.requests.dealOf(id, by.address);
}
