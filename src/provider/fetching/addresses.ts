/**
 * Which hosts a node connects to when somebody else names them. A URL of a stranger must not reach what only this
 * machine can reach: its own services, its network, the cloud's metadata (server-side request forgery).
 *
 * @packageDocumentation
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { HoldfastError } from "../../errors.js";

/** An address to connect to, as Node's `lookup` hands it over. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Finds the addresses of a host name, as {@link systemResolver} does. */
export type Resolver = (host: string) => Promise<readonly Address[]>;

/** The resolver of the machine, its hosts file included. */
export const systemResolver: Resolver = async (host) => {
  const found = await lookup(host, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
};

/** What the IANA has given out for use across the internet; the rest of IPv6 is for something else. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR("2000::/3");

/** Services of a cloud's host that have an address of the public space: Azure's, which hands out certificates. */
const HOST_SERVICES: ReadonlySet<string> = new Set(["168.63.129.16"]);

/**
 * Whether an address is one of the public internet: not private, loopback, link-local, shared (CGNAT), multicast,
 * reserved, or a form of IPv6 that leads to an IPv4 address (mapped, NAT64, 6to4, Teredo).
 *
 * @example
 * isPublicAddress("169.254.169.254"); // false
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast" || HOST_SERVICES.has(parsed.toString())) return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_IPV6);
}

/** How hosts become addresses, and which addresses are connected to. */
export interface AddressOptions {
  /** How names become addresses; the machine's own resolver by default. */
  readonly resolve?: Resolver;
  /** Which addresses may be connected to; those of the public internet ({@link isPublicAddress}) by default. */
  readonly allowAddress?: (address: string) => boolean;
}

/**
 * The addresses to connect to for the host of `url`. It is resolved here and nowhere else: a name that has another
 * address the next time it is asked for gains nothing. One forbidden address among several spoils them all.
 *
 * @throws HoldfastError `SOURCE_FORBIDDEN`, `SOURCE_UNREACHABLE`
 */
export async function addressesOf(
  url: URL,
  { resolve = systemResolver, allowAddress = isPublicAddress }: AddressOptions = {},
): Promise<readonly [Address, ...Address[]]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const family = isIP(host);
  const found =
    family === 0 ? await resolved(host, resolve) : [{ address: host, family: family === 6 ? 6 : 4 } as const];
  const [first, ...others] = found;
  if (first === undefined) throw unknownHost(host);
  const bad = found.find(({ address }) => !allowAddress(address));
  if (bad === undefined) return [first, ...others];
  throw new HoldfastError(
    "SOURCE_FORBIDDEN",
    `${host} is at ${bad.address}, which is no address of the public internet`,
    "name a source that everybody can reach",
  );
}

async function resolved(host: string, resolve: Resolver): Promise<readonly Address[]> {
  try {
    return await resolve(host);
  } catch (cause) {
    throw unknownHost(host, cause);
  }
}

function unknownHost(host: string, cause?: unknown): HoldfastError {
  return new HoldfastError("SOURCE_UNREACHABLE", `${host} has no address`, "check the name", { cause });
}
