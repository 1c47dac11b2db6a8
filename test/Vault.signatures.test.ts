import { expect } from "chai";
import { ethers as core } from "ethers";
import { type Domain, type SetOperator, signAuthorization, signPermit, signSetOperator } from "./support/signatures.js";
import {
  ALIAS,
  COIN,
  deployVault,
  ethers,
  FOREVER,
  id,
  NO_SIGNATURE,
  networkHelpers,
  nonce32,
} from "./support/vault.js";

describe("Vault: signatures", () => {
  async function deploySigned() {
    const base = await deployVault();
    const { chainId } = await ethers.provider.getNetwork();
    const tokenDomain: Domain = { name: "Test Dollar", chainId, verifyingContract: base.tokenAddress };
    const vaultDomain: Domain = { name: "Holdfast Vault", chainId, verifyingContract: base.vaultAddress };
    const { alice, bob, token, vaultAddress } = base;
    await token.approve(base.vault, 0n);
    const permit = async (value: bigint, deadline = FOREVER, signer: core.Signer = alice) => {
      const nonce = await token.nonces(alice);
      return signPermit(signer, tokenDomain, { owner: alice.address, spender: vaultAddress, value, nonce, deadline });
    };
    const receive = async (value: bigint, nonce: string) =>
      signAuthorization("Receive", alice, tokenDomain, {
        from: alice.address,
        to: vaultAddress,
        value,
        validAfter: 0n,
        validBefore: FOREVER,
        nonce,
      });
    const approval = (change: Partial<SetOperator> = {}): SetOperator => ({
      owner: alice.address,
      operator: bob.address,
      approved: true,
      nonce: 0n,
      deadline: FOREVER,
      ...change,
    });
    return { ...base, tokenDomain, vaultDomain, permit, receive, approval };
  }
  const fixture = () => networkHelpers.loadFixture(deploySigned);

  describe("permit", () => {
    it("deposits for the owner, whoever submits it", async () => {
      const { vault, token, tokenAddress, alice, mallory, permit } = await fixture();
      const { v, r, s } = await permit(100n);
      const call = vault.connect(mallory).depositWithPermit(token, alice, 100n, FOREVER, v, r, s);
      await expect(call).to.emit(vault, "Deposited").withArgs(tokenAddress, alice.address, alice.address, 100n);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(100n);
      expect(await token.allowance(alice, vault)).to.equal(0n);
    });

    it("that an attacker submitted first stops nobody from depositing for themselves", async () => {
      const { vault, token, tokenAddress, vaultAddress, alice, mallory, permit } = await fixture();
      const { v, r, s } = await permit(100n);
      await token.connect(mallory).permit(alice, vaultAddress, 100n, FOREVER, v, r, s);
      await expect(vault.connect(mallory).depositWithPermit(token, alice, 100n, FOREVER, v, r, s))
        .to.be.revertedWithCustomError(vault, "PermitRefused")
        .withArgs(alice.address, tokenAddress);
      await vault.connect(alice).depositWithPermit(token, alice, 100n, FOREVER, v, r, s);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(100n);
    });

    it("without a valid signature gives a stranger no use of a standing allowance", async () => {
      const { vault, token, tokenAddress, alice, bob, mallory, permit } = await fixture();
      await token.approve(vault, core.MaxUint256);
      const signatures = [
        [100n, FOREVER, NO_SIGNATURE],
        [100n, 1n, await permit(100n, 1n)],
        [101n, FOREVER, await permit(100n)],
        [100n, FOREVER, await permit(100n, FOREVER, bob)],
      ] as const;
      for (const [amount, deadline, { v, r, s }] of signatures) {
        await expect(vault.connect(mallory).depositWithPermit(token, alice, amount, deadline, v, r, s))
          .to.be.revertedWithCustomError(vault, "PermitRefused")
          .withArgs(alice.address, tokenAddress);
      }
      expect(await token.balanceOf(alice)).to.equal(1_000_000n);
    });

    for (const name of ["AnyCallToken", "AnyNonceToken"] as const) {
      it(`that ${name} only seems to accept gives a stranger nothing either`, async () => {
        const { vault, alice, mallory } = await fixture();
        const any = await ethers.deployContract(name as "AnyCallToken");
        await any.mint(alice, 100n);
        await any.approve(vault, core.MaxUint256);
        const { v, r, s } = NO_SIGNATURE;
        await expect(vault.connect(mallory).depositWithPermit(any, alice, 100n, FOREVER, v, r, s))
          .to.be.revertedWithCustomError(vault, "PermitRefused")
          .withArgs(alice.address, await any.getAddress());
        await vault.connect(alice).depositWithPermit(any, alice, 100n, FOREVER, v, r, s);
        expect(await vault.balanceOf(alice, id(await any.getAddress()))).to.equal(100n);
      });
    }

    it("of what is no token, or for an alias, is refused", async () => {
      const { vault, token, alice } = await fixture();
      const { v, r, s } = NO_SIGNATURE;
      await expect(vault.depositWithPermit(COIN, alice, 1n, FOREVER, v, r, s))
        .to.be.revertedWithCustomError(vault, "NotAToken")
        .withArgs(COIN);
      await expect(vault.depositWithPermit(token, ALIAS, 1n, FOREVER, v, r, s))
        .to.be.revertedWithCustomError(vault, "InvalidAccount")
        .withArgs(ALIAS);
    });
  });

  describe("EIP-3009", () => {
    it("deposits for the signer only, also when an attacker submits it first", async () => {
      const { vault, token, tokenAddress, alice, mallory, receive } = await fixture();
      const nonce = nonce32();
      const { v, r, s } = await receive(100n, nonce);
      const submit = (sender: core.Signer) =>
        vault.connect(sender).depositWithAuthorization(token, alice, 100n, 0n, FOREVER, nonce, v, r, s);
      await expect(submit(mallory))
        .to.emit(vault, "Deposited")
        .withArgs(tokenAddress, alice.address, alice.address, 100n);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(100n);
      expect(await vault.balanceOf(mallory, id(tokenAddress))).to.equal(0n);
      await expect(submit(alice))
        .to.be.revertedWithCustomError(token, "ERC3009UsedAuthorization")
        .withArgs(alice.address, nonce);
    });

    it("can't be used on the token past the vault", async () => {
      const { token, vaultAddress, alice, mallory, receive } = await fixture();
      const nonce = nonce32();
      const { v, r, s } = await receive(100n, nonce);
      const args = [alice.address, vaultAddress, 100n, 0n, FOREVER, nonce, v, r, s] as const;
      const asUsed = "(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)" as const;
      await expect(token.connect(mallory)[`receiveWithAuthorization${asUsed}`](...args))
        .to.be.revertedWithCustomError(token, "ERC20InvalidReceiver")
        .withArgs(vaultAddress);
      await expect(token.connect(mallory)[`transferWithAuthorization${asUsed}`](...args)).to.be.revertedWithCustomError(
        token,
        "ERC3009InvalidSignature",
      );
    });

    it("is refused for another's money, for an alias, and of what is no token", async () => {
      const { vault, token, alice, bob, receive } = await fixture();
      const nonce = nonce32();
      const { v, r, s } = await receive(100n, nonce);
      const submit = (asset: core.AddressLike, from: core.AddressLike) =>
        vault.depositWithAuthorization(asset, from, 100n, 0n, FOREVER, nonce, v, r, s);
      await expect(submit(token, bob)).to.be.revertedWithCustomError(token, "ERC3009InvalidSignature");
      await expect(submit(token, ALIAS)).to.be.revertedWithCustomError(vault, "InvalidAccount").withArgs(ALIAS);
      await expect(submit(bob, alice)).to.be.revertedWithCustomError(vault, "NotAToken").withArgs(bob.address);
    });

    it("credits nothing for a token that answers any call", async () => {
      const { vault, alice } = await fixture();
      const any = await ethers.deployContract("AnyCallToken");
      const { v, r, s } = NO_SIGNATURE;
      await expect(
        vault.depositWithAuthorization(any, alice, 100n, 0n, FOREVER, nonce32(), v, r, s),
      ).to.be.revertedWithCustomError(vault, "ZeroAmount");
    });
  });

  describe("operator", () => {
    it("is set and taken back by signature, submitted by anyone", async () => {
      const { vault, vaultDomain, alice, bob, mallory, approval } = await fixture();
      for (const message of [approval(), approval({ approved: false, nonce: 1n })]) {
        const signature = await signSetOperator(alice, vaultDomain, message);
        const { owner, operator, approved, nonce, deadline } = message;
        const call = vault
          .connect(mallory)
          .setOperatorWithSignature(owner, operator, approved, nonce, deadline, signature);
        await expect(call).to.emit(vault, "OperatorSet").withArgs(owner, operator, approved);
        await expect(call).to.emit(vault, "NonceUsed").withArgs(owner, nonce);
        expect(await vault.isOperator(alice, bob)).to.equal(approved);
        expect(await vault.nonces(alice)).to.equal(nonce + 1n);
      }
    });

    it("submitted a second time changes nothing where all is as wished, and fails where it is not", async () => {
      const { vault, vaultDomain, alice, bob, approval } = await fixture();
      const signature = await signSetOperator(alice, vaultDomain, approval());
      const submit = () => vault.setOperatorWithSignature(alice, bob, true, 0n, FOREVER, signature);
      await submit();
      await expect(submit()).not.to.emit(vault, "OperatorSet");
      expect(await vault.nonces(alice)).to.equal(1n);
      await vault.setOperator(bob, false);
      await expect(submit()).to.be.revertedWithCustomError(vault, "InvalidAccountNonce").withArgs(alice.address, 1n);
      expect(await vault.isOperator(alice, bob)).to.equal(false);
    });

    it("is refused out of time, out of order, from another, or altered", async () => {
      const { vault, vaultDomain, alice, bob, mallory, approval } = await fixture();
      const late = await signSetOperator(alice, vaultDomain, approval({ deadline: 1n }));
      await expect(vault.setOperatorWithSignature(alice, bob, true, 0n, 1n, late))
        .to.be.revertedWithCustomError(vault, "SignatureExpired")
        .withArgs(1n);
      const early = await signSetOperator(alice, vaultDomain, approval({ nonce: 1n }));
      await expect(vault.setOperatorWithSignature(alice, bob, true, 1n, FOREVER, early))
        .to.be.revertedWithCustomError(vault, "InvalidAccountNonce")
        .withArgs(alice.address, 0n);

      const refused = (call: Promise<unknown>) =>
        expect(call).to.be.revertedWithCustomError(vault, "InvalidSignature").withArgs(alice.address);
      const good = await signSetOperator(alice, vaultDomain, approval());
      const foreign = await signSetOperator(mallory, vaultDomain, approval());
      await refused(vault.setOperatorWithSignature(alice, bob, true, 0n, FOREVER, foreign));
      await refused(vault.setOperatorWithSignature(alice, mallory, true, 0n, FOREVER, good));
      await refused(vault.setOperatorWithSignature(alice, bob, false, 0n, FOREVER, good));
      await refused(vault.setOperatorWithSignature(alice, bob, true, 0n, FOREVER + 1n, good));
      await refused(vault.setOperatorWithSignature(alice, bob, true, 0n, FOREVER, "0x"));
      await expect(
        vault.setOperatorWithSignature(core.ZeroAddress, bob, true, 0n, FOREVER, good),
      ).to.be.revertedWithCustomError(vault, "InvalidSignature");
      expect(await vault.nonces(alice)).to.equal(0n);
    });

    it("signed for another chain, vault or name means nothing here", async () => {
      const { vault, vaultDomain, alice, bob, approval } = await fixture();
      const other = await ethers.deployContract("Vault");
      const domains: Domain[] = [
        { ...vaultDomain, chainId: vaultDomain.chainId + 1n },
        { ...vaultDomain, verifyingContract: await other.getAddress() },
        { ...vaultDomain, name: "Holdfast Market" },
      ];
      for (const domain of domains) {
        const signature = await signSetOperator(alice, domain, approval());
        await expect(vault.setOperatorWithSignature(alice, bob, true, 0n, FOREVER, signature))
          .to.be.revertedWithCustomError(vault, "InvalidSignature")
          .withArgs(alice.address);
      }
      const domain = { ...vaultDomain, version: "1" };
      expect(await vault.DOMAIN_SEPARATOR()).to.equal(core.TypedDataEncoder.hashDomain(domain));
    });

    it("signed and not submitted yet is void once its nonce is used up", async () => {
      const { vault, vaultDomain, alice, bob, approval } = await fixture();
      const signature = await signSetOperator(alice, vaultDomain, approval());
      await expect(vault.useNonce()).to.emit(vault, "NonceUsed").withArgs(alice.address, 0n);
      await expect(vault.setOperatorWithSignature(alice, bob, true, 0n, FOREVER, signature))
        .to.be.revertedWithCustomError(vault, "InvalidAccountNonce")
        .withArgs(alice.address, 1n);
    });

    it("is signed for a contract by ERC-1271, as long as the contract says so", async () => {
      const { vault, vaultDomain, alice, bob, approval } = await fixture();
      const wallet = await ethers.deployContract("Wallet1271", [alice.address]);
      const message = approval({ owner: await wallet.getAddress() });
      const signature = await signSetOperator(alice, vaultDomain, message);
      const submit = () => vault.setOperatorWithSignature(wallet, bob, true, 0n, FOREVER, signature);
      await wallet.setRejects(true);
      await expect(submit()).to.be.revertedWithCustomError(vault, "InvalidSignature").withArgs(message.owner);
      await wallet.setRejects(false);
      await submit();
      expect(await vault.isOperator(wallet, bob)).to.equal(true);
    });

    it("can't be zero", async () => {
      const { vault, vaultDomain, alice, approval } = await fixture();
      const signature = await signSetOperator(alice, vaultDomain, approval({ operator: core.ZeroAddress }));
      await expect(
        vault.setOperatorWithSignature(alice, core.ZeroAddress, true, 0n, FOREVER, signature),
      ).to.be.revertedWithCustomError(vault, "ERC6909InvalidSpender");
    });
  });

  describe("multicall", () => {
    it("deposits and sets an operator in one transaction, neither sent nor paid for by the owner", async () => {
      const { vault, token, vaultDomain, tokenAddress, alice, bob, mallory, receive, approval } = await fixture();
      const nonce = nonce32();
      const { v, r, s } = await receive(100n, nonce);
      const signature = await signSetOperator(alice, vaultDomain, approval());
      await vault
        .connect(mallory)
        .multicall([
          vault.interface.encodeFunctionData("depositWithAuthorization", [
            tokenAddress,
            alice.address,
            100n,
            0n,
            FOREVER,
            nonce,
            v,
            r,
            s,
          ]),
          vault.interface.encodeFunctionData("setOperatorWithSignature", [
            alice.address,
            bob.address,
            true,
            0n,
            FOREVER,
            signature,
          ]),
        ]);
      await vault.connect(bob).hold(alice, token, 100n);
      expect(await vault.escrowOf(bob, token)).to.equal(100n);
    });

    it("survives somebody submitting the approval alone before it", async () => {
      const { vault, vaultDomain, tokenAddress, token, alice, bob, mallory, permit, approval } = await fixture();
      const { v, r, s } = await permit(100n);
      const signature = await signSetOperator(alice, vaultDomain, approval());
      await vault.connect(mallory).setOperatorWithSignature(alice, bob, true, 0n, FOREVER, signature);
      await token.connect(mallory).permit(alice, vault, 100n, FOREVER, v, r, s);
      await vault
        .connect(alice)
        .multicall([
          vault.interface.encodeFunctionData("depositWithPermit", [
            tokenAddress,
            alice.address,
            100n,
            FOREVER,
            v,
            r,
            s,
          ]),
          vault.interface.encodeFunctionData("setOperatorWithSignature", [
            alice.address,
            bob.address,
            true,
            0n,
            FOREVER,
            signature,
          ]),
        ]);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(100n);
    });

    it("takes no coin, so none counts twice", async () => {
      const { vault, vaultAddress, alice } = await fixture();
      await vault.deposit(COIN, alice, 5n, { value: 5n });
      const deposit = vault.interface.encodeFunctionData("deposit", [COIN, alice.address, 5n]);
      const data = vault.interface.encodeFunctionData("multicall", [[deposit, deposit]]);
      await expect(alice.sendTransaction({ to: vaultAddress, data, value: 5n })).to.revert(ethers);
      await expect(vault.multicall([deposit]))
        .to.be.revertedWithCustomError(vault, "WrongValue")
        .withArgs(0n, 5n);
    });
  });
});
