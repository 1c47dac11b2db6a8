/** What endpoints are called. */
import { HoldfastError } from "../errors.js";

/**
 * Endpoints with what they are called in logs and metrics: their origin, since the rest of a URL carries keys. Several of
 * the same origin are numbered; the same URL twice is one.
 *
 * @throws {HoldfastError} `INVALID_ENDPOINT`, which repeats no URL.
 */
export function namedEndpoints(urls: readonly string[]): { readonly url: URL; readonly name: string }[] {
  const distinct = [...new Set(urls)];
  if (distinct.length === 0) throw invalid("no endpoint is named");
  const origins = new Map<string, number>();
  return distinct.map((text) => {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol)) throw invalid("an endpoint is no http: or https: URL");
    const count = (origins.get(url.origin) ?? 0) + 1;
    origins.set(url.origin, count);
    return { url, name: count === 1 ? url.origin : `${url.origin} (${count})` };
  });
}

function invalid(what: string): HoldfastError {
  return new HoldfastError("INVALID_ENDPOINT", `The chain can't be asked: ${what}`, "Mend the list of endpoints.");
}
