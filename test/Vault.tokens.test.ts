import { expect } from "chai";
import { ethers as core } from "ethers";
import { ALIAS, COIN, deployVault, ethers, id, networkHelpers } from "./support/vault.js";

describe("Vault: odd tokens and receivers", () => {
  async function deployOdd() {
    const base = await deployVault();
    const tokens = {
      fee: await ethers.deployContract("FeeToken"),
      failing: await ethers.deployContract("FailingToken"),
      noReturn: await ethers.deployContract("NoReturnToken"),
      hook: await ethers.deployContract("HookToken"),
      blocklist: await ethers.deployContract("BlocklistToken"),
    };
    for (const token of Object.values(tokens)) {
      await token.mint(base.alice, 10_000n);
      await token.approve(base.vault, core.MaxUint256);
    }
    return { ...base, ...tokens };
  }
  const fixture = () => networkHelpers.loadFixture(deployOdd);

  it("credits what arrived of a token with a fee", async () => {
    const { vault, fee, alice, bob } = await fixture();
    const address = await fee.getAddress();
    expect(await vault.deposit.staticCall(fee, bob, 1_000n)).to.equal(990n);
    await expect(vault.deposit(fee, bob, 1_000n))
      .to.emit(vault, "Deposited")
      .withArgs(address, alice.address, bob.address, 990n);
    expect(await vault.balanceOf(bob, id(address))).to.equal(990n);
    expect(await fee.balanceOf(vault)).to.equal(990n);
    await vault.connect(bob).withdraw(fee, bob, 990n);
    expect(await fee.balanceOf(bob)).to.equal(981n);
    expect(await fee.balanceOf(vault)).to.equal(0n);
  });

  it("fails with a token that returns false, and loses nothing", async () => {
    const { vault, failing, alice } = await fixture();
    const address = await failing.getAddress();
    await vault.deposit(failing, alice, 100n);
    await failing.setMode(1);
    for (const call of [() => vault.deposit(failing, alice, 1n), () => vault.withdraw(failing, alice, 1n)]) {
      await expect(call()).to.be.revertedWithCustomError(vault, "SafeERC20FailedOperation").withArgs(address);
    }
    expect(await vault.balanceOf(alice, id(address))).to.equal(100n);
    await failing.setMode(0);
    await vault.withdraw(failing, alice, 100n);
  });

  it("passes on a token's own error, while claims and escrow keep moving", async () => {
    const { vault, failing, alice, bob } = await fixture();
    const address = await failing.getAddress();
    await vault.depositAndApprove(failing, 100n, bob);
    await failing.setMode(2);
    for (const call of [() => vault.deposit(failing, alice, 1n), () => vault.withdraw(failing, alice, 1n)]) {
      await expect(call()).to.be.revertedWithCustomError(failing, "TransferFailed");
    }
    await vault.connect(bob).hold(alice, failing, 60n);
    await vault.connect(bob).pay(bob, failing, 60n);
    await vault.transfer(bob, id(address), 40n);
    expect(await vault.balanceOf(bob, id(address))).to.equal(100n);
  });

  it("works with a token that returns nothing", async () => {
    const { vault, noReturn, alice } = await fixture();
    await vault.deposit(noReturn, alice, 100n);
    await vault.withdraw(noReturn, alice, 100n);
    expect(await noReturn.balanceOf(alice)).to.equal(10_000n);
  });

  it("pays a blocklisted account in claims, and lets it withdraw to another", async () => {
    const { vault, blocklist, alice, bob, carol } = await fixture();
    await vault.depositAndApprove(blocklist, 100n, carol);
    await blocklist.setBlocked(bob, true);
    await vault.connect(carol).hold(alice, blocklist, 100n);
    await vault.connect(carol).pay(bob, blocklist, 100n);
    await expect(vault.connect(bob).withdraw(blocklist, bob, 100n))
      .to.be.revertedWithCustomError(blocklist, "Blocked")
      .withArgs(bob.address);
    await vault.connect(bob).withdraw(blocklist, alice, 100n);
    expect(await blocklist.balanceOf(alice)).to.equal(10_000n);
  });

  it("keeps its books moving where a token blocks the vault itself", async () => {
    const { vault, vaultAddress, blocklist, alice, bob } = await fixture();
    await vault.deposit(blocklist, alice, 100n);
    await blocklist.setBlocked(vault, true);
    await expect(vault.withdraw(blocklist, alice, 1n))
      .to.be.revertedWithCustomError(blocklist, "Blocked")
      .withArgs(vaultAddress);
    await vault.hold(alice, blocklist, 100n);
    await vault.pay(bob, blocklist, 100n);
    await blocklist.setBlocked(vault, false);
    await vault.connect(bob).withdraw(blocklist, bob, 100n);
  });

  it("serves a wallet that is a contract, with coin in and out", async () => {
    const { vault, vaultAddress, alice, bob } = await fixture();
    const wallet = await ethers.deployContract("Wallet1271", [alice.address]);
    const address = await wallet.getAddress();
    const deposit = vault.interface.encodeFunctionData("deposit", [COIN, address, 9n]);
    const withdraw = vault.interface.encodeFunctionData("withdraw", [COIN, address, 4n]);
    await wallet.execute(vaultAddress, 9n, deposit, { value: 9n });
    await wallet.execute(vaultAddress, 0n, withdraw);
    expect(await vault.balanceOf(address, 0n)).to.equal(5n);
    expect(await ethers.provider.getBalance(address)).to.equal(4n);
    await expect(wallet.connect(bob).execute(vaultAddress, 0n, withdraw))
      .to.be.revertedWithCustomError(wallet, "NotOwner")
      .withArgs(bob.address);
    await expect(wallet.execute(vaultAddress, 0n, vault.interface.encodeFunctionData("withdraw", [COIN, address, 6n])))
      .to.be.revertedWithCustomError(vault, "ERC6909InsufficientBalance")
      .withArgs(address, 5n, 6n, 0n);
  });

  it("credits nothing where a token says that nothing, or less, arrived", async () => {
    const { vault, alice } = await fixture();
    const lying = await ethers.deployContract("LyingToken");
    for (const balance of [100n, 99n]) {
      await lying.setBalances(100n, balance);
      await expect(vault.deposit(lying, alice, 5n)).to.be.revertedWithCustomError(vault, "ZeroAmount");
    }
  });

  it("keeps no second book of a token under its Filecoin id alias, where the same code answers", async () => {
    const { vault, token, alice } = await fixture();
    await networkHelpers.setCode(ALIAS, await ethers.provider.getCode(token));
    const alias = token.attach(ALIAS) as typeof token;
    await alias.mint(alice, 100n);
    await alias.connect(alice).approve(vault, 100n);
    await expect(vault.deposit(ALIAS, alice, 100n))
      .to.be.revertedWithCustomError(vault, "NotAToken")
      .withArgs(ALIAS);
  });

  it("lets no lie about balances overflow a book, so that no payment fails on it", async () => {
    const { vault, alice } = await fixture();
    const lying = await ethers.deployContract("LyingToken");
    await lying.setBalances(0n, core.MaxUint256);
    await expect(vault.deposit(lying, alice, 5n))
      .to.be.revertedWithCustomError(vault, "AmountTooLarge")
      .withArgs(core.MaxUint256);
    for (let i = 0; i < 3; i++) {
      await lying.setBalances(0n, 2n ** 128n - 1n);
      await vault.deposit(lying, alice, 5n);
    }
    const claims = 3n * (2n ** 128n - 1n);
    await vault.hold(alice, lying, claims);
    await vault.pay(alice, lying, claims);
    expect(await vault.balanceOf(alice, id(await lying.getAddress()))).to.equal(claims);
  });

  describe("re-entry", () => {
    async function armed() {
      const base = await fixture();
      const account = await ethers.deployContract("Reentrant");
      const { vault, hook } = base;
      const address = await account.getAddress();
      const act = async (target: core.Addressable, data: string, value = 0n) =>
        (await account.execute(target, data, { value })).wait();
      await hook.mint(account, 1_000n);
      await act(hook, hook.interface.encodeFunctionData("approve", [base.vaultAddress, core.MaxUint256]));
      await act(hook, hook.interface.encodeFunctionData("setHook", [true]));
      const token = await hook.getAddress();
      const call = {
        deposit: (amount: bigint) => vault.interface.encodeFunctionData("deposit", [token, address, amount]),
        depositCoin: (amount: bigint) => vault.interface.encodeFunctionData("deposit", [COIN, address, amount]),
        approving: (amount: bigint) =>
          vault.interface.encodeFunctionData("depositAndApprove", [token, amount, address]),
        permit: (amount: bigint) =>
          vault.interface.encodeFunctionData("depositWithPermit", [
            token,
            address,
            amount,
            0n,
            27,
            core.ZeroHash,
            core.ZeroHash,
          ]),
        authorization: (amount: bigint) =>
          vault.interface.encodeFunctionData("depositWithAuthorization", [
            token,
            address,
            amount,
            0n,
            0n,
            core.ZeroHash,
            27,
            core.ZeroHash,
            core.ZeroHash,
          ]),
        withdraw: (amount: bigint) => vault.interface.encodeFunctionData("withdraw", [token, address, amount]),
        withdrawCoin: (amount: bigint) => vault.interface.encodeFunctionData("withdraw", [COIN, address, amount]),
        transfer: (to: string, asset: string, amount: bigint) =>
          vault.interface.encodeFunctionData("transfer", [to, id(asset), amount]),
      };
      return { ...base, account, address, act, call, token };
    }

    const guarded = ["deposit", "approving", "permit", "authorization", "withdraw"] as const;
    const guardError = core.id("ReentrancyGuardReentrantCall()").slice(0, 10);

    for (const outer of ["deposit", "withdraw"] as const) {
      for (const inner of guarded) {
        it(`of ${inner} in a ${outer} is refused, and the books are right`, async () => {
          const { vault, hook, account, address, act, call, token } = await armed();
          await act(vault, call.deposit(100n));
          await account.arm(vault, call[inner](10n));
          await act(vault, call[outer](40n));
          expect(await account.fired()).to.equal(true);
          expect(await account.succeeded()).to.equal(false);
          expect(await account.answer()).to.equal(guardError);
          const claims = outer === "deposit" ? 140n : 60n;
          expect(await vault.balanceOf(address, id(token))).to.equal(claims);
          expect(await hook.balanceOf(vault)).to.equal(claims);
        });
      }
    }

    it("of withdraw by a receiver of the native coin is refused", async () => {
      const { vault, account, address, act, call } = await armed();
      await vault.deposit(COIN, vault.runner as core.Signer, 100n, { value: 100n });
      await act(vault, call.depositCoin(50n), 50n);
      await account.arm(vault, call.withdrawCoin(10n));
      await act(vault, call.withdrawCoin(40n));
      expect(await account.answer()).to.equal(guardError);
      expect(await vault.balanceOf(address, 0n)).to.equal(10n);
      expect(await ethers.provider.getBalance(address)).to.equal(40n);
      expect(await ethers.provider.getBalance(vault)).to.equal(110n);
    });

    it("of transfer finds the claims of a withdrawal gone already", async () => {
      const { vault, bob, account, act, call, token } = await armed();
      await act(vault, call.deposit(100n));
      await account.arm(vault, call.transfer(bob.address, token, 1n));
      await act(vault, call.withdraw(100n));
      expect(await account.succeeded()).to.equal(false);
      expect((await account.answer()).slice(0, 10)).to.equal(
        vault.interface.getError("ERC6909InsufficientBalance")?.selector,
      );
    });

    it("of transfer in a deposit moves only claims from before it", async () => {
      const { vault, bob, account, address, act, call, token } = await armed();
      await act(vault, call.deposit(100n));
      await account.arm(vault, call.transfer(bob.address, token, 100n));
      await act(vault, call.deposit(50n));
      expect(await account.succeeded()).to.equal(true);
      expect(await vault.balanceOf(address, id(token))).to.equal(50n);
      expect(await vault.balanceOf(bob, id(token))).to.equal(100n);
    });

    it("is over with the call: the next one works", async () => {
      const { vault, account, act, call } = await armed();
      await account.arm(vault, call.deposit(1n));
      await act(vault, call.deposit(10n));
      await act(vault, call.withdraw(10n));
    });
  });

  it("passes on the failure of a receiver that refuses the native coin", async () => {
    const { vault, token, alice } = await fixture();
    await vault.deposit(COIN, alice, 5n, { value: 5n });
    await expect(vault.withdraw(COIN, token, 5n)).to.be.revertedWithCustomError(vault, "FailedCall");
    expect(await vault.balanceOf(alice, 0n)).to.equal(5n);
  });
});
