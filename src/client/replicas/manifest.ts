/**
 * What an owner keeps of a file that is stored as unique replicas: everything but the secret (docs/replicas.md).
 *
 * @packageDocumentation
 */
import { z } from "zod";
import { HoldfastError } from "../../errors.js";
import { fields } from "../../protocol/index.js";
import type { DealWishes } from "../wishes.js";

const { address, amount, bytes32, count, safe, signature, terms } = fields;

/**
 * `opening`: its deal is agreed on, and may be open, or on its way. `open`: it is, or has been seen to be. `lost`: its deal
 * defaulted, or was ended early, and another replica takes its place. `over`: its deal has run its whole time.
 */
const state = z.enum(["opening", "open", "lost", "over"]);

const replica = z
  .strictObject({
    id: bytes32,
    pieceCid: z.string().min(1).max(200),
    deal: bytes32,
    provider: address,
    url: z.string().max(2_048),
    state,
    /** What went into escrow at its opening, in base units. */
    cost: amount,
    /** Placed by a keeper, whose budget its cost counts against. */
    repair: z.boolean().optional(),
    /** What can finish the opening. Terms open once, so sending them again never pays twice. */
    opening: z.strictObject({ terms, providerSignature: signature }).optional(),
  })
  .refine((value) => (value.state === "opening") === (value.opening !== undefined), "`opening` goes with its state");

const wishes = z.strictObject({
  tier: z.number().int().min(0).max(255),
  periods: count.min(1),
  maxPeriods: count.min(1),
  token: address,
  maxPricePerPeriod: amount,
  maxEgressPricePerGiB: amount.optional(),
  minCollateralRatio: count.optional(),
  regions: z.array(z.string().min(1).max(6)).max(1_000).optional(),
});

const manifest = z.strictObject({
  format: z.literal("holdfast-replicas"),
  version: z.literal(1),
  chainId: z.number().int().min(1),
  market: address,
  /** Names the key in the owner's keyring; says nothing about it. */
  key: z.string().regex(/^[0-9a-f]{32}$/, "32 hexadecimal digits"),
  file: z.strictObject({
    name: z.string().max(1_024).optional(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits"),
    size: safe.min(1),
  }),
  /** How many replicas there are to be. */
  copies: count.min(1),
  wishes,
  replicas: z.array(replica).max(10_000),
});

/** One replica, of now or of the past. */
export type ManifestReplica = z.infer<typeof replica>;
/** A file's manifest, version 1. Amounts are decimal strings of base units, ids hex. */
export type Manifest = z.infer<typeof manifest>;

/**
 * Reads a manifest.
 *
 * @throws HoldfastError `INVALID_MANIFEST` naming the field that is wrong
 */
export function parseManifest(json: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw invalid("it is not JSON", cause);
  }
  const result = manifest.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw invalid(`${issue?.path.join(".") || "the whole"}: ${issue?.message}`);
  }
  const ids = result.data.replicas.map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw invalid("two replicas have the same id");
  return result.data;
}

/** A manifest as JSON, for people to read, too. */
export function formatManifest(value: Manifest): string {
  return `${JSON.stringify(manifest.parse(value), undefined, 2)}\n`;
}

/** What was wished for, as the client takes it. */
export function wishesOf({ wishes: { maxPricePerPeriod, maxEgressPricePerGiB, ...rest } }: Manifest): DealWishes {
  const { tier, periods, maxPeriods, token, minCollateralRatio, regions } = rest;
  return {
    tier,
    periods,
    maxPeriods,
    token,
    maxPricePerPeriod: BigInt(maxPricePerPeriod),
    ...(maxEgressPricePerGiB === undefined ? {} : { maxEgressPricePerGiB: BigInt(maxEgressPricePerGiB) }),
    ...(minCollateralRatio === undefined ? {} : { minCollateralRatio }),
    ...(regions === undefined ? {} : { regions }),
  };
}

/** Keeps a manifest. Has to be done when the promise is: money moves after it. */
export type SaveManifest = (manifest: Manifest) => void | Promise<void>;

/** A manifest that changes, each change kept before anything is built on it. */
export class ManifestBook {
  #manifest: Manifest;
  readonly #save: SaveManifest;

  constructor(manifest: Manifest, save: SaveManifest) {
    this.#manifest = manifest;
    this.#save = save;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /** Keeps a replica, in the place of the one with its id where there is one. */
  put(replica: ManifestReplica): Promise<void> {
    return this.#change([...this.#manifest.replicas.filter(({ id }) => id !== replica.id), replica]);
  }

  /** Forgets a replica. */
  drop(id: string): Promise<void> {
    return this.#change(this.#manifest.replicas.filter((replica) => replica.id !== id));
  }

  async #change(replicas: ManifestReplica[]): Promise<void> {
    const next = { ...this.#manifest, replicas };
    await this.#save(next);
    this.#manifest = next;
  }
}

/** Providers that must not get another replica: they have one, may get one, or lost one. */
export function takenProviders({ replicas }: Manifest): string[] {
  return replicas.filter(({ state }) => state !== "over").map(({ provider }) => provider);
}

function invalid(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError("INVALID_MANIFEST", `not a manifest: ${why}`, "restore it from a backup", { cause });
}
