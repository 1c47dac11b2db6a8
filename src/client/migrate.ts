/**
 * Moving a deal to another provider, who shows that it has the piece.
 *
 * @packageDocumentation
 */
import { getBytes, type Provider, toBeHex } from "ethers";
import { ChainError } from "../chain/errors.js";
import { Mutex } from "../chain/mutex.js";
import { obtainSeed } from "../chain/seeds.js";
import { chainTime } from "../chain/time.js";
import { HoldfastError } from "../errors.js";
import { type Commitment, commitmentOf, encodePieceCid, type Payload, verifyProof } from "../piece/index.js";
import {
  challengeIndices,
  checkTerms,
  type DealTerms,
  dealDomain,
  dealIdOf,
  escrowOf,
  type MigrationAnswer,
  migrationQuestionId,
  possessionEpoch,
} from "../protocol/index.js";
import { type DealInfo, dealIdText } from "./deals.js";
import { isProvidersFault } from "./faults.js";
import { ask, type ChainAccess, fund } from "./funds.js";
import { refused } from "./http.js";
import { commitToPieceOf, periodsLeft, readMovableDeal } from "./moving.js";
import { termsFor } from "./offered-terms.js";
import { askMigration, askPull, upload } from "./providers.js";
import { type Candidate, quote } from "./quote.js";
import { checkAgreed } from "./signatures.js";
import { checkWishes, type DealWishes } from "./wishes.js";

/** Where a deal is to go. What is not said stays as it is. */
export interface MigrateOptions extends Omit<Partial<DealWishes>, "maxPricePerPeriod"> {
  /** The most that a period may cost there, in base units of the token. */
  readonly maxPricePerPeriod: bigint;
  /** The piece, to hand over to the new provider; without it, that one fetches it from the old one. */
  readonly payload?: Payload;
  /** Milliseconds that fetching the piece may take; by its size by default: a minute, and one for each 8 MB. */
  readonly pullMs?: number;
  /** Told of each step as it is done. */
  readonly onProgress?: (step: MigrateStep) => void;
}

export type MigrateStep =
  | { readonly step: "chosen"; readonly provider: string; readonly url: string; readonly price: bigint }
  | { readonly step: "there"; readonly url: string; readonly pieceCid: string }
  | { readonly step: "refused"; readonly url: string; readonly reason: string };

export interface MigratedDeal {
  /** The deal that goes on. */
  readonly successor: bigint;
  readonly terms: DealTerms;
  readonly url: string;
}

/** How often a proof is asked for: each one is of use for 64 blocks at most, and the last may be near their end. */
const ATTEMPTS = 3;
const POLL_MS = 500;
const PULL_GRACE_MS = 60_000;
/** Bytes a millisecond, as for uploads. */
const SLOWEST_PULL = 128n;

/** A deal on its way. */
interface Move {
  readonly access: ChainAccess;
  readonly chain: Provider;
  readonly deal: DealInfo;
  readonly commitment: Commitment;
  readonly wishes: DealWishes;
  readonly options: MigrateOptions;
  readonly paying: Mutex;
}

/**
 * Moves a deal to another provider: finds one, has it fetch the piece from the old one (or hands the piece over), has it
 * sign the terms that follow and prove that it has the piece, checks both, and sends. What is left of the old deal's
 * escrow pays for the new one; the old provider is still owed the period in progress.
 *
 * The deal stays as it was where anything fails. Where a provider fails, the next one is asked.
 *
 * @param paying - held while money moves, so that nothing else counts on the same
 * @throws HoldfastError `UNKNOWN_DEAL`, `NOT_OWNER`, `DEAL_NOT_OPEN`, `AMENDMENT_PENDING`, `INVALID_PERIODS`,
 *   `UNKNOWN_TIER`, `PIECE_MISMATCH` where `payload` is another piece, `MIGRATION_FAILED` naming what was wrong with each
 *   provider
 * @throws ChainError where money is missing, the market refuses, or the chain can't be reached
 * @example
 * const { successor, url } = await migrateDeal(access, id, { maxPricePerPeriod: 2_000n, regions: ["DE"] });
 */
export async function migrateDeal(
  access: ChainAccess,
  id: bigint,
  options: MigrateOptions,
  paying: Mutex = new Mutex(),
): Promise<MigratedDeal> {
  const deal = await readMovableDeal(access, id);
  const wishes = await wishesFor(access, deal, options);
  checkWishes(access.deployment, wishes);
  const commitment = await commitmentFor(deal, options.payload);
  const chain = access.contracts.market.runner?.provider as Provider;
  const move: Move = { access, chain, deal, commitment, wishes, options, paying };
  const { candidates, leftOut } = await quote(access, { ...wishes, size: commitment.payloadSize });
  const failures: string[] = [];
  for (const candidate of candidates) {
    try {
      return await moveTo(candidate, move);
    } catch (error) {
      if (!isProvidersFault(error)) throw error;
      options.onProgress?.({ step: "refused", url: candidate.url, reason: error.message });
      failures.push(error.message);
    }
  }
  for (const { provider, url, reason } of leftOut) failures.push(`${provider ?? url}: ${reason}`);
  throw new HoldfastError(
    "MIGRATION_FAILED",
    `no provider took over deal ${dealIdText(id)}: ${failures.join("; ") || "none offers this"}`,
    "allow a higher price, another tier, or hand the piece over yourself; the deal is as it was",
  );
}

