import { isIP } from "node:net";
import { HoldfastError } from "../../errors.js";

/**
 * The multiaddr of an HTTP origin.
 *
 * @param url - `http:` or `https:`, without a path: clients ask at the root of the origin
 * @throws HoldfastError `INVALID_PUBLIC_URL`
 * @example
 * multiaddrOf("https://node.example"); // /dns/node.example/tcp/443/https
 */
export function multiaddrOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.pathname !== "/") {
    throw new HoldfastError("INVALID_PUBLIC_URL", `${url} is no origin`, "give one such as https://node.example");
  }
  const { protocol, hostname, port } = parsed;
  const scheme = protocol.slice(0, -1);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const family = { 0: "dns", 4: "ip4", 6: "ip6" }[isIP(host)];
  return `/${family}/${host}/tcp/${port || (scheme === "https" ? 443 : 80)}/${scheme}`;
}

/** The origin that a connection came to. */
export function localOrigin({ localAddress = "127.0.0.1", localPort = 80 }): string {
  // An IPv4 address at a socket of both families.
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/, "");
  return `http://${isIP(address) === 6 ? `[${address}]` : address}:${localPort}`;
}
