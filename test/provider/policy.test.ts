import { expect } from "chai";
import { ZeroAddress } from "ethers";
import fc from "fast-check";
import type { Deployment } from "../../src/chain/deployment.js";
import { keeperPolicyText, policyText, pricePerPeriod } from "../../src/cli/node-template.js";
import { provingLimitsOf } from "../../src/cli/operator.js";
import { gasPolicy, nodePolicy, parsePolicy, restoreLimits, settlingOf } from "../../src/provider/policy/index.js";
import { expectError } from "../piece/helpers.js";
import { runs } from "../support/effort.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

/** What is wrong with a policy, as its reader says. */
async function problemsOf(text: string): Promise<string> {
  return (await expectError("POLICY_INVALID", async () => parsePolicy(text, "p"))).message;
}

describe("provider: the policy file", () => {
  it("keeps every value as it was written until it is known what it is", () => {
    const file = parsePolicy(`
token: ${TOKEN}
regions: [NO, US-CA]
pieces: { least: 1KiB, most: 1.5GB }
tiers: { 0: { price: 340282366920938463463374607431768211455, collateral: 010 } }
space: { unpaidFor: 2h }
settle: { whose: paying, margin: -2%, depth: finalized }
`);
    expect(file.token).to.equal(TOKEN);
    expect(file.regions).to.deep.equal(["NO", "US-CA"]);
    expect(file.pieces).to.deep.equal({ least: 1_024, most: 1_500_000_000 });
    expect(file.tiers?.["0"]).to.deep.equal({
      price: "340282366920938463463374607431768211455",
      egress: "0",
      collateral: 10,
    });
    expect(file.space.unpaidFor).to.equal(7_200_000);
    expect(file.settle).to.include({ whose: "paying", margin: -2, depth: "finalized" });
  });

  it("names each setting that is wrong, with its line", async () => {
    const problems = await problemsOf(
      [
        "tierz: 1",
        "pieces:",
        "  most: 3 fish",
        "  leest: 2",
        "regions: [Norway]",
        "proxies: [10.0.0.300]",
        "settle: { whose: some, margin: 20 }",
        "gas: { maxFee: -1 }",
        "clients: [0x01, f01234]",
        "proving: { calldata: 4095, gasShare: 101% }",
        `token: ${TOKEN.toLowerCase().replace("fbd", "FBd")}`,
      ].join("\n"),
    );
    for (const part of [
      "line 1: tierz is no setting",
      "line 3: pieces.most has to be a size",
      "line 4: pieces.leest is no setting",
      "line 5: regions.0 has to be an ISO 3166 code",
      "line 6: proxies.0 has to be an IP address",
      "line 7: settle.whose has to be own, paying or all",
      "line 7: settle.margin has to be whole per cent",
      "line 8: gas.maxFee has to be base units",
      "line 9: clients.0 has to be an address",
      "line 9: clients.1 f01234 is the id of an actor",
      "line 10: proving.calldata has to be 4096 B or more",
      "line 10: proving.gasShare has to be from 1% to 100%",
      "line 11: token has to be an address",
    ]) {
      expect(problems).to.contain(part);
    }
  });

  it("refuses settings that contradict each other, or leave nothing to do, with their line", async () => {
    const whole = await problemsOf(
      [
        "pieces: { most: 1MiB,",
        "  least: 10GiB }",
        "periods:",
        "  least: 9",
        "  most: 2",
        "clients: []",
        "space:",
        "  unpaid: 1GiB",
        "  unpaidOfPeer: 2GiB",
      ].join("\n"),
    );
    for (const part of [
      "line 2: pieces.least is more than most",
      "line 4: periods.least is more than most",
      "line 6: clients has nobody in it",
      "line 9: space.unpaidOfPeer is more than unpaid",
    ]) {
      expect(whole).to.contain(part);
    }
    expect(await problemsOf("pieces:\n  most: 0")).to.contain("line 2: pieces.most has to be 1 or more");
    expect(await problemsOf("pieces:\n  most: 40TB")).to.contain("line 2: pieces.most is more than one piece can have");
    expect(await problemsOf("space:\n  unpaidFor: 0s")).to.contain("line 2: space.unpaidFor has to be longer");
  });

  it("takes settings that just fit", () => {
    const file = parsePolicy(`
pieces: { least: 1MiB, most: 1MiB }
periods: { least: 2, most: 2 }
clients: ["${TOKEN}"]
space: { unpaid: 1GiB, unpaidOfPeer: 1GiB, unpaidFor: 1s }
`);
    expect(file.pieces).to.deep.equal({ least: 1 << 20, most: 1 << 20 });
    const known = parsePolicy("clients: [f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy]").clients;
    expect(known).to.deep.equal(["0xd388aB098ed3E84c0D808776440B48F685198498"]);
    expect(parsePolicy("pieces: { most: 64GiB }\nspace: { unpaidOfPeer: 5TB }").pieces?.most).to.equal(2 ** 36);
  });

  it("limits transactions of proofs, in bytes and in shares of a block", () => {
    const { proving } = parsePolicy("proving: { calldata: 30KiB, gasShare: 25% }");
    expect(proving).to.deep.equal({ calldata: 30_720, gasShare: 25 });
    expect(provingLimitsOf({ ...parsePolicy(""), proving })).to.deep.equal({ calldataLimit: 30_720, gasShare: 0.25 });
    expect(provingLimitsOf(parsePolicy("proving: { gasShare: 100% }"))).to.deep.equal({ gasShare: 1 });
    expect(provingLimitsOf(parsePolicy(""))).to.deep.equal({});
  });

  it("refuses what is no policy, twice there, too long, or grows when it is read", async () => {
    expect(await problemsOf("pieces: 1\npieces: 2")).to.match(/line 2: .*unique/i);
    expect(await problemsOf("a: [")).to.contain("line 1");
    expect(await problemsOf("regions: &a [DE]\nclients: *a")).to.contain("aliases");
    expect(await problemsOf("- 1\n- 2")).to.contain("it ");
    expect(await problemsOf(`# ${"x".repeat(300_000)}`)).to.contain("characters");
    expect(parsePolicy("")).to.deep.equal({ space: {}, connections: {}, gas: {} });
  });

  it("says what is wrong of whatever is written, and nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parsePolicy(text);
        } catch (error) {
          expect((error as { code?: string }).code, String(error)).to.equal("POLICY_INVALID");
        }
      }),
      { numRuns: runs(300) },
    );
  });
});

