/** A chain as Ignition wants it: an EIP-1193 provider with one account, whose key is here and not with the node. */
import type { EIP1193Provider } from "@nomicfoundation/ignition-core";
import { type JsonRpcApiProvider, Transaction } from "ethers";
import { rpcMessage } from "../../src/chain/errors.js";
import type { KeySigner } from "../../src/keys/index.js";
import type { WriteAhead } from "./write-ahead.js";

/** What `eth_sendTransaction` is given; all quantities in hex. */
interface Call {
  readonly to?: string;
  readonly data: string;
  readonly value?: string;
  readonly nonce: string;
  readonly gas: string;
  readonly gasPrice?: string;
  readonly maxFeePerGas?: string;
  readonly maxPriorityFeePerGas?: string;
}

export interface SigningProviderOptions {
  readonly provider: JsonRpcApiProvider;
  readonly signer: KeySigner;
  readonly chainId: number;
  readonly ahead: WriteAhead;
}

export class SigningProvider implements EIP1193Provider {
  readonly #o: SigningProviderOptions;

  constructor(options: SigningProviderOptions) {
    this.#o = options;
  }

  async request({ method, params = [] }: { method: string; params?: readonly unknown[] | object }): Promise<unknown> {
    if (method === "eth_accounts") return [this.#o.signer.address];
    if (method === "eth_sendTransaction") return this.#send((params as readonly Call[])[0]!);
    return this.#ask(method, params as unknown[]);
  }

  /** Ignition reads errors as nodes have them: ethers' own hold the whole call. */
  async #ask(method: string, params: unknown[]): Promise<unknown> {
    try {
      return await this.#o.provider.send(method, params);
    } catch (error) {
      const said = rpcMessage(error);
      if (said === undefined) throw error;
      const { code, data } = error as { code?: unknown; data?: unknown };
      throw Object.assign(new Error(said, { cause: error }), { code, ...(typeof data === "string" && { data }) });
    }
  }

  /** Signed, then written down, then sent: after a crash the same bytes are sent again. */
  async #send({ gas, nonce, ...call }: Call): Promise<string> {
    const { signer, chainId, ahead } = this.#o;
    const type = call.maxFeePerGas === undefined ? 0 : 2;
    const raw = await signer.signTransaction({ ...call, gasLimit: gas, nonce: Number(nonce), chainId, type });
    const hash = Transaction.from(raw).hash!;
    await ahead.write({ hash, raw });
    await this.broadcast(raw);
    return hash;
  }

  /** Sends signed bytes; that a node has them already is as good. @throws what the node answers */
  async broadcast(raw: string): Promise<void> {
    const { provider } = this.#o;
    try {
      await provider.send("eth_sendRawTransaction", [raw]);
    } catch (error) {
      if ((await provider.send("eth_getTransactionByHash", [Transaction.from(raw).hash])) === null) throw error;
    }
  }
}
