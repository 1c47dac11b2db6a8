import { expect } from "chai";
import { ethers as core } from "ethers";
import type { ProfileStruct, ProviderRegistry } from "../typechain-types/ProviderRegistry.js";
import { ALIAS, deployVault, ethers, id, networkHelpers } from "./support/vault.js";

const region = (code: string): string => core.zeroPadBytes(core.toUtf8Bytes(code), 6);

const PROFILE: ProfileStruct = {
  name: "Alice's Attic",
  url: "https://attic.example:8443",
  peerId: "12D3KooWGRUfCAmVxTjXYGNnFPFSa7hNJFEA6dpDqJYGWyCeyWAF",
  region: region("DE"),
  tiers: 0b101n,
  offerUri: "",
};

describe("ProviderRegistry", () => {
  async function deployRegistry() {
    const base = await deployVault();
    const registry = await ethers.deployContract("ProviderRegistry", [base.vaultAddress]);
    await base.vault.depositAndApprove(base.token, 1_000n, registry);
    return { ...base, registry, registryAddress: await registry.getAddress() };
  }
  /** Alice is registered with 1,000 in the vault; bob plays the market. */
  async function deployRegistered() {
    const base = await deployRegistry();
    await base.registry.register(PROFILE);
    return base;
  }
  const fixture = () => networkHelpers.loadFixture(deployRegistry);
  const profileOf = async (registry: ProviderRegistry, provider: core.AddressLike) => {
    const { name, url, peerId, region, tiers, offerUri } = await registry.profileOf(provider);
    return { name, url, peerId, region, tiers, offerUri };
  };
  const registered = () => networkHelpers.loadFixture(deployRegistered);

  it("needs a vault", async () => {
    const { registry, alice } = await fixture();
    await expect(ethers.deployContract("ProviderRegistry", [alice.address]))
      .to.be.revertedWithCustomError(registry, "InvalidAccount")
      .withArgs(alice.address);
  });

  describe("profile", () => {
    it("is registered once, and readable on chain", async () => {
      const { registry, vaultAddress, alice } = await fixture();
      expect(await registry.isRegistered(alice)).to.equal(false);
      await expect(registry.profileOf(alice))
        .to.be.revertedWithCustomError(registry, "NotRegistered")
        .withArgs(alice.address);
      expect(await registry.payeeOf(alice)).to.equal(alice.address);
      await expect(registry.register(PROFILE))
        .to.emit(registry, "Registered")
        .withArgs(alice.address, Object.values(PROFILE));
      expect(await registry.isRegistered(alice)).to.equal(true);
      expect(await profileOf(registry, alice)).to.deep.equal(PROFILE);
      expect(await registry.payeeOf(alice)).to.equal(alice.address);
      expect(await registry.signerOf(alice)).to.equal(core.ZeroAddress);
      expect(await registry.vault()).to.equal(vaultAddress);
      await expect(registry.register(PROFILE))
        .to.be.revertedWithCustomError(registry, "AlreadyRegistered")
        .withArgs(alice.address);
    });

    it("tells contracts its region alone, nothing before it is registered", async () => {
      const { registry, alice, bob } = await fixture();
      expect(await registry.regionOf(alice)).to.equal("0x000000000000");
      await registry.register(PROFILE);
      await registry.connect(bob).register({ ...PROFILE, region: "0x000000000000" });
      expect(await registry.regionOf(alice)).to.equal(region("DE"));
      expect(await registry.regionOf(bob)).to.equal("0x000000000000");
      await registry.updateProfile({ ...PROFILE, region: region("US-CA") });
      expect(await registry.regionOf(alice)).to.equal(region("US-CA"));
    });

    it("is replaced as a whole", async () => {
      const { registry, alice } = await registered();
      const next = { ...PROFILE, name: "", peerId: "", region: region("US-CA"), tiers: 0n, offerUri: "u".repeat(256) };
      await expect(registry.updateProfile(next))
        .to.emit(registry, "ProfileUpdated")
        .withArgs(alice.address, Object.values(next));
      expect(await profileOf(registry, alice)).to.deep.equal(next);
    });

    it("has texts of bounded length, to the byte", async () => {
      const { registry, bob } = await registered();
      const most = { name: 64, url: 256, peerId: 64, offerUri: 256 } as const;
      for (const [field, length] of Object.entries(most)) {
        await registry.updateProfile({ ...PROFILE, [field]: "x".repeat(length) });
        const long = { ...PROFILE, [field]: "x".repeat(length + 1) };
        for (const call of [() => registry.updateProfile(long), () => registry.connect(bob).register(long)]) {
          await expect(call())
            .to.be.revertedWithCustomError(registry, "TextTooLong")
            .withArgs(BigInt(length + 1), BigInt(length));
        }
      }
    });

    it("has a region as ISO 3166 writes it, or none", async () => {
      const { registry, bob } = await registered();
      for (const code of ["", "DE", "US-C", "US-CA", "GB-ENG", "FR-75", "JP-0"]) {
        await registry.updateProfile({ ...PROFILE, region: region(code) });
      }
      const bad = [
        "D",
        "de",
        "DEU",
        "D1",
        "DE-",
        "DE ",
        "DE-a",
        "DE-A\0B",
        "D\0E",
        "\0DE",
        "DE\0\0\0X",
        "DE-A-B",
        "@E",
        "D[",
      ];
      for (const code of bad) {
        const profile = { ...PROFILE, region: region(code) };
        for (const call of [() => registry.updateProfile(profile), () => registry.connect(bob).register(profile)]) {
          await expect(call(), code).to.be.revertedWithCustomError(registry, "InvalidRegion").withArgs(region(code));
        }
      }
    });

    it("is not for an id alias", async () => {
      const { registry } = await fixture();
      await networkHelpers.impersonateAccount(ALIAS);
      await networkHelpers.setBalance(ALIAS, core.parseEther("1"));
      await expect(registry.connect(await ethers.getSigner(ALIAS)).register(PROFILE))
        .to.be.revertedWithCustomError(registry, "InvalidAccount")
        .withArgs(ALIAS);
    });

    it("is listed in order of registration, in pages", async () => {
      const { registry, alice, bob, carol, mallory } = await registered();
      for (const account of [carol, bob, mallory]) await registry.connect(account).register(PROFILE);
      const all = [alice, carol, bob, mallory].map((account) => account.address);
      expect(await registry.providerCount()).to.equal(4n);
      const max = core.MaxUint256;
      for (const [offset, limit] of [
        [0n, max],
        [0n, 4n],
        [0n, 2n],
        [2n, 2n],
        [3n, max],
        [4n, 1n],
        [max, max],
        [1n, 0n],
      ] as const) {
        const end = limit > 4n ? 4n : offset + limit;
        expect(await registry.providers(offset, limit)).to.deep.equal(all.slice(Number(offset), Number(end)));
      }
    });
  });

  describe("payee and signer", () => {
    it("are the provider's to set", async () => {
      const { registry, alice, bob, carol } = await registered();
      await expect(registry.setPayee(bob)).to.emit(registry, "PayeeSet").withArgs(alice.address, bob.address);
      await expect(registry.setSigner(carol)).to.emit(registry, "SignerSet").withArgs(alice.address, carol.address);
      expect(await registry.payeeOf(alice)).to.equal(bob.address);
      expect(await registry.signerOf(alice)).to.equal(carol.address);
    });

    it("are nobody's who is not registered", async () => {
      const { registry, token, bob, carol } = await registered();
      const other = registry.connect(bob);
      const calls = [
        () => other.setPayee(carol),
        () => other.setSigner(carol),
        () => other.updateProfile(PROFILE),
        () => other.provision(carol, token, 1n),
      ];
      for (const call of calls) {
        await expect(call()).to.be.revertedWithCustomError(registry, "NotRegistered").withArgs(bob.address);
      }
    });

    it("are refused where they can't work", async () => {
      const { registry, alice } = await registered();
      const calls: [() => Promise<unknown>, string][] = [
        [() => registry.setPayee(core.ZeroAddress), core.ZeroAddress],
        [() => registry.setPayee(ALIAS), ALIAS],
        [() => registry.setSigner(ALIAS), ALIAS],
        [() => registry.setSigner(alice), alice.address],
      ];
      for (const [call, account] of calls) {
        await expect(call()).to.be.revertedWithCustomError(registry, "InvalidAccount").withArgs(account);
      }
    });

    it("a signer that was replaced never comes back, to this provider", async () => {
      const { registry, alice, bob, carol, mallory } = await registered();
      await registry.setSigner(bob);
      await expect(registry.setSigner(bob)).not.to.emit(registry, "SignerSet");
      expect(await registry.isRetired(alice, bob)).to.equal(false);
      await registry.setSigner(core.ZeroAddress);
      expect(await registry.signerOf(alice)).to.equal(core.ZeroAddress);
      expect(await registry.isRetired(alice, bob)).to.equal(true);
      await registry.setSigner(carol);
      await expect(registry.setSigner(bob))
        .to.be.revertedWithCustomError(registry, "SignerRetired")
        .withArgs(alice.address, bob.address);
      await registry.setSigner(core.ZeroAddress);
      expect(await registry.isRetired(alice, core.ZeroAddress)).to.equal(false);
      await registry.connect(mallory).register(PROFILE);
      await registry.connect(mallory).setSigner(bob);
      expect(await registry.isRetired(mallory, bob)).to.equal(false);
    });
  });

  describe("stake", () => {
    it("is provisioned out of the vault and taken back while free", async () => {
      const { registry, registryAddress, vault, token, tokenAddress, alice, bob } = await registered();
      await expect(registry.provision(bob, token, 600n))
        .to.emit(registry, "Provisioned")
        .withArgs(alice.address, bob.address, tokenAddress, 600n);
      expect(await registry.provisionOf(alice, bob, token)).to.deep.equal([600n, 0n]);
      expect(await vault.escrowOf(registryAddress, token)).to.equal(600n);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(400n);
      await expect(registry.unprovision(bob, token, 250n))
        .to.emit(registry, "Unprovisioned")
        .withArgs(alice.address, bob.address, tokenAddress, 250n);
      expect(await registry.provisionOf(alice, bob, token)).to.deep.equal([350n, 0n]);
      expect(await vault.balanceOf(alice, id(tokenAddress))).to.equal(650n);
    });

    it("is locked, released and slashed by the market it was provisioned to", async () => {
      const { registry, registryAddress, vault, token, tokenAddress, alice, bob, carol } = await registered();
      await registry.provision(bob, token, 600n);
      const market = registry.connect(bob);
      const named = [alice.address, bob.address, tokenAddress] as const;
      await expect(market.lock(alice, token, 500n))
        .to.emit(registry, "Locked")
        .withArgs(...named, 500n);
      expect(await registry.provisionOf(alice, bob, token)).to.deep.equal([100n, 500n]);
      await expect(market.release(alice, token, 200n))
        .to.emit(registry, "Released")
        .withArgs(...named, 200n);
      expect(await registry.provisionOf(alice, bob, token)).to.deep.equal([300n, 300n]);
      await expect(market.slash(alice, token, carol, 120n))
        .to.emit(registry, "Slashed")
        .withArgs(...named, carol.address, 120n);
      expect(await registry.provisionOf(alice, bob, token)).to.deep.equal([300n, 180n]);
      expect(await vault.balanceOf(carol, id(tokenAddress))).to.equal(120n);
      expect(await vault.escrowOf(registryAddress, token)).to.equal(480n);
    });

    it("is out of reach of any other market", async () => {
      const { registry, token, tokenAddress, alice, bob, mallory } = await registered();
      await registry.provision(bob, token, 600n);
      await registry.connect(bob).lock(alice, token, 300n);
      const other = registry.connect(mallory);
      const named = [alice.address, mallory.address, tokenAddress, 0n, 1n] as const;
      await expect(other.lock(alice, token, 1n))
        .to.be.revertedWithCustomError(registry, "InsufficientStake")
        .withArgs(...named);
      for (const call of [() => other.release(alice, token, 1n), () => other.slash(alice, token, mallory, 1n)]) {
        await expect(call())
          .to.be.revertedWithCustomError(registry, "InsufficientLocked")
          .withArgs(...named);
      }
    });

    it("leaves no more than is free, and is locked no further than it goes", async () => {
      const { registry, token, tokenAddress, alice, bob } = await registered();
      await registry.provision(bob, token, 600n);
      const market = registry.connect(bob);
      await market.lock(alice, token, 450n);
      const named = [alice.address, bob.address, tokenAddress] as const;
      for (const call of [() => registry.unprovision(bob, token, 151n), () => market.lock(alice, token, 151n)]) {
        await expect(call())
          .to.be.revertedWithCustomError(registry, "InsufficientStake")
          .withArgs(...named, 150n, 151n);
      }
      for (const call of [() => market.release(alice, token, 451n), () => market.slash(alice, token, bob, 451n)]) {
        await expect(call())
          .to.be.revertedWithCustomError(registry, "InsufficientLocked")
          .withArgs(...named, 450n, 451n);
      }
      await registry.unprovision(bob, token, 150n);
    });

    it("needs an operator's right in the vault, an amount and a market", async () => {
      const { registry, registryAddress, vault, token, tokenAddress, bob } = await registered();
      await expect(registry.provision(bob, token, 0n)).to.be.revertedWithCustomError(registry, "ZeroAmount");
      await expect(registry.unprovision(bob, token, 0n)).to.be.revertedWithCustomError(registry, "ZeroAmount");
      for (const market of [core.ZeroAddress, ALIAS]) {
        await expect(registry.provision(market, token, 1n))
          .to.be.revertedWithCustomError(registry, "InvalidAccount")
          .withArgs(market);
      }
      await vault.setOperator(registry, false);
      await expect(registry.provision(bob, token, 1n))
        .to.be.revertedWithCustomError(vault, "ERC6909InsufficientAllowance")
        .withArgs(registryAddress, 0n, 1n, id(tokenAddress));
    });

    it("stays within 128 bits, locked and free together, so that a release can't overflow", async () => {
      const { registry, token, vault, alice, bob } = await registered();
      const max = 2n ** 128n - 1n;
      for (let i = 0; i < 2; i++) {
        await token.mint(alice, max);
        await vault.deposit(token, alice, max);
      }
      await registry.provision(bob, token, max - 1n);
      await registry.connect(bob).lock(alice, token, max - 5n);
      await expect(registry.provision(bob, token, 2n))
        .to.be.revertedWithCustomError(registry, "AmountTooLarge")
        .withArgs(2n);
      await registry.provision(bob, token, 1n);
      await registry.connect(bob).release(alice, token, max - 5n);
      expect(await registry.provisionOf(alice, bob, token)).to.deep.equal([max, 0n]);
    });

    it("is not moved by claims sent to the registry", async () => {
      const { registry, registryAddress, vault, token, tokenAddress, bob } = await registered();
      await registry.provision(bob, token, 100n);
      await vault.transfer(registry, id(tokenAddress), 50n);
      await vault.deposit(token, registry, 50n);
      expect(await vault.escrowOf(registryAddress, token)).to.equal(100n);
    });
  });
});
