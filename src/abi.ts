/**
 * The contracts' ABIs, errors included, for any library that speaks to a chain.
 *
 * @example
 * import { storageMarketAbi } from "holdfast/abi";
 * const market = new Contract(deployment.market, storageMarketAbi, provider);
 *
 * @packageDocumentation
 */
import {
  IRandaoRandomness__factory,
  IRandomness__factory,
  MarketLens__factory,
  ProvenanceRegistry__factory,
  ProviderRegistry__factory,
  StorageMarket__factory,
  StorageRequests__factory,
  Vault__factory,
} from "../typechain-types/index.js";

export const vaultAbi = Vault__factory.abi;
export const providerRegistryAbi = ProviderRegistry__factory.abi;
export const storageMarketAbi = StorageMarket__factory.abi;
export const marketLensAbi = MarketLens__factory.abi;
export const storageRequestsAbi = StorageRequests__factory.abi;
export const provenanceRegistryAbi = ProvenanceRegistry__factory.abi;
/** Every source of randomness. */
export const randomnessAbi = IRandomness__factory.abi;
/** The source that needs checkpoints. */
export const randaoRandomnessAbi = IRandaoRandomness__factory.abi;
