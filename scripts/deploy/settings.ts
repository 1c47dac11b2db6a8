/** Settings that may lie in Hardhat's encrypted keystore (`npx hardhat keystore set NAME`). */
import hre from "hardhat";
import { configVariable } from "hardhat/config";
import { HoldfastError } from "../../src/errors.js";
import { passwordPrompt } from "../../src/keys/index.js";

export interface Setting {
  readonly value: string;
  /** Whether somebody was asked for a password: the environment has none, and that of Hardhat's development keystore lies beside it. */
  readonly isGuarded: boolean;
}

/**
 * A setting: of the environment, where it is set there and not empty, otherwise of Hardhat's keystore. Its password is asked for
 * only where the keystore has the setting: the names in it are not encrypted.
 *
 * @returns undefined where neither has it
 * @throws HoldfastError `NO_PASSWORD` naming the setting where nobody can be asked, or nothing was typed; `KEYSTORE_INVALID` where Hardhat
 *   can't read it
 */
export async function findSetting(name: string): Promise<Setting | undefined> {
  const value = process.env[name];
  // A setting that is left empty is none: .env.example has them all.
  if (value) return { value, isGuarded: false };
  let isGuarded = false;
  const requestSecretInput = () => {
    isGuarded = true;
    return askFor(name);
  };
  const asker = { requestSecretInput };
  hre.hooks.registerHandlers("userInterruptions", asker);
  delete process.env[name];
  try {
    const variable = configVariable(name, { default: "" });
    const found = await hre.hooks.runHandlerChain(
      "configurationVariables",
      "fetchValue",
      [variable],
      async (_context, { default: otherwise = "" }) => otherwise,
    );
    return found === "" ? undefined : { value: found, isGuarded };
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const message = `Hardhat's keystore does not give ${name}: its password is wrong, or the file is damaged`;
    throw new HoldfastError("KEYSTORE_INVALID", message, `try again, or set ${name} in the environment`, { cause });
  } finally {
    if (value !== undefined) process.env[name] = value;
    hre.hooks.unregisterHandlers("userInterruptions", asker);
  }
}

/** The value of a setting; see {@link findSetting}. */
export async function settingOf(name: string): Promise<string | undefined> {
  return (await findSetting(name))?.value;
}

/** Asked for at the terminal, on standard error: standard output is the result's. */
async function askFor(name: string): Promise<string> {
  try {
    return await passwordPrompt()(`password of Hardhat's keystore, which has ${name}`);
  } catch (cause) {
    if (!(cause instanceof HoldfastError) || cause.code !== "NO_PASSWORD") throw cause;
    const message = `${name} is in Hardhat's keystore, and there is no terminal to ask for its password at`;
    throw new HoldfastError("NO_PASSWORD", message, `set ${name} in the environment`, { cause });
  }
}
