import { expect } from "chai";
import { type QuoteReport, quoteLines } from "../../src/cli/quote.js";
import { holdfast } from "../support/cli.js";
import { commandsOn } from "../support/cli-net.js";
import { removeFolders } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

describe("cli: quote", () => {
  let net: StorageNet;
  let cheap: TestProvider;
  let dear: TestProvider;
  let dead: string;
  let restore: () => void;

  before(async () => {
    net = await startStorageNet();
    dear = await net.addProvider(priced(net.token, 3n, { regions: ["US-CA"] }));
    cheap = await net.addProvider(priced(net.token, 2n, { regions: ["DE"] }));
    const gone = await net.rich();
    await net.register(gone, "http://127.0.0.1:1");
    dead = gone.address;
    restore = await commandsOn(net);
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  const quote = (...args: string[]) =>
    holdfast(["quote", "--size", "10KiB", "--tier", "hot", "--periods", "10", "--token", net.token, ...args]);

  it("prints what every provider asks, the best first, and the sum for the replicas", async () => {
    const { status, stdout, stderr } = await quote("--replicas", "2", "--json");
    expect(status).to.equal(0);
    expect(stderr).to.equal(`left out: ${dead}: http://127.0.0.1:1 does not answer\n`);
    const report = JSON.parse(stdout) as QuoteReport;
    const { candidates, leftOut, settleCost, ...rest } = report;
    expect(rest).to.deep.equal({
      token: net.token,
      size: "10240",
      tier: 0,
      periods: 10,
      replicas: 2,
      cost: String(10n * 5n * 10_240n),
      best: [cheap.wallet.address, dear.wallet.address],
    });
    const [first] = candidates;
    expect(first).to.deep.equal({
      provider: cheap.wallet.address,
      url: cheap.url,
      regions: ["DE"],
      price: "20480",
      cost: "204800",
      collateral: "204800",
      // 5 % of a sixth.
      bounty: "1706",
      record: { deals: 0, proven: 0, missed: 0 },
      paysToSettle: null,
    });
    expect(BigInt(settleCost) > 0n).to.equal(true);
    const reason = "http://127.0.0.1:1 does not answer";
    expect(leftOut).to.deep.equal([
      { provider: dead, url: "http://127.0.0.1:1", code: "PROVIDER_UNREACHABLE", reason },
    ]);
  });

  it("prints a table in the token's decimals, and what bounties are worth", async () => {
    const { stdout } = await quote("--replicas", "3");
    const [titles, first, second, empty, together, ...bounties] = stdout.trimEnd().split("\n");
    expect(titles).to.match(/^provider +region +a period +in all +stake +proven +missed +node$/);
    expect(first).to.match(new RegExp(`^${cheap.wallet.address} +DE +0\\.02048 TUSD +0\\.2048 TUSD .+${cheap.url}$`));
    expect(second).to.match(new RegExp(`^${dear.wallet.address} +US-CA `));
    expect([empty, together]).to.deep.equal(["", "2 of 3 replicas for 10 periods: 0.512 TUSD"]);
    expect(bounties).to.have.length(2);
    expect(bounties[0]).to.match(/pays a bounty of 0\.001706 TUSD, and costs about 0\.\d+ coin .+; --coin-price tells/);
  });

  it("warns where a bounty does not pay its gas, by what a coin is worth", async () => {
    const warned = await quote("--coin-price", "3000 TUSD");
    expect(warned.stdout).to.match(
      /^warning: a miss of 0x\w{40} pays a bounty of 0\.001706 TUSD, .+: do it yourself$/m,
    );
    const worthless = await quote("--coin-price", "0");
    expect(worthless.stdout).not.to.match(/bounty/);
  });

  it("keeps to regions, providers and prices", async () => {
    const ask = async (...args: string[]) => (JSON.parse((await quote("--json", ...args)).stdout) as QuoteReport).best;
    expect(await ask("--region", "US")).to.deep.equal([dear.wallet.address]);
    expect(await ask("--provider", dear.wallet.address)).to.deep.equal([dear.wallet.address]);
    expect(await ask("--replicas", "2", "--max-price", "0.02048 TUSD")).to.deep.equal([cheap.wallet.address]);
    const nobody = await quote("--region", "FR");
    expect([nobody.status, nobody.stdout]).to.deep.equal([0, "no provider offers this\n"]);
    expect(nobody.stderr).to.match(/left out: 0x\w{40}: the piece may lie in DE\n/);
  });

  it("says what is wrong with an option", async () => {
    for (const [option, value, text] of [
      ["--size", "big", /It has to be a number of bytes/],
      ["--region", "de", /ISO 3166/],
      ["--tier", "cold", /no tier cold/],
      ["--periods", "5", /5 periods of at most 5/],
      ["--max-price", "much", /no amount of TUSD/],
      ["--provider", "0x12", /It has to be an address/],
      ["--provider", net.token, /NotRegistered/],
    ] as const) {
      const { status, stdout, stderr } = await quote(option, value);
      expect([status, stdout], option).to.deep.equal([1, ""]);
      expect(stderr).to.match(text);
    }
    expect((await holdfast(["quote", "--periods", "10"])).stderr).to.match(/--size <size>' not specified/);
  });

  it("says nothing of bounties that pay", () => {
    const token = { address: net.token, symbol: "TUSD", decimals: 6 };
    const candidate = {
      ...{ provider: dead, url: "http://x", regions: [], price: 1n, cost: 10n, collateral: 60n, bounty: 3n },
      ...{ record: { deals: 1, proven: 7, missed: 2 }, paysToSettle: true },
    };
    const base = {
      token: net.token,
      size: 1n,
      tier: 0,
      periods: 10,
      replicas: 1,
      cost: 10n,
      leftOut: [],
      settleCost: 1n,
    };
    const lines = quoteLines({ ...base, best: [dead], candidates: [candidate] }, { token, coin: token });
    expect(lines).to.have.length(4);
    expect(lines[1]).to.match(/ - +0\.000001 TUSD .+ 7 +2 +http:\/\/x$/);
  });
});
