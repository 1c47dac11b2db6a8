import { once } from "node:events";
import { expect } from "chai";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import type { Commitment } from "../../src/piece/index.js";
import { sealPayload } from "../../src/protocol/index.js";
import type { MinerActor } from "../../typechain-types/index.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { locationOf, noticeOf, placeActors, placeMiner, type SetCode } from "../support/filecoin.js";
import { bytesOf, Parties, startProving, stepTo } from "../support/keeping.js";

const HOT = { period: 40, window: 24, challenges: 2, maxMisses: 4 };
const ARCHIVE = { period: 40, window: 24, challenges: 4, maxMisses: 4 };
const MINER = 1_000n;
const SECTOR = 9n;
const Sector = { Dead: 0, Active: 1, Faulty: 2 } as const;

for (const [where, profile] of [
  ["a plain chain", undefined],
  ["Filecoin, with its null rounds", profileNamed("filecoin")],
] as const) {
  describe(`A proving keeper whose pieces are sealed, on ${where}`, function () {
    this.timeout(120_000);
    let chain: DevChain;
    let parties: Parties;
    let miner: MinerActor;
    const stops: (() => Promise<void>)[] = [];

    before(async () => {
      chain = await startDevChain({
        ...{ chainId: 31_415_926, profile, challengeFinality: 2, tiers: [HOT, ARCHIVE], sealedTiers: [1] },
        prepare: async (provider, account) => {
          const setCode: SetCode = (address, code) => provider.send("anvil_setCode", [address, code]);
          await placeActors(setCode, account);
          miner = await placeMiner(MINER, setCode, account);
        },
      });
      parties = await Parties.on(chain);
      await (await chain.contracts.sectors!.connect(parties.provider).bind(MINER)).wait();
    });
    after(() => chain.stop());
    beforeEach(() => chain.automine(true));
    afterEach(async () => {
      for (const stop of stops.splice(0).reverse()) await stop();
    });

    async function seal({ root, height }: Commitment, sector = SECTOR): Promise<void> {
      const payload = sealPayload(parties.provider.address);
      const notice = noticeOf([{ sector, pieces: [{ root, size: 32 * 2 ** height, payload }] }]);
      await (await miner.setSector(sector, Sector.Active, locationOf(3, 1))).wait();
      await (await miner.notify(chain.deployment.chainProofs, notice, true, "0x8181f5")).wait();
    }

    /** A deal whose bytes are gone; the head is in its first window when this is done. */
    async function dealOn(
      number: number,
      tier: number,
      prepare: (piece: Commitment) => Promise<void> = async () => {},
    ) {
      const piece = await parties.pieces.add(bytesOf(number, 2_000));
      await prepare(piece);
      const [id] = (await parties.open([parties.terms(piece, { tier })])) as [bigint];
      parties.pieces.lose(piece);
      const { firstEpoch } = await chain.contracts.lens.dealOf(id);
      return { id, firstEpoch: Number(firstEpoch) };
    }

    it("proves by their sectors what it has no bytes of, window after window", async () => {
      const { id, firstEpoch } = await dealOn(1, 1, seal);
      const { keeper, stop } = await startProving(parties);
      stops.push(stop);
      for (const window of [1, 2]) {
        const proven = once(keeper, "proven");
        await stepTo(chain, firstEpoch + (window - 1) * ARCHIVE.period + 2, keeper);
        while ((await chain.contracts.lens.dealOf(id)).proven < BigInt(window))
          await stepTo(chain, (await chain.provider.getBlockNumber()) + 1, keeper);
        const [told] = (await proven) as [{ id: bigint; window: number; own: boolean }];
        expect(told).to.deep.include({ id, window, own: true });
      }
    });

    it("tells of a sector that is not active, and proves as soon as it is", async () => {
      const { id, firstEpoch } = await dealOn(2, 1, (piece) => seal(piece, 10n));
      await chain.automine(true);
      await (await miner.setSector(10n, Sector.Faulty, locationOf(3, 1))).wait();
      await chain.automine(false);
      const { keeper, stop } = await startProving(parties);
      stops.push(stop);
      const trouble = once(keeper, "trouble");
      await stepTo(chain, firstEpoch + 2, keeper);
      const [told] = (await trouble) as [{ id: bigint; code: string; message: string }];
      expect(told).to.deep.include({ id, code: "SECTOR_LOST" });
      expect(told.message).to.include("10 of f01000");
      await chain.automine(true);
      await (await miner.setSector(10n, Sector.Active, locationOf(4, 0))).wait();
      await chain.automine(false);
      while ((await chain.contracts.lens.dealOf(id)).proven === 0n) {
        const head = await chain.provider.getBlockNumber();
        expect(head).to.be.below(firstEpoch + ARCHIVE.window);
        await stepTo(chain, head + 1, keeper);
      }
    });

    it("says that the bytes are missing where nobody has sealed them, or the tier asks for leaves", async () => {
      const unsealed = await dealOn(3, 1);
      await chain.automine(true);
      const hot = await dealOn(4, 0, (piece) => seal(piece, 11n));
      const { keeper, stop } = await startProving(parties);
      stops.push(stop);
      const codes = new Map<bigint, string>();
      keeper.on("trouble", ({ id, code }) => codes.set(id, code));
      await stepTo(chain, Math.max(unsealed.firstEpoch, hot.firstEpoch) + 2, keeper);
      while (codes.size < 2) {
        const head = await chain.provider.getBlockNumber();
        expect(head).to.be.below(Math.min(unsealed.firstEpoch, hot.firstEpoch) + HOT.period);
        await stepTo(chain, head + 1, keeper);
      }
      expect(codes).to.deep.equal(
        new Map([
          [unsealed.id, "MISSING_PIECE"],
          [hot.id, "MISSING_PIECE"],
        ]),
      );
    });
  });
}
