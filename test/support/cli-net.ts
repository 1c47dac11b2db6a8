/** The command line on a {@link StorageNet}: settings in the environment, and back as they were. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { formatDeployment } from "../../src/chain/deployment.js";
import type { Outcome } from "./cli.js";
import { tempFolder } from "./pieces.js";
import type { StorageNet } from "./storage-net.js";

const SETTINGS = ["HOLDFAST_RPC", "HOLDFAST_DEPLOYMENT", "HOLDFAST_PRIVATE_KEY"] as const;

/** Lets commands find the chain. What is given back sets the environment to what it was. */
export async function commandsOn(net: StorageNet): Promise<() => void> {
  const before = new Map(SETTINGS.map((name) => [name, process.env[name]]));
  const file = join(await tempFolder(), "deployment.json");
  await writeFile(file, formatDeployment(net.deployment));
  process.env.HOLDFAST_RPC = net.anvil.url;
  process.env.HOLDFAST_DEPLOYMENT = file;
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
