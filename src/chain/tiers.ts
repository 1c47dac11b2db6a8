/**
 * What people call the tiers of a market.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import type { Deployment } from "./deployment.js";

/** Tiers that have a name, with the shape that tells them (PROTOCOL section 4); how long they last depends on the chain. */
const NAMED_TIERS = [
  { name: "hot", challenges: 3, maxMisses: 6 },
  { name: "warm", challenges: 5, maxMisses: 4 },
  { name: "archive", challenges: 10, maxMisses: 3 },
] as const;

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
