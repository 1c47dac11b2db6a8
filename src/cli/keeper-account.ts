/** Which account a keeper pays with, told without its password. */
import { getAddress, isAddress } from "ethers";
import { HoldfastError } from "../errors.js";
import { keySourceFrom, keysFolder, keystorePath } from "../keys/index.js";
import { readKeyFile } from "../keys/key-file-node.js";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The address of the key that sends proofs, as the keystore or `…ACCOUNT` says it: nothing is decrypted, nobody is asked.
 *
 * @returns its address, checksum right
 * @throws HoldfastError what is wrong with the settings or the file, `KEYSTORE_INVALID` where it names no address
 */
export async function provingAddress(environment: Environment = process.env): Promise<string> {
  const source = keySourceFrom(environment, "proving");
  if (source.development) return (await source.open()).address;
  const prefix = ["HOLDFAST_PROVING_", "HOLDFAST_"].find((one) =>
    ["KEYSTORE", "REMOTE_SIGNER"].some((kind) => (environment[one + kind] ?? "") !== ""),
  );
  const keystore = environment[`${prefix}KEYSTORE`] ?? "";
  if (keystore === "") return getAddress(environment[`${prefix}ACCOUNT`] ?? "");
  // The same rule as for opening it: a path, or a name.
  return addressIn(/[/\\.]/.test(keystore) ? keystore : keystorePath(keysFolder(environment), keystore));
}

async function addressIn(path: string): Promise<string> {
  const text = await readKeyFile(path, "keystore");
  let named: string;
  try {
    named = `0x${String((JSON.parse(text) as { address?: unknown }).address).replace(/^0x/, "")}`;
  } catch {
    named = "";
  }
  if (isAddress(named)) return getAddress(named);
  const hint = "a keystore of `holdfast keys` does; `keeper run` opens this one all the same, if its password is right";
  throw new HoldfastError("KEYSTORE_INVALID", `${path} does not say which account it is of`, hint);
}
