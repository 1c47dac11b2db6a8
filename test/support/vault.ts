import { randomBytes } from "node:crypto";
import { ethers as core } from "ethers";
import { network } from "hardhat";

/** One in-process chain for all tests of the vault and the registry. */
export const { ethers, networkHelpers } = await network.create();

/** The native coin. */
export const COIN = core.ZeroAddress;
/** The alias of Filecoin actor 1234: no account of the protocol. */
export const ALIAS = core.getAddress("0xff000000000000000000000000000000000004d2");
export const NO_SIGNATURE = { v: 27, r: core.ZeroHash, s: core.ZeroHash } as const;
export const FOREVER = 2n ** 64n;

export const id = (token: string): bigint => BigInt(token);
export const nonce32 = (): string => core.hexlify(randomBytes(32));

/** A vault, a token with 1,000,000 base units for each of four accounts, approved to the vault. */
export async function deployVault() {
  const [alice, bob, carol, mallory] = await ethers.getSigners();
  if (!alice || !bob || !carol || !mallory) throw new Error("the test network has fewer than four accounts");
  const vault = await ethers.deployContract("Vault");
  const token = await ethers.deployContract("TestToken", ["Test Dollar", "TUSD", 6]);
  for (const account of [alice, bob, carol, mallory]) {
    await token.mint(account, 1_000_000n);
    await token.connect(account).approve(vault, core.MaxUint256);
  }
  const [vaultAddress, tokenAddress] = [await vault.getAddress(), await token.getAddress()];
  return { vault, token, vaultAddress, tokenAddress, alice, bob, carol, mallory };
}
