import { expect } from "chai";
import { isNullRound } from "../../scripts/profiles/null-rounds.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import { epochKey } from "../../src/chain/blocks.js";
import { OpenDuties, OpenEpoch } from "../../src/keeper/open-duties.js";
import { MemoryDuties } from "../../src/store/duties.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { bytesOf, Parties, serviceChain, startProving, stepUntil } from "../support/keeping.js";
import { nullRoundAt } from "../support/null-rounds.js";
import { removeFolders } from "../support/pieces.js";

/** A challenge of an epoch that nobody made a block for is as good as any other: drand has a seed of it. */
describe("keepers on a chain with null rounds", function () {
  this.timeout(120_000);

  let chain: DevChain;
  const stops: (() => unknown)[] = [];

  beforeEach(async () => {
    chain = await startDevChain({ profile: profileNamed("filecoin") });
    stops.push(() => chain.stop());
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  after(removeFolders);

  it("prove every window, those whose challenge lies in a null round too", async () => {
    const parties = await Parties.on(chain);
    const [id] = await parties.open([parties.terms(await parties.pieces.add(bytesOf(1, 9_000)))]);
    const { firstEpoch } = await chain.contracts.lens.dealOf(id!);
    const proven: number[] = [];
    const listen: Parameters<typeof startProving>[1] = {
      listen: (keeper) => keeper.on("proven", ({ window }) => proven.push(window)),
    };
    const { keeper, stop } = await startProving(parties, listen);
    stops.push(stop);
    const epochs: number[] = [];
    for (let window = 1; window <= 6; window++) {
      const epoch = Number(firstEpoch) + (window - 1) * chain.deployment.tiers[0]!.period;
      epochs.push(epoch);
      await chain.mine(epoch + 1 - (await chain.provider.getBlockNumber()));
      await stepUntil(chain, () => proven.includes(window), 40, keeper);
    }
    expect(proven).to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect(epochs.filter(isNullRound).length).to.be.within(2, 5);
    expect((await chain.contracts.lens.dealOf(id!)).standing.missed).to.equal(0n);
  });

  it("know which challenges hang on which block, and those of a null round on the one before", async () => {
    await chain.mine(30);
    const service = await serviceChain(chain);
    stops.push(() => service.provider.destroy());
    const { head } = (await service.follower.heads(new AbortController().signal).next()).value!;
    const open = new OpenDuties(service, new MemoryDuties(), testLogger());
    let epoch = head.number - 10;
    while (!isNullRound(epoch)) epoch--;
    expect(await open.keyOf(new OpenEpoch(epoch), head)).to.equal(await epochKey(chain.provider, epoch));
  });

  it("do again what was in a block whose epoch is a null round by now", async () => {
    const at = await chain.mine(30);
    const service = await serviceChain(chain);
    stops.push(() => service.provider.destroy());
    const open = new OpenDuties(
      { ...service, provider: nullRoundAt(chain.provider, at) },
      new MemoryDuties(),
      testLogger(),
    );
    const duty = { state: "proven" } as Parameters<OpenDuties["landed"]>[2];
    open.landed(at, (await chain.provider.getBlock(at))!.hash!, duty);
    expect(await open.vanished(at + 2)).to.deep.equal([duty]);
    expect(await open.vanished(at + 2)).to.deep.equal([]);
  });
});
