/**
 * Values as people write them on a command line.
 *
 * @packageDocumentation
 */
import { InvalidArgumentError } from "commander";
import { getAddress, isAddress } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { HoldfastError } from "../errors.js";

const MAX_COUNT = 2 ** 32 - 1;

/** Tiers that have a name, with the shape that tells them (PROTOCOL section 4); how long they last depends on the chain. */
const NAMED_TIERS = [
  { name: "hot", challenges: 3, maxMisses: 6 },
  { name: "warm", challenges: 5, maxMisses: 4 },
  { name: "archive", challenges: 10, maxMisses: 3 },
] as const;

/** Bytes: `1500`, `10MiB`, `1.5 GB` (a power of 1,000). A fraction of a byte is left off. */
export function parseSize(text: string): bigint {
  const [, whole = "0", fraction = "", unit = ""] = /^(\d{1,15})(?:\.(\d{1,9}))?\s*(B|[KMGTP]i?B)?$/i.exec(text) ?? [];
  const power = BigInt("BKMGTP".indexOf(unit.charAt(0).toUpperCase()));
  const factor = (/i/i.test(unit) ? 1_024n : 1_000n) ** power;
  const bytes = (BigInt(whole + fraction) * factor) / 10n ** BigInt(fraction.length);
  if (bytes > 0n) return bytes;
  throw new InvalidArgumentError("It has to be a number of bytes, with a unit or without: 1500, 10MiB, 1.5GB.");
}

/** A whole number from 1 to 2^32 - 1. */
export function parseCount(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_COUNT) return Number(text);
  throw new InvalidArgumentError(`It has to be a whole number from 1 to ${MAX_COUNT}.`);
}

/** An address; where it has capitals, its checksum has to be right. Gives the checksummed form. */
export function parseAddress(text: string): string {
  if (/^0x/.test(text) && isAddress(text)) return getAddress(text);
  throw new InvalidArgumentError("It has to be an address, 0x and 40 hexadecimal digits, its checksum right.");
}

/**
 * The tier that a name or an index means in a deployment. Names are those of PROTOCOL section 4, where the deployment has
 * just these three tiers.
 *
 * @throws HoldfastError `UNKNOWN_TIER` naming those that there are
 */
export function tierIndex(text: string, { tiers }: Pick<Deployment, "tiers">): number {
  const known = tiers.map((_, tier) => tierName(tier, { tiers }));
  const index = /^\d{1,3}$/.test(text) ? Number(text) : known.indexOf(text.toLowerCase());
  if (tiers[index] !== undefined) return index;
  const list = known.map((name, tier) => (name === String(tier) ? name : `${tier} (${name})`)).join(", ");
  throw new HoldfastError("UNKNOWN_TIER", `the market has no tier ${text}`, `it has these: ${list}`);
}

/** What people call a tier: its name where the deployment has the named ones, its index otherwise. */
export function tierName(tier: number, { tiers }: Pick<Deployment, "tiers">): string {
  const isNamed =
    tiers.length === NAMED_TIERS.length &&
    NAMED_TIERS.every((named, i) => {
      const { challenges, maxMisses } = tiers[i] as Deployment["tiers"][number];
      return named.challenges === challenges && named.maxMisses === maxMisses;
    });
  return (isNamed ? NAMED_TIERS[tier]?.name : undefined) ?? String(tier);
}
