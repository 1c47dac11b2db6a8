/** The text of an HTTP answer, up to a length. */

/**
 * Reads a response's text. Stops at the first byte too many, whatever length was announced.
 *
 * @param maxBytes - Bytes at most, as they come out of any compression.
 * @param tooLong - What to throw where there are more.
 */
export async function readText(response: Response, maxBytes: number, tooLong: () => Error): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let [text, size] = ["", 0];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLong();
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}

/** A URL without its user and password, which `fetch` refuses, and the header that carries them instead. */
export function splitCredentials(url: URL): { readonly bare: URL; readonly headers: Record<string, string> } {
  const bare = new URL(url);
  bare.username = bare.password = "";
  if (url.username === "" && url.password === "") return { bare, headers: {} };
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const bytes = Array.from(new TextEncoder().encode(user), (byte) => String.fromCharCode(byte));
  return { bare, headers: { authorization: `Basic ${btoa(bytes.join(""))}` } };
}
