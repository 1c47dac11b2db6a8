import { AbiCoder, keccak256 } from "ethers";
import { POSSESSION_GRID } from "./amendment.js";

/**
 * What a client wants stored, and the most it pays for it (PROTOCOL section 7): the argument of `StorageRequests.post`,
 * and of every call after it. Amounts in base units of `token`.
 */
export interface StorageRequest {
  /** Who posts it, pays, and gets back what is not spent. */
  readonly client: string;
  /** Root of the piece, 32 bytes in hex. */
  readonly root: string;
  /** Leaves of 32 bytes that the payload touches, 1 to 2^40. */
  readonly leafCount: bigint;
  /** Row of the market's table. */
  readonly tier: number;
  /** Periods that each replica is paid for. */
  readonly periods: number;
  /** Up to where anybody may extend a replica's deal, at most 2^24. */
  readonly maxPeriods: number;
  /** What is paid with and staked; zero: the native coin. */
  readonly token: string;
  /** Price of a period at the posting. */
  readonly startPrice: bigint;
  /** Price of a period from `rampEpochs` after the posting. */
  readonly maxPrice: bigint;
  /** Epochs over which the price rises, at least 1. */
  readonly rampEpochs: number;
  /** What a provider stakes on the market behind its replica. */
  readonly collateral: bigint;
  /** The most that reading a GiB may cost. */
  readonly maxEgressPricePerGiB: bigint;
  /** Providers wanted, 1 to {@link MAX_REPLICAS}. */
  readonly replicas: number;
  /** What a provider has locked with the contract while its replica lives. */
  readonly minStake: bigint;
  /** Unix seconds until when replicas can be filled, the last one included. */
  readonly expires: bigint;
  /** Whether a replica that defaults is posted again. `StorageRequests` then owns the deals. */
  readonly repair: boolean;
  /** Where a replica may lie, six bytes in hex each, at most {@link MAX_REGIONS}; empty: anywhere. */
  readonly regions: readonly string[];
  /** Where providers fetch the bytes, at most {@link MAX_DATA_URI} bytes long. */
  readonly dataUri: string;
  /** 32 bytes in hex that tell requests apart which are equal otherwise. */
  readonly salt: string;
}

/** The most replicas that one request can ask for. */
export const MAX_REPLICAS = 32;

/** The most regions that a request can name. */
export const MAX_REGIONS = 16;

/** The most bytes of a request's `dataUri`, as UTF-8. */
export const MAX_DATA_URI = 512;

/** The Solidity struct, as ethers' `AbiCoder` takes it. */
export const STORAGE_REQUEST_TYPE: string =
  "tuple(address client, bytes32 root, uint64 leafCount, uint8 tier, uint32 periods, uint32 maxPeriods, " +
  "address token, uint128 startPrice, uint128 maxPrice, uint32 rampEpochs, uint128 collateral, " +
  "uint128 maxEgressPricePerGiB, uint8 replicas, uint128 minStake, uint64 expires, bool repair, bytes6[] regions, " +
  "string dataUri, bytes32 salt)";

/**
 * The id that a request has at one `StorageRequests` of one chain: keccak256(abi.encode(chainid, contract, request)).
 *
 * @param chainId - of the chain that the contract is on
 * @param requests - address of `StorageRequests`
 * @throws TypeError where a value does not fit its Solidity type
 * @example
 * const { unfilled } = await contracts.requests.stateOf(requestIdOf(chainId, deployment.requests, request));
 */
export function requestIdOf(chainId: bigint | number, requests: string, request: StorageRequest): bigint {
  const values = [chainId, requests, request];
  return BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "address", STORAGE_REQUEST_TYPE], values)));
}

/** A price that rises from the block of a posting. */
export interface PriceRamp {
  /** Base units a period at the posting. */
  readonly startPrice: bigint;
  /** Base units a period at the end of the ramp. */
  readonly maxPrice: bigint;
  /** Epochs over which it rises, at least 1. */
  readonly rampEpochs: number;
}

