/** Explorers on this machine, as their APIs are described. They compile what they are sent, and compare it with the chain. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { getBytes, hexlify, type JsonRpcApiProvider } from "ethers";

/** What goes wrong with a request: a status, a cut connection, silence, or another answer. */
export type ExplorerFault = number | "cut" | "hang" | { readonly status?: number; readonly answers: string };

export interface ExplorerServer {
  /** Where its API is. */
  readonly url: string;
  /** Method and path with query of each request, and the moment in milliseconds. */
  readonly asked: { readonly line: string; readonly at: number }[];
  /** Standard JSON inputs that it was sent, by address. */
  readonly sent: Map<string, StandardInput>;
  /** What it shows, by address in small letters. */
  readonly shown: Set<string>;
  stop(): Promise<void>;
}

interface StandardInput {
  readonly language: string;
  readonly sources: Readonly<Record<string, { readonly content: string }>>;
  readonly settings: object;
}

interface Sent {
  readonly address: string;
  readonly input: StandardInput;
  readonly identifier: string;
  readonly compiler: string;
  /** Where the API is told. */
  readonly constructorArguments?: string;
}

export interface ExplorerOptions {
  readonly provider: JsonRpcApiProvider;
  readonly chainId: number;
  /** Asked for each request. */
  readonly fault?: (line: string) => ExplorerFault | undefined;
}

interface Compiled {
  readonly evm: {
    readonly bytecode: { readonly object: string };
    readonly deployedBytecode: {
      readonly object: string;
      readonly immutableReferences?: Record<string, { start: number; length: number }[]>;
    };
  };
}

const solc = createRequire(import.meta.url)("solc") as { compile(input: string): string; version(): string };
const compiled = new Map<string, Record<string, Record<string, Compiled>>>();

