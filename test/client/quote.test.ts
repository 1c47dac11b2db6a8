import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { hexlify, toUtf8Bytes, type Wallet, ZeroAddress, zeroPadBytes } from "ethers";
import { ChainError } from "../../src/chain/errors.js";
import { chainTime } from "../../src/chain/time.js";
import {
  type LeftOut,
  NO_RECORD,
  type PastDeal,
  paysToSettle,
  type QuoteWishes,
  quote,
} from "../../src/client/index.js";
import { dealDomain, type Offer, offersToJson, type SignedOffer, Status, signOffer } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders } from "../support/pieces.js";
import { GIB, priced, STAKE, type StorageNet, startStorageNet } from "../support/storage-net.js";

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

const SIZE = 5_000n;
/** Long enough for an honest answer on a busy machine, and short against what the slow ones here would take. */
const NODE_MS = 1_500;
const HISTORY = { deals: async () => [] as PastDeal[] };

describe("client: quotes", () => {
  let net: StorageNet;
  let servers: Server[];
  let wishes: QuoteWishes;

  const serve = async (handler: Handler): Promise<string> => {
    const server = createServer((request, response) => void handler(request, response));
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const json = (value: unknown): Handler => {
    return (_, response) => void response.end(JSON.stringify(value));
  };
  const offerOf = async (provider: string, changes: Partial<Offer> = {}): Promise<Offer> => ({
    provider,
    tier: 0,
    token: net.token,
    pricePerGiBPerPeriod: GIB,
    egressPricePerGiB: 7n,
    minSize: 1n,
    maxSize: 1n << 30n,
    minPeriods: 1,
    maxPeriods: 100,
    collateralRatio: 10,
    regions: [],
    validUntil: (await chainTime(net.provider)) + 3_600n,
    ...changes,
  });
  const domain = (changes: { chainId?: number; market?: string } = {}) => {
    const { chainId, market } = { ...net.deployment, ...changes };
    return dealDomain(chainId, market);
  };
  const signed = async (
    signer: Wallet,
    changes: Partial<Offer> = {},
    provider = signer.address,
  ): Promise<SignedOffer> => {
    const offer = await offerOf(provider, changes);
    return { offer, signature: await signOffer(signer, domain(), offer) };
  };
  const pageOf = (offers: SignedOffer[], changes: { chainId?: number; market?: string } = {}) => {
    const { chainId, market } = { ...net.deployment, ...changes };
    return offersToJson({ chainId, market, offers });
  };
  /** A provider with stake whose node answers like this. */
  const enrol = async (answer: (wallet: Wallet) => Handler | Promise<Handler>, stake = STAKE): Promise<Wallet> => {
    const wallet = await net.rich();
    await net.register(wallet, await serve(await answer(wallet)), stake);
    return wallet;
  };
  const honest = (changes: Partial<Offer> = {}) =>
    enrol(async (wallet) => json(pageOf([await signed(wallet, changes)])));
  const ask = (changes: Partial<QuoteWishes> = {}) =>
    quote(net, { ...wishes, ...changes }, { history: HISTORY, nodeMs: NODE_MS });
  const only = (...wallets: Wallet[]) => ({ providers: wallets.map(({ address }) => address) });
  const reasonFor = async (wallet: Wallet, changes: Partial<QuoteWishes> = {}): Promise<LeftOut> => {
    const { candidates, leftOut } = await ask({ ...only(wallet), ...changes });
    expect(candidates).to.deep.equal([]);
    expect(leftOut).to.have.length(1);
    expect(leftOut[0]?.provider).to.equal(wallet.address);
    return leftOut[0] as LeftOut;
  };

  before(async () => {
    net = await startStorageNet();
    servers = [];
    wishes = { size: SIZE, tier: 0, periods: 6, token: net.token };
  });
  after(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await net.stop();
    await removeFolders();
  });

  it("asks every registered provider, real ones, and adds up the best", async () => {
    const [dear, cheap] = [await net.addProvider(priced(net.token, 3n)), await net.addProvider(priced(net.token, 2n))];
    const result = await ask({ replicas: 2 });
    expect(result.candidates.map(({ provider }) => provider)).to.deep.equal([
      cheap.wallet.address,
      dear.wallet.address,
    ]);
    expect(result.best).to.deep.equal(result.candidates);
    const [first] = result.candidates;
    expect(first).to.deep.include({ url: cheap.url, price: 10_000n, cost: 60_000n, collateral: 100_000n });
    // 5 % of a sixth of the collateral, each rounded down.
    expect(first).to.deep.include({ bounty: 833n, record: NO_RECORD, regions: [] });
    expect(result).to.include({ token: net.token, cost: 150_000n, recordsMissing: undefined });
    expect(result.leftOut).to.deep.equal([]);
    const { gasPrice } = await net.provider.getFeeData();
    expect(Number(result.settleCost) / Number(100_000n * (gasPrice ?? 0n))).to.be.within(0.5, 2);
  });

  describe("providers that lie, or don't answer", () => {
    let victim: Wallet;
    let reached: number;
    let sent: number;

    const forever = (chunk: Buffer, everyMs: number): Handler => {
      return (_, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        const timer = setInterval(() => response.write(chunk), everyMs);
        response.on("close", () => clearInterval(timer));
      };
    };
    /** A gigabyte, as fast as it is taken. */
    const huge: Handler = (_, response) => {
      response.writeHead(200, { "content-length": String(1 << 30) });
      const chunk = Buffer.alloc(64 * 1_024, " ");
      const push = () => {
        while (!response.destroyed && sent < 1 << 30) {
          sent += chunk.length;
          if (!response.write(chunk)) return;
        }
      };
      response.on("drain", push);
      push();
    };
    const redirect = (to: string): Handler => {
      return (_, response) => void response.writeHead(302, { location: to }).end();
    };

    before(async () => {
      victim = await honest();
    });
    beforeEach(() => {
      reached = 0;
      sent = 0;
    });

    const lies: Record<string, [(wallet: Wallet) => Handler | Promise<Handler>, string, RegExp]> = {
      "never answers": [() => () => undefined, "PROVIDER_UNREACHABLE", /does not answer/],
      "sends a byte now and then": [() => forever(Buffer.from(" "), 50), "PROVIDER_UNREACHABLE", /broke off/],
      "sends a gigabyte": [() => huge, "PROVIDER_REFUSED", /longer than any honest one/],
      "hangs up": [() => (_, response) => response.destroy(), "PROVIDER_UNREACHABLE", /does not answer/],
      "has no offers": [() => (_, response) => response.writeHead(404).end("no"), "PROVIDER_REFUSED", /404 no/],
      "gives orders to a terminal": [
        () => (_, response) => response.writeHead(500).end("\u001b[2Jgone\u0007"),
        "PROVIDER_REFUSED",
        /500 {2}\[2Jgone /,
      ],
      "answers no JSON": [() => (_, response) => response.end("<html>"), "PROVIDER_REFUSED", /not JSON/],
      "answers other JSON": [() => json({ offers: [] }), "INVALID_REQUEST", /chainId/],
      "offers nothing": [() => json(pageOf([])), "NOT_OFFERED", /offers no tier 0/],
      "is on another chain": [
        async (wallet) => json(pageOf([await signed(wallet)], { chainId: 1 })),
        "OFFER_INVALID",
        /on chain 1$/,
      ],
      "is of another market": [
        async (wallet) => json(pageOf([await signed(wallet)], { market: net.deployment.vault })),
        "OFFER_INVALID",
        /another market/,
      ],
      "signs for another chain and says it is this one": [
        async (wallet) => {
          const offer = await offerOf(wallet.address);
          return json(pageOf([{ offer, signature: await signOffer(wallet, domain({ chainId: 1 }), offer) }]));
        },
        "OFFER_INVALID",
        /signed neither by/,
      ],
      "signs with a key that is not its own": [
        async ({ address }) => json(pageOf([await signed(victim, {}, address)])),
        "OFFER_INVALID",
        /signed neither by/,
      ],
      "signs nothing": [
        async ({ address }) => json(pageOf([{ offer: await offerOf(address), signature: "0x" }])),
        "OFFER_INVALID",
        /signed neither by/,
      ],
      "changes a price after it was signed": [
        async (wallet) => {
          const { offer, signature } = await signed(wallet);
          return json(pageOf([{ offer: { ...offer, pricePerGiBPerPeriod: 1n }, signature }]));
        },
        "OFFER_INVALID",
        /signed neither by/,
      ],
      "shows the offer of another provider": [
        async () => json(pageOf([await signed(victim)])),
        "OFFER_INVALID",
        /its offer is that of 0x/,
      ],
      "shows an offer that has expired": [
        async (wallet) => json(pageOf([await signed(wallet, { validUntil: 1_000_000_000n })])),
        "OFFER_INVALID",
        /has expired/,
      ],
      "stakes what it does not have": [
        async (wallet) => json(pageOf([await signed(wallet, { collateralRatio: 2 ** 32 - 1 })])),
        "INSUFFICIENT_STAKE",
        /of stake is needed, 1000000000 is free/,
      ],
      "asks for more than there can be": [
        async (wallet) =>
          json(pageOf([await signed(wallet, { pricePerGiBPerPeriod: (1n << 128n) - 1n, collateralRatio: 0 })])),
        "AMOUNT_TOO_LARGE",
        /128 bits/,
      ],
      "points to a private address": [() => redirect("http://10.0.0.1/offers"), "PROVIDER_UNREACHABLE", /not answer/],
      "points to another service of this machine": [
        async () => redirect(`${await serve((_, response) => response.end(String(++reached)))}/offers`),
        "PROVIDER_UNREACHABLE",
        /does not answer/,
      ],
    };
    for (const [what, [answer, code, reason]] of Object.entries(lies)) {
      it(`leaves out one that ${what}`, async () => {
        const liar = await enrol(answer);
        const started = performance.now();
        const size = what.includes("more than there can be") ? 1n << 30n : SIZE;
        const out = await reasonFor(liar, { size, minCollateralRatio: 0, maxPeriods: 10 });
        expect(performance.now() - started).to.be.lessThan(NODE_MS + 3_000);
        expect(out.code).to.equal(code);
        expect(out.reason).to.match(reason);
        expect(reached).to.equal(0);
        expect(sent).to.be.lessThan(32 << 20);
      });
    }

    it("leaves out one whose signature the chain's node can't be done with", async () => {
      const slow = await honest();
      let asked = 0;
      const chain = new Proxy(net.provider, {
        get(target, name, self) {
          if (name === "provider") return self;
          if (name === "getCode") {
            return (address: string) => {
              if (address !== slow.address) return target.getCode(address);
              asked++;
              return new Promise(() => undefined);
            };
          }
          const member = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
      const market = net.contracts.market.connect(chain);
      const reader = { deployment: net.deployment, contracts: { ...net.contracts, market } };
      const options = { history: HISTORY, nodeMs: NODE_MS };
      const started = performance.now();
      const { candidates, leftOut } = await quote(reader, { ...wishes, ...only(slow, victim) }, options);
      expect(performance.now() - started).to.be.lessThan(2 * NODE_MS + 3_000);
      expect(candidates.map(({ provider }) => provider)).to.deep.equal([victim.address]);
      expect(leftOut[0]).to.include({ provider: slow.address, code: "PROVIDER_UNREACHABLE" });
      expect(leftOut[0]?.reason).to.match(/takes too long to check/);
      expect(asked).to.equal(1);
    });

    it("quotes the honest one among all of them, and takes no longer than for the slowest", async () => {
      const started = performance.now();
      const { candidates, leftOut } = await ask();
      expect(performance.now() - started).to.be.lessThan(2 * NODE_MS + 3_000);
      expect(candidates.map(({ provider }) => provider)).to.include(victim.address);
      expect(leftOut).to.have.length(Object.keys(lies).length);
    });

    it("leaves out nodes and offers at places that are none", async () => {
      const nowhere = async (profile: { url: string; offerUri: string }) => {
        const wallet = await net.rich();
        await net.register(wallet, "http://127.0.0.1:1");
        const rest = { name: "", peerId: "", region: "0x000000000000", tiers: 1 };
        await (await net.contracts.registry.connect(wallet).updateProfile({ ...profile, ...rest })).wait();
        return wallet;
      };
      for (const profile of [
        { url: "ftp://127.0.0.1", offerUri: "" },
        { url: "", offerUri: "" },
        { url: "http://127.0.0.1:1", offerUri: "ipfs://offers" },
      ]) {
        const { code, reason } = await reasonFor(await nowhere(profile));
        expect([code, reason]).to.deep.equal([
          "PROVIDER_REFUSED",
          `${profile.offerUri || profile.url} refused: it is no http: or https: URL`,
        ]);
      }
    });

    it("lets no crowd without stake hold up those that have it", async () => {
      const silent = await serve(() => undefined);
      for (let i = 0; i < 40; i++) await net.register(await net.rich(), silent, 0n, 4);
      const late = await net.rich();
      await net.register(late, await serve(json(pageOf([await signed(late, { tier: 2 })]))), STAKE, 4);
      const started = performance.now();
      const options = { history: HISTORY, nodeMs: 30_000, allMs: NODE_MS };
      const { candidates, leftOut } = await quote(net, { ...wishes, tier: 2, periods: 3 }, options);
      expect(performance.now() - started).to.be.lessThan(NODE_MS + 4_000);
      expect(candidates.map(({ provider }) => provider)).to.deep.equal([late.address]);
      expect(new Set(leftOut.map(({ code }) => code))).to.deep.equal(new Set(["PROVIDER_UNREACHABLE"]));
      expect(leftOut).to.have.length(40);
    });
  });

  describe("what fits", () => {
    it("is said by the offer, to its bounds", async () => {
      const bounds = { minSize: SIZE, maxSize: SIZE, minPeriods: 6, maxPeriods: 8 };
      const wallet = await honest(bounds);
      const most = { maxPricePerPeriod: SIZE, maxEgressPricePerGiB: 7n, minCollateralRatio: 10, maxPeriods: 8 };
      expect((await ask({ ...only(wallet), ...most })).candidates).to.have.length(1);
      const misfits: [Partial<QuoteWishes>, RegExp][] = [
        [{ size: SIZE - 1n }, /at least 5000 bytes/],
        [{ size: SIZE + 1n }, /at most 5000 bytes/],
        [{ maxPeriods: 9 }, /at most 8 periods/],
        [{ maxPricePerPeriod: SIZE - 1n }, /a period costs 5000, over 4999/],
        [{ maxEgressPricePerGiB: 6n }, /egress costs 7 a GiB, over 6/],
        [{ minCollateralRatio: 11 }, /stakes 10 periods of its price, under 11/],
        [{ tier: 1 }, /offers no tier 1/],
        [{ token: ZeroAddress }, /offers no tier 0 for 0x0000/],
      ];
      for (const [change, reason] of misfits) {
        const { code, reason: said } = await reasonFor(wallet, change);
        expect(code).to.equal("NOT_OFFERED");
        expect(said).to.match(reason);
      }
      const longer = await honest({ minPeriods: 7 });
      expect((await reasonFor(longer)).reason).to.match(/at least 7 periods/);
    });

    it("is the cheapest of several offers, at the place that the registry names", async () => {
      const wallet = await net.rich();
      const offers = [
        await signed(wallet, { pricePerGiBPerPeriod: 3n * GIB }),
        await signed(wallet, { pricePerGiBPerPeriod: 2n * GIB }),
        await signed(wallet, { pricePerGiBPerPeriod: GIB, minSize: SIZE + 1n }),
        await signed(wallet, { pricePerGiBPerPeriod: GIB, tier: 1 }),
      ];
      const [node, place] = [await serve(() => expect.fail("asked")), await serve(json(pageOf(offers)))];
      await net.register(wallet, node);
      const profile = { name: "", url: `${node}/`, peerId: "", region: "0x000000000000", tiers: 1 };
      const registry = net.contracts.registry.connect(wallet);
      await (await registry.updateProfile({ ...profile, offerUri: `${place}/some/offers.json` })).wait();
      const { candidates } = await ask(only(wallet));
      expect(candidates.map(({ price, url }) => [price, url])).to.deep.equal([[2n * SIZE, node]]);
    });

    it("may be signed by the registered signer", async () => {
      const [owner, signer] = [await net.rich(), await net.rich()];
      await net.register(owner, await serve(json(pageOf([await signed(signer, {}, owner.address)]))));
      expect((await reasonFor(owner)).reason).to.match(/signed neither/);
      await (await net.contracts.registry.connect(owner).setSigner(signer.address)).wait();
      expect((await ask(only(owner))).candidates).to.have.length(1);
    });

    it("lies where it was wished for, wherever the provider puts it", async () => {
      const bytes = (text: string) => zeroPadBytes(hexlify(toUtf8Bytes(text)), 6);
      const [us, ca, de] = [bytes("US"), bytes("US-CA"), bytes("DE")];
      const placed = async (registered: string, regions: string[]) => {
        const wallet = await honest({ regions });
        const { url } = await net.contracts.registry.profileOf(wallet);
        const profile = { name: "", url, peerId: "", region: registered, tiers: 1, offerUri: "" };
        await (await net.contracts.registry.connect(wallet).updateProfile(profile)).wait();
        return wallet;
      };
      const takes = async (wallet: Wallet, ...regions: string[]) =>
        (await ask({ ...only(wallet), regions })).candidates.length === 1;
      const california = await placed(ca, []);
      expect((await ask(only(california))).candidates[0]?.regions).to.deep.equal(["US-CA"]);
      expect(await takes(california, "US")).to.equal(true);
      expect(await takes(california, "FR", "US-CA")).to.equal(true);
      expect((await reasonFor(california, { regions: ["US-NY", "DE"] })).reason).to.equal("the piece may lie in US-CA");
      // What it signs goes before where it is registered, and all of it counts.
      const spread = await placed(us, [ca, de]);
      expect(await takes(spread, "US")).to.equal(false);
      expect(await takes(spread, "DE", "US")).to.equal(true);
      const unknown = await placed("0x000000000000", []);
      expect((await reasonFor(unknown, { regions: ["DE"] })).reason).to.equal("it names no region");
      expect(await takes(unknown)).to.equal(true);
    });

    it("has the stake that the market asks for", async () => {
      const wallet = await honest();
      const deployment = { ...net.deployment, stakeToken: net.token, minStake: STAKE };
      const strict = (minStake: bigint) => ({ contracts: net.contracts, deployment: { ...deployment, minStake } });
      const asked = { ...wishes, ...only(wallet) };
      expect((await quote(strict(STAKE), asked, { history: HISTORY })).candidates).to.have.length(1);
      const { leftOut } = await quote(strict(STAKE + 1n), asked, { history: HISTORY });
      expect(leftOut[0]).to.include({
        code: "INSUFFICIENT_STAKE",
        reason: "it has less stake than the market asks for",
      });
    });

    it("is one replica for each provider, and not with those that are excluded", async () => {
      const [one, two] = [await honest(), await honest({ pricePerGiBPerPeriod: 2n * GIB })];
      const urls = await Promise.all(
        [one, one, two].map(async (wallet) => (await net.contracts.registry.profileOf(wallet)).url),
      );
      const { candidates, best, cost } = await ask({ urls, replicas: 3 });
      expect(candidates.map(({ provider }) => provider)).to.deep.equal([one.address, one.address, two.address]);
      expect(best.map(({ provider }) => provider)).to.deep.equal([one.address, two.address]);
      expect(cost).to.equal(6n * 3n * SIZE);
      const without = { exclude: [one.address.toLowerCase()] };
      const rest = await ask({ ...without, ...only(one, two) });
      expect(rest.candidates.map(({ provider }) => provider)).to.deep.equal([two.address]);
      const { leftOut } = await ask({ ...without, urls });
      expect(leftOut.map(({ reason }) => reason)).to.deep.equal(Array(2).fill("it was left out by wish"));
    });
  });

  describe("ranking", () => {
    const past = (provider: string, proven: number, missed: number, gift = false): PastDeal => ({
      ...{ id: 1n, provider, payer: provider, gift, root: "0x", leafCount: 1n, status: Status.Open, proven, missed },
    });
    const having = (...deals: PastDeal[]) => ({
      history: { deals: async (wanted: (deal: PastDeal) => boolean) => deals.filter(wanted) },
    });

    it("puts price and record together: the new below the proven, above those who miss", async () => {
      const wallets = [await honest(), await honest(), await honest(), await honest()];
      const [fresh, good, bad, gifted] = wallets as [Wallet, Wallet, Wallet, Wallet];
      const deals = [
        past(good.address, 30, 0),
        past(good.address, 10, 1),
        past(bad.address, 10, 10),
        past(gifted.address, 0, 1),
        past(gifted.address, 1_000, 0, true),
        past(ZeroAddress, 0, 1_000),
      ];
      const { candidates } = await quote(net, { ...wishes, ...only(...wallets) }, having(...deals));
      const order = [good, fresh, gifted, bad].map(({ address }) => address);
      expect(candidates.map(({ provider }) => provider)).to.deep.equal(order);
      expect(candidates[0]?.record).to.deep.equal({ deals: 2, proven: 40, missed: 1 });
      expect(candidates[2]?.record).to.deep.equal({ deals: 1, proven: 0, missed: 1 });
    });

    it("is by price alone where the past can't be read, and says so", async () => {
      const wallets = [await honest({ pricePerGiBPerPeriod: 2n * GIB }), await honest()];
      const broken = new ChainError("UNKNOWN_ERROR", "no logs are kept", "ask another node", "hopeless", undefined);
      const failing = (error: Error) => ({ history: { deals: () => Promise.reject(error) } });
      const result = await quote(net, { ...wishes, ...only(...wallets) }, failing(broken));
      expect(result.candidates.map(({ price }) => price)).to.deep.equal([SIZE, 2n * SIZE]);
      expect(result.recordsMissing).to.equal("no logs are kept");
      const defect = new TypeError("a defect");
      const thrown = await quote(net, { ...wishes, ...only(...wallets) }, failing(defect)).catch((error) => error);
      expect(thrown).to.equal(defect);
    });
  });

  it("refuses wishes that nobody can fulfil, and providers that there are not", async () => {
    await expectError("UNKNOWN_TIER", () => ask({ tier: 3 }));
    await expectError("INVALID_PERIODS", () => ask({ periods: 5 }));
    await expectError("INVALID_PERIODS", () => ask({ maxPeriods: 5 }));
    for (const replicas of [0, 256, 1.5]) await expectError("INVALID_COPIES", () => ask({ replicas }));
    await expectError("INVALID_REGION", () => ask({ regions: ["Germany"] }));
    const error = await expectError("REVERTED", () => ask({ providers: [net.deployment.vault] }));
    expect(error.message).to.match(/look a provider up.*NotRegistered/);
  });

  it("tells whether a bounty pays for its settlement", () => {
    const result = { token: net.token, settleCost: 10n ** 14n };
    expect(paysToSettle({ bounty: 10n }, result)).to.equal(undefined);
    // A coin is 3,000 dollars of six decimals: settling costs 0.3.
    expect(paysToSettle({ bounty: 300_000n }, result, 3_000_000_000n)).to.equal(true);
    expect(paysToSettle({ bounty: 299_999n }, result, 3_000_000_000n)).to.equal(false);
    const coin = { token: ZeroAddress, settleCost: 10n ** 14n };
    expect(paysToSettle({ bounty: 10n ** 14n }, coin)).to.equal(true);
    expect(paysToSettle({ bounty: 10n ** 14n - 1n }, coin)).to.equal(false);
  });
});
