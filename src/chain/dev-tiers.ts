import type { Deployment } from "./deployment.js";

/**
 * Tiers for a chain whose blocks are made within a second or on demand: the shapes of hot, warm and archive (how many
 * challenges, how many misses), with the shortest periods in which a keeper still has time.
 */
export function devTiers(): Deployment["tiers"] {
  return [
    { period: 16, window: 8, challenges: 3, maxMisses: 6 },
    { period: 32, window: 16, challenges: 5, maxMisses: 4 },
    { period: 64, window: 32, challenges: 10, maxMisses: 3 },
  ];
}
