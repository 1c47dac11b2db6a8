import { join } from "node:path";
import { expect } from "chai";
import { type JsonRpcProvider, Wallet } from "ethers";
import { blockscout, etherscan } from "../../scripts/deploy/explorers/etherscan.js";
import type { ExplorerClient, Submission } from "../../scripts/deploy/explorers/explorer.js";
import type { Pace } from "../../scripts/deploy/explorers/http.js";
import { Sourcify } from "../../scripts/deploy/explorers/sourcify.js";
import { type SourceReport, submitSources } from "../../scripts/deploy/explorers/submit.js";
import { recordOf } from "../../scripts/deploy/record.js";
import { runDeployment } from "../../scripts/deploy/run.js";
import { sourcesOf } from "../../scripts/deploy/sources.js";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { devTiers } from "../../src/chain/deploy.js";
import { PARTS } from "../../src/chain/deployment.js";
import { readDeployment } from "../../src/chain/deployment-node.js";
import { connectChain } from "../../src/chain/provider.js";
import { keepSecret } from "../../src/secrets.js";
import { holdfast } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import {
  compile,
  type ExplorerFault,
  type ExplorerServer,
  startBlockscout,
  startEtherscan,
  startSourcify,
} from "../support/explorers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const CHAIN = 11_155_111;
const KEY = "explorer-key-of-mine";
/** The contracts of a deployment, and those that the market makes. */
const COUNT = PARTS.length + 3;
const PACE: Pace = { gapMs: 5, requestMs: 60_000, tries: 3, backoffMs: 20, pollMs: 20, settleMs: 120_000 };
const SETTINGS = [
  ...["SOURCIFY_API_URL", "BLOCKSCOUT_API_URL", "ETHERSCAN_API_URL", "ETHERSCAN_API_KEY"],
  ...["HOLDFAST_PRIVATE_KEY", "SEPOLIA_RPC_URL", "LOCAL_RPC_URL", "HOLDFAST_RPC", "HOLDFAST_NETWORK"],
  ...["HOLDFAST_DEPLOYMENT", "HOLDFAST_KEYSTORE", "HOLDFAST_REMOTE_SIGNER"],
] as const;