describe("provider: a policy on a chain", () => {
  let net: StorageNet;

  before(async () => {
    net = await startStorageNet();
  });
  after(() => net.stop());

  const tiers = 'tiers: { 1: { price: "0.5 TUSD", egress: 7, collateral: 3 } }';

  it("turns names and amounts into rows and base units", async () => {
    const file = parsePolicy(`
token: "${net.token}"
pieces: { most: 1MiB }
clients: ["${TOKEN}"]
${tiers}
space: { keepFree: 1GiB, unpaid: 2GiB, unpaidOfPeer: 1GiB, unpaidFor: 90s, uploadsOfPeer: 3, endedFor: 2d }
connections: { most: 90, ofPeer: 9, requestsOfPeer: 7 }
proxies: ["10.0.0.1"]
requests: { coinPrice: "2500 TUSD", tries: 2 }
restore: { missesPerDeal: 2, stake: { "${net.token}": "1.5 TUSD", "${ZeroAddress}": 7 } }
gas: { maxFee: 300 gwei, maxCost: "0.5 coin", leastBalance: "0.1 coin" }
`);
    const { policy, peers, graceMs, keepMs, filling } = await nodePolicy(file, net);
    expect(policy).to.deep.equal({
      token: net.token,
      maxPieceBytes: 1 << 20,
      maxPeriods: 1_000,
      clients: [TOKEN],
      tiers: [{ tier: 1, pricePerGiBPerPeriod: "500000", egressPricePerGiB: "7", collateralRatio: 3 }],
    });
    expect(peers).to.deep.equal({
      ...{ minFreeBytes: 2 ** 30, maxUnpaidBytes: 2 ** 31, maxPeerBytes: 2 ** 30, maxPeerUploads: 3 },
      ...{ maxConnections: 90, maxPeerConnections: 9, maxPeerRequests: 7 },
      trustedProxies: ["10.0.0.1"],
    });
    expect(graceMs).to.equal(90_000);
    expect(keepMs).to.equal(2 * 86_400_000);
    expect(filling).to.deep.equal({ coinPrice: 2_500_000_000n, fetchTries: 2, minFreeBytes: 2 ** 30 });
    const limits = await restoreLimits(file, net);
    expect(limits?.missesPerDeal).to.equal(2);
    expect([...(limits?.stake ?? [])]).to.deep.equal([
      [net.token, 1_500_000n],
      [ZeroAddress, 7n],
    ]);
    const most = { maxFeePerGas: 300n * 10n ** 9n, maxCost: 5n * 10n ** 17n };
    expect(await gasPolicy(file, net)).to.deep.equal({ ...most, leastBalance: 10n ** 17n });
  });

  it("settles its own deals, whatever else it is told", async () => {
    const longest = Math.max(...net.deployment.tiers.map(({ period }) => period));
    const own = await settlingOf(parsePolicy(""), net, TOKEN);
    expect(own).to.deep.include({ own: { provider: TOKEN, everyBlocks: longest } });
    const all = await settlingOf(parsePolicy("settle: { whose: all, everyBlocks: 5, depth: 3, batch: 9 }"), net, TOKEN);
    expect(all).to.deep.include({ own: { provider: TOKEN, everyBlocks: 5 }, depth: 3, batchSize: 9 });
    expect(await settlingOf(parsePolicy("settle: { whose: all }"), net)).not.to.have.property("own");
    await expectError("POLICY_INCOMPLETE", () => settlingOf(parsePolicy(""), net));
    const paying = `settle: { whose: paying, margin: 20%, coinPrice: { "${net.token}": "2500 TUSD" } }`;
    const { economics } = (await settlingOf(parsePolicy(paying), net))!;
    expect(economics?.marginPercent).to.equal(20);
    const coin = 10n ** 18n;
    expect([...economics!.prices]).to.deep.equal([
      [ZeroAddress, { wei: coin, units: coin }],
      [net.token, { wei: coin, units: 2_500_000_000n }],
    ]);
    const worthless = parsePolicy(`settle: { whose: paying, coinPrice: { "${net.token}": 0 } }`);
    await expectError("INVALID_AMOUNT", () => settlingOf(worthless, net));
    const inItself = parsePolicy(`settle: { whose: paying, coinPrice: { "${ZeroAddress}": "2500 coin" } }`);
    const { message } = await expectError("INVALID_AMOUNT", () => settlingOf(inItself, net));
    expect(message).to.contain("what a coin is worth in coin");
  });

  it("writes policies for new keepers that value a coin at itself, and other tokens as they say", async () => {
    const pricesOf = async (text: string) => [...(await settlingOf(parsePolicy(text), net))!.economics!.prices];
    const coin = 10n ** 18n;
    const itself = [ZeroAddress, { wei: coin, units: coin }];
    const native = keeperPolicyText({ address: ZeroAddress, symbol: "coin", decimals: 18 });
    expect(await pricesOf(native)).to.deep.equal([itself]);
    const dollars = keeperPolicyText({ address: net.token, symbol: "TUSD", decimals: 6 });
    expect(await pricesOf(dollars)).to.deep.equal([itself, [net.token, { wei: coin, units: 2_500_000_000n }]]);
  });

  it("refuses what is no offer on this chain", async () => {
    const from = (text: string) => nodePolicy(parsePolicy(`token: "${net.token}"\n${text}`), net);
    await expectError("POLICY_INCOMPLETE", () => from(""));
    await expectError("UNKNOWN_TIER", () => from("tiers: { tepid: { price: 1, collateral: 1 } }"));
    await expectError("INVALID_AMOUNT", () => from('tiers: { 0: { price: "1 EUR", collateral: 1 } }'));
    await expectError("INVALID_AMOUNT", () => from(`${tiers}\nrequests: { coinPrice: "0.0000001 TUSD" }`));
    const twice = "tiers: { 0: { price: 1, collateral: 1 }, 00: { price: 1, collateral: 1 } }";
    await expectError("POLICY_INCOMPLETE", () => from(twice));
  });

  it("writes policies for new providers that can be read again, at the price that was said", async () => {
    const token = { address: net.token, symbol: "TUSD", decimals: 6 };
    const answers = { provider: TOKEN, token, region: "NO", url: "https://node.example", listen: "127.0.0.1:80" };
    const deployment: Pick<Deployment, "tiers"> = net.deployment;
    const text = policyText({ ...answers, price: 30_000_000n, tiers: [0, 1] }, deployment as Deployment, 12);
    const { policy } = await nodePolicy(parsePolicy(text), net);
    expect(policy.regions).to.deep.equal(["NO"]);
    expect(text).to.contain('coinPrice: "2500 TUSD"');
    const native = { ...answers, token: { address: ZeroAddress, symbol: "coin", decimals: 18 } };
    const inCoin = policyText({ ...native, price: 1n, tiers: [0] }, deployment as Deployment, 12);
    expect(inCoin).to.contain('coinPrice: "1 coin"');
    for (const { tier, pricePerGiBPerPeriod } of policy.tiers) {
      const { period } = deployment.tiers[tier]!;
      expect(BigInt(pricePerGiBPerPeriod)).to.equal(pricePerPeriod(30_000_000n, period, 12));
    }
    // A day of a month of 30 days, and rounded up.
    expect(pricePerPeriod(30n, 7_200, 12)).to.equal(1n);
    expect(pricePerPeriod(31n, 7_200, 12)).to.equal(2n);
    expect(pricePerPeriod(30n, 2_880, 30)).to.equal(1n);
  });
});