/** The periods that the owner gets back are those that the new deal is for. */
async function wishesFor(access: ChainAccess, deal: DealInfo, options: MigrateOptions): Promise<DealWishes> {
  const { exclude = [], ...wishes } = options;
  const periods = wishes.periods ?? (await periodsLeft(access, deal));
  const maxPeriods = wishes.maxPeriods ?? periods;
  return { tier: deal.tier, token: deal.token, ...wishes, periods, maxPeriods, exclude: [...exclude, deal.provider] };
}

async function commitmentFor(deal: DealInfo, payload: Payload | undefined): Promise<Commitment> {
  // The chain knows the piece's leaves but not its bytes: of the sizes that it can have, the largest costs most.
  if (payload === undefined) return commitmentOf(getBytes(deal.root), (deal.leafCount * 127n) / 4n);
  return commitToPieceOf(deal, payload);
}

async function moveTo(candidate: Candidate, move: Move): Promise<MigratedDeal> {
  const { access, chain, commitment, wishes, options } = move;
  const { url, provider, price } = candidate;
  const { deployment, address } = access;
  const { vault, registry, market } = deployment;
  const check = async () => {
    const now = await ask("read the time", chainTime(chain));
    const terms = termsFor(candidate, address, commitment, wishes, now);
    checkTerms(terms, deployment.tiers[wishes.tier], { now, protocol: [vault, registry, market] });
    return terms;
  };
  // Before the bytes move, so that impossible terms cost none, and after it, since it may have taken long.
  await check();
  options.onProgress?.({ step: "chosen", provider, url, price });
  const pieceCid = await bring(url, move);
  options.onProgress?.({ step: "there", url, pieceCid });
  const terms = await check();
  return { successor: await handOver(url, terms, move), terms, url };
}

/** Gets the piece to a node; gives the CID that it has it by. */
async function bring(url: string, { deal, commitment, options }: Move): Promise<string> {
  const { payload, pullMs = PULL_GRACE_MS + Number(commitment.payloadSize / SLOWEST_PULL) } = options;
  if (payload !== undefined) {
    const pieceCid = encodePieceCid(commitment).toString();
    await upload(url, pieceCid, payload);
    return pieceCid;
  }
  for (const until = performance.now() + pullMs; ; ) {
    const { pieceCid } = await askPull(url, deal.id);
    if (pieceCid !== undefined) return pieceCid;
    if (performance.now() > until) throw refused(url, `it did not get the piece within ${Math.ceil(pullMs / 1_000)} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Has the terms signed and possession proven, and sends both. A proof that comes too late is asked for again. */
async function handOver(url: string, terms: DealTerms, move: Move): Promise<bigint> {
  const { access } = move;
  const { chainId, market } = access.deployment;
  const successor = dealIdOf(dealDomain(chainId, market), terms);
  for (let attempt = 1; ; attempt++) {
    const { providerSignature, proof } = await proven(url, terms, move);
    await checkAgreed(access, url, terms.provider, toBeHex(successor, 32), providerSignature);
    try {
      await move.paying.run(() => send(terms, providerSignature, proof, move));
      return successor;
    } catch (error) {
      const late = error instanceof ChainError && error.revert?.name === "InvalidPossession";
      if (!late || attempt === ATTEMPTS) throw error;
    }
  }
}

/** What a provider answers, its proof checked as the market will check it. */
async function proven(url: string, terms: DealTerms, { access, chain, deal }: Move): Promise<MigrationAnswer> {
  const { contracts, deployment, sender } = access;
  const { chainId, market, tiers } = deployment;
  for (let attempt = 1; ; attempt++) {
    const epoch = possessionEpoch((await ask("read the head", chain.getBlockNumber())) + 1);
    const seed = await obtainSeed({ provider: chain, deployment, contracts, sender }, epoch);
    const answer = await askMigration(url, deal.id, terms);
    if (answer.epoch !== epoch) {
      if (attempt < ATTEMPTS) continue;
      throw refused(url, `it answers the challenge of block ${answer.epoch}, not of block ${epoch}`);
    }
    const { challenges: count } = tiers[terms.tier] as (typeof tiers)[number];
    const { leafCount } = terms;
    const question = { chainId, market, dealId: migrationQuestionId(deal.id, terms.provider), window: 0 };
    const leaves = challengeIndices({ ...question, seed, count, leafCount });
    if (verifyProof({ root: getBytes(terms.root), leafCount }, leaves, getBytes(answer.proof))) return answer;
    throw refused(url, "its proof of possession is wrong");
  }
}

/**
 * Deposits what the old deal's escrow does not cover, and moves the deal. Where a period of it has begun meanwhile, less
 * comes back, and what that leaves open is deposited as well.
 */
async function send(terms: DealTerms, providerSignature: string, proof: string, move: Move): Promise<void> {
  const { access, deal } = move;
  const { market } = access.contracts;
  const call = await market.migrate.populateTransaction(deal.id, terms, "0x", providerSignature, proof);
  for (let attempt = 1; ; attempt++) {
    const refund = BigInt(await periodsLeft(access, deal)) * deal.pricePerPeriod;
    const missing = escrowOf(terms) - (terms.token === deal.token ? refund : 0n);
    if (missing > 0n) await fund(access, terms.token, missing);
    try {
      await access.sender.send(call, "move a deal");
      return;
    } catch (error) {
      const short = error instanceof ChainError && error.revert?.name === "ERC6909InsufficientBalance";
      if (!short || attempt === ATTEMPTS) throw error;
    }
  }
}
