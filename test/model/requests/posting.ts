/** What no request may be: the refusals of `post`, as docs/StorageRequests.md lists them. */
import type { StorageRequest } from "../../../src/protocol/index.js";
import type { At } from "../actions.js";
import { type Config, isAccount } from "../model.js";

/** Every error that applies, in no order. */
export function faultsOfRequest(request: StorageRequest, config: Config, at: At): (string | false)[] {
  const { replicas, startPrice, maxPrice, rampEpochs, expires, regions, dataUri } = request;
  return [
    !isAccount(request.client) && "InvalidClient",
    (replicas < 1 || replicas > 32) && "InvalidReplicas",
    startPrice > maxPrice && "InvalidPrices",
    rampEpochs < 1 && "InvalidRamp",
    (expires <= at.timestamp || expires >= 2n ** 40n) && "InvalidExpiry",
    regions.length > 16 && "TooManyRegions",
    regions.some((region) => BigInt(region) === 0n) && "InvalidRegion",
    Buffer.byteLength(dataUri) > 512 && "DataUriTooLong",
    ...faultsOfDeal(request, config),
  ];
}

/** What the market itself would refuse. */
function faultsOfDeal(request: StorageRequest, { tiers }: Config): (string | false)[] {
  const { tier, leafCount, root, periods, maxPeriods, collateral, maxPrice } = request;
  const row = tiers[tier];
  if (!row) return ["UnknownTier"];
  const bond = collateral + BigInt(maxPeriods) * (collateral / BigInt(row.maxMisses));
  return [
    (leafCount < 1n || leafCount > 2n ** 40n) && "InvalidLeafCount",
    (BigInt(root) & 0xc0n) !== 0n && "InvalidRoot",
    (periods < row.maxMisses || periods > maxPeriods || maxPeriods > 2 ** 24) && "InvalidPeriods",
    collateral !== 0n && collateral < BigInt(row.maxMisses) && "InvalidCollateral",
    (maxPrice * BigInt(maxPeriods) >= 2n ** 128n || bond >= 2n ** 128n) && "AmountTooLarge",
  ];
}
