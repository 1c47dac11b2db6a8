/** The contracts of a deployment, typed. */
import type { ContractRunner, Provider } from "ethers";
import {
  type IRandaoRandomness,
  IRandaoRandomness__factory,
  type IRandomness,
  IRandomness__factory,
  type MarketLens,
  MarketLens__factory,
  type ProvenanceRegistry,
  ProvenanceRegistry__factory,
  type ProviderRegistry,
  ProviderRegistry__factory,
  type SectorProofs,
  SectorProofs__factory,
  type StorageMarket,
  StorageMarket__factory,
  type StorageRequests,
  StorageRequests__factory,
  type Vault,
  Vault__factory,
} from "../../typechain-types/index.js";
import { HoldfastError } from "../errors.js";
import { type Deployment, partsOf } from "./deployment.js";

export interface Contracts {
  readonly vault: Vault;
  readonly registry: ProviderRegistry;
  readonly randomness: IRandomness;
  /** The same contract where its kind is `randao`, which needs checkpoints; otherwise undefined. */
  readonly randao: IRandaoRandomness | undefined;
  /** What asks Filecoin's actors, where there is one. */
  readonly sectors: SectorProofs | undefined;
  readonly market: StorageMarket;
  readonly lens: MarketLens;
  readonly requests: StorageRequests;
  readonly provenance: ProvenanceRegistry;
}

/**
 * Connects the contracts of a deployment to a provider (to read) or a signer (to write as well). Nothing is asked of the
 * chain; see {@link verifyDeployment}.
 *
 * @example
 * ```ts
 * const { market, lens } = connect(provider, await readDeployment("deployments/31337.json"));
 * const view = await lens.dealOf(dealId);
 * ```
 */
export function connect(runner: ContractRunner, deployment: Deployment): Contracts {
  const { randomness, randomnessKind } = deployment;
  return {
    vault: Vault__factory.connect(deployment.vault, runner),
    registry: ProviderRegistry__factory.connect(deployment.registry, runner),
    randomness: IRandomness__factory.connect(randomness, runner),
    randao: randomnessKind === "randao" ? IRandaoRandomness__factory.connect(randomness, runner) : undefined,
    sectors: deployment.chainTiers > 0 ? SectorProofs__factory.connect(deployment.chainProofs, runner) : undefined,
    market: StorageMarket__factory.connect(deployment.market, runner),
    lens: MarketLens__factory.connect(deployment.lens, runner),
    requests: StorageRequests__factory.connect(deployment.requests, runner),
    provenance: ProvenanceRegistry__factory.connect(deployment.provenance, runner),
  };
}

/**
 * Checks that the chain has what the deployment says: chain id, the market's contracts, and every parameter that a
 * duty depends on. Ask this before acting with money.
 *
 * @throws {HoldfastError} `DEPLOYMENT_MISMATCH` naming what differs.
 * @throws What the provider throws where it can't be asked.
 */
export async function verifyDeployment(provider: Provider, deployment: Deployment): Promise<void> {
  const { chainId } = await provider.getNetwork();
  requireSame("chainId", chainId, BigInt(deployment.chainId));
  for (const part of partsOf(deployment)) {
    if ((await provider.getCode(deployment[part])) === "0x") throw mismatch(part, "no code", deployment[part]);
  }
  const { market, lens, requests, provenance } = connect(provider, deployment);
  requireSame("market of the lens", await lens.market(), deployment.market);
  requireSame("market of the requests", await requests.market(), deployment.market);
  requireSame("lens of the requests", await requests.lens(), deployment.lens);
  requireSame("lens of the provenance registry", await provenance.lens(), deployment.lens);
  for (const part of ["vault", "registry", "randomness", "treasury", "stakeToken", "chainProofs"] as const) {
    requireSame(part, await market[part](), deployment[part]);
  }
  for (const part of ["feeBps", "challengeFinality", "demandWindow", "minStake", "chainTiers"] as const) {
    requireSame(part, await market[part](), BigInt(deployment[part]));
  }
  requireSame("number of tiers", await market.tierCount(), BigInt(deployment.tiers.length));
  for (const [index, tier] of deployment.tiers.entries()) {
    const actual = await market.tierAt(index);
    for (const part of ["period", "window", "challenges", "maxMisses"] as const) {
      requireSame(`${part} of tier ${index}`, actual[part], BigInt(tier[part]));
    }
  }
}

function requireSame(what: string, actual: string | bigint, expected: string | bigint): void {
  if (actual !== expected) throw mismatch(what, actual, expected);
}

function mismatch(what: string, actual: string | bigint, expected: string | bigint): HoldfastError {
  return new HoldfastError(
    "DEPLOYMENT_MISMATCH",
    `The chain differs from the deployment file: ${what} is ${actual} there, ${expected} in the file`,
    "Use the deployment file of this chain; nothing was sent.",
  );
}
