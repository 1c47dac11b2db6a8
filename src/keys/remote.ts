/** Keys at a remote signer that speaks Web3Signer's API for Ethereum execution keys. */
import { computeAddress, getAddress, hexlify, isHexString } from "ethers";
import { HoldfastError } from "../errors.js";
import { readText, splitCredentials } from "../response-text.js";
import { keepSecretsOfUrl } from "../secrets.js";
import { PayloadSigner } from "./payload-signer.js";
import type { KeySource } from "./types.js";

export interface RemoteSignerOptions {
  /** Base URL: `https:`, or `http:` to this machine itself. A user and password in it are sent as basic authorization. */
  readonly url: string;
  /** Whose key it is; the signer has to list it. */
  readonly address: string;
  /** Milliseconds that one request may take; 5,000 by default. */
  readonly timeoutMs?: number;
  /** Milliseconds before the second try; 250 by default, and twice as many before the third. */
  readonly pauseMs?: number;
}

/** Signing is asked for again: the same payload has the same signature, and nothing is used up. */
const TRIES = 3;
const MAX_BYTES = 1024 * 1024;

/**
 * A key that a remote signer holds: `GET /api/v1/eth1/publicKeys` finds it, `POST /api/v1/eth1/sign/{public key}` signs. The
 * signer gets whole payloads, so it can have rules for what it signs; what it answers has to recover to `address`.
 *
 * @throws {HoldfastError} `INVALID_SIGNER` for a URL that would send payloads, or a password, in the clear.
 * @example
 * ```ts
 * const source = remoteSignerSource({ url: "https://signer.internal:9000", address: "0x…" });
 * const signer = (await source.open()).connect(chain.provider);
 * ```
 */
export function remoteSignerSource(options: RemoteSignerOptions): KeySource {
  const url = checkedUrl(options.url);
  keepSecretsOfUrl(options.url);
  const address = getAddress(options.address);
  const label = `the remote signer at ${url.origin}`;
  const client = new RemoteSigner(url, options);
  return {
    label,
    development: false,
    address: async () => address,
    async open(signal) {
      const identifier = (await client.list(signal)).get(address);
      if (identifier === undefined) {
        const hint = "Load the key there, or name an address that it has.";
        throw new HoldfastError("KEY_NOT_FOUND", `${capital(label)} has no key of ${address}`, hint);
      }
      return new PayloadSigner(address, (payload, stop) => client.sign(identifier, payload, stop));
    },
  };
}

class RemoteSigner {
  readonly #url: URL;
  readonly #timeoutMs: number;
  readonly #pauseMs: number;

  constructor(url: URL, { timeoutMs = 5_000, pauseMs = 250 }: RemoteSignerOptions) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#pauseMs = pauseMs;
  }

  /** Public keys as the signer writes them, by address. */
  async list(signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const text = await this.#ask("api/v1/eth1/publicKeys", undefined, signal);
    let keys: unknown;
    try {
      keys = JSON.parse(text);
    } catch {
      throw this.#refused("its list of keys is no JSON");
    }
    if (!Array.isArray(keys)) throw this.#refused("its list of keys is no list");
    const known = keys.map((key): [string, string] | undefined => {
      const address = addressOf(key);
      return address === undefined ? undefined : [address, key];
    });
    return new Map(known.filter((entry) => entry !== undefined));
  }

  async sign(identifier: string, payload: Uint8Array, signal?: AbortSignal): Promise<string> {
    const body = JSON.stringify({ data: hexlify(payload) });
    const answer = (await this.#ask(`api/v1/eth1/sign/${identifier}`, body, signal)).trim();
    // As text, or as a JSON string.
    return answer.replace(/^"(.*)"$/, "$1");
  }

  async #ask(path: string, body: string | undefined, signal: AbortSignal | undefined): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(path, body, signal);
      if (typeof outcome === "string") return outcome;
      if (!outcome.again || attempt === TRIES) throw outcome.error;
      await pause(this.#pauseMs * 2 ** (attempt - 1), signal);
    }
  }

  async #once(path: string, body: string | undefined, signal: AbortSignal | undefined) {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const { bare, headers } = splitCredentials(new URL(path, this.#url));
    const request = {
      headers: { accept: "text/plain, application/json", "content-type": "application/json", ...headers },
      redirect: "error" as const,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      ...(body === undefined ? {} : { method: "POST", body }),
    };
    try {
      const response = await fetch(bare, request);
      const text = await readText(response, MAX_BYTES, () => this.#refused("its answer is too long"));
      if (response.ok) return text;
      const again = response.status === 429 || response.status >= 500;
      return { again, error: this.#refused(`HTTP status ${response.status}`) };
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof HoldfastError) return { again: false, error: cause };
      return { again: true, error: this.#unreachable(cause) };
    }
  }

  /** What it says is not repeated: it may repeat what it was sent. */
  #refused(why: string): HoldfastError {
    const hint = "Look at the signer's own log: it knows the key, the rule or the limit that it is about.";
    return new HoldfastError("SIGNER_REFUSED", `The remote signer at ${this.#url.origin} does not sign: ${why}`, hint);
  }

  #unreachable(cause: unknown): HoldfastError {
    const message = `The remote signer at ${this.#url.origin} does not answer`;
    const hint = "Check its address, its certificate, and that it lets this machine in.";
    return new HoldfastError("SIGNER_UNREACHABLE", message, hint, { cause });
  }
}

/** Of a public key: 33 or 65 bytes, or 64 without the prefix, as Web3Signer writes it. */
function addressOf(key: unknown): string | undefined {
  if (!isHexString(key)) return undefined;
  try {
    return computeAddress(key.length === 130 ? `0x04${key.slice(2)}` : key);
  } catch {
    return undefined;
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid("its address is no https: URL");
  if (url.search !== "" || url.hash !== "") throw invalid("its address has a query or a fragment");
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) throw invalid("only https: protects what is signed");
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

function invalid(why: string): HoldfastError {
  const hint = "Give an https: URL, or an http: one of this machine.";
  return new HoldfastError("INVALID_SIGNER", `The remote signer can't be used: ${why}`, hint);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
