import { expect } from "chai";
import type { ethers as core } from "ethers";
import { type Authorization, type Domain, signAuthorization } from "../support/signatures.js";
import { deployVault, ethers, FOREVER, networkHelpers, nonce32 } from "../support/vault.js";

const ARGS = "(address,address,uint256,uint256,uint256,bytes32,bytes)" as const;

describe("TestToken", () => {
  async function deploy() {
    const base = await deployVault();
    const { chainId } = await ethers.provider.getNetwork();
    const domain: Domain = { name: "Test Dollar", chainId, verifyingContract: base.tokenAddress };
    return { ...base, domain };
  }
  const fixture = () => networkHelpers.loadFixture(deploy);

  const message = (from: string, to: string): Authorization => ({
    from,
    to,
    value: 100n,
    validAfter: 0n,
    validBefore: FOREVER,
    nonce: nonce32(),
  });
  const args = (m: Authorization, signature: core.Signature) =>
    [m.from, m.to, m.value, m.validAfter, m.validBefore, m.nonce, signature.serialized] as const;

  it("has the decimals it was given", async () => {
    const { token } = await fixture();
    expect(await token.decimals()).to.equal(6n);
  });

  it("takes EIP-3009 signatures as bytes: a transfer from anybody, once, in any order of nonces", async () => {
    const { token, domain, alice, bob, carol } = await fixture();
    for (let i = 0; i < 2; i++) {
      const m = message(alice.address, bob.address);
      const signature = await signAuthorization("Transfer", alice, domain, m);
      const submit = () => token.connect(carol)[`transferWithAuthorization${ARGS}`](...args(m, signature));
      await expect(submit()).to.changeTokenBalances(ethers, token, [alice, bob], [-100n, 100n]);
      expect(await token.authorizationState(alice, m.nonce)).to.equal(true);
      await expect(submit())
        .to.be.revertedWithCustomError(token, "ERC3009UsedAuthorization")
        .withArgs(alice.address, m.nonce);
    }
  });

  it("takes them as bytes: a receipt from the receiver only", async () => {
    const { token, domain, alice, bob, carol } = await fixture();
    const m = message(alice.address, bob.address);
    const signature = await signAuthorization("Receive", alice, domain, m);
    const submit = (sender: core.Signer) =>
      token.connect(sender)[`receiveWithAuthorization${ARGS}`](...args(m, signature));
    await expect(submit(carol)).to.be.revertedWithCustomError(token, "ERC20InvalidReceiver").withArgs(bob.address);
    await expect(submit(bob)).to.changeTokenBalances(ethers, token, [alice, bob], [-100n, 100n]);
  });

  it("tells one kind from the other, and refuses what another signed", async () => {
    const { token, domain, alice, bob } = await fixture();
    const m = message(alice.address, bob.address);
    const received = await signAuthorization("Receive", alice, domain, m);
    const forged = await signAuthorization("Transfer", bob, domain, m);
    for (const signature of [received, forged]) {
      await expect(token[`transferWithAuthorization${ARGS}`](...args(m, signature))).to.be.revertedWithCustomError(
        token,
        "ERC3009InvalidSignature",
      );
    }
  });
});
