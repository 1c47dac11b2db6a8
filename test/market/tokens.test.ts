import { expect } from "chai";
import { ethers as core } from "ethers";
import {
  claim,
  epoch,
  ethers,
  NO_BOUNTY,
  networkHelpers,
  nextBlockIs,
  openDeal,
  proveWindow,
  Status,
  standardMarket,
  type World,
} from "../support/market.js";

/** The token moves at deposit and at withdrawal only: whatever it does, deals in it live on. */
describe("StorageMarket: deals in odd tokens", () => {
  const fixture = () => networkHelpers.loadFixture(standardMarket);

  /** A deal in `token`, of which client and provider have put 100,000 each into the vault, or what arrived of it. */
  async function dealIn(world: World, token: { getAddress(): Promise<string> }) {
    const address = await token.getAddress();
    const erc20 = world.token.attach(address) as World["token"];
    for (const account of [world.client, world.provider]) {
      await erc20.mint(account, 100_000n);
      await erc20.connect(account).approve(world.vault, core.MaxUint256);
      await world.vault.connect(account).deposit(address, account, 100_000n);
    }
    await world.registry.connect(world.provider).provision(world.marketAddress, address, 50_000n);
    const deal = await openDeal(world, { token: address });
    await proveWindow(world, deal, 1);
    return { address, deal };
  }

  /** Past the default: one window paid, three misses slashed, the rest refunded. */
  async function playOut(world: World, deal: Awaited<ReturnType<typeof openDeal>>) {
    await nextBlockIs(epoch(deal, 4) + deal.tier.window + 1);
    await world.market.settle([deal.id], NO_BOUNTY);
    expect(await world.market.statusOf(deal.id)).to.equal(Status.Defaulted);
    const t = await world.lens.totalsOf(deal.id);
    expect([t.paid, t.refunded, t.compensation]).to.deep.equal([990n, 5_000n, 3_001n - 150n]);
  }

  it("settles where the payee is blocklisted, who alone can't withdraw", async () => {
    const world = await fixture();
    const token = await ethers.deployContract("BlocklistToken");
    const { address, deal } = await dealIn(world, token);
    await token.setBlocked(world.provider, true);
    await token.setBlocked(world.treasury, true);
    await playOut(world, deal);
    const earned = await world.vault.balanceOf(world.provider, claim(address));
    expect(earned).to.equal(50_000n + 990n);
    await expect(world.vault.connect(world.provider).withdraw(address, world.provider, earned))
      .to.be.revertedWithCustomError(token, "Blocked")
      .withArgs(world.provider.address);
    await world.vault.connect(world.provider).withdraw(address, world.stranger, earned);
    const owned = await world.vault.balanceOf(world.client, claim(address));
    await world.vault.connect(world.client).withdraw(address, world.client, owned);
    expect(await token.balanceOf(world.client)).to.equal(100_000n - 6_000n + 5_000n + 3_001n);
  });

  it("settles while the token reverts or returns false on every transfer", async () => {
    for (const mode of [1, 2]) {
      const world = await fixture();
      const token = await ethers.deployContract("FailingToken");
      const { deal } = await dealIn(world, token);
      await token.setMode(mode);
      await playOut(world, deal);
    }
  });

  it("counts what arrived of a token that takes a fee, and pays it out to the last unit", async () => {
    const world = await fixture();
    const token = await ethers.deployContract("FeeToken");
    const { address, deal } = await dealIn(world, token);
    await playOut(world, deal);
    for (const account of [world.client, world.provider, world.treasury]) {
      const owned = await world.vault.balanceOf(account, claim(address));
      if (owned > 0n) await world.vault.connect(account).withdraw(address, account, owned);
    }
    const { free } = await world.registry.provisionOf(world.provider, world.marketAddress, address);
    expect(await token.balanceOf(world.vault)).to.equal(free);
  });
});
