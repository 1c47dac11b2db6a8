import { type Provider, type Signer, toBeHex } from "ethers";
import { connect, verifyDeployment } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { Mutex } from "../chain/mutex.js";
import { chainTime } from "../chain/time.js";
import { HoldfastError } from "../errors.js";
import { type FolderSource, packFolder } from "../piece/car/index.js";
import { type Commitment, commit, encodePieceCid, type Payload } from "../piece/index.js";
import { checkTerms, type DealTerms, dealDomain, dealIdOf, escrowOf, Stage, type Tier } from "../protocol/index.js";
import { type Amended, type AmendOptions, amendDeal } from "./amend.js";
import { extendDeal, terminateDeal } from "./deals.js";
import { isProvidersFault } from "./faults.js";
import {
  type AmendedFolder,
  type StoredFolder,
  type StoreFolderOptions,
  type StoreIntoOptions,
  storedFolder,
  storeInto,
  withPacked,
} from "./folders.js";
import { ask, balanceOf, type ChainAccess, fund, withdrawAll } from "./funds.js";
import { DealHistory } from "./history.js";
import { refused } from "./http.js";
import { type MigratedDeal, type MigrateOptions, migrateDeal } from "./migrate.js";
import { termsFor } from "./offered-terms.js";
import { askSignature, upload } from "./providers.js";
import { type Candidate, checkReplicas, type LeftOut, quote } from "./quote.js";
import { type PostedRequest, postRequest, type RequestWishes } from "./requests.js";
import { memorySink, type Retrieval, type RetrieveOptions, retrieve, type Sink } from "./retrieve.js";
import { type ChainSender, walletSender } from "./sender.js";
import { checkAgreed } from "./signatures.js";
import { type Deal, type SignedDeal, type StoredPiece, type StoreOptions, TooFewProvidersError } from "./stored.js";
import { checkWishes } from "./wishes.js";

export type ClientOptions = ChainAccess;

/** A piece, and what it is to be stored for. */
interface Order {
  readonly pieceCid: string;
  readonly commitment: Commitment;
  readonly payload: Payload;
  readonly options: StoreOptions;
  readonly tier: Tier;
}

const MOST_REASONS = 5;

/**
 * What a dapp uses: store a file in one call, get it back verified.
 *
 * A provider is never taken at its word: what is paid for is the commitment that was computed here, on terms that were
 * written here, against a signature that was checked here; every byte that comes back is hashed.
 *
 * @example
 * const client = await HoldfastClient.connect(signer, deployment);
 * const { pieceCid, deals } = await client.store(blob, { tier: 0, periods: 30, copies: 2, maxPricePerPeriod: 1_000n });
 * const { value } = await client.fetch(pieceCid, deals.map((deal) => deal.url));
 */
export class HoldfastClient {
  readonly #access: ChainAccess;
  readonly #provider: Provider;
  /** Two deals must not count on the same money. */
  readonly #paying = new Mutex();
  readonly #history: DealHistory;

  /** @throws HoldfastError `NO_PROVIDER` where the contracts are connected to none */
  constructor(options: ClientOptions) {
    const provider = options.contracts.market.runner?.provider;
    if (!provider) {
      throw new HoldfastError("NO_PROVIDER", "the contracts have no provider", "connect(provider, deployment)");
    }
    this.#access = options;
    this.#provider = provider;
    this.#history = new DealHistory(options);
  }

