/** A remote signer, as Web3Signer documents its API for Ethereum execution keys. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { getBytes, keccak256, SigningKey, type Wallet } from "ethers";

/** What goes wrong with a request: a status, a cut connection, silence, or another answer. */
export type SignerFault = number | "cut" | "hang" | { readonly answers: string };

export interface RemoteSignerServer {
  readonly url: string;
  /** Method, path and body of each request. */
  readonly asked: { readonly line: string; readonly body: string; readonly authorization: string | undefined }[];
  stop(): Promise<void>;
}

/**
 * `GET /api/v1/eth1/publicKeys` lists the public keys, 64 bytes each; `POST /api/v1/eth1/sign/{identifier}` with `{ "data": "0x…" }`
 * answers r, s, v over the Keccak-256 hash of the data, as text; `GET /upcheck` says OK.
 *
 * @param fault - Asked for each request.
 */
export async function startRemoteSigner(
  wallets: readonly { readonly signingKey: Wallet["signingKey"] }[],
  fault: (line: string) => SignerFault | undefined = () => undefined,
): Promise<RemoteSignerServer> {
  const keys = new Map(wallets.map(({ signingKey }) => [`0x${signingKey.publicKey.slice(4)}`, signingKey]));
  const asked: { line: string; body: string; authorization: string | undefined }[] = [];
  const server = createServer(async (request, response) => {
    const body = await textOf(request);
    const line = `${request.method} ${request.url}`;
    asked.push({ line, body, authorization: request.headers.authorization });
    const wrong = fault(line);
    if (wrong === "hang") return;
    if (wrong === "cut") return request.socket.destroy();
    const { status, text } =
      typeof wrong === "object" ? { status: 200, text: wrong.answers } : answer(line, body, keys);
    response.writeHead(typeof wrong === "number" ? wrong : status, { "content-type": "text/plain; charset=utf-8" });
    response.end(typeof wrong === "number" ? "no" : text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(line: string, body: string, keys: ReadonlyMap<string, SigningKey>): { status: number; text: string } {
  if (line === "GET /upcheck") return { status: 200, text: "OK" };
  if (line === "GET /api/v1/eth1/publicKeys") return { status: 200, text: JSON.stringify([...keys.keys()]) };
  const [, identifier] = /^POST \/api\/v1\/eth1\/sign\/(0x[0-9a-f]{128})$/.exec(line) ?? [];
  const key = identifier === undefined ? undefined : keys.get(identifier);
  if (key === undefined) return { status: 404, text: "Public Key not found" };
  try {
    const { data } = JSON.parse(body) as { data: string };
    return { status: 200, text: key.sign(keccak256(getBytes(data))).serialized };
  } catch {
    return { status: 400, text: "Bad request format" };
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** The signature of other bytes by this key, as a signer that is mixed up gives it. */
export const mixedUp = (privateKey: string): SignerFault => ({
  answers: new SigningKey(privateKey).sign(keccak256("0x00")).serialized,
});
