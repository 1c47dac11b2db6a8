/**
 * An anvil that answers as Lotus does. What that is: the sources of Lotus, node/impl/eth (tipsetresolver.go, gas.go) and
 * api/api_errors.go, and its pull request 13694, which has the rule. Who asks for a block of a null round is refused; who asks
 * for the state after it gets that of the block before.
 *
 * @packageDocumentation
 */
import { toQuantity, ZeroAddress } from "ethers";
import { Mutex } from "../../src/chain/mutex.js";
import { filecoinAddress } from "../../src/protocol/index.js";
import { EpochMiner } from "./epoch-miner.js";
import { isNullRound, lastBlockUpTo } from "./null-rounds.js";
import { askRpc, type RpcCall, type RpcReply, type RpcServer, serveRpc } from "./rpc-server.js";

/** Blocks below the head that `finalized` and `safe` name where F3 is not asked. */
const DEPTH: ReadonlyMap<unknown, number> = new Map([
  ["finalized", 900],
  ["safe", 30],
]);
/** Gas of FVM for one of the EVM, about, and what Lotus adds to be safe; of what a transaction names, it uses as little here as ever. */
const ESTIMATE_FACTOR = 125n;
/** Whose form of addresses refusals have. */
const TEST_NETWORK = 314_159;
/** Methods that show a block or what is in it, by its number. */
const SHOWS_BLOCK = /^eth_(getBlock(ByNumber|Receipts|TransactionCountByNumber)|getTransactionByBlockNumberAndIndex)$/;
/** Where methods that read the state take a block. */
const STATE_AT: ReadonlyMap<string, number> = new Map([
  ["eth_call", 1],
  ["eth_estimateGas", 1],
  ["eth_getBalance", 1],
  ["eth_getCode", 1],
  ["eth_getTransactionCount", 1],
  ["eth_getStorageAt", 2],
]);

interface BlockJson {
  readonly number: string;
  readonly parentHash: string;
}

/**
 * @param anvil - the endpoint of one that mines nothing by itself
 * @param gasLimit - of its blocks
 */
export async function startFilecoinNode(anvil: string, gasLimit: number): Promise<RpcServer> {
  const node = new FilecoinNode(anvil, gasLimit);
  const server = await serveRpc((call) => node.answer(call));
  return {
    url: server.url,
    stop: async () => {
      node.stop();
      await server.stop();
    },
  };
}

