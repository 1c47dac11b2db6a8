/** The chains that the demo and the e2e tests run on: one anvil, dressed up as what Holdfast is deployed to. */
import type { Deployment, RandomnessKind } from "../../src/chain/deployment.js";
import { NETWORKS } from "../../src/chain/networks.js";
import { HoldfastError } from "../../src/errors.js";

export interface ChainProfile {
  readonly name: string;
  /** A developer's own in every case: its head is never late, and keys are worth nothing on it. */
  readonly chainId: number;
  /** Between the timestamps of two blocks; undefined: those of the machine's clock. */
  readonly blockSeconds: number | undefined;
  /** anvil's name for what the chain's EVM knows; its latest where there is none. */
  readonly hardfork: string | undefined;
  readonly blockGas: number | undefined;
  /** Whether it answers as Lotus does: null rounds, gas of FVM, drand's precompile. */
  readonly isFilecoin: boolean;
  readonly randomnessKind: RandomnessKind;
  /** In epochs. */
  readonly challengeFinality: number;
  /** Blocks for one of the plain profile's, in which its deals are reckoned. */
  readonly scale: number;
}

const PLAIN: ChainProfile = {
  name: "local",
  chainId: 31_337,
  blockSeconds: undefined,
  hardfork: undefined,
  blockGas: undefined,
  isFilecoin: false,
  randomnessKind: "blockhash",
  challengeFinality: 2,
  scale: 1,
};

/**
 * A period has to be longer than finality: 16 blocks of the plain profile are 160, 400 and 640 of these. Where the chain keeps old
 * hashes (EIP-2935), anvil takes the longer for a block the more there were, so those have few.
 */
export const PROFILES: readonly ChainProfile[] = [
  PLAIN,
  { ...like("sepolia"), name: "ethereum", scale: 10 },
  { ...like("baseSepolia"), name: "base", scale: 25 },
  {
    ...like("calibration"),
    name: "filecoin",
    // Lotus' own id of a developer's network.
    chainId: 31_415_926,
    // No contract that keeps old hashes (EIP-2935).
    hardfork: "cancun",
    blockGas: 10_000_000_000,
    isFilecoin: true,
    scale: 40,
  },
];

/** What is known of a network: its seconds, its seeds, its finality. */
function like(network: string): Omit<ChainProfile, "name" | "scale"> {
  const { blockSeconds, randomnessKind, challengeFinality } = NETWORKS.find(({ name }) => name === network)!;
  return { ...PLAIN, blockSeconds, randomnessKind, challengeFinality };
}

/** @throws HoldfastError `UNKNOWN_PROFILE` naming those that there are */
export function profileNamed(name: string): ChainProfile {
  const profile = PROFILES.find((one) => one.name === name);
  if (profile !== undefined) return profile;
  const known = PROFILES.map((one) => one.name).join(", ");
  throw new HoldfastError("UNKNOWN_PROFILE", `there is no profile ${JSON.stringify(name)}`, `known are ${known}`);
}

/** Tiers of the plain profile, at another's pace. */
export function tiersAt({ scale }: ChainProfile, tiers: Deployment["tiers"]): Deployment["tiers"] {
  return tiers.map((tier) => ({ ...tier, period: tier.period * scale, window: tier.window * scale }));
}
