/** What is deployed, in which order, from what. */
import { buildModule } from "@nomicfoundation/ignition-core";
import { ZeroAddress } from "ethers";
import { type DeployOptions, marketConfig } from "../../src/chain/deploy.js";
import type { RandomnessKind } from "../../src/chain/deployment.js";

/** Contracts as a deployment file names them, and as the sources do. */
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
export function contractOf(part: keyof typeof CONTRACTS | "randomness", kind: RandomnessKind): string {
  return part === "randomness" ? RANDOMNESS[kind] : CONTRACTS[part];
}

/** The same contracts as `deployHoldfast` of src/chain, for Ignition, which goes on where it was interrupted. */
export function holdfastModule(options: DeployOptions) {
  return buildModule("Holdfast", (m) => {
    const vault = m.contract(CONTRACTS.vault);
    const registry = m.contract(CONTRACTS.registry, [vault]);
    const randomness = m.contract(RANDOMNESS[options.randomnessKind]);
    const config = marketConfig(options);
    const asked = config.chainTiers > 0 ? { chainProofs: m.contract(CONTRACTS.chainProofs) } : {};
    const market = m.contract(CONTRACTS.market, [
      { vault, registry, randomness, chainProofs: ZeroAddress, ...asked, ...config },
    ]);
    const lens = m.contract(CONTRACTS.lens, [market]);
    const requests = m.contract(CONTRACTS.requests, [market, lens]);
    const provenance = m.contract(CONTRACTS.provenance, [lens]);
    return { vault, registry, randomness, ...asked, market, lens, requests, provenance };
  });
}
