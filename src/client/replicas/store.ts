/**
 * Storing a file as unique replicas: each provider gets bytes that are of no use to the others.
 *
 * @packageDocumentation
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { getAddress, hexlify } from "ethers";
import { ChainError } from "../../chain/errors.js";
import { HoldfastError } from "../../errors.js";
import { type Payload, readStream } from "../../piece/index.js";
import { escrowOf, Stage, termsFromJson, termsToJson } from "../../protocol/index.js";
import { type FileKey, hexOf, newReplicaId, replicaOf } from "../../replica/index.js";
import type { HoldfastClient } from "../client.js";
import { dealIdText } from "../deals.js";
import { ask, type ChainAccess } from "../funds.js";
import { type SignedDeal, type StoreOptions, type StoreStep, TooFewProvidersError } from "../stored.js";
import {
  type Manifest,
  ManifestBook,
  type ManifestReplica,
  type SaveManifest,
  takenProviders,
  wishesOf,
} from "./manifest.js";

/** A client, and the account that it acts for. */
export interface ReplicaSession {
  readonly client: HoldfastClient;
  readonly access: ChainAccess;
}

export interface StoreUniqueOptions extends Omit<StoreOptions, "copies" | "exclude" | "onSigned"> {
  /** How many replicas, each with another provider; at least one. */
  readonly copies: number;
  /** The file's name, for whoever reads the manifest. */
  readonly name?: string;
  /** Keeps the manifest: called before the first byte leaves, and at each step. */
  readonly save: SaveManifest;
}

/** A replica that is to be placed. */
export interface Placement {
  readonly id: Uint8Array;
  /** The replica's own bytes, encrypted. */
  readonly payload: Payload;
  readonly periods: number;
  /** The most that a period may cost, in base units. */
  readonly maxPricePerPeriod: bigint;
  /** Up to where the deal may be extended; what the manifest wishes by default. */
  readonly maxPeriods?: number;
  /** Whether a keeper places it. */
  readonly repair?: boolean;
  /** Nodes, and providers, to choose from; all that are registered by default. */
  readonly urls?: readonly string[];
  readonly providers?: readonly string[];
  readonly onProgress?: (step: StoreStep) => void;
}

/**
 * Stores a file as `copies` replicas, each encrypted under a key of its own, in a deal of its own, with another provider.
 *
 * The payload is read once to hash it, and twice for each provider that is tried. The key's secret has to be kept before
 * this is called. Where it fails half-way, the manifest that was saved last knows what is open: a keeper completes it.
 *
 * @param key - of this file alone
 * @throws HoldfastError `SOURCE_CHANGED`, `INVALID_REPLICA` for an empty file, and what `HoldfastClient.store` throws
 * @throws TooFewProvidersError where there are fewer providers than copies; what was placed stays
 * @example
 * const { key, secret } = await FileKey.generate();
 * await addToKeyring(keyring, secret);
 * const manifest = await storeUnique({ client, access }, await fileBlob(path), key, { ...wishes, copies: 3, save });
 */
