import { Interface, isError, type Provider, recoverAddress, ZeroAddress } from "ethers";
import { chainError } from "../chain/errors.js";
import { ask, type ChainAccess } from "./funds.js";
import { refused } from "./http.js";

const ERC1271 = new Interface(["function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)"]);
/** ERC-1271: the selector of its only function, padded to a word. */
const VALID = `0x1626ba7e${"0".repeat(56)}`;

/**
 * Whether `signature` is one of `account` over `digest`, as the market will see it: by ERC-1271 where the account has
 * code, by its key otherwise (OpenZeppelin's SignatureChecker).
 *
 * @param digest - 32 bytes in hex
 * @throws ChainError where the chain can't be asked
 */
export async function isSignedBy(
  provider: Provider,
  account: string,
  digest: string,
  signature: string,
): Promise<boolean> {
  if (account === ZeroAddress) return false;
  try {
    if ((await provider.getCode(account)) === "0x") return recovers(account, digest, signature);
    const data = ERC1271.encodeFunctionData("isValidSignature", [digest, signature]);
    return (await provider.call({ to: account, data })) === VALID;
  } catch (error) {
    if (isError(error, "CALL_EXCEPTION")) return false;
    throw chainError(error, "check a signature");
  }
}

/** The contract takes 65 bytes only; so does this. */
function recovers(account: string, digest: string, signature: string): boolean {
  if (signature.length !== 2 + 2 * 65) return false;
  try {
    return recoverAddress(digest, signature) === account;
  } catch {
    return false;
  }
}

/**
 * Checks that a provider, or the signer that it registered, has signed.
 *
 * @param url - of its node, for the error
 * @throws HoldfastError `PROVIDER_REFUSED` where neither has
 * @throws ChainError where the chain can't be asked
 */
export async function checkAgreed(
  { contracts }: ChainAccess,
  url: string,
  provider: string,
  digest: string,
  signature: string,
): Promise<void> {
  const chain = contracts.market.runner?.provider as Provider;
  const signer = await ask("read the registry", contracts.registry.signerOf(provider));
  for (const account of [provider, signer]) if (await isSignedBy(chain, account, digest, signature)) return;
  throw refused(url, `its signature is neither the provider's (${provider}) nor its signer's`);
}
