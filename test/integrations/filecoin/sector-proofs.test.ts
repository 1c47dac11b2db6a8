import { decode } from "@ipld/dag-cbor";
import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import { type DealTerms, dealIdOf, sealPayload, sectorEvidence, signTerms } from "../../../src/protocol/index.js";
import { aliasOf, locationOf, noticeOf, placeActors, placeMiner } from "../../support/filecoin.js";
import {
  ARCHIVE,
  deployMarket,
  epoch,
  ethers,
  makePiece,
  networkHelpers,
  openDeal,
  openTerms,
  proofNow,
  Status,
  termsFor,
} from "../../support/market.js";

const MINER = 1_234n;
const OTHER = 5_678n;
const SECTOR = 77n;
const HERE = locationOf(12, 3);
const Sector = { Dead: 0, Active: 1, Faulty: 2 } as const;
const Mode = { Sound: 0, Burning: 1, ByName: 2, Babbling: 3, Wrapping: 4 } as const;
const TRUE = "0x8181f5";
const FALSE = "0x8181f4";

const setCode = (address: string, code: string) => networkHelpers.setCode(address, code);
const newMiner = async (id: bigint) => placeMiner(id, setCode, (await ethers.getSigners())[0]!);

async function sealedMarket() {
  const power = await placeActors(setCode, (await ethers.getSigners())[0]!);
  const miner = await newMiner(MINER);
  const sectors = await ethers.deployContract("SectorProofs");
  const world = await deployMarket({ chainProofs: await sectors.getAddress() });
  await sectors.connect(world.provider).bind(MINER);
  await miner.setSector(SECTOR, Sector.Active, HERE);
  return { ...world, power, miner, sectors };
}

type SealedWorld = Awaited<ReturnType<typeof sealedMarket>>;
type Piece = Awaited<ReturnType<typeof makePiece>>;

const paddedSize = ({ commitment }: Piece): number => 32 * 2 ** commitment.height;

/** The miner says that it has sealed a piece; what the contract answered. */
async function notify(world: SealedWorld, piece: Piece, payload: string, sector = SECTOR): Promise<string> {
  const params = noticeOf([{ sector, pieces: [{ root: piece.commitment.root, size: paddedSize(piece), payload }] }]);
  return notifyRaw(world, params);
}

async function notifyRaw({ miner, sectors }: SealedWorld, params: string): Promise<string> {
  const sent = await miner.notify(sectors, params, false, "0x");
  const receipt = (await sent.wait())!;
  const [event] = await miner.queryFilter(miner.filters.Notified(), receipt.blockNumber, receipt.blockNumber);
  expect([event!.args.exitCode, event!.args.codec]).to.deep.equal([0n, 0x51n]);
  return event!.args.answer;
}

/** An archive deal whose piece is sealed, in its first window. */
async function sealedDeal(world: SealedWorld, changes: Partial<DealTerms> = {}) {
  const deal = await openDeal(world, { tier: ARCHIVE, ...changes });
  expect(await notify(world, deal.piece, sealPayload(world.provider.address))).to.equal(TRUE);
  await networkHelpers.mineUpTo(epoch(deal, 1));
  return deal;
}

const here = (sector = SECTOR, miner = MINER, location = HERE) => sectorEvidence({ miner, sector, location });

