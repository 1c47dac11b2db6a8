import { expect } from "chai";
import { ethers as core } from "ethers";
import { ALIAS, COIN, deployVault, ethers, id, networkHelpers } from "./support/vault.js";

describe("Vault: accounts", () => {
  const fixture = () => networkHelpers.loadFixture(deployVault);

  describe("deposit", () => {
    it("credits the receiver, and the events say so", async () => {
      const { vault, token, vaultAddress, tokenAddress, alice, bob } = await fixture();
      expect(await vault.deposit.staticCall(token, bob, 700n)).to.equal(700n);
      const deposit = vault.deposit(token, bob, 700n);
      await expect(deposit).to.emit(vault, "Deposited").withArgs(tokenAddress, alice.address, bob.address, 700n);
      await expect(deposit)
        .to.emit(vault, "Transfer")
        .withArgs(alice.address, COIN, bob.address, id(tokenAddress), 700n);
      expect(await vault.balanceOf(bob, id(tokenAddress))).to.equal(700n);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(0n);
      expect(await token.balanceOf(vaultAddress)).to.equal(700n);
    });

    it("takes the native coin as id 0", async () => {
      const { vault, vaultAddress, alice } = await fixture();
      await expect(vault.deposit(COIN, alice, 5n, { value: 5n }))
        .to.emit(vault, "Deposited")
        .withArgs(COIN, alice.address, alice.address, 5n);
      expect(await vault.balanceOf(alice, 0n)).to.equal(5n);
      expect(await ethers.provider.getBalance(vaultAddress)).to.equal(5n);
    });

    it("refuses coin that is not the amount named, and coin beside a token", async () => {
      const { vault, token, alice } = await fixture();
      const wrong = (sent: bigint, expected: bigint, call: Promise<unknown>) =>
        expect(call).to.be.revertedWithCustomError(vault, "WrongValue").withArgs(sent, expected);
      await wrong(4n, 5n, vault.deposit(COIN, alice, 5n, { value: 4n }));
      await wrong(6n, 5n, vault.deposit(COIN, alice, 5n, { value: 6n }));
      await wrong(1n, 0n, vault.deposit(token, alice, 5n, { value: 1n }));
      await wrong(0n, 5n, vault.depositAndApprove(COIN, 5n, alice));
    });

    it("refuses nothing, and more than 128 bits", async () => {
      const { vault, token, alice } = await fixture();
      await expect(vault.deposit(token, alice, 0n)).to.be.revertedWithCustomError(vault, "ZeroAmount");
      await expect(vault.deposit(COIN, alice, 0n)).to.be.revertedWithCustomError(vault, "ZeroAmount");
      await token.mint(alice, 2n ** 128n);
      await expect(vault.deposit(token, alice, 2n ** 128n))
        .to.be.revertedWithCustomError(vault, "AmountTooLarge")
        .withArgs(2n ** 128n);
      await vault.deposit(token, alice, 2n ** 128n - 1n);
    });

    it("refuses receivers that could never withdraw", async () => {
      const { vault, token, vaultAddress } = await fixture();
      for (const to of [core.ZeroAddress, ALIAS, vaultAddress]) {
        for (const [asset, value] of [
          [await token.getAddress(), 0n],
          [COIN, 1n],
        ] as const) {
          await expect(vault.deposit(asset, to, 1n, { value }))
            .to.be.revertedWithCustomError(vault, "InvalidAccount")
            .withArgs(to);
        }
      }
    });

    it("refuses an address without code as a token", async () => {
      const { vault, alice, bob } = await fixture();
      await expect(vault.deposit(bob, alice, 1n))
        .to.be.revertedWithCustomError(vault, "NotAToken")
        .withArgs(bob.address);
    });

    it("refuses stray coin", async () => {
      const { vaultAddress, alice } = await fixture();
      await expect(alice.sendTransaction({ to: vaultAddress, value: 1n })).to.revert(ethers);
    });

    it("approves an operator in the same call", async () => {
      const { vault, token, tokenAddress, alice, bob } = await fixture();
      const deposit = vault.depositAndApprove(token, 10n, bob);
      await expect(deposit).to.emit(vault, "OperatorSet").withArgs(alice.address, bob.address, true);
      expect(await vault.isOperator(alice, bob)).to.equal(true);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(10n);
      await vault.depositAndApprove(COIN, 3n, bob, { value: 3n });
      expect(await vault.balanceOf(alice, 0n)).to.equal(3n);
    });
  });

  describe("withdraw", () => {
    it("sends tokens to whom the holder names", async () => {
      const { vault, token, tokenAddress, alice, bob } = await fixture();
      await vault.deposit(token, alice, 100n);
      const withdrawal = vault.withdraw(token, bob, 60n);
      await expect(withdrawal).to.emit(vault, "Withdrawn").withArgs(tokenAddress, alice.address, bob.address, 60n);
      await expect(withdrawal).to.changeTokenBalances(ethers, token, [vault, bob, alice], [-60n, 60n, 0n]);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(40n);
    });

    it("sends the native coin", async () => {
      const { vault, alice, bob } = await fixture();
      await vault.deposit(COIN, alice, 100n, { value: 100n });
      await expect(vault.withdraw(COIN, bob, 100n)).to.changeEtherBalances(ethers, [vault, bob], [-100n, 100n]);
    });

    it("refuses more than the claims, nothing at all, and bad receivers", async () => {
      const { vault, token, vaultAddress, tokenAddress, alice, bob } = await fixture();
      await vault.deposit(token, bob, 100n);
      await expect(vault.withdraw(token, alice, 1n))
        .to.be.revertedWithCustomError(vault, "ERC6909InsufficientBalance")
        .withArgs(alice.address, 0n, 1n, id(tokenAddress));
      await expect(vault.withdraw(token, alice, 0n)).to.be.revertedWithCustomError(vault, "ZeroAmount");
      for (const to of [core.ZeroAddress, ALIAS, vaultAddress]) {
        await expect(vault.connect(bob).withdraw(token, to, 1n))
          .to.be.revertedWithCustomError(vault, "InvalidAccount")
          .withArgs(to);
      }
    });
  });

  describe("transfer", () => {
    it("moves claims, but never to an id alias or to zero", async () => {
      const { vault, token, tokenAddress, alice, bob } = await fixture();
      await vault.deposit(token, alice, 100n);
      await vault.transfer(bob, id(tokenAddress), 30n);
      expect(await vault.balanceOf(bob, id(tokenAddress))).to.equal(30n);
      await expect(vault.transfer(ALIAS, id(tokenAddress), 1n))
        .to.be.revertedWithCustomError(vault, "InvalidAccount")
        .withArgs(ALIAS);
      await expect(vault.transfer(core.ZeroAddress, id(tokenAddress), 1n)).to.be.revertedWithCustomError(
        vault,
        "ERC6909InvalidReceiver",
      );
    });

    it("lets an account that merely looks like an alias be one", async () => {
      const { vault, token, alice } = await fixture();
      await vault.deposit(token, "0xff00000000000000000000010000000000000001", 1n);
      await vault.deposit(token, "0xfe00000000000000000000000000000000000001", 1n);
      await vault.deposit(token, alice, 1n);
    });
  });

  describe("escrow", () => {
    it("is taken by the holder itself, an operator or an allowance, and by nobody else", async () => {
      const { vault, token, tokenAddress, alice, bob, carol, mallory } = await fixture();
      await vault.deposit(token, alice, 100n);
      await expect(vault.connect(mallory).hold(alice, token, 1n))
        .to.be.revertedWithCustomError(vault, "ERC6909InsufficientAllowance")
        .withArgs(mallory.address, 0n, 1n, id(tokenAddress));

      await vault.hold(alice, token, 10n);
      expect(await vault.escrowOf(alice, token)).to.equal(10n);

      await vault.setOperator(bob, true);
      await expect(vault.connect(bob).hold(alice, token, 20n))
        .to.emit(vault, "Transfer")
        .withArgs(bob.address, alice.address, core.ZeroAddress, id(tokenAddress), 20n);
      expect(await vault.escrowOf(bob, token)).to.equal(20n);

      await vault.approve(carol, id(tokenAddress), 35n);
      await vault.connect(carol).hold(alice, token, 30n);
      expect(await vault.allowance(alice, carol, id(tokenAddress))).to.equal(5n);
      await expect(vault.connect(carol).hold(alice, token, 6n))
        .to.be.revertedWithCustomError(vault, "ERC6909InsufficientAllowance")
        .withArgs(carol.address, 5n, 6n, id(tokenAddress));
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(40n);
    });

    it("takes no more than the claims, and nothing from zero", async () => {
      const { vault, token, tokenAddress, alice } = await fixture();
      await vault.deposit(token, alice, 5n);
      await expect(vault.hold(alice, token, 6n))
        .to.be.revertedWithCustomError(vault, "ERC6909InsufficientBalance")
        .withArgs(alice.address, 5n, 6n, id(tokenAddress));
      await expect(vault.hold(core.ZeroAddress, token, 0n)).to.be.revertedWithCustomError(
        vault,
        "ERC6909InvalidSender",
      );
    });

    it("is paid out by its keeper only, and to accounts only", async () => {
      const { vault, token, tokenAddress, alice, bob, carol, mallory } = await fixture();
      await vault.depositAndApprove(token, 100n, bob);
      await vault.connect(bob).hold(alice, token, 100n);
      await expect(vault.connect(bob).pay(carol, token, 30n))
        .to.emit(vault, "Transfer")
        .withArgs(bob.address, core.ZeroAddress, carol.address, id(tokenAddress), 30n);
      expect(await vault.balanceOf(carol, id(tokenAddress))).to.equal(30n);
      expect(await vault.escrowOf(bob, token)).to.equal(70n);
      await expect(vault.connect(bob).pay(carol, token, 71n))
        .to.be.revertedWithCustomError(vault, "InsufficientEscrow")
        .withArgs(bob.address, tokenAddress, 70n, 71n);
      await expect(vault.connect(mallory).pay(mallory, token, 1n))
        .to.be.revertedWithCustomError(vault, "InsufficientEscrow")
        .withArgs(mallory.address, tokenAddress, 0n, 1n);
      await expect(vault.connect(bob).pay(ALIAS, token, 1n))
        .to.be.revertedWithCustomError(vault, "InvalidAccount")
        .withArgs(ALIAS);
      await expect(vault.connect(bob).pay(core.ZeroAddress, token, 1n)).to.be.revertedWithCustomError(
        vault,
        "ERC6909InvalidReceiver",
      );
    });

    it("is paid to any contract, also to one of the protocol: a payee can't block a payment", async () => {
      const { vault, token, tokenAddress, vaultAddress, alice } = await fixture();
      const registry = await ethers.deployContract("ProviderRegistry", [vaultAddress]);
      await vault.deposit(token, alice, 100n);
      await vault.hold(alice, token, 100n);
      for (const to of [vaultAddress, tokenAddress, await registry.getAddress()]) {
        await vault.pay(to, token, 10n);
        expect(await vault.balanceOf(to, id(tokenAddress))).to.equal(10n);
        expect(await vault.escrowOf(to, token)).to.equal(0n);
      }
    });

    it("can't be added to from outside", async () => {
      const { vault, token, tokenAddress, alice, bob } = await fixture();
      await vault.deposit(token, alice, 100n);
      await vault.transfer(bob, id(tokenAddress), 50n);
      await vault.deposit(token, bob, 50n);
      await token.transfer(vault, 50n);
      expect(await vault.escrowOf(bob, token)).to.equal(0n);
    });
  });

  it("says which interfaces it has", async () => {
    const { vault } = await fixture();
    expect(await vault.supportsInterface("0x0f632fb3")).to.equal(true); // ERC-6909
    expect(await vault.supportsInterface("0x01ffc9a7")).to.equal(true); // ERC-165
    expect(await vault.supportsInterface("0xffffffff")).to.equal(false);
  });

  it("can be rebuilt from events alone: balances, escrow, operators and nonces", async () => {
    const { vault, token, tokenAddress, alice, bob, carol } = await fixture();
    await vault.depositAndApprove(token, 1_000n, bob);
    await vault.connect(bob).hold(alice, token, 400n);
    await vault.connect(bob).pay(carol, token, 150n);
    await vault.connect(carol).withdraw(token, bob, 20n);
    await vault.hold(alice, token, 70n);
    await vault.withdraw(token, alice, 30n);
    await vault
      .connect(carol)
      .multicall([
        vault.interface.encodeFunctionData("withdraw", [tokenAddress, carol.address, 5n]),
        vault.interface.encodeFunctionData("hold", [carol.address, tokenAddress, 7n]),
        vault.interface.encodeFunctionData("deposit", [tokenAddress, carol.address, 2n]),
        vault.interface.encodeFunctionData("pay", [bob.address, tokenAddress, 3n]),
      ]);
    await vault.pay(bob, token, 60n);
    await vault.useNonce();

    const book = new Map<string, bigint>();
    const add = (key: string, amount: bigint) => book.set(key, (book.get(key) ?? 0n) + amount);
    const logs = await ethers.provider.getLogs({ address: await vault.getAddress(), fromBlock: 0 });
    const events = logs.map((log) => vault.interface.parseLog(log));
    events.forEach((event, i) => {
      if (event?.name === "NonceUsed") add(`nonce ${event.args.owner}`, 1n);
      if (event?.name !== "Transfer") return;
      const { caller, sender, receiver, amount } = event.args;
      const next = events[i + 1]?.name;
      if (sender !== core.ZeroAddress) add(`claim ${sender}`, 0n - amount);
      else if (next !== "Deposited") add(`escrow ${caller}`, 0n - amount);
      if (receiver !== core.ZeroAddress) add(`claim ${receiver}`, amount);
      else if (next !== "Withdrawn") add(`escrow ${caller}`, amount);
    });
    for (const account of [alice, bob, carol]) {
      const { address } = account;
      expect(book.get(`claim ${address}`) ?? 0n).to.equal(await vault.balanceOf(address, id(tokenAddress)));
      expect(book.get(`escrow ${address}`) ?? 0n).to.equal(await vault.escrowOf(address, token));
      expect(book.get(`nonce ${address}`) ?? 0n).to.equal(await vault.nonces(address));
    }
    expect(await vault.escrowOf(bob, token)).to.equal(250n);
  });
});
