/** Where a chain differs from what a deployment file says of it. */
import { isError, keccak256, type Provider } from "ethers";
import type { Contracts } from "./contracts.js";
import { type Deployment, type Part, partsOf } from "./deployment.js";

/** Each difference in words: `feeBps is 100 there, 99 in the file`. */
export type Differences = readonly string[];

/**
 * Contracts that are not there, and those whose code is another than the one that the file's build has written down. A file
 * without a build says nothing of code.
 *
 * @throws What the provider throws where it can't be asked.
 */
export async function codeDifferences(provider: Provider, deployment: Deployment): Promise<Differences> {
  const found: string[] = [];
  // One after the other: an endpoint that is looked at has not said yet how much it bears.
  for (const part of partsOf(deployment)) {
    found.push(...codeDifference(part, await provider.getCode(deployment[part]), deployment));
  }
  return found;
}

function codeDifference(part: Part, code: string, deployment: Deployment): Differences {
  if (code === "0x") return [differs(part, "no code", deployment[part])];
  const expected = deployment.build?.codeHashes[part];
  const actual = keccak256(code);
  if (expected === undefined || actual === expected) return [];
  return [`${part} is of another build, its code hash ${actual} there, ${expected} in the file`];
}

/**
 * Which contract calls which, and every parameter that a duty depends on. A contract that does not answer, since it is none
 * of these, differs.
 *
 * @throws What the provider throws where it can't be asked.
 */
export async function parameterDifferences(contracts: Contracts, deployment: Deployment): Promise<Differences> {
  const { market, lens, requests, provenance } = contracts;
  const found = [
    ...(await compare("market of the lens", lens.market(), deployment.market)),
    ...(await compare("market of the requests", requests.market(), deployment.market)),
    ...(await compare("lens of the requests", requests.lens(), deployment.lens)),
    ...(await compare("lens of the provenance registry", provenance.lens(), deployment.lens)),
  ];
  for (const part of ["vault", "registry", "randomness", "treasury", "stakeToken", "chainProofs"] as const) {
    found.push(...(await compare(part, market[part](), deployment[part])));
  }
  for (const part of ["feeBps", "challengeFinality", "demandWindow", "minStake", "chainTiers"] as const) {
    found.push(...(await compare(part, market[part](), BigInt(deployment[part]))));
  }
  found.push(...(await compare("number of tiers", market.tierCount(), BigInt(deployment.tiers.length))));
  // A table of another length, or none, has no rows to compare.
  return found.length > 0 ? found : tierDifferences(market, deployment);
}

async function tierDifferences(market: Contracts["market"], { tiers }: Deployment): Promise<Differences> {
  const found: string[] = [];
  for (const [index, tier] of tiers.entries()) {
    const actual = await market.tierAt(index);
    for (const part of ["period", "window", "challenges", "maxMisses"] as const) {
      const expected = BigInt(tier[part]);
      if (actual[part] !== expected) found.push(differs(`${part} of tier ${index}`, actual[part], expected));
    }
  }
  return found;
}

async function compare<T extends string | bigint>(what: string, asking: Promise<T>, expected: T): Promise<Differences> {
  try {
    const actual = await asking;
    return actual === expected ? [] : [differs(what, actual, expected)];
  } catch (error) {
    // Reverted, or answered with something else: what is there is another contract.
    if (!isError(error, "CALL_EXCEPTION") && !isError(error, "BAD_DATA")) throw error;
    return [differs(what, "not answered", expected)];
  }
}

function differs(what: string, actual: string | bigint, expected: string | bigint): string {
  return `${what} is ${actual} there, ${expected} in the file`;
}
