/**
 * Asking providers what they offer.
 *
 * @packageDocumentation
 */
import { getAddress } from "ethers";
import { type OfferPage, offersFromJson } from "../protocol/index.js";
import type { DealReader } from "./deals.js";
import { ask } from "./funds.js";
import { nodeUrl, readJson, refused, request } from "./http.js";

/** A node that may have offers. */
export interface Listed {
  /** Base URL of the node. */
  readonly url: string;
  /** Where its offers are. */
  readonly offersAt: string;
  /** Whose it is, where the registry named it. */
  readonly provider?: string;
}

/** What of a registered profile leads to its offers. */
interface ProfileUrls {
  readonly url: string;
  readonly offerUri: string;
}

/** Providers read from the registry at once. */
const PAGE = 32n;

/** Nodes that were named by their URLs. */
export function listedUrls(urls: readonly string[]): Listed[] {
  return urls.map((text) => {
    const url = nodeUrl(text) ?? text;
    return { url, offersAt: `${url}/offers` };
  });
}

/**
 * Providers that were named by their addresses.
 *
 * @throws ChainError with `revert.name` `NotRegistered`, or where the registry can't be read
 */
export async function listedProviders({ contracts }: DealReader, providers: readonly string[]): Promise<Listed[]> {
  const accounts = [...new Set(providers.map((provider) => getAddress(provider)))];
  const reads = Promise.all(accounts.map((provider) => contracts.registry.profileOf(provider)));
  const profiles = await ask("look a provider up", reads);
  return accounts.map((provider, i) => listedAs(provider, profiles[i] as ProfileUrls));
}

/**
 * All registered providers that serve a tier.
 *
 * @throws ChainError where the registry can't be read
 */
export async function listedForTier({ contracts }: DealReader, tier: number): Promise<Listed[]> {
  const { registry } = contracts;
  const doing = "read the registry";
  const listed: Listed[] = [];
  const count = await ask(doing, registry.providerCount());
  for (let offset = 0n; offset < count; offset += PAGE) {
    const providers = await ask(doing, registry.providers(offset, PAGE));
    const profiles = await ask(doing, Promise.all(providers.map((provider) => registry.profileOf(provider))));
    for (const [i, profile] of profiles.entries()) {
      if (((profile.tiers >> BigInt(tier)) & 1n) === 1n) listed.push(listedAs(providers[i] as string, profile));
    }
  }
  return listed;
}

function listedAs(provider: string, profile: ProfileUrls): Listed {
  const url = nodeUrl(profile.url) ?? profile.url;
  return { provider, url, offersAt: profile.offerUri === "" ? `${url}/offers` : profile.offerUri };
}

/**
 * What a node says it offers, its signatures unchecked. Redirects are refused, the answer is bounded in bytes, and
 * `signal` bounds its time to the last of them.
 *
 * @throws HoldfastError `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`, `INVALID_REQUEST`
 */
export async function askOffers({ url, offersAt }: Listed, signal: AbortSignal): Promise<OfferPage> {
  if (nodeUrl(url) === undefined) throw refused(url, "it is no http: or https: URL");
  if (nodeUrl(offersAt) === undefined) throw refused(offersAt, "it is no http: or https: URL");
  const response = await request(new URL(offersAt).origin, offersAt, { signal });
  return offersFromJson(await readJson(response, offersAt));
}
