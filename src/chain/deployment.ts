/**
 * One deployment of Holdfast on one chain: where its contracts are and what was chosen when they were built.
 *
 * As JSON, amounts are decimal strings (a number in JSON loses digits above 2^53); addresses are checksummed. Pure:
 * reading and writing files is in `deployment-node.ts`.
 */
import { getAddress, isAddress } from "ethers";
import { z } from "zod";
import { HoldfastError } from "../errors.js";

/** Which contract gives the seeds: `DrandRandomness`, `RandaoRandomness` or `BlockhashRandomness`. */
export const RANDOMNESS_KINDS = ["drand", "randao", "blockhash"] as const;
export type RandomnessKind = (typeof RANDOMNESS_KINDS)[number];

const address = z
  .string()
  .refine((value) => isAddress(value), "not an address, or its checksum is wrong")
  .transform((value) => getAddress(value));
const amount = z
  .string()
  .regex(/^\d{1,78}$/, "amounts are decimal strings of base units")
  .transform((value) => BigInt(value));
const count = z.number().int().nonnegative().safe();
const positive = count.min(1);

const tier = z
  .strictObject({ period: positive.min(16), window: positive, challenges: positive.max(255), maxMisses: positive })
  .refine(({ period, window }) => window < period, "a window is shorter than its period");

/** The contracts of every deployment. */
export const PARTS = ["vault", "registry", "randomness", "market", "lens", "requests", "provenance"] as const;
/** And what asks Filecoin's actors, on Filecoin: `SectorProofs`. */
const ALL_PARTS = [...PARTS, "chainProofs"] as const;
export type Part = (typeof ALL_PARTS)[number];

/** The contracts that a deployment has. */
export function partsOf({ chainTiers }: Pick<Deployment, "chainTiers">): readonly Part[] {
  return chainTiers === 0 ? PARTS : ALL_PARTS;
}

/** What they were built from. */
const build = z.strictObject({
  compiler: z.string(),
  settings: z.string(),
  /** Of git; absent where the sources were in no repository. */
  commit: z.string().exactOptional(),
  /** That each contract was deployed in. */
  blocks: z.partialRecord(z.enum(ALL_PARTS), count),
  /** keccak256 of the code that is there, by contract. */
  codeHashes: z.partialRecord(z.enum(ALL_PARTS), z.string().regex(/^0x[\da-f]{64}$/, "not 32 bytes in hex")),
});

const schema = z.strictObject({
  chainId: positive,
  block: count,
  vault: address,
  registry: address,
  randomness: address,
  randomnessKind: z.enum(RANDOMNESS_KINDS),
  market: address,
  lens: address,
  requests: address,
  provenance: address,
  chainProofs: address,
  chainTiers: count.max(255),
  feeBps: count.max(100),
  treasury: address,
  challengeFinality: positive,
  demandWindow: positive,
  stakeToken: address,
  minStake: amount,
  tiers: z.array(tier).min(1).max(255),
  build: build.exactOptional(),
});

/**
 * Addresses and constructor arguments of a deployment.
 *
 * `block` is the one that the first of its contracts was deployed in: no event is older. `feeBps` is hundredths of a
 * percent of a period's price; `challengeFinality`, `demandWindow` and tiers are in epochs; `minStake` is in base units
 * of `stakeToken` (the zero address: the native coin). `chainTiers` has a bit for each tier that `chainProofs` may prove
 * (none, and the zero address, but on Filecoin). `build` is there where the deployment was made by `holdfast deploy`.
 */
export type Deployment = Readonly<Omit<z.output<typeof schema>, "tiers">> & {
  readonly tiers: readonly Readonly<z.output<typeof tier>>[];
};

/**
 * Reads a deployment from JSON. Works in a browser.
 *
 * @param json - text, or what `JSON.parse` or a bundler has made of it
 * @param name - what errors call it
 * @throws {HoldfastError} `DEPLOYMENT_INVALID` naming every member that is missing, unknown or wrong.
 *
 * @example
 * ```ts
 * const deployment = parseDeployment(await (await fetch("/deployments/314.json")).text());
 * ```
 */
export function parseDeployment(json: unknown, name = "The deployment"): Deployment {
  const parsed = schema.safeParse(typeof json === "string" ? jsonValue(json, name) : json);
  if (parsed.success) return parsed.data;
  const reasons = parsed.error.issues.map(({ path, message }) => {
    const member = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
    return member === "" ? message : `${member.replace(/^\./, "")}: ${message}`;
  });
  throw invalid(name, reasons.join("; "), parsed.error);
}

function jsonValue(json: string, name: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw invalid(name, "it is not JSON", cause);
  }
}

/** The JSON that {@link parseDeployment} reads, indented, with a newline at the end. */
export function formatDeployment(deployment: Deployment): string {
  const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
  return `${JSON.stringify(deployment, plain, 2)}\n`;
}

function invalid(name: string, reason: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    "DEPLOYMENT_INVALID",
    `${name} can't be used: ${reason}`,
    "Take the file from deployments/ as it was written by the deployment, or deploy again.",
    { cause },
  );
}
