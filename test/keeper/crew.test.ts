import { expect } from "chai";
import { TransactionSender } from "../../src/chain/sender.js";
import { Crew, KeeperObserver } from "../../src/keeper/index.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { Parties, serviceChain } from "../support/keeping.js";

describe("Crew", () => {
  let dev: DevChain;

  before(async () => {
    dev = await startDevChain();
  });
  after(() => dev.stop());

  it("has each of its keepers observed", async () => {
    const parties = await Parties.on(dev);
    const chain = await serviceChain(dev);
    const logger = testLogger();
    const { pieces } = parties;
    const provider = parties.provider.address;
    const sender = new TransactionSender({ provider: chain.provider, signer: parties.provider, logger });
    const observer = new KeeperObserver({ chain, accounts: [], logger });
    const limits = { missesPerDeal: 1, stake: new Map<string, bigint>() };
    const restoring = { sender, provider, pieces, limits };
    const crew = new Crew({ chain, sender, logger, observer, proving: { provider, pieces }, settling: {}, restoring });
    const lookCheck = () => observer.health().checks.find(({ name }) => name === "looks")!;
    expect(lookCheck().detail.match(/proving|settling|restoring/g)).to.deep.equal(["proving", "settling", "restoring"]);
    const stopping = new AbortController();
    const running = crew.run(stopping.signal);
    for (let i = 0; i < 400 && !lookCheck().ok; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(lookCheck()).to.deep.include({ ok: true });
    stopping.abort();
    await running;
    chain.provider.destroy();
  });
});
