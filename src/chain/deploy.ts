/** Putting a Holdfast of one's own on a chain. */
import { type BaseContract, type Signer, ZeroAddress } from "ethers";
import {
  BlockhashRandomness__factory,
  DrandRandomness__factory,
  MarketLens__factory,
  ProvenanceRegistry__factory,
  ProviderRegistry__factory,
  RandaoRandomness__factory,
  SectorProofs__factory,
  StorageMarket__factory,
  StorageRequests__factory,
  Vault__factory,
} from "../../typechain-types/index.js";
import { HoldfastError } from "../errors.js";
import type { Deployment, RandomnessKind } from "./deployment.js";

export { devTiers } from "./dev-tiers.js";

/** What a deployment chooses, for ever. The market's constructor checks it. */
export interface DeployOptions {
  readonly randomnessKind: RandomnessKind;
  /** The table; a tier is its index. All in epochs. */
  readonly tiers: Deployment["tiers"];
  /** Fee within each period's price, in hundredths of a percent, at most 100; 0 by default. */
  readonly feeBps?: number;
  /** Where the fee goes; only needed where there is one. */
  readonly treasury?: string;
  /** Least distance from fixing a commitment to its first challenge, in epochs; 2 by default, for development. */
  readonly challengeFinality?: number;
  /** Epochs to answer a forced retrieval; 32 by default, for development. */
  readonly demandWindow?: number;
  /** Token of `minStake`; the native coin by default. */
  readonly stakeToken?: string;
  /** What a provider must have provisioned to take a deal, in base units; 0 by default. */
  readonly minStake?: bigint;
  /** Tiers that Filecoin's own sector proofs may prove (docs/filecoin.md); none by default, and none on other chains. */
  readonly sealedTiers?: readonly number[];
  /** A vault and registry that are there already, to be shared with other markets. Both or none. */
  readonly shared?: { readonly vault: string; readonly registry: string };
}

/** What a market is built with beside its contracts, as the deployment file has it too. */
export function marketConfig(options: DeployOptions) {
  return {
    treasury: options.treasury ?? ZeroAddress,
    feeBps: options.feeBps ?? 0,
    challengeFinality: options.challengeFinality ?? 2,
    demandWindow: options.demandWindow ?? 32,
    stakeToken: options.stakeToken ?? ZeroAddress,
    minStake: options.minStake ?? 0n,
    tiers: options.tiers.map((tier) => ({ ...tier })),
    chainTiers: (options.sealedTiers ?? []).reduce((bits, tier) => bits | (1 << tier), 0),
  };
}

/**
 * Deploys vault, registry, randomness, market, lens, requests and provenance registry, and where tiers can be sealed the
 * sector proofs, and waits for each.
 *
 * @param signer - Pays; gets no privilege in what it deploys. Needs a provider.
 * @returns The deployment, for `connect` and `writeDeployment`.
 * @throws {HoldfastError} `NO_PROVIDER` where the signer has none.
 * @throws What the contracts' constructors revert with (`InvalidConfig`, `InvalidTier`).
 *
 * @example
 * ```ts
 * const deployment = await deployHoldfast(signer, { randomnessKind: "blockhash", tiers: devTiers() });
 * ```
 */
export async function deployHoldfast(signer: Signer, options: DeployOptions): Promise<Deployment> {
  if (signer.provider === null) {
    throw new HoldfastError("NO_PROVIDER", "The signer has no provider", "Connect it: signer.connect(provider).");
  }
  const { chainId } = await signer.provider.getNetwork();
  const block = (await signer.provider.getBlockNumber()) + 1;
  const vault = options.shared?.vault ?? (await addressOf(new Vault__factory(signer).deploy()));
  const registry = options.shared?.registry ?? (await addressOf(new ProviderRegistry__factory(signer).deploy(vault)));
  const randomness = await addressOf(randomnessFactory(options.randomnessKind, signer).deploy());
  const config = marketConfig(options);
  const chainProofs = config.chainTiers > 0 ? await addressOf(new SectorProofs__factory(signer).deploy()) : ZeroAddress;
  const built = { vault, registry, randomness, chainProofs, ...config };
  const market = await addressOf(new StorageMarket__factory(signer).deploy(built));
  const lens = await addressOf(new MarketLens__factory(signer).deploy(market));
  const requests = await addressOf(new StorageRequests__factory(signer).deploy(market, lens));
  const provenance = await addressOf(new ProvenanceRegistry__factory(signer).deploy(lens));
  const { randomnessKind } = options;
  const contracts = { vault, registry, randomness, randomnessKind, chainProofs, market, lens, requests, provenance };
  return { chainId: Number(chainId), block, ...contracts, ...config };
}

function randomnessFactory(kind: RandomnessKind, signer: Signer): { deploy(): Promise<BaseContract> } {
  switch (kind) {
    case "drand":
      return new DrandRandomness__factory(signer);
    case "randao":
      return new RandaoRandomness__factory(signer);
    case "blockhash":
      return new BlockhashRandomness__factory(signer);
  }
}

async function addressOf(deploying: Promise<BaseContract>): Promise<string> {
  const contract = await deploying;
  await contract.waitForDeployment();
  return contract.getAddress();
}
