import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { hexlify, randomBytes, type Wallet } from "ethers";
import { chainTime } from "../../src/chain/time.js";
import { type HoldfastClient, type StoreOptions, TooFewProvidersError } from "../../src/client/index.js";
import {
  type DealTerms,
  dealDomain,
  dealIdOf,
  type Offer,
  type OfferPage,
  offersFromJson,
  offersToJson,
  signOffer,
  signTerms,
  type TermsJson,
  termsFromJson,
} from "../../src/protocol/index.js";
import { OfferBook } from "../../src/provider/index.js";
import { TestToken__factory, Wallet1271__factory } from "../../typechain-types/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { STAKE, type StorageNet, startStorageNet, testPolicy } from "../support/storage-net.js";

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** What a node answers; every member is that of an honest one, but for what a test replaces. */
interface Script {
  offers: (honest: OfferPage) => Promise<unknown> | unknown;
  sign: (terms: DealTerms) => Promise<unknown>;
  begin: Handler;
  put: Handler;
  finish: Handler;
}

describe("client: storing with providers that lie", () => {
  let net: StorageNet;
  let servers: Server[];
  let provider: Wallet;
  let wallet: Wallet;
  let client: HoldfastClient;
  let piece: TestPiece;
  let urls: string[];
  let bytesTaken: number;

  const domain = () => dealDomain(net.deployment.chainId, net.deployment.market);
  const answer = async (terms: DealTerms, signer = provider) => ({
    dealId: hexlify(`0x${dealIdOf(domain(), terms).toString(16).padStart(64, "0")}`),
    providerSignature: await signTerms(signer, domain(), terms),
  });
  const wishes = (changes: Partial<StoreOptions> = {}): StoreOptions => ({
    tier: 0,
    periods: 6,
    token: net.token,
    maxPricePerPeriod: 10n * BigInt(piece.payload.length),
    urls,
    ...changes,
  });
  const store = (changes: Partial<StoreOptions> = {}) => client.store(new Blob([piece.payload]), wishes(changes));

  const serve = async (changes: Partial<Script> = {}, owner = provider): Promise<string> => {
    const policy = testPolicy(net.token);
    const now = () => chainTime(net.provider);
    const book = new OfferBook({ provider: owner.address, signer: owner, deployment: net.deployment, policy, now });
    const honest = async () => offersFromJson(await book.page());
    const script: Script = {
      offers: offersToJson,
      sign: (terms) => answer(terms, owner),
      begin: (_, response) => response.writeHead(201, { location: "/pdp/piece/uploads/1" }).end(),
      put: (_, response) => response.writeHead(204).end(),
      finish: (_, response) => response.writeHead(200).end(),
      ...changes,
    };
    const server = createServer((request, response) => void respond(script, honest, request, response));
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const respond = async (
    script: Script,
    honest: () => Promise<OfferPage>,
    request: IncomingMessage,
    response: ServerResponse,
  ) => {
    const body: Buffer[] = [];
    if (request.method === "PUT") for await (const chunk of request) bytesTaken += (chunk as Buffer).length;
    else for await (const chunk of request) body.push(chunk as Buffer);
    if (request.url === "/offers") return response.end(JSON.stringify(await script.offers(await honest())));
    if (request.url === "/deals") {
      const { terms } = JSON.parse(Buffer.concat(body).toString()) as { terms: TermsJson };
      return response.end(JSON.stringify(await script.sign(termsFromJson(terms))));
    }
    if (request.url?.startsWith("/pdp/piece?")) return response.writeHead(404).end();
    if (request.url === "/pdp/piece/uploads") return script.begin(request, response);
    return request.method === "PUT" ? script.put(request, response) : script.finish(request, response);
  };
  /** Offers that are not the honest ones, signed all the same. */
  const offering =
    (change: Partial<Offer>, signer = provider): Script["offers"] =>
    async (page) => {
      const offers = page.offers.map(async ({ offer }) => {
        const changed = { ...offer, ...change };
        return { offer: changed, signature: await signOffer(signer, domain(), changed) };
      });
      return offersToJson({ ...page, offers: await Promise.all(offers) });
    };
  /** Nothing was paid, deposited, approved, or spent on gas. */
  const expectUntouched = async (act: () => Promise<unknown>, reason: RegExp) => {
    const before = [await net.provider.getBalance(wallet.address), await net.tokensOf(wallet.address)];
    const error = await expectError("TOO_FEW_PROVIDERS", act);
    expect(error.message).to.match(reason);
    expect((error as TooFewProvidersError).deals).to.deep.equal([]);
    expect([await net.provider.getBalance(wallet.address), await net.tokensOf(wallet.address)]).to.deep.equal(before);
  };

  before(async () => {
    net = await startStorageNet();
    piece = await testPiece(5_000);
    provider = await net.rich();
    await net.register(provider, "http://127.0.0.1:1");
  });
  beforeEach(async () => {
    servers = [];
    bytesTaken = 0;
    wallet = await net.rich();
    client = net.clientOf(wallet);
  });
  afterEach(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("deals with one that does not", async () => {
    urls = [await serve()];
    const { deals } = await store();
    expect(await net.contracts.market.ownerOf(deals[0]?.id as bigint)).to.equal(wallet.address);
    expect(bytesTaken).to.equal(piece.payload.length);
  });

  const lies: Record<string, [() => Partial<Script>, RegExp]> = {
    "names another deal": [
      () => ({ sign: async (terms) => ({ ...(await answer(terms)), dealId: `0x${"12".repeat(32)}` }) }),
      /it signed another deal/,
    ],
    "signs other terms": [
      () => ({
        sign: async (terms) => {
          const { dealId } = await answer(terms);
          return { ...(await answer({ ...terms, collateral: 0n })), dealId };
        },
      }),
      /its signature is neither/,
    ],
    "signs with another key": [() => ({ sign: (terms) => answer(terms, wallet) }), /its signature is neither/],
    "signs nothing": [
      () => ({ sign: async (terms) => ({ ...(await answer(terms)), providerSignature: "0x" }) }),
      /its signature is neither/,
    ],
    "signs noise": [
      () => ({ sign: async (t) => ({ ...(await answer(t)), providerSignature: hexlify(randomBytes(65)) }) }),
      /its signature is neither/,
    ],
    "answers no JSON": [() => ({ sign: async () => undefined }), /not JSON/],
    "answers other JSON": [() => ({ sign: async () => ({ dealId: 7 }) }), /dealId/],
    "answers without end": [() => ({ sign: async () => "x".repeat(1 << 20) }), /not JSON, or is longer/],
    "names no place for the upload": [
      () => ({ begin: (_, response) => response.writeHead(201).end() }),
      /named no place for the upload/,
    ],
    "wants the upload elsewhere": [
      () => ({ begin: (_, response) => response.writeHead(201, { location: "http://10.0.0.1/x" }).end() }),
      /it pointed elsewhere, to http:\/\/10\.0\.0\.1/,
    ],
    "names a place that is none": [
      () => ({ begin: (_, response) => response.writeHead(201, { location: "http://[" }).end() }),
      /a place that is no URL/,
    ],
    "refuses the bytes": [() => ({ put: (_, response) => response.writeHead(507).end("no space") }), /507 no space/],
    "hangs up on the upload": [() => ({ put: (_, response) => response.destroy() }), /does not answer/],
    "does not want the piece": [() => ({ finish: (_, response) => response.writeHead(400).end("no") }), /400 no/],
  };
  for (const [what, [script, reason]] of Object.entries(lies)) {
    it(`loses nothing to one that ${what}`, async () => {
      urls = [await serve(script())];
      await expectUntouched(() => store(), reason);
    });
  }

  it("sends no byte to one whose offer is not to be had", async () => {
    urls = [await serve({ offers: offering({ collateralRatio: 2 ** 32 - 1 }) })];
    await expectUntouched(() => store(), /0 of 1 copies were placed: http.+ of stake is needed/);
    urls = [await serve({ offers: () => ({ provider: "me" }) })];
    await expectUntouched(() => store(), /0 of 1 copies were placed: http.+: chainId: /);
    expect(bytesTaken).to.equal(0);
  });

  it("sends no byte to one whose egress is dearer than was wished", async () => {
    urls = [await serve({ offers: offering({ egressPricePerGiB: 8n }) })];
    await expectUntouched(() => store({ maxEgressPricePerGiB: 7n }), /egress costs 8 a GiB, over 7/);
    expect(bytesTaken).to.equal(0);
    expect((await store({ maxEgressPricePerGiB: 8n })).deals[0]?.terms.egressPricePerGiB).to.equal(8n);
  });

  it("takes what it was told to take: no stake, a higher price", async () => {
    urls = [await serve({ offers: offering({ collateralRatio: 0, pricePerGiBPerPeriod: 2n ** 34n }) })];
    const { deals } = await store({ minCollateralRatio: 0, maxPricePerPeriod: 80_000n });
    expect(deals[0]?.terms).to.include({ collateral: 0n, pricePerPeriod: 80_000n });
  });

  it("goes on to the next after a liar", async () => {
    const honest = await net.addProvider();
    urls = [await serve({ sign: async () => ({}) }), "http://127.0.0.1:1", "nonsense", honest.url];
    const { deals } = await store();
    expect(deals.map(({ url }) => url)).to.deep.equal([honest.url]);
  });

  it("counts two nodes of one provider as one copy, and says which deals are open", async () => {
    urls = [await serve(), await serve()];
    const error = (await expectError("TOO_FEW_PROVIDERS", () => store({ copies: 2 }))) as TooFewProvidersError;
    expect(error).to.be.instanceOf(TooFewProvidersError);
    expect(error.message).to.match(/^1 of 2 copies/);
    expect(error.deals).to.have.length(1);
    expect(await net.contracts.market.ownerOf(error.deals[0]?.id as bigint)).to.equal(wallet.address);
  });

  it("takes another node of a provider where the first one fails", async () => {
    urls = [await serve({ put: (_, response) => response.writeHead(500).end() }), await serve()];
    expect((await store()).deals[0]?.url).to.equal(urls[1]);
  });

  it("believes the registry, not a node that speaks for somebody else", async () => {
    const thief = await net.rich();
    await net.register(thief, await serve({}, provider), 0n);
    const { urls: _, ...registered } = wishes();
    const honest = await net.addProvider();
    const copies = Number(await net.contracts.registry.providerCount());
    const { deals } = await client
      .store(new Blob([piece.payload]), { ...registered, copies })
      .catch((error: TooFewProvidersError) => error);
    expect(deals.map(({ url }) => url)).to.include(honest.url);
    expect(bytesTaken).to.equal(0);
  });

  it("goes on where a provider has taken back its stake or cancelled the terms", async () => {
    const poor = await net.rich();
    await net.register(poor, "http://127.0.0.1:3");
    const registry = net.contracts.registry.connect(poor);
    const leaves = async (terms: DealTerms) => {
      const signed = await answer(terms, poor);
      await (await registry.unprovision(net.deployment.market, net.token, STAKE)).wait();
      return signed;
    };
    const honest = await net.addProvider();
    const market = net.contracts.market.connect(provider);
    const cancels = async (terms: DealTerms) => {
      const signed = await answer(terms);
      await (await market.cancel(terms)).wait();
      return signed;
    };
    urls = [await serve({ sign: leaves }, poor), await serve({ sign: cancels }), honest.url];
    const { deals } = await store();
    expect(deals.map(({ url }) => url)).to.deep.equal([honest.url]);
    expect(await client.balance(net.token)).to.equal(0n);
  });

  it("accepts the signature of a registered signer", async () => {
    const [owner, signer] = [await net.rich(), await net.rich()];
    await net.register(owner, "http://127.0.0.1:4");
    await (await net.contracts.registry.connect(owner).setSigner(signer.address)).wait();
    urls = [await serve({ sign: (terms) => answer(terms, signer) }, owner)];
    expect((await store()).deals).to.have.length(1);
  });

  it("accepts the signature of a provider that is a contract (ERC-1271)", async () => {
    const owner = await net.rich();
    const contract = await (await new Wallet1271__factory(owner).deploy(owner.address)).waitForDeployment();
    const address = await contract.getAddress();
    urls = [await serve({ offers: offering({ provider: address, collateralRatio: 0 }, owner) }, owner)];
    const { deals } = await store({ minCollateralRatio: 0 });
    expect((await net.contracts.lens.dealOf(deals[0]?.id as bigint)).provider).to.equal(address);
  });

  it("goes on to the next after a contract that burns all gas it is asked with", async () => {
    const honest = await net.addProvider();
    // JUMPDEST PUSH1 0 JUMP: runs for ever.
    const burner = await wallet.sendTransaction({ data: "0x635b60005660e01b60005260046000f3" });
    const address = (await burner.wait())?.contractAddress as string;
    expect(await net.provider.getCode(address)).to.equal("0x5b600056");
    urls = [await serve({ offers: offering({ provider: address, collateralRatio: 0 }) }), honest.url];
    const { deals } = await store({ copies: 2 }).catch((error: TooFewProvidersError) => error);
    expect(deals.map(({ url }) => url)).to.deep.equal([honest.url]);
  });

  it("owns a deal that somebody else opened first, as a gift", async () => {
    const giver = await net.rich();
    const { vault, market } = net.contracts;
    const sign = async (terms: DealTerms) => {
      const signed = await answer(terms);
      const erc20 = TestToken__factory.connect(net.token, giver);
      await (await erc20.approve(net.deployment.vault, 30_000n)).wait();
      await (await vault.connect(giver).depositAndApprove(net.token, 30_000n, net.deployment.market)).wait();
      await (await market.connect(giver).open(terms, "0x", signed.providerSignature)).wait();
      return signed;
    };
    urls = [await serve({ sign })];
    const { deals } = await store();
    expect(await market.ownerOf(deals[0]?.id as bigint)).to.equal(wallet.address);
    // It pays nothing for what is open already.
    expect(await client.withdrawAll(net.token)).to.equal(0n);
  });
});
