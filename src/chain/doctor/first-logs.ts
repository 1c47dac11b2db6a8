import type { Provider } from "ethers";
import { type Deployment, partsOf } from "../deployment.js";

/**
 * The first block, from the deployment's on, whose logs a node serves; found in some twenty questions where it is not the first.
 *
 * @returns undefined where it does not even serve those of the head
 */
export async function firstLogs(provider: Provider, deployment: Deployment, head: number): Promise<number | undefined> {
  const address = partsOf(deployment).map((part) => deployment[part]);
  const serves = async (block: number) => {
    try {
      // A node that has thrown a block away may say that it has no logs, instead of that it does not know.
      const [there] = await Promise.all([
        provider.getBlock(block),
        provider.getLogs({ address, fromBlock: block, toBlock: block }),
      ]);
      return there !== null;
    } catch {
      return false;
    }
  };
  if (await serves(deployment.block)) return deployment.block;
  if (!(await serves(head))) return undefined;
  let [missing, served] = [deployment.block, head];
  while (served - missing > 1) {
    const middle = missing + Math.floor((served - missing) / 2);
    if (await serves(middle)) served = middle;
    else missing = middle;
  }
  return served;
}