export async function storeUnique(
  session: ReplicaSession,
  payload: Payload,
  key: FileKey,
  options: StoreUniqueOptions,
): Promise<Manifest> {
  const { copies, save, urls, providers, onProgress } = options;
  if (!Number.isInteger(copies) || copies < 1) {
    throw new HoldfastError("INVALID_COPIES", `${copies} replicas can't be stored`, "store at least one");
  }
  const first = await firstManifest(session.access, payload, key, options);
  await save(first);
  const book = new ManifestBook(first, save);
  for (let placed = 0; placed < copies; placed++) {
    const id = newReplicaId();
    await placeReplica(session, book, {
      id,
      payload: replicaOf(payload, key, id),
      periods: options.periods,
      maxPricePerPeriod: options.maxPricePerPeriod,
      ...(urls === undefined ? {} : { urls }),
      ...(providers === undefined ? {} : { providers }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  }
  return book.manifest;
}

/**
 * Opens a deal for a replica with the cheapest provider that has none, and keeps it in the manifest: before it is paid
 * for, and when it is open.
 *
 * @returns the replica, open
 * @throws TooFewProvidersError where no provider takes it; then nothing is on its way
 * @throws what `HoldfastClient.store` throws; the replica may then be in the manifest as `opening`, for
 *   {@link resumeReplica}
 */
export async function placeReplica(
  { client }: ReplicaSession,
  book: ManifestBook,
  { id, payload, repair, ...placement }: Placement,
): Promise<ManifestReplica> {
  const replicaId = hexlify(id);
  let opening: ManifestReplica | undefined;
  const onSigned = async (signed: SignedDeal, pieceCid: string) => {
    opening = { ...openingReplica(replicaId, pieceCid, signed), ...(repair === undefined ? {} : { repair }) };
    await book.put(opening);
  };
  let pieceCid = "";
  try {
    await client.store(payload, {
      ...wishesOf(book.manifest),
      ...placement,
      copies: 1,
      exclude: takenProviders(book.manifest),
      onSigned: (signed) => onSigned(signed, pieceCid),
      onProgress: (step) => {
        if (step.step === "committed") pieceCid = step.pieceCid;
        placement.onProgress?.(step);
      },
    });
  } catch (error) {
    // All who signed were refused by the market, so no transaction is on its way.
    if (error instanceof TooFewProvidersError && opening) await book.drop(replicaId);
    throw error;
  }
  return keepOpen(book, opening as ManifestReplica);
}

/**
 * Finishes an opening that was cut off, by a crash or by a chain that could not be reached. Never pays twice: the same
 * terms open once, and they are given up only when they can't be opened any more.
 *
 * @returns the replica, open; undefined where it was given up
 * @throws ChainError where money is missing or the chain can't be reached: the opening stays
 */
export async function resumeReplica(
  { client, access }: ReplicaSession,
  book: ManifestBook,
  replica: ManifestReplica,
): Promise<ManifestReplica | undefined> {
  if (!replica.opening) return replica;
  const { providerSignature } = replica.opening;
  const terms = termsFromJson(replica.opening.terms);
  const id = BigInt(replica.deal);
  try {
    await client.open({ id, terms, providerSignature });
    return await keepOpen(book, replica);
  } catch (error) {
    if (!(error instanceof ChainError) || !VOID_OR_REFUSED.has(error.revert?.name ?? "")) throw error;
    // An earlier transaction may still be on its way. Once the terms are void it can't open them.
    if (!VOID.has(error.revert?.name ?? "")) await client.cancel(terms);
  }
  const [deal] = await ask("read a deal", access.contracts.lens.dealsOf([id]));
  if (deal !== undefined && Number(deal.stage) >= Stage.Open) return keepOpen(book, replica);
  await book.drop(replica.id);
  return undefined;
}

/** The market says so of terms that can't be opened by any transaction, of now or of before. */
const VOID: ReadonlySet<string> = new Set(["TermsExpired", "TermsCancelled"]);
/** ... and of terms that the provider does not stand by. */
const VOID_OR_REFUSED: ReadonlySet<string> = new Set([
  ...VOID,
  "InsufficientStake",
  "StakeBelowMinimum",
  "InvalidProviderSignature",
  "NotRegistered",
]);

async function firstManifest(
  { deployment }: ChainAccess,
  payload: Payload,
  key: FileKey,
  options: StoreUniqueOptions,
): Promise<Manifest> {
  const { tier, periods, maxPeriods = periods, name, copies, maxPricePerPeriod, maxEgressPricePerGiB } = options;
  const { token = deployment.stakeToken, minCollateralRatio, regions } = options;
  return {
    format: "holdfast-replicas",
    version: 1,
    chainId: deployment.chainId,
    market: deployment.market,
    key: key.id,
    file: { ...(name === undefined ? {} : { name }), sha256: await digestOf(payload), size: payload.size },
    copies,
    wishes: {
      tier,
      periods,
      maxPeriods,
      token: getAddress(token),
      maxPricePerPeriod: maxPricePerPeriod.toString(),
      ...(maxEgressPricePerGiB === undefined ? {} : { maxEgressPricePerGiB: maxEgressPricePerGiB.toString() }),
      ...(minCollateralRatio === undefined ? {} : { minCollateralRatio }),
      ...(regions === undefined ? {} : { regions: [...regions] }),
    },
    replicas: [],
  };
}

async function digestOf(payload: Payload): Promise<string> {
  const hash = sha256.create();
  for await (const bytes of readStream(payload.stream())) hash.update(bytes);
  return hexOf(hash.digest());
}

function openingReplica(id: string, pieceCid: string, signed: SignedDeal): ManifestReplica {
  const { terms, providerSignature, url } = signed;
  return {
    id,
    pieceCid,
    deal: dealIdText(signed.id),
    provider: terms.provider,
    url,
    state: "opening",
    cost: escrowOf(terms).toString(),
    opening: { terms: termsToJson(terms), providerSignature },
  };
}

async function keepOpen(book: ManifestBook, { opening: _, ...replica }: ManifestReplica): Promise<ManifestReplica> {
  const open: ManifestReplica = { ...replica, state: "open" };
  await book.put(open);
  return open;
}
