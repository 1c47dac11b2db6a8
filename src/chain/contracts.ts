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
import type { Deployment } from "./deployment.js";
import { codeDifferences, type Differences, parameterDifferences } from "./differences.js";

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
 * Checks that the chain has what the deployment says: chain id, the market's contracts, their code where the file says which build
 * they are of, and every parameter that a duty depends on. Ask this before acting with money.
 *
 * @throws {HoldfastError} `DEPLOYMENT_MISMATCH` naming what differs.
 * @throws What the provider throws where it can't be asked.
 */
export async function verifyDeployment(provider: Provider, deployment: Deployment): Promise<void> {
  const { chainId } = await provider.getNetwork();
  if (chainId !== BigInt(deployment.chainId)) {
    throw mismatch([`chainId is ${chainId} there, ${deployment.chainId} in the file`]);
  }
  const code = await codeDifferences(provider, deployment);
  if (code.length > 0) throw mismatch(code);
  const parameters = await parameterDifferences(connect(provider, deployment), deployment);
  if (parameters.length > 0) throw mismatch(parameters);
}

function mismatch([first, ...others]: Differences): HoldfastError {
  const more = others.length === 0 ? "" : `, and ${others.length} more`;
  return new HoldfastError(
    "DEPLOYMENT_MISMATCH",
    `The chain differs from the deployment file: ${first}${more}`,
    "Use the deployment file of this chain; nothing was sent.",
  );
}
