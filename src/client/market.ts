/**
 * Finding providers, and agreeing on terms with them.
 *
 * @packageDocumentation
 */
import { getAddress, hexlify, randomBytes } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import type { Commitment } from "../piece/index.js";
import { collateralFor, type DealTerms, pricePerPeriodUp, type Tier, type TierOffer } from "../protocol/index.js";
import { ask, type ChainAccess } from "./funds.js";
import { isNodeUrl } from "./http.js";
import { askInfo, type ProviderNode } from "./providers.js";

/** What a client wants of a deal. */
export interface DealWishes {
  /** Row of the market's table. */
  readonly tier: number;
  /** Periods paid now. */
  readonly periods: number;
  /** Up to where the deal may be extended; `periods` by default. */
  readonly maxPeriods?: number;
  /** The most that a period may cost at one provider, in base units of the token. */
  readonly maxPricePerPeriod: bigint;
  /** The most that retrieving a GiB may cost by the terms, in base units; no limit by default. */
  readonly maxEgressPricePerGiB?: bigint;
  /** What to pay with, zero for the native coin; the deployment's stake token by default. */
  readonly token?: string;
  /** The least stake behind a deal, in periods of its price; 1 by default. */
  readonly minCollateralRatio?: number;
}

/** A node that offers what was wished for. */
export interface Candidate extends ProviderNode {
  readonly offer: TierOffer;
  /** Base units for a period of this piece. */
  readonly price: bigint;
}

/** A node's URL and, where the registry named it, whose it is. */
interface Listed {
  readonly url: string;
  readonly provider?: string;
}

/** Providers read from the registry, and nodes asked, at once. */
const PAGE = 32n;
const VALIDITY_SECONDS = 1_800n;

/**
 * Nodes whose offer for the payload fulfils the wishes, the cheapest first. Those that don't answer in time are left out.
 *
 * @param urls - the nodes to ask; all that registered for the tier by default
 * @throws ChainError where the registry can't be read
 */
export async function findCandidates(
  access: ChainAccess,
  payloadSize: bigint,
  wishes: DealWishes,
  urls?: readonly string[],
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for await (const page of urls ? [urls.map((url): Listed => ({ url }))] : registered(access, wishes.tier)) {
    const asked = await Promise.allSettled(page.map(({ url }) => askInfo(url)));
    for (const [i, answer] of asked.entries()) {
      if (answer.status === "rejected") continue;
      const owner = page[i]?.provider;
      // Whoever names somebody else's address would fail at the signature, but only after an upload.
      if (owner !== undefined && owner !== answer.value.info.provider) continue;
      found.push(...matching(answer.value, access.deployment, payloadSize, wishes));
    }
  }
  return found.sort((a, b) => (a.price < b.price ? -1 : a.price > b.price ? 1 : 0));
}

async function* registered({ contracts }: ChainAccess, tier: number): AsyncGenerator<Listed[]> {
  const { registry } = contracts;
  const doing = "read the registry";
  const count = await ask(doing, registry.providerCount());
  for (let offset = 0n; offset < count; offset += PAGE) {
    const providers = await ask(doing, registry.providers(offset, PAGE));
    const profiles = await ask(doing, Promise.all(providers.map((provider) => registry.profileOf(provider))));
    yield providers.flatMap((provider, i) => {
      const { url, tiers } = profiles[i] as (typeof profiles)[number];
      const serves = ((tiers >> BigInt(tier)) & 1n) === 1n;
      return serves && isNodeUrl(url) ? [{ url, provider }] : [];
    });
  }
}

function matching(node: ProviderNode, deployment: Deployment, payloadSize: bigint, wishes: DealWishes): Candidate[] {
  const { info } = node;
  const offer = info.tiers.find(({ tier }) => tier === wishes.tier);
  if (!offer) return [];
  const price = pricePerPeriodUp(payloadSize, BigInt(offer.pricePerGiBPerPeriod));
  const fits =
    info.chainId === deployment.chainId &&
    info.market === deployment.market &&
    info.token === getAddress(wishes.token ?? deployment.stakeToken) &&
    BigInt(info.maxPieceBytes) >= payloadSize &&
    info.maxPeriods >= (wishes.maxPeriods ?? wishes.periods) &&
    offer.collateralRatio >= (wishes.minCollateralRatio ?? 1) &&
    (wishes.maxEgressPricePerGiB === undefined || BigInt(offer.egressPricePerGiB) <= wishes.maxEgressPricePerGiB) &&
    price <= wishes.maxPricePerPeriod;
  return fits ? [{ ...node, offer, price }] : [];
}

/** Terms on what a candidate offers, not signed by anybody yet. @param now - unix seconds by the chain */
export function termsFor(
  { info, offer, price }: Candidate,
  client: string,
  { root, leafCount }: Commitment,
  wishes: DealWishes,
  tier: Tier,
  now: bigint,
): DealTerms {
  return {
    client,
    provider: info.provider,
    root: hexlify(root),
    leafCount,
    tier: wishes.tier,
    periods: wishes.periods,
    maxPeriods: wishes.maxPeriods ?? wishes.periods,
    token: info.token,
    pricePerPeriod: price,
    collateral: collateralFor(price, offer.collateralRatio, tier.maxMisses),
    egressPricePerGiB: BigInt(offer.egressPricePerGiB),
    validUntil: now + VALIDITY_SECONDS,
    salt: hexlify(randomBytes(32)),
  };
}
