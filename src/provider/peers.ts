/**
 * Whom a request comes from, as far as quotas are concerned.
 *
 * @packageDocumentation
 */
import ipaddr from "ipaddr.js";

/** What a request says of its sender. */
export interface Origin {
  /** Of the connection. */
  readonly address: string | undefined;
  /** The header `X-Forwarded-For`. */
  readonly forwarded: string | undefined;
}

/**
 * The name that a peer is counted under: its IPv4 address, or the /64 of its IPv6 address, since whoever has one address
 * of those has all. What a proxy says counts only where the connection comes from one of `proxies`; of the hops that it
 * names, the last that is none of them, since whatever stands before that one is the client's own invention.
 *
 * @param proxies - addresses of this operator's own proxies
 * @example
 * peerOf({ address: "::ffff:198.51.100.7", forwarded: undefined }); // "198.51.100.7"
 */
export function peerOf({ address, forwarded }: Origin, proxies: readonly string[] = []): string {
  const own = new Set(proxies.map(plain));
  const hops = [...(forwarded ?? "").split(",").map((hop) => hop.trim()), address ?? ""].map(plain);
  let peer = hops.pop() ?? "";
  while (own.has(peer) && hops.length > 0) {
    const next = hops.pop() as string;
    if (next === "") break;
    peer = next;
  }
  return networkOf(peer);
}

/** The name that a connection is counted under; undefined where it comes from one of `proxies`, which bring many peers each. */
export function networkPeer(address: string | undefined, proxies: readonly string[] = []): string | undefined {
  const from = plain(address ?? "");
  return from !== "" && proxies.some((proxy) => plain(proxy) === from) ? undefined : networkOf(from);
}

/** One spelling for one address: IPv4 within IPv6 is IPv4. Empty where it is none. */
function plain(text: string): string {
  return ipaddr.isValid(text) ? ipaddr.process(text).toString() : "";
}

function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return "unknown";
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}