describe("sources at explorers", function () {
  this.timeout(300_000);
  let anvil: Anvil;
  let provider: JsonRpcProvider;
  let file: string;
  let submissions: Submission[];
  let servers: ExplorerServer[] = [];
  const settings = new Map(SETTINGS.map((name) => [name, process.env[name]]));

  /** Each explorer with a client for it, in the order of the table. */
  const start = async (fault?: (line: string) => ExplorerFault | undefined, pace: Partial<Pace> = {}) => {
    const options = { provider, chainId: CHAIN, ...(fault && { fault }) };
    const [sourcify, scout, scan] = await Promise.all([
      startSourcify(options),
      startBlockscout(options),
      startEtherscan(options, KEY),
    ]);
    servers.push(sourcify, scout, scan);
    const quick = { ...PACE, ...pace };
    const clients: ExplorerClient[] = [
      new Sourcify(sourcify.url, CHAIN, quick),
      blockscout(scout.url, quick),
      etherscan(scan.url, CHAIN, KEY, quick),
    ];
    return { sourcify, scout, scan, clients, quick };
  };
  /** A small contract, which compiles in no time. */
  const one = () => submissions.filter(({ name }) => name === "RandaoRandomness");
  const verify = (...more: string[]) =>
    holdfast(["verify-deployment", "--network", "sepolia", "--deployment", file, "--json", ...more]);
  const states = (reports: readonly SourceReport[]) => reports.map(({ explorer, state }) => `${explorer}: ${state}`);

  before(async () => {
    for (const name of SETTINGS) delete process.env[name];
    const wallet = Wallet.createRandom();
    anvil = await startAnvil({ chainId: CHAIN });
    provider = await connectChain(anvil.url, CHAIN);
    await provider.send("anvil_setBalance", [wallet.address, "0xde0b6b3a7640000"]);
    file = join(await tempFolder(), `${CHAIN}.json`);
    Object.assign(process.env, { HOLDFAST_PRIVATE_KEY: wallet.privateKey, SEPOLIA_RPC_URL: anvil.url });
    // So that few arguments of constructors are zero.
    const choices = ["--fee-bps", "50", "--treasury", Wallet.createRandom().address, "--min-stake", "7"];
    const args = ["--network", "sepolia", "--out", file, "--confirmations", "1", "--json", ...choices];
    jsonOf(await holdfast(["deploy", ...args, "--stake-token", Wallet.createRandom().address]));
    submissions = await sourcesOf(provider, await readDeployment(file));
  });
  afterEach(async () => {
    for (const server of servers) await server.stop();
    servers = [];
    for (const name of SETTINGS) if (/API/.test(name)) delete process.env[name];
  });
  after(async () => {
    provider.destroy();
    await anvil.stop();
    for (const [name, value] of settings) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await removeFolders();
  });

  it("each explorer compiles what it is sent and finds the chain's code, and says so the next time", async () => {
    const { sourcify, scout, scan } = await start();
    Object.assign(process.env, { SOURCIFY_API_URL: sourcify.url, BLOCKSCOUT_API_URL: scout.url });
    Object.assign(process.env, { ETHERSCAN_API_URL: scan.url, ETHERSCAN_API_KEY: KEY });
    expect(jsonOf(await verify()).contracts).to.have.length(COUNT);
    for (const { asked } of servers) expect(asked).to.deep.equal([]);

    for (const { input } of submissions) compile(input);
    const first = await verify("--submit");
    const { sources, leftOut } = jsonOf(first);
    expect(leftOut).to.deep.equal([]);
    expect(sources).to.have.length(3 * COUNT);
    for (const { explorer, name, state, words } of sources)
      expect(state, `${explorer} ${name}: ${words}`).to.equal("verified");
    for (const { shown } of servers) expect(shown.size).to.equal(COUNT);
    expect(`${first.stdout}${first.stderr}`).not.to.include(KEY);
    expect(sources[0].words).to.equal("exact match");
    for (const server of servers) expectLeast(server);

    const again = jsonOf(await verify("--submit")).sources as SourceReport[];
    for (const { state } of again) expect(state).to.equal("already verified");
  });

  /** Only what is compiled into a contract, and no stand-in of the tests. */
  function expectLeast({ sent }: ExplorerServer): void {
    const filesOf = (name: string) => {
      const { address } = submissions.find((found) => found.name === name)!;
      return Object.keys(sent.get(address)!.sources);
    };
    expect(filesOf("RandaoRandomness").length).to.be.below(10);
    expect(filesOf("Vault").filter((path) => /StorageMarket|MarketLens/.test(path))).to.deep.equal([]);
    for (const { name } of submissions) expect(filesOf(name).join(" "), name).not.to.match(/mocks|\.t\.sol/);
  }

  it("one that is down or refuses keeps no other from the sources; the status is 1", async () => {
    const { sourcify, scout } = await start();
    Object.assign(process.env, { SOURCIFY_API_URL: sourcify.url, BLOCKSCOUT_API_URL: scout.url });
    for (const { address } of submissions) sourcify.shown.add(address.toLowerCase());
    await scout.stop();
    const { status, stdout, stderr } = await verify("--submit");
    expect(status).to.equal(1);
    const { sources, leftOut } = JSON.parse(stdout);
    expect(sources.filter(({ state }: SourceReport) => state === "already verified")).to.have.length(COUNT);
    expect(sources.filter(({ state }: SourceReport) => state === "unreachable")).to.have.length(COUNT);
    expect(leftOut).to.deep.equal([{ explorer: "Etherscan", why: "ETHERSCAN_API_KEY is not set" }]);
    expect(stderr).to.match(/^Etherscan is left out: ETHERSCAN_API_KEY is not set$/m);
    expect(stderr).to.match(/^error: .*Blockscout: unreachable \w+ and 9 more \(.*ECONNREFUSED.*\)$/m);
    expect(stderr).to.match(/^hint: /m);
  });

  it("sends nothing where the code is another", async () => {
    const { sourcify, scout } = await start();
    Object.assign(process.env, { SOURCIFY_API_URL: sourcify.url, BLOCKSCOUT_API_URL: scout.url });
    const { address } = submissions.find(({ name }) => name === "ProofVerifier")!;
    const code = await provider.getCode(address);
    try {
      await provider.send("anvil_setCode", [address, `${code.slice(0, 40)}00${code.slice(42)}`]);
      const { status, stderr } = await verify("--submit");
      expect(status).to.equal(1);
      expect(stderr).to.match(/the code of ProofVerifier is not of this build/);
      for (const { asked } of servers) expect(asked).to.deep.equal([]);
    } finally {
      await provider.send("anvil_setCode", [address, code]);
    }
  });

  it("says what is wrong with the settings before it asks anybody", async () => {
    const secret = "blockscout-password";
    const cases: [string[], Record<string, string>, RegExp][] = [
      [["--submit", "etherscan"], {}, /ETHERSCAN_API_KEY is not set/],
      [["--submit", "etherscan,nowhere"], {}, /known are sourcify, blockscout, etherscan/],
      [
        ["--submit"],
        { BLOCKSCOUT_API_URL: `ftp://u:${secret}@127.0.0.1` },
        /BLOCKSCOUT_API_URL is no http: or https: URL/,
      ],
      [["--submit"], { SOURCIFY_API_URL: "sourcify" }, /SOURCIFY_API_URL is no http/],
    ];
    for (const [args, environment, words] of cases) {
      Object.assign(process.env, environment);
      const { status, stdout, stderr } = await verify(...args);
      for (const name of Object.keys(environment)) delete process.env[name];
      expect([status, stdout], args.join(" ")).to.deep.equal([1, ""]);
      expect(stderr).to.match(words);
      expect(stderr).not.to.include(secret);
    }
  });

  for (const fault of [429, 500, 502, "cut"] as const) {
    it(`asks again after ${fault}`, async () => {
      const left = new Map<string, number>();
      const { clients, quick } = await start((line) => {
        const path = line.replace(/\/v2\/verify\/[\da-f-]{36}|guid=.*/, "");
        const times = left.get(path) ?? 2;
        left.set(path, times - 1);
        return times > 0 ? fault : undefined;
      });
      const reports = await submitSources(clients, one(), quick);
      expect(states(reports)).to.deep.equal(["Sourcify: verified", "Blockscout: verified", "Etherscan: verified"]);
    });
  }

  const SILENT: [string, ExplorerFault, RegExp][] = [
    ["does not answer", "hang", /did not answer in time/],
    ["breaks off", "cut", /other side closed|ECONNRESET|socket hang up|terminated/],
    ["has too many requests", 429, /it answered 429/],
    ["fails", 503, /it answered 503/],
    ["shows a page", { answers: "<html>Just a moment…</html>" }, /it answered 200, not as its API does/],
    ["forbids it with a page", { status: 403, answers: "<html>no</html>" }, /it answered 403, not as its API does/],
    ["leads elsewhere", { status: 302, answers: "" }, /it answered 302, not as its API does/],
    ["answers something else", { answers: '{"hello":1}' }, /not as its API does/],
    ["answers a list", { answers: "[]" }, /not as its API does/],
  ];
  for (const [what, fault, words] of SILENT) {
    it(`gives up on one that ${what}, soon, and tells of each contract`, async () => {
      const { clients, quick } = await start(() => fault, { requestMs: 200 });
      const told: string[] = [];
      const before = Date.now();
      const reports = await submitSources(clients, submissions, quick, ({ explorer, name }) =>
        told.push(explorer + name),
      );
      expect(Date.now() - before).to.be.below(10_000);
      expect(reports).to.have.length(3 * COUNT);
      expect(told).to.have.length(3 * COUNT);
      for (const report of reports) {
        expect(report.state).to.equal("unreachable");
        expect(report.words).to.match(words);
      }
      // Two contracts, three times each.
      for (const { asked } of servers) expect(asked.length).to.be.within(2, 6);
    });
  }

  it("tells of the one contract that an explorer fails at, and sends the others", async () => {
    const [{ address }] = submissions as [Submission];
    const { sourcify, clients, quick } = await start((line) => (line.includes(address) ? 500 : undefined));
    for (const { name, address: other } of submissions) {
      if (name !== "RandaoRandomness") sourcify.shown.add(other.toLowerCase());
    }
    const reports = await submitSources(clients.slice(0, 1), submissions, quick);
    expect(reports[0]).to.include({ state: "unreachable", words: "it answered 500" });
    for (const { name, state } of reports.slice(1)) {
      expect(state).to.equal(name === "RandaoRandomness" ? "verified" : "already verified");
    }
  });

  it("gives the explorer's reason where the sources are not the contract's", async () => {
    const [sent] = one() as [Submission];
    const file = sent.identifier.split(":")[0]!;
    const content = sent.input.sources[file]!.content.replace("mixHash == 0", "mixHash == 1");
    expect(content).not.to.equal(sent.input.sources[file]!.content);
    const other = { ...sent, input: { ...sent.input, sources: { ...sent.input.sources, [file]: { content } } } };
    const { clients, quick } = await start();
    const reports = await submitSources(clients, [other], quick);
    for (const { state, words } of reports) {
      expect(state).to.equal("refused");
      expect(words).to.include("the code of the chain is another");
    }
    // The chain's code is the same whatever the constructor was given, where nothing of it is kept.
    const given = { ...sent, constructorArguments: "00".repeat(32) };
    const [, scout, scan] = await submitSources(clients, [given], quick);
    for (const report of [scout!, scan!]) expect(report.words).to.include("the constructor was given something else");
  });

  it("a stranger's words steer no terminal, and are not for ever", async () => {
    const words = `\u001b[2J\u202egone\n\n${"x".repeat(5_000)}`;
    const bad = { customCode: "x", message: words, status: "0", result: words };
    const { clients, quick } = await start(() => ({ status: 400, answers: JSON.stringify(bad) }));
    for (const report of await submitSources(clients, one(), quick)) {
      expect(report.state).to.equal("refused");
      expect(report.words).to.match(/^\\x1b\[2J\\u\{202e\}gone x+…$/);
      expect(report.words.length).to.be.below(400);
    }
  });

  it("a wrong key is tried once, and not shown", async () => {
    const { scan, quick } = await start();
    const wrong = "another-key-than-mine";
    keepSecret(wrong);
    const reports = await submitSources([etherscan(scan.url, CHAIN, wrong, quick)], submissions, quick);
    expect(reports).to.have.length(COUNT);
    for (const { state, words } of reports) {
      expect(state).to.equal("refused");
      expect(words).to.equal("Invalid API Key (#err2)|[secret]");
    }
    expect(scan.asked).to.have.length(1);
  });

  it("waits for one that does not know of the contract yet, or is at it already", async () => {
    const answers = [
      { status: 429, answers: JSON.stringify({ customCode: "duplicate_verification_request", message: "is at it" }) },
      { answers: JSON.stringify({ status: "0", message: "The address is not a smart contract", result: null }) },
      { answers: JSON.stringify({ status: "0", message: "NOTOK", result: "Unable to locate ContractCode at 0x12" }) },
      {
        answers: JSON.stringify({
          status: "0",
          message: "NOTOK",
          result: "Max calls per sec rate limit reached (3/sec)",
        }),
      },
    ];
    const turns = new Map<string, ExplorerFault[]>([
      ["POST /v2/verify", answers.slice(0, 1)],
      ["POST /api", answers.slice(1, 2)],
      ["POST /v2/api", answers.slice(2, 4)],
    ]);
    const { clients, quick } = await start((line) => {
      const key = [...turns.keys()].find((path) => line.startsWith(path));
      return key === undefined ? undefined : turns.get(key)?.shift();
    });
    const reports = await submitSources(clients, one(), quick);
    expect(states(reports)).to.deep.equal(["Sourcify: verified", "Blockscout: verified", "Etherscan: verified"]);
  });

  it("waits for a bounded time", async () => {
    const { clients, quick } = await start(
      (line) => {
        if (line.startsWith("GET /v2/verify")) {
          return { answers: JSON.stringify({ isJobCompleted: false, contract: { match: null } }) };
        }
        if (line.includes("checkverifystatus")) return { answers: '{"status":"0","result":"Pending in queue"}' };
        return undefined;
      },
      { settleMs: 300 },
    );
    const before = Date.now();
    const reports = await submitSources(clients, one(), quick);
    expect(Date.now() - before).to.be.below(5_000);
    for (const { state } of reports) expect(state).to.equal("pending");
  });

  it("keeps its distance between requests", async () => {
    const { scan, quick } = await start(undefined, { gapMs: 100 });
    for (const { address } of submissions) scan.shown.add(address.toLowerCase());
    await submitSources([etherscan(scan.url, CHAIN, KEY, quick)], submissions, quick);
    const { asked } = scan;
    expect(asked).to.have.length(COUNT);
    // A timer may be a little early.
    expect(asked.at(-1)!.at - asked[0]!.at).to.be.at.least((COUNT - 1) * 95);
  });

  it("finds the transactions of a deployment by CREATE2, and does without where no block is known", async () => {
    const own = await startAnvil({ chainId: 31_337 });
    const chain = await connectChain(own.url, 31_337);
    try {
      const signer = new Wallet("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", chain);
      const options = { randomnessKind: "blockhash" as const, tiers: devTiers() };
      const how = { chainId: 31_337, options, dir: await tempFolder(), salt: `0x${"22".repeat(32)}`, confirmations: 1 };
      const deployed = await runDeployment({ provider: chain, signer, pollMs: 50, ...how });
      const { build, ...deployment } = await recordOf(chain, 31_337, options, deployed);
      for (const { name, address, creation } of await sourcesOf(chain, { ...deployment, build: build! })) {
        const { hash } = await chain.send("ots_getContractCreator", [address]);
        expect(creation, name).to.equal(hash);
      }
      for (const found of await sourcesOf(chain, deployment)) expect(found).not.to.have.property("creation");
    } finally {
      chain.destroy();
      await own.stop();
    }
  });
});
