/** Where a chain differs from what a deployment file says of it. */
import { isError, keccak256, type Provider } from "ethers";
import type { Contracts } from "./contracts.js";
import { type Deployment, PARTS, type Part } from "./deployment.js";

/** Each difference in words: `feeBps is 100 there, 99 in the file`. */
export type Differences = readonly string[];

/**
 * Contracts that are not there, and those whose code is another than the one that the file's build has written down. A file
 * without a build says nothing of code.
 *
 * @throws What the provider throws where it can't be asked.
 */
export async function codeDifferences(provider: Provider, deployment: Deployment): Promise<Differences> {
  const found = await Promise.all(
    PARTS.map(async (part) => codeDifference(part, await provider.getCode(deployment[part]), deployment)),
  );
  return found.filter((difference) => difference !== undefined);
}

function codeDifference(part: Part, code: string, deployment: Deployment): string | undefined {
  if (code === "0x") return differs(part, "no code", deployment[part]);
  const expected = deployment.build?.codeHashes[part];
  const actual = keccak256(code);
  if (expected === undefined || actual === expected) return undefined;
  return `${part} is of another build, its code hash ${actual} there, ${expected} in the file`;
}

/**
 * Which contract calls which, and every parameter that a duty depends on. A contract that does not answer, since it is none
 * of these, differs.
 *
 * @throws What the provider throws where it can't be asked.
 */
export async function parameterDifferences(contracts: Contracts, deployment: Deployment): Promise<Differences> {
  const { market, lens, requests, provenance } = contracts;
  const found = await Promise.all([
    compare("market of the lens", lens.market(), deployment.market),
    compare("market of the requests", requests.market(), deployment.market),
    compare("lens of the requests", requests.lens(), deployment.lens),
    compare("lens of the provenance registry", provenance.lens(), deployment.lens),
    ...(["vault", "registry", "randomness", "treasury", "stakeToken"] as const).map((part) =>
      compare(part, market[part](), deployment[part]),
    ),
    ...(["feeBps", "challengeFinality", "demandWindow", "minStake"] as const).map((part) =>
      compare(part, market[part](), BigInt(deployment[part])),
    ),
    compare("number of tiers", market.tierCount(), BigInt(deployment.tiers.length)),
  ]);
  const wrong = found.filter((difference) => difference !== undefined);
  return wrong.length > 0 ? wrong : tierDifferences(market, deployment);
}

async function tierDifferences(market: Contracts["market"], { tiers }: Deployment): Promise<Differences> {
  const found = await Promise.all(
    tiers.map(async (tier, index) => {
      const actual = await market.tierAt(index);
      const parts = (["period", "window", "challenges", "maxMisses"] as const).filter(
        (part) => actual[part] !== BigInt(tier[part]),
      );
      return parts.map((part) => differs(`${part} of tier ${index}`, actual[part], BigInt(tier[part])));
    }),
  );
  return found.flat();
}

async function compare<T extends string | bigint>(
  what: string,
  asking: Promise<T>,
  expected: T,
): Promise<string | undefined> {
  try {
    const actual = await asking;
    return actual === expected ? undefined : differs(what, actual, expected);
  } catch (error) {
    // Reverted, or answered with something else: what is there is another contract.
    if (!isError(error, "CALL_EXCEPTION") && !isError(error, "BAD_DATA")) throw error;
    return differs(what, "not answered", expected);
  }
}

function differs(what: string, actual: string | bigint, expected: string | bigint): string {
  return `${what} is ${actual} there, ${expected} in the file`;
}
