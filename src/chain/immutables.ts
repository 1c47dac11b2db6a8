/** What the immutables of a deployment's contracts are, by the choices that it was made with. */
import {
  concat,
  encodeBytes32String,
  getCreateAddress,
  id,
  type TypedDataDomain,
  TypedDataEncoder,
  toBeHex,
  zeroPadValue,
} from "ethers";
import { dealDomain, provenanceDomain } from "../protocol/index.js";
import type { Deployment } from "./deployment.js";

/** Words of 32 bytes in hex, by what the sources call them, in whichever contract of the inheritance they are. */
export type Immutables = Readonly<Record<string, string>>;

/** What the market makes when it is built, in this order. */
const OF_MARKET = ["TermsChecker", "ProofVerifier", "MarketChanges"] as const;

/** Those contracts, where they are. */
export function ofMarket(market: string): { name: (typeof OF_MARKET)[number]; address: string }[] {
  return OF_MARKET.map((name, i) => ({ name, address: getCreateAddress({ from: market, nonce: i + 1 }) }));
}

/** The immutables of every contract that has some, those that the market has made too, by its name: private ones as well. */
export function immutablesOf(deployment: Deployment): Readonly<Record<string, Immutables>> {
  const { chainId, vault, registry, randomness, market, lens, provenance } = deployment;
  const { stakeToken, minStake, feeBps, challengeFinality } = deployment;
  const [checker, verifier, changes] = ofMarket(market).map(({ address }) => address);
  const ofBase = {
    ...words({ vault, registry, randomness, stakeToken, minStake, feeBps, challengeFinality }),
    ...words({ treasury: deployment.treasury, demandWindow: deployment.demandWindow }),
    ...words({ chainProofs: deployment.chainProofs, chainTiers: deployment.chainTiers }),
    ...words({ termsChecker: checker!, proofVerifier: verifier! }),
    ...tierTable(deployment.tiers),
  };
  const checks = { _vault: vault, _registry: registry, _stakeToken: stakeToken, _minStake: minStake };
  const reads = { vault, registry, _randomness: randomness, _challengeFinality: challengeFinality };
  return {
    Vault: domainWords({ name: "Holdfast Vault", version: "1", chainId, verifyingContract: vault }),
    ProviderRegistry: words({ vault }),
    StorageMarket: { ...ofBase, ...words({ _changes: changes! }), ...domainWords(dealDomain(chainId, market)) },
    MarketChanges: { ...ofBase, ...words({ _self: changes! }) },
    TermsChecker: words({ _market: market, ...checks }),
    MarketLens: words({ market, _feeBps: feeBps }),
    StorageRequests: words({ market, lens, ...reads }),
    ProvenanceRegistry: { ...words({ market, lens }), ...domainWords(provenanceDomain(chainId, provenance)) },
  };
}

/** Two rows a word, as `MarketBase` packs them. */
function tierTable(tiers: Deployment["tiers"]): Immutables {
  const row = (i: number) => {
    const { period, window, challenges, maxMisses } = tiers[i] ?? { period: 0, window: 0, challenges: 0, maxMisses: 0 };
    return concat([maxMisses, challenges, window, period].map((value) => toBeHex(value, 4)));
  };
  const pair = (i: number) => concat([row(i + 1), row(i)]);
  return {
    ...words({ tierCount: tiers.length }),
    ...{ _tiers01: pair(0), _tiers23: pair(2), _tiers45: pair(4), _tiers67: pair(6) },
  };
}

/** What OpenZeppelin's `EIP712` keeps of a domain. Its short strings end in their length. */
function domainWords(domain: TypedDataDomain): Immutables {
  const short = (text: string) => toBeHex(BigInt(encodeBytes32String(text)) | BigInt(text.length), 32);
  const { name, version, chainId, verifyingContract } = domain as { [part in keyof TypedDataDomain]-?: string };
  return {
    ...words({ _cachedChainId: BigInt(chainId), _cachedThis: verifyingContract }),
    ...{
      _cachedDomainSeparator: TypedDataEncoder.hashDomain(domain),
      _hashedName: id(name),
      _hashedVersion: id(version),
    },
    ...{ _name: short(name), _version: short(version) },
  };
}

/** Addresses and numbers. */
function words(values: Readonly<Record<string, string | number | bigint>>): Immutables {
  const entries = Object.entries(values);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      typeof value === "string" ? zeroPadValue(value, 32).toLowerCase() : toBeHex(value, 32),
    ]),
  );
}
