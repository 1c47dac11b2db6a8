/** What is written down of a deployment when it is done. */
import { execFileSync } from "node:child_process";
import { type JsonRpcApiProvider, keccak256, ZeroAddress } from "ethers";
import hre from "hardhat";
import { type DeployOptions, marketConfig } from "../../src/chain/deploy.js";
import { type Deployment, type PARTS, type Part, partsOf } from "../../src/chain/deployment.js";
import { ROOT } from "../../src/cli/root.js";
import type { Deployed } from "./run.js";

/**
 * The deployment as its file has it: with the blocks, the build and the code that is there now.
 *
 * @throws what the node throws; Error where a transaction has no receipt
 */
export async function recordOf(
  provider: JsonRpcApiProvider,
  chainId: number,
  options: DeployOptions,
  { addressOf, hashOf }: Deployed,
): Promise<Deployment> {
  const config = marketConfig(options);
  const parts = partsOf(config);
  const at = await byPart(parts, async (part) => addressOf(part));
  const blocks = await byPart(parts, (part) => blockOf(provider, hashOf(at[part]!)));
  const codeHashes = await byPart(parts, async (part) => keccak256(await provider.getCode(at[part]!)));
  const { randomnessKind } = options;
  const build = { ...compilerOf(), ...commitOf(), blocks, codeHashes };
  const block = Math.min(...Object.values(blocks));
  const { chainProofs = ZeroAddress, ...others } = at;
  return { chainId, block, ...others, chainProofs, randomnessKind, ...config, build };
}

/** Those that every deployment has, and those that some have. */
type Parts<T> = Record<(typeof PARTS)[number], T> & Partial<Record<Part, T>>;

async function byPart<T>(parts: readonly Part[], read: (part: Part) => Promise<T>): Promise<Parts<T>> {
  const entries = await Promise.all(parts.map(async (part) => [part, await read(part)] as const));
  return Object.fromEntries(entries) as Parts<T>;
}

async function blockOf(provider: JsonRpcApiProvider, hash: string): Promise<number> {
  const receipt = await provider.getTransactionReceipt(hash);
  if (receipt === null) throw new Error(`the node has no receipt of ${hash}`);
  return receipt.blockNumber;
}

function compilerOf(): { compiler: string; settings: string } {
  const { version, settings } = hre.config.solidity.profiles.production!.compilers[0]!;
  const { evmVersion, optimizer } = settings as { evmVersion: string; optimizer: { runs: number } };
  return { compiler: `solc ${version}`, settings: `${evmVersion}, optimizer ${optimizer.runs} runs` };
}

/** Of the sources, as git has them; none where they are in no repository. */
function commitOf(): { commit?: string } {
  try {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: ROOT, stdio: ["ignore", "pipe", "ignore"] });
    const commit = git("rev-parse", "HEAD").toString().trim();
    const isClean = git("status", "--porcelain", "contracts", "hardhat.config.ts", "package-lock.json").length === 0;
    return { commit: isClean ? commit : `${commit} with changes` };
  } catch {
    return {};
  }
}