class FilecoinNode {
  readonly #anvil: string;
  readonly #miner: EpochMiner;
  /** Null rounds are mined in steps that nobody may see. */
  readonly #turn = new Mutex();
  #mines = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(anvil: string, gasLimit: number) {
    this.#anvil = anvil;
    this.#miner = new EpochMiner(anvil, gasLimit);
  }

  answer(call: RpcCall): Promise<RpcReply> {
    return this.#turn.run(() => this.#controls(call) ?? this.#read(call));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What changes the chain, and when it goes on; undefined for a question. */
  #controls({ method, params }: RpcCall): Promise<RpcReply> | undefined {
    switch (method) {
      case "eth_sendRawTransaction":
        return this.#take({ method, params });
      case "evm_mine":
        return this.#mine(1, "0x0");
      case "anvil_mine":
        return this.#mine(Number(params[0] ?? 1), null);
      case "evm_setAutomine":
        this.#mines = params[0] === true;
        return Promise.resolve({ result: null });
      case "evm_setIntervalMining":
        this.#mineEvery(Number(params[0]));
        return Promise.resolve({ result: null });
      default:
        return undefined;
    }
  }

  async #take(call: RpcCall): Promise<RpcReply> {
    const reply = await askRpc(this.#anvil, call);
    if (this.#mines && "result" in reply) await this.#miner.mine(1);
    return reply;
  }

  async #mine(epochs: number, result: unknown): Promise<RpcReply> {
    await this.#miner.mine(epochs);
    return { result };
  }

  /** As anvil has it: 0 ends it, and anything else ends mining for each transaction. */
  #mineEvery(seconds: number): void {
    clearInterval(this.#timer);
    if (seconds === 0) return;
    this.#mines = false;
    const mine = () => this.#turn.run(() => this.#miner.mine(1)).catch(() => undefined);
    this.#timer = setInterval(mine, seconds * 1_000);
  }

  async #read(call: RpcCall): Promise<RpcReply> {
    const { method, params } = call;
    // What is pending is a block that is there, and has not been executed.
    if (SHOWS_BLOCK.test(method) && params[0] === "pending")
      return this.#read({ method, params: ["latest", ...params.slice(1)] });
    const at = SHOWS_BLOCK.test(method) ? 0 : STATE_AT.get(method);
    const asked = at === undefined ? undefined : params[at];
    if (asked === "earliest") return refused('block param "earliest" is not supported');
    const number = await this.#numberOf(asked);
    if (number === undefined || at === undefined) return this.#presented(call);
    if (number > (await this.#miner.head())) return refused("requested a future epoch (beyond 'latest')");
    if (at === 0 && isNullRound(number)) return nullRound(number);
    const named = params.map((param, i) => (i === at ? toQuantity(lastBlockUpTo(number)) : param));
    return this.#presented({ method, params: named });
  }

  /** Undefined where no number is asked for, nor a tag whose number Lotus counts otherwise. */
  async #numberOf(asked: unknown): Promise<number | undefined> {
    const depth = DEPTH.get(asked);
    if (depth !== undefined) return lastBlockUpTo(Math.max(0, (await this.#miner.head()) - depth));
    return typeof asked === "string" && /^0x[0-9a-f]{1,13}$/i.test(asked) ? Number(asked) : undefined;
  }

  async #presented(call: RpcCall): Promise<RpcReply> {
    if (call.method === "eth_estimateGas") {
      const { from = ZeroAddress } = (call.params[0] ?? {}) as { from?: string };
      if (from !== ZeroAddress && !(await this.#isActor(from))) return noActor(from);
    }
    const reply = await askRpc(this.#anvil, call);
    if (!("result" in reply) || reply.result === null) return reply;
    if (call.method === "eth_estimateGas") {
      return { result: toQuantity(BigInt(reply.result as string) * ESTIMATE_FACTOR) };
    }
    if (/^eth_getBlockBy(Number|Hash)$/.test(call.method)) return this.#linked(reply.result as BlockJson);
    return reply;
  }

  /** An account comes into being with the first coin that it gets. */
  async #isActor(address: string): Promise<boolean> {
    const ask = (method: string) => askRpc(this.#anvil, { method, params: [address, "latest"] });
    const replies = [await ask("eth_getBalance"), await ask("eth_getTransactionCount")];
    return replies.some((reply) => !("result" in reply) || BigInt(reply.result as string) > 0n);
  }

  /** A block's parent is the last block before it that there is. */
  async #linked(block: BlockJson): Promise<RpcReply> {
    const number = Number(block.number);
    if (isNullRound(number)) return nullRound(number);
    if (number === 0 || !isNullRound(number - 1)) return { result: block };
    const params = [toQuantity(lastBlockUpTo(number - 1)), false];
    const before = await askRpc(this.#anvil, { method: "eth_getBlockByNumber", params });
    if ("error" in before) return before;
    return { result: { ...block, parentHash: (before.result as { hash: string }).hash } };
  }
}

function refused(message: string): RpcReply {
  return { error: { code: 1, message } };
}

function noActor(address: string): RpcReply {
  const name = filecoinAddress(address, TEST_NETWORK);
  const said = `call raw get actor: resolution lookup failed (${name}): resolve address ${name}: actor not found`;
  return refused(`failed to estimate gas: CallWithGas failed: ${said}`);
}

function nullRound(epoch: number): RpcReply {
  return { error: { code: 12, message: `requested epoch was a null round (${epoch})`, data: epoch } };
}