/**
 * The most that a fill in block `at` may cost for each period, in base units:
 * start + ⌊(max − start) · min(elapsed, ramp) / ramp⌋ (PROTOCOL section 7).
 *
 * @param ramp - a request, or {@link slotRamp} of a replica that was posted again
 * @param postedEpoch - of the request, or of the slot
 * @param at - the block of the fill, not before the posting: one after the latest for a transaction sent now
 * @example
 * if (priceAt(request, posted, latest + 1) >= floor) await fill();
 */
export function priceAt(ramp: PriceRamp, postedEpoch: number, at: number): bigint {
  const elapsed = Math.min(at - postedEpoch, ramp.rampEpochs);
  return ramp.startPrice + ((ramp.maxPrice - ramp.startPrice) * BigInt(elapsed)) / BigInt(ramp.rampEpochs);
}

/**
 * The ramp of a replica that was posted again: it starts where the request's does, or at the slot's own maximum where
 * that is lower.
 *
 * @param maxPrice - of the slot, base units a period
 * @example
 * priceAt(slotRamp(request, slot.maxPrice), slot.postedEpoch, latest + 1);
 */
export function slotRamp(request: Pick<PriceRamp, "startPrice" | "rampEpochs">, maxPrice: bigint): PriceRamp {
  const { startPrice, rampEpochs } = request;
  return { startPrice: startPrice < maxPrice ? startPrice : maxPrice, maxPrice, rampEpochs };
}

/**
 * What the posting locks of the client's account in the vault: maxPrice × periods × replicas, in base units.
 *
 * @example
 * if ((await vault.balanceOf(client, BigInt(request.token))) < postingCost(request)) throw new Error("deposit first");
 */
export function postingCost(request: Pick<StorageRequest, "maxPrice" | "periods" | "replicas">): bigint {
  return request.maxPrice * BigInt(request.periods) * BigInt(request.replicas);
}

/**
 * What stands for the deal's id in the challenge of a fill's possession proof, with `StorageRequests` as the market and
 * window 0: keccak256(abi.encode(requestId, slot, provider)).
 *
 * @param slot - 0n for an original replica, else the defaulted deal that was posted again
 * @param provider - who fills
 * @throws TypeError where `provider` is no address
 * @example
 * const dealId = fillQuestionId(requestId, 0n, provider);
 * const seed = await randomness.seed(possessionEpoch(latest + 1));
 * const leaves = challengeIndices({ chainId, market: requests, dealId, window: 0, seed, count, leafCount });
 */
export function fillQuestionId(requestId: bigint, slot: bigint, provider: string): bigint {
  const values = [requestId, slot, provider];
  return BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "uint256", "address"], values)));
}

/**
 * The first block in which anything of a request can be filled: the first one whose `possessionEpoch` is at least
 * `challengeFinality` after the posting. A replica that was posted again counts from the request's own posting.
 *
 * @param postedEpoch - of the request
 * @param challengeFinality - of the market, in epochs
 * @example
 * firstFillBlock(100, 2); // 129: the epoch is 128
 */
export function firstFillBlock(postedEpoch: number, challengeFinality: number): number {
  return Math.ceil((postedEpoch + challengeFinality) / POSSESSION_GRID) * POSSESSION_GRID + 1;
}

/**
 * Whether a provider of region `actual` is eligible where `wanted` are asked for: one of them is the same, or is the
 * country that it is a subdivision of.
 *
 * @param wanted - of the request, six bytes in hex each; empty: anywhere
 * @param actual - of the provider's profile, six bytes in hex
 * @example
 * isEligibleRegion(["0x555300000000"], "0x55532d434100"); // true: US takes US-CA
 */
export function isEligibleRegion(wanted: readonly string[], actual: string): boolean {
  if (wanted.length === 0) return true;
  const region = actual.toLowerCase();
  return wanted.map((one) => one.toLowerCase()).some((one) => one === region || isCountryOf(one, region));
}

function isCountryOf(country: string, region: string): boolean {
  return country.endsWith("00000000") && country.slice(0, 6) === region.slice(0, 6);
}
