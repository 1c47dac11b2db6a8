/** What the contracts of a deployment are called in the sources. */
import type { Part, RandomnessKind } from "./deployment.js";

export const CONTRACTS = {
  vault: "Vault",
  registry: "ProviderRegistry",
  market: "StorageMarket",
  lens: "MarketLens",
  requests: "StorageRequests",
  provenance: "ProvenanceRegistry",
  chainProofs: "SectorProofs",
} as const;

const RANDOMNESS: Readonly<Record<RandomnessKind, string>> = {
  drand: "DrandRandomness",
  randao: "RandaoRandomness",
  blockhash: "BlockhashRandomness",
};

/** The contract of a part of a deployment. */
export function contractOf(part: Part, kind: RandomnessKind): string {
  return part === "randomness" ? RANDOMNESS[kind] : CONTRACTS[part];
}