/** Compiles each input once, however many explorers are sent it; ahead, where nobody should wait for an answer meanwhile. */
export function compile({ language, sources, settings }: StandardInput): Record<string, Record<string, Compiled>> {
  const outputSelection = { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode"] } };
  const input = JSON.stringify({ language, sources, settings: { ...settings, outputSelection } });
  const before = compiled.get(input);
  if (before !== undefined) return before;
  const { errors = [], contracts = {} } = JSON.parse(solc.compile(input)) as {
    errors?: { severity: string; formattedMessage: string }[];
    contracts?: Record<string, Record<string, Compiled>>;
  };
  const wrong = errors.find(({ severity }) => severity === "error");
  if (wrong !== undefined) throw new Error(wrong.formattedMessage);
  compiled.set(input, contracts);
  return contracts;
}

/** Why sources are not those of the contract; undefined where they are, to the byte. */
async function mismatch(provider: JsonRpcApiProvider, sent: Sent): Promise<string | undefined> {
  if (!solc.version().startsWith(sent.compiler)) return `there is no compiler ${sent.compiler}`;
  const at = sent.identifier.lastIndexOf(":");
  let contract: Compiled | undefined;
  try {
    contract = compile(sent.input)[sent.identifier.slice(0, at)]?.[sent.identifier.slice(at + 1)];
  } catch (error) {
    return (error as Error).message;
  }
  if (contract === undefined) return `${sent.identifier} is not in the sources`;
  const { deployedBytecode, bytecode } = contract.evm;
  const [there, built] = [getBytes(await provider.getCode(sent.address)), getBytes(`0x${deployedBytecode.object}`)];
  for (const { start, length } of Object.values(deployedBytecode.immutableReferences ?? {}).flat()) {
    there.fill(0, start, start + length);
  }
  if (hexlify(there) !== hexlify(built)) return "the code of the chain is another";
  if (sent.constructorArguments === undefined) return undefined;
  const made = `0x${bytecode.object}${sent.constructorArguments}`;
  return made === (await initCodeOf(provider, sent.address)) ? undefined : "the constructor was given something else";
}

/** What a contract was made with, by an account or by another contract. */
async function initCodeOf(provider: JsonRpcApiProvider, address: string): Promise<string | undefined> {
  const { hash } = await provider.send("ots_getContractCreator", [address]);
  const traces = (await provider.send("trace_transaction", [hash])) as {
    action: { init?: string };
    result?: { address?: string };
  }[];
  return traces.find(({ result }) => result?.address?.toLowerCase() === address.toLowerCase())?.action.init;
}

type Reply = { readonly status: number; readonly json: object };

/** Sourcify's API version 2: `POST /v2/verify/{chainId}/{address}` gives a job, `GET /v2/verify/{verificationId}` says how it ends. */
export async function startSourcify(options: ExplorerOptions): Promise<ExplorerServer> {
  const jobs = new Map<string, { sent: Sent; asked: number }>();
  const { provider, chainId } = options;
  const error = (customCode: string, message: string) => ({ customCode, message, errorId: randomUUID() });
  return start(options, async (server, request, url, body): Promise<Reply> => {
    const [, chain, address] = /^\/v2\/verify\/(\d+)\/(0x[\da-fA-F]{40})$/.exec(url.pathname) ?? [];
    if (request.method === "POST" && chain !== undefined && address !== undefined) {
      if (Number(chain) !== chainId) return { status: 400, json: error("unsupported_chain", `no chain ${chain}`) };
      if (server.shown.has(address.toLowerCase())) {
        return { status: 409, json: error("already_verified", `Contract ${address} is already verified`) };
      }
      const {
        stdJsonInput: input,
        compilerVersion: compiler,
        contractIdentifier: identifier,
        ...more
      } = JSON.parse(body);
      const creation = more.creationTransactionHash;
      const isMade = (await provider.send("ots_getContractCreator", [address])).hash === creation;
      const extra = Object.keys(input).find((key) => !["language", "sources", "settings"].includes(key));
      if (extra || !isMade) return { status: 400, json: error("invalid_parameter", `${extra} ${creation}`) };
      server.sent.set(address, input);
      const verificationId = randomUUID();
      jobs.set(verificationId, { sent: { address, input, identifier, compiler }, asked: 0 });
      return { status: 202, json: { verificationId } };
    }
    const verificationId = /^\/v2\/verify\/([\da-f-]{36})$/.exec(url.pathname)?.[1] ?? "";
    const job = jobs.get(verificationId);
    if (job === undefined) return { status: 404, json: error("job_not_found", "no such job") };
    const contract = { match: null, creationMatch: null, runtimeMatch: null, chainId, address: job.sent.address };
    const base = { verificationId, jobStartTime: new Date().toISOString(), contract };
    if (job.asked++ === 0) return { status: 200, json: { ...base, isJobCompleted: false } };
    const wrong = await mismatch(provider, job.sent);
    if (wrong !== undefined)
      return { status: 200, json: { ...base, isJobCompleted: true, error: error("no_match", wrong) } };
    server.shown.add(job.sent.address.toLowerCase());
    return { status: 200, json: { ...base, isJobCompleted: true, contract: { ...contract, match: "exact_match" } } };
  });
}

/** What differs between the two that serve Etherscan's API. */
interface Dialect {
  readonly already: string;
  readonly argumentsField: string;
  /** What is wrong with the query, as it says it. */
  readonly refuse: (query: URLSearchParams) => string | undefined;
  /** What is said of a job that is not done, in turn. */
  readonly pending: readonly { readonly status: string; readonly result: string }[];
}

/** Etherscan's API version 2, which wants a key and names the chain. */
export function startEtherscan(options: ExplorerOptions, key: string): Promise<ExplorerServer> {
  return startEtherscanLike(options, "/v2/api", {
    already: "Contract source code already verified",
    argumentsField: "constructorArguments",
    refuse: (query) => {
      if (query.get("apikey") !== key) return `Invalid API Key (#err2)|${query.get("apikey")}`;
      return Number(query.get("chainid")) === options.chainId ? undefined : "Missing or unsupported chainid parameter";
    },
    pending: [{ status: "0", result: "Pending in queue" }],
  });
}

/** Blockscout's, as its contract_controller.ex has it: a job is unknown until a worker takes it up. */
export function startBlockscout(options: ExplorerOptions): Promise<ExplorerServer> {
  return startEtherscanLike(options, "/api", {
    already: "Smart-contract already verified.",
    argumentsField: "constructorArguments",
    refuse: () => undefined,
    pending: [
      { status: "1", result: "Unknown UID" },
      { status: "1", result: "Pending in queue" },
    ],
  });
}

async function startEtherscanLike(options: ExplorerOptions, path: string, dialect: Dialect): Promise<ExplorerServer> {
  const jobs = new Map<string, { sent: Sent; asked: number }>();
  const reply = (status: string, result: string): Reply => {
    return { status: 200, json: { status, message: status === "1" ? "OK" : "NOTOK", result } };
  };
  const server = await start(options, async ({ sent, shown }, request, { pathname, searchParams: query }, body) => {
    if (pathname !== path || query.get("module") !== "contract")
      return reply("0", "Error! Missing Or invalid Module name");
    const refused = dialect.refuse(query);
    if (refused !== undefined) return reply("0", refused);
    if (query.get("action") === "checkverifystatus") {
      const job = jobs.get(query.get("guid") ?? "");
      if (job === undefined) return reply("0", "Invalid guid");
      const still = dialect.pending[job.asked++];
      if (still !== undefined) return reply(still.status, still.result);
      const wrong = await mismatch(options.provider, job.sent);
      if (wrong !== undefined) return reply("0", `Fail - Unable to verify. ${wrong}`);
      shown.add(job.sent.address.toLowerCase());
      return reply("1", "Pass - Verified");
    }
    const form = new URLSearchParams(body);
    const address = form.get("contractaddress") ?? "";
    if (query.get("action") !== "verifysourcecode" || request.method !== "POST") return reply("0", "Invalid action");
    if (form.get("codeformat") !== "solidity-standard-json-input") return reply("0", "Missing codeformat field");
    if (shown.has(address.toLowerCase())) return reply("0", dialect.already);
    if ((await options.provider.getCode(address)) === "0x")
      return reply("0", `Unable to locate ContractCode at ${address}`);
    const input = JSON.parse(form.get("sourceCode") ?? "") as StandardInput;
    sent.set(address, input);
    const [guid, identifier] = [randomUUID(), form.get("contractname") ?? ""];
    const compiler = (form.get("compilerversion") ?? "").replace(/^v/, "");
    const constructorArguments = form.get(dialect.argumentsField) ?? "";
    jobs.set(guid, { sent: { address, input, identifier, compiler, constructorArguments }, asked: 0 });
    return reply("1", guid);
  });
  return { ...server, url: server.url + path };
}

type Answer = (server: ExplorerServer, request: IncomingMessage, url: URL, body: string) => Promise<Reply>;

async function start({ fault = () => undefined }: ExplorerOptions, answer: Answer): Promise<ExplorerServer> {
  const state = { asked: [] as ExplorerServer["asked"], sent: new Map(), shown: new Set<string>() };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const line = `${request.method} ${request.url}`;
    state.asked.push({ line, at: Date.now() });
    const wrong = fault(line);
    if (wrong === "hang") return;
    if (wrong === "cut") return void request.socket.destroy();
    if (typeof wrong === "number") return void response.writeHead(wrong, { "retry-after": "0.05" }).end("no");
    if (wrong !== undefined) return void response.writeHead(wrong.status ?? 200).end(wrong.answers);
    const { status, json } = await answer(running, request, new URL(request.url ?? "", "http://stand.in"), body);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  const running = { ...state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
  return running;
}