  /**
   * A client for one account, once the chain is seen to have the deployment.
   *
   * @param signer - connected to a provider: a browser's wallet, or an ethers `Wallet` on {@link connectChain}
   * @param sender - sends its transactions; the signer itself by default
   * @throws HoldfastError `NO_PROVIDER`, `DEPLOYMENT_MISMATCH`
   */
  static async connect(
    signer: Signer,
    deployment: Deployment,
    sender: ChainSender = walletSender(signer),
  ): Promise<HoldfastClient> {
    const contracts = connect(signer, deployment);
    const client = new HoldfastClient({ address: await signer.getAddress(), sender, deployment, contracts });
    await verifyDeployment(client.#provider, deployment);
    return client;
  }

  /**
   * Stores a payload with the best providers that offer it, as {@link quote} ranks them: commits to it here, hands it over, has the terms signed,
   * pays into escrow and opens a deal with each.
   *
   * Where a provider fails, the next one is asked. Deals that are open by then stay, and money that was deposited and not
   * used stays in the account's own vault balance.
   *
   * @throws HoldfastError `EMPTY_PIECE`, `UNKNOWN_TIER`, `INVALID_COPIES`, `INVALID_PERIODS`, `INVALID_REGION`
   * @throws TooFewProvidersError with the deals that are open by then, whatever went wrong with the others
   * @throws ChainError where money is missing or the chain can't be reached, and no deal is open
   */
  async store(payload: Payload, options: StoreOptions): Promise<StoredPiece> {
    const tier = checkWishes(this.#access.deployment, options);
    const { copies = 1, onProgress } = options;
    checkReplicas(copies);
    const commitment = await commit(payload.stream());
    const pieceCid = encodePieceCid(commitment).toString();
    onProgress?.({ step: "committed", pieceCid, commitment });
    const order: Order = { pieceCid, commitment, payload, options, tier };
    const deals: Deal[] = [];
    const wishes = { ...options, size: commitment.payloadSize };
    const { candidates, leftOut } = await quote(this.#access, wishes, { history: this.#history });
    const failures: string[] = [];
    for (const candidate of candidates) {
      if (deals.length === copies) break;
      // Two copies with one provider, under whatever URLs, would be one.
      if (deals.some(({ terms }) => terms.provider === candidate.provider)) continue;
      try {
        deals.push(await this.#place(candidate, order));
      } catch (error) {
        if (!isProvidersFault(error)) throw withDeals(error, copies, deals, failures);
        failures.push(error.message);
      }
    }
    if (deals.length === copies) return { pieceCid, commitment, deals };
    throw new TooFewProvidersError(copies, deals, [...failures, ...reasonsOf(leftOut)]);
  }

  /**
   * Stores a folder as one piece: a CAR, of which any file can be had by its path. Each file is read once.
   *
   * @param source - paths and contents, in any order; of a folder on disk: `readFolder` of `holdfast/node`
   * @param options - with `spool`, where the CAR lies meanwhile; in memory by default
   * @throws as {@link store} and {@link packFolder}
   */
  storeFolder(source: FolderSource, options: StoreFolderOptions): Promise<StoredFolder> {
    return withPacked(
      (packing) => packFolder(source, packing),
      options,
      async (packed) => storedFolder(packed, await this.store(packed.car, options)),
    );
  }

  /** Fetches a piece into memory, verified. @throws HoldfastError as {@link retrieve} */
  fetch(pieceCid: string, urls: readonly string[]): Promise<Retrieval<Uint8Array>>;
  /** Fetches a piece into a sink of one's own, verified. */
  fetch<T>(
    pieceCid: string,
    urls: readonly string[],
    makeSink: () => Sink<T> | Promise<Sink<T>>,
    options?: RetrieveOptions,
  ): Promise<Retrieval<T>>;
  fetch(
    pieceCid: string,
    urls: readonly string[],
    makeSink: () => Sink<unknown> | Promise<Sink<unknown>> = memorySink,
    options: RetrieveOptions = {},
  ): Promise<Retrieval<unknown>> {
    return retrieve(pieceCid, urls, makeSink, options);
  }

  /**
   * Pays for a deal that its provider has signed, and opens it. Where it is open already, this does nothing and costs
   * nothing: the same terms open once.
   *
   * @throws ChainError where money is missing, the terms have expired, or the market refuses them
   */
  open({ id, terms, providerSignature }: Omit<SignedDeal, "url">): Promise<void> {
    return this.#paying.run(async () => {
      const { contracts, sender } = this.#access;
      const [deal] = await ask("read a deal", contracts.lens.dealsOf([id]));
      if (deal !== undefined && Number(deal.stage) >= Stage.Open) return;
      const call = await contracts.market.open.populateTransaction(terms, "0x", providerSignature);
      await fund(this.#access, terms.token, escrowOf(terms));
      // The sender simulates before it sends, so a provider without stake costs no gas. Where somebody else was faster
      // and opened these terms, as a gift, the deal is this client's all the same: "done".
      await sender.send(call, "open a deal");
    });
  }

  /**
   * Voids terms that are not open, so that no transaction, of before or to come, can open them. Where they are open, this
   * does nothing.
   */
  async cancel(terms: DealTerms): Promise<void> {
    const { contracts, sender } = this.#access;
    await sender.send(await contracts.market.cancel.populateTransaction(terms), "cancel terms");
  }

  /** Ends a deal: the period in progress is still owed, the rest comes back at once. */
  terminate(id: bigint): Promise<void> {
    return terminateDeal(this.#access, id);
  }

  /**
   * Pays for more periods of a deal, anybody's, up to its maxPeriods. What is missing in the vault is deposited.
   *
   * @param maxCost - the most to pay in all, in base units
   * @throws as `extendDeal`
   */
  extend(id: bigint, periods: number, maxCost: bigint): Promise<void> {
    return this.#paying.run(() => extendDeal(this.#access, id, periods, maxCost));
  }

  /**
   * Gives a deal another piece, from the first window on whose challenge is far enough away.
   *
   * @param what - the payload, or the PieceCID of one that the deal's provider has already
   * @throws as `amendDeal`
   */
  amend(id: bigint, what: Payload | string, options: AmendOptions): Promise<Amended> {
    return amendDeal(this.#access, id, what, options, this.#paying);
  }

  /**
   * Adds a folder to the one that a deal is on; where both have a file at a path, the new one is kept.
   *
   * @throws as `storeInto`
   */
  storeInto(id: bigint, source: FolderSource, options: StoreIntoOptions): Promise<AmendedFolder> {
    return storeInto(this.#access, id, source, options, this.#paying);
  }

  /** Moves a deal to another provider, who shows that it has the piece. @throws as `migrateDeal` */
  migrate(id: bigint, options: MigrateOptions): Promise<MigratedDeal> {
    return migrateDeal(this.#access, id, options, this.#paying);
  }

  /** Posts a request to the open market. What is missing in the vault is deposited. @throws as `postRequest` */
  request(what: Payload | Commitment, wishes: RequestWishes): Promise<PostedRequest> {
    return this.#paying.run(() => postRequest(this.#access, what, wishes));
  }

  /** What the account has in the vault, in base units of `token` (zero: the native coin). */
  balance(token: string): Promise<bigint> {
    return balanceOf(this.#access, token);
  }

  /** Takes all of a token out of the vault. Gives back how much that was, in base units. */
  withdrawAll(token: string): Promise<bigint> {
    return this.#paying.run(() => withdrawAll(this.#access, token));
  }

  async #place(candidate: Candidate, { pieceCid, commitment, payload, options, tier }: Order): Promise<Deal> {
    const { url } = candidate;
    const { address, deployment } = this.#access;
    const check = async () => {
      const now = await ask("read the time", chainTime(this.#provider));
      const terms = termsFor(candidate, address, commitment, options, now);
      const { vault, registry, market } = deployment;
      checkTerms(terms, tier, { now, protocol: [vault, registry, market] });
      return terms;
    };
    // Before the upload, so that impossible terms cost no bytes, and after it, since it may have taken long.
    await check();
    await upload(url, pieceCid, payload);
    options.onProgress?.({ step: "uploaded", url });
    const terms = await check();
    const deal = { id: dealIdOf(dealDomain(deployment.chainId, deployment.market), terms), url, terms };
    const signed = { ...deal, providerSignature: await this.#signature(deal) };
    await options.onSigned?.(signed);
    await this.open(signed);
    options.onProgress?.({ step: "opened", deal });
    return deal;
  }

  /** The provider's signature over these very terms, checked before any money moves. */
  async #signature({ id, url, terms }: Deal): Promise<string> {
    const { dealId, providerSignature } = await askSignature(url, terms);
    if (BigInt(dealId) !== id) throw refused(url, `it signed another deal, ${dealId}`);
    await checkAgreed(this.#access, url, terms.provider, toBeHex(id, 32), providerSignature);
    return providerSignature;
  }
}

/** Why there were no more to choose from; the first few will do. */
function reasonsOf(leftOut: readonly LeftOut[]): string[] {
  const reasons = leftOut.slice(0, MOST_REASONS).map(({ provider, url, reason }) => `${provider ?? url}: ${reason}`);
  const more = leftOut.length - reasons.length;
  return more > 0 ? [...reasons, `and ${more} others`] : reasons;
}

/** What is paid for must not be lost in an error: the caller could neither fetch nor end it. */
function withDeals(error: unknown, copies: number, deals: readonly Deal[], failures: readonly string[]): unknown {
  if (deals.length === 0) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TooFewProvidersError(copies, deals, [...failures, reason], error);
}
