/** The command line on a {@link StorageNet}: settings in the environment, and back as they were. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { formatDeployment } from "../../src/chain/deployment.js";
import type { Outcome } from "./cli.js";
import { tempFolder } from "./pieces.js";
import type { StorageNet } from "./storage-net.js";

/**
 * Lets commands find the chain, as nobody yet: see {@link actAs}. What is given back sets the environment to what it was.
 *
 * @param more - further settings
 */
export async function commandsOn(
  net: Pick<StorageNet, "anvil" | "deployment">,
  more: Readonly<Record<string, string>> = {},
): Promise<() => void> {
  const file = join(await tempFolder(), "deployment.json");
  await writeFile(file, formatDeployment(net.deployment));
  const settings = { ...more, HOLDFAST_RPC: net.anvil.url, HOLDFAST_DEPLOYMENT: file };
  const names = [...Object.keys(settings), "HOLDFAST_PRIVATE_KEY"];
  const before = new Map(names.map((name) => [name, process.env[name]]));
  Object.assign(process.env, settings);
  delete process.env.HOLDFAST_PRIVATE_KEY;
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

/** Whose key commands act with from now on. */
export function actAs(wallet: Wallet): void {
  process.env.HOLDFAST_PRIVATE_KEY = wallet.privateKey;
}

/** What a command printed with `--json`, where it succeeded. */
export function jsonOf({ status, stdout, stderr }: Outcome) {
  expect(status, stderr).to.equal(0);
  return JSON.parse(stdout);
}