describe("SectorProofs", () => {
  const fixture = () => networkHelpers.loadFixture(sealedMarket);

  it("is nothing where there are no actors to ask", async () => {
    await fixture();
    await networkHelpers.setCode("0xfe00000000000000000000000000000000000005", "0x");
    const factory = await ethers.getContractFactory("SectorProofs");
    await expect(factory.deploy()).to.be.revertedWithCustomError(factory, "NotFilecoin");
  });

  describe("binding", () => {
    it("is the provider's, and of miners", async () => {
      const { sectors, provider, stranger, power } = await fixture();
      expect(await sectors.isBound(provider, MINER)).to.equal(true);
      expect(await sectors.isBound(stranger, MINER)).to.equal(false);
      await expect(sectors.connect(stranger).bind(OTHER))
        .to.be.revertedWithCustomError(sectors, "NotAMiner")
        .withArgs(OTHER);
      await power.createMiner(OTHER);
      await expect(sectors.connect(stranger).bind(OTHER)).to.emit(sectors, "Bound").withArgs(stranger, OTHER);
      await expect(sectors.connect(stranger).unbind(OTHER)).to.emit(sectors, "Unbound").withArgs(stranger, OTHER);
      expect(await sectors.isBound(stranger, OTHER)).to.equal(false);
    });

    it("can be taken back, and what was sealed does not count meanwhile", async () => {
      const world = await fixture();
      const deal = await sealedDeal(world);
      await world.sectors.connect(world.provider).unbind(MINER);
      await expect(world.market.proveByChain(deal.id, here())).to.be.revertedWithCustomError(
        world.market,
        "InvalidProof",
      );
      await world.sectors.connect(world.provider).bind(MINER);
      await world.market.proveByChain(deal.id, here());
    });
  });

  describe("notifications", () => {
    it("are taken from miners alone: not from an account, nor from another actor under its id", async () => {
      const world = await fixture();
      const { sectors, stranger } = world;
      const params = noticeOf([]);
      const send = (from: typeof stranger) =>
        sectors.connect(from).handle_filecoin_method(2_034_386_435n, 0x51, params);
      await expect(send(stranger)).to.be.revertedWithCustomError(sectors, "NotAnActor").withArgs(stranger.address);
      const multisig = aliasOf(0x22bn);
      await networkHelpers.impersonateAccount(multisig);
      await networkHelpers.setBalance(multisig, 10n ** 18n);
      await expect(send((await ethers.getSigner(multisig)) as unknown as typeof stranger))
        .to.be.revertedWithCustomError(sectors, "NotAMiner")
        .withArgs(0x22bn);
    });

    it("are SectorContentChanged in CBOR, and nothing else", async () => {
      const { sectors, stranger } = await fixture();
      for (const [method, codec] of [
        [2_034_386_434n, 0x51n],
        [2_034_386_435n, 0x71n],
      ] as const) {
        await expect(sectors.connect(stranger).handle_filecoin_method(method, codec, "0x80"))
          .to.be.revertedWithCustomError(sectors, "UnknownMethod")
          .withArgs(method, codec);
      }
      await expect(sectors.connect(stranger).take(MINER, 1, 1, "0x")).to.be.revertedWithCustomError(
        sectors,
        "OnlySelf",
      );
    });

    it("are recorded for the provider that they name, where it has bound the miner", async () => {
      const world = await fixture();
      const { sectors, provider, stranger } = world;
      const piece = await makePiece(5_000);
      const { root } = piece.commitment;
      const size = paddedSize(piece);
      expect(await notify(world, piece, sealPayload(stranger.address))).to.equal(FALSE);
      expect(await sectors.wasSealed(stranger, MINER, SECTOR, root, size)).to.equal(false);
      const params = noticeOf([
        { sector: SECTOR, until: 55_555, pieces: [{ root, size, payload: sealPayload(provider.address) }] },
      ]);
      await expect(world.miner.notify(sectors, params, true, TRUE))
        .to.emit(sectors, "Sealed")
        .withArgs(provider, MINER, root, SECTOR, size, 55_555);
      expect(await sectors.wasSealed(provider, MINER, SECTOR, root, size)).to.equal(true);
      expect(await sectors.wasSealed(provider, MINER, SECTOR + 1n, root, size)).to.equal(false);
      expect(await sectors.wasSealed(provider, MINER, SECTOR, root, size * 2)).to.equal(false);
    });

    it("are answered piece by piece, in their order: a bad one never sinks the others", async () => {
      const world = await fixture();
      const { provider, stranger } = world;
      const good = await makePiece(5_000, 2);
      const at = { root: good.commitment.root, size: paddedSize(good) };
      const fine = { ...at, payload: sealPayload(provider.address) };
      const { CID } = await import("multiformats/cid");
      const { sha256 } = await import("multiformats/hashes/sha2");
      const other = CID.createV1(0x55, await sha256.digest(new Uint8Array(1)));
      const answer = await notifyRaw(
        world,
        noticeOf([
          { sector: 1n, pieces: [fine, { ...at, payload: "0x" }, { ...at, payload: "0x1234" }] },
          { sector: 2n, pieces: [] },
          {
            sector: 2n ** 40n,
            until: -5,
            pieces: [{ ...fine, cid: other }, fine, { ...at, payload: sealPayload(stranger.address) }],
          },
          { sector: 300n, pieces: Array.from({ length: 30 }, () => fine) },
        ]),
      );
      const accepted = decode(getBytes(answer));
      expect(accepted).to.deep.equal([[true, false, false], [], [false, true, false], Array(30).fill(true)]);
    });

    it("revert as a whole where they are no such CBOR", async () => {
      const world = await fixture();
      const piece = await makePiece(1_000);
      const whole = noticeOf([
        {
          sector: SECTOR,
          pieces: [{ root: piece.commitment.root, size: 1_024, payload: sealPayload(world.provider.address) }],
        },
      ]);
      const { length } = getBytes(whole);
      const cbor = await ethers.getContractFactory("SectorProofs");
      const bad = new Map<string, string>([
        ["bytes behind the end", `${whole}00`],
        ["nothing", "0x"],
        ["an array without end", "0x9f"],
        ["more sectors than bytes", "0x9b00ffffffffffffff"],
        ["a map", "0xa0"],
        ["a sector of two members", "0x818201f5"],
        ["a number of another type", "0x818361610180"],
        ["an epoch beyond 63 bits", "0x8183011bffffffffffffffff80"],
        ["a CID without its tag", `${whole.slice(0, 2)}${whole.slice(2).replace("d82a", "d82b")}`],
      ]);
      for (let cut = 1; cut < length; cut += 7) bad.set(`the first ${cut} bytes`, whole.slice(0, 2 + 2 * cut));
      for (const [what, params] of bad) {
        const call = world.miner.notify(world.sectors, params, false, "0x");
        await expect(call, what).to.be.revertedWithCustomError(cbor, "MalformedCbor");
      }
    });

    it("open a deal whose terms they carry, where piece, size and provider are those of the terms", async () => {
      const world = await fixture();
      const { sectors, provider, client, market, domain } = world;
      const piece = await makePiece(5_000, 3);
      const opening = async (changes: Partial<DealTerms> = {}, forged?: string) => {
        const terms = termsFor(world, piece, { tier: ARCHIVE, ...changes });
        const clientSignature = await signTerms(client, domain, terms);
        const providerSignature = forged ?? (await signTerms(provider, domain, terms));
        const what = { market: world.marketAddress, terms, clientSignature, providerSignature };
        return { id: dealIdOf(domain, terms), payload: sealPayload(provider.address, what) };
      };
      const good = await opening();
      expect(await notify(world, piece, good.payload)).to.equal(TRUE);
      expect(await market.statusOf(good.id)).to.equal(Status.Open);
      expect(await market.ownerOf(good.id)).to.equal(client.address);
      expect(await notify(world, piece, good.payload), "twice").to.equal(FALSE);
      for (const [what, bad] of [
        ["another root", await opening({ root: hexlify((await makePiece(5_000, 4)).commitment.root) })],
        ["another size", await opening({ leafCount: piece.commitment.leafCount * 4n })],
        ["another provider", await opening({ provider: world.stranger.address })],
        ["a forged signature", await opening({}, `0x${"11".repeat(65)}`)],
        ["money that is not there", await opening({ pricePerPeriod: 10n ** 12n })],
      ] as const) {
        expect(await notify(world, piece, bad.payload), what).to.equal(FALSE);
        expect(await market.statusOf(bad.id), what).to.equal(Status.None);
      }
      // What was sealed is sealed, whatever became of the terms.
      expect(await sectors.wasSealed(provider, MINER, SECTOR, piece.commitment.root, paddedSize(piece))).to.equal(true);
    });
  });

  describe("a deal", () => {
    it("is proven by its sector, once a window, by anybody, and paid", async () => {
      const world = await fixture();
      const { market, stranger } = world;
      const deal = await sealedDeal(world);
      await expect(market.connect(stranger).proveByChain(deal.id, here()))
        .to.emit(market, "Proven")
        .withArgs(deal.id, 1n);
      await expect(market.proveByChain(deal.id, here()))
        .to.be.revertedWithCustomError(market, "AlreadyProven")
        .withArgs(deal.id, 1n);
      await networkHelpers.mineUpTo(epoch(deal, 2));
      // Settles what is before it.
      await expect(market.connect(stranger).proveByChain(deal.id, here())).to.emit(market, "Settled");
      const view = await world.lens.dealOf(deal.id);
      expect([view.proven, view.lastProven]).to.deep.equal([2n, 2n]);
    });

    it("can be proven by its leaves as well, and then not again by its sector", async () => {
      const world = await fixture();
      const deal = await sealedDeal(world);
      await networkHelpers.mine(1);
      await world.market.prove(deal.id, await proofNow(world, deal));
      await expect(world.market.proveByChain(deal.id, here())).to.be.revertedWithCustomError(
        world.market,
        "AlreadyProven",
      );
    });

    it("is lost with its sector, as any other: slashed, defaulted", async () => {
      const world = await fixture();
      const { market, miner } = world;
      const deal = await sealedDeal(world);
      await market.proveByChain(deal.id, here());
      await networkHelpers.mineUpTo(epoch(deal, 2));
      for (const status of [Sector.Faulty, Sector.Dead]) {
        await miner.setSector(SECTOR, status, HERE);
        await expect(market.proveByChain(deal.id, here()))
          .to.be.revertedWithCustomError(market, "InvalidProof")
          .withArgs(deal.id, 2n);
      }
      await networkHelpers.mineUpTo(epoch(deal, 2) + deal.tier.window + 1);
      await market.settle([deal.id], world.keeper);
      const view = await world.lens.dealOf(deal.id);
      expect(await market.statusOf(deal.id)).to.equal(Status.Defaulted);
      expect(view.proven).to.equal(1n);
    });

    const evidence: [string, (world: SealedWorld) => string][] = [
      ["another sector", () => here(SECTOR + 1n)],
      ["another miner", () => here(SECTOR, OTHER)],
      ["another place", () => here(SECTOR, MINER, locationOf(12, 4))],
      ["no place", () => here(SECTOR, MINER, locationOf(-1, -1))],
      ["a place that is no CBOR", () => here(SECTOR, MINER, "0x")],
    ];
    for (const [what, of] of evidence) {
      it(`is not proven by ${what}`, async () => {
        const world = await fixture();
        const deal = await sealedDeal(world);
        await expect(world.market.proveByChain(deal.id, of(world)))
          .to.be.revertedWithCustomError(world.market, "InvalidProof")
          .withArgs(deal.id, 1n);
      });
    }

    it("is not proven by a piece of another provider, though the same miner sealed it", async () => {
      const world = await fixture();
      const { sectors, market, stranger, registry, provider, tokenAddress, marketAddress } = world;
      const deal = await sealedDeal(world);
      await world.vault.connect(stranger).setOperator(registry, true);
      await registry.connect(stranger).register({
        ...{
          name: "Other",
          url: "https://other.example",
          peerId: "",
          region: "0x444500000000",
          tiers: 7,
          offerUri: "",
        },
      });
      await registry.connect(stranger).provision(marketAddress, tokenAddress, 100_000n);
      await sectors.connect(stranger).bind(MINER);
      const terms = termsFor(world, deal.piece, { tier: ARCHIVE, provider: stranger.address });
      const id = await openTerms(world, terms, stranger);
      const { firstEpoch } = await world.lens.dealOf(id);
      await networkHelpers.mineUpTo(Number(firstEpoch));
      await expect(market.proveByChain(id, here()))
        .to.be.revertedWithCustomError(market, "InvalidProof")
        .withArgs(id, 1n);
      expect(await sectors.isBound(provider, MINER)).to.equal(true);
    });

    it("has to be in a tier that allows it, be known, be in a window, and not be over", async () => {
      const world = await fixture();
      const { market } = world;
      const hot = await openDeal(world, { tier: 0 });
      await networkHelpers.mineUpTo(epoch(hot, 1));
      await expect(market.proveByChain(hot.id, here()))
        .to.be.revertedWithCustomError(market, "NotByChain")
        .withArgs(0n);
      await expect(market.proveByChain(5n, here())).to.be.revertedWithCustomError(market, "UnknownDeal").withArgs(5n);
      const deal = await openDeal(world, { tier: ARCHIVE });
      await notify(world, deal.piece, sealPayload(world.provider.address));
      await expect(market.proveByChain(deal.id, here()))
        .to.be.revertedWithCustomError(market, "NoOpenWindow")
        .withArgs(deal.id);
      await networkHelpers.mineUpTo(epoch(deal, 2));
      await expect(market.proveByChain(deal.id, here()))
        .to.be.revertedWithCustomError(market, "WrongStatus")
        .withArgs(deal.id, Status.Defaulted);
      const part = await ethers.getContractAt(
        "MarketChanges",
        ethers.getCreateAddress({ from: world.marketAddress, nonce: 3 }),
      );
      await expect(part.proveByChain(deal.id, here())).to.be.revertedWithCustomError(part, "NotAMarket");
    });

    it("is found by what FIP-0112 answers to: where is this sector?", async () => {
      const { sectors, miner } = await fixture();
      expect([...(await sectors.locate(MINER, SECTOR))]).to.deep.equal([BigInt(Sector.Active), HERE]);
      expect([...(await sectors.locate(MINER, 5n))]).to.deep.equal([BigInt(Sector.Dead), locationOf(-1, -1)]);
      // Where the miner reads a struct of one member as a tuple.
      await miner.setMode(Mode.Wrapping);
      expect([...(await sectors.locate(MINER, SECTOR))]).to.deep.equal([BigInt(Sector.Active), HERE]);
      await expect(sectors.locate(OTHER, SECTOR))
        .to.be.revertedWithCustomError(sectors, "UnknownSector")
        .withArgs(OTHER, SECTOR);
    });
  });

  describe("an actor that does not answer as it should", () => {
    for (const [what, mode] of [
      ["burns all gas", Mode.Burning],
      ["answers what is no boolean", Mode.Babbling],
    ] as const) {
      it(`proves nothing where it ${what}, and keeps nobody from settling`, async () => {
        const world = await fixture();
        const { market, miner, sectors, keeper } = world;
        const deal = await sealedDeal(world);
        const other = await openDeal(world, { tier: 0 });
        await miner.setMode(mode);
        await expect(market.proveByChain(deal.id, here(), { gasLimit: 3_000_000 })).to.be.revertedWithCustomError(
          market,
          "InvalidProof",
        );
        const settled = await sectors
          .connect(keeper)
          .proveAndSettle(world.marketAddress, [deal.id, other.id], [here(), "0x"], keeper, { gasLimit: 3_000_000 });
        await expect(settled).to.emit(sectors, "NotProven");
        await miner.setMode(Mode.Sound);
        await sectors.proveAndSettle(world.marketAddress, [deal.id], [here()], keeper);
        expect((await world.lens.dealOf(deal.id)).proven).to.equal(1n);
      });
    }

    it("is understood where it reads statuses by name", async () => {
      const world = await fixture();
      const deal = await sealedDeal(world);
      await world.miner.setMode(Mode.ByName);
      await world.miner.setSector(SECTOR, Sector.Faulty, HERE);
      await expect(world.market.proveByChain(deal.id, here())).to.be.revertedWithCustomError(
        world.market,
        "InvalidProof",
      );
      await world.miner.setSector(SECTOR, Sector.Active, HERE);
      await world.market.proveByChain(deal.id, here());
    });

    it("costs the others of a batch nothing", async () => {
      const world = await fixture();
      const { sectors, market, keeper } = world;
      const burning = await newMiner(OTHER);
      await sectors.connect(world.provider).bind(OTHER);
      const deal = await openDeal(world, { tier: ARCHIVE });
      const second = await openDeal(world, { tier: ARCHIVE }, 2_000);
      await notify(world, second.piece, sealPayload(world.provider.address));
      const params = noticeOf([
        {
          sector: SECTOR,
          pieces: [
            {
              ...{ root: deal.piece.commitment.root, size: paddedSize(deal.piece) },
              payload: sealPayload(world.provider.address),
            },
          ],
        },
      ]);
      await burning.notify(sectors, params, true, TRUE);
      await burning.setMode(Mode.Burning);
      await networkHelpers.mineUpTo(Math.max(epoch(deal, 1), epoch(second, 1)) + 1);
      const ids = [deal.id, second.id];
      const evidence = [here(SECTOR, OTHER), here()];
      const overrides = { gasLimit: 6_000_000 };
      expect(
        await sectors.connect(keeper).proveAndSettle.staticCall(market, ids, evidence, keeper, overrides),
      ).to.equal(1n);
      await sectors.connect(keeper).proveAndSettle(market, ids, evidence, keeper, overrides);
      expect((await world.lens.dealOf(second.id)).proven).to.equal(1n);
      await expect(sectors.proveAndSettle(market, ids, [here()], keeper)).to.be.revertedWithCustomError(
        sectors,
        "LengthMismatch",
      );
    });
  });

  it("is asked for by a market whose tiers and answerer go together", async () => {
    const { market, config, sectors, stranger } = await fixture();
    for (const [what, change] of [
      ["chainProofs", { chainProofs: ethers.ZeroAddress }],
      ["chainProofs", { chainProofs: stranger.address }],
      ["chainProofs", { chainTiers: 0 }],
      ["chainTiers", { chainTiers: 8 }],
    ] as const) {
      await expect(ethers.deployContract("StorageMarket", [{ ...config, ...change }]))
        .to.be.revertedWithCustomError(market, "InvalidConfig")
        .withArgs(what);
    }
    expect([await market.chainProofs(), await market.chainTiers()]).to.deep.equal([await sectors.getAddress(), 4n]);
  });
});
