import { type Signer, ZeroAddress, hexlify, randomBytes, toBeHex } from "ethers";
import type { Holdfast } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import type { TransactionSender } from "../chain/sender.js";
import { HoldfastError } from "../errors.js";
import { type Commitment, commit, encodePieceCid } from "../piece/index.js";
import { checkTerms, collateralFor, dealDomain, dealIdOf, type DealTerms, pricePerPeriodUp } from "../protocol/index.js";
import { askInfo, askSignature, type ProviderNode, upload } from "./providers.js";
import { memorySink, type Retrieval, retrieve, type Sink } from "./retrieve.js";

export interface ClientOptions {
  readonly address: string;
  readonly sender: TransactionSender;
  readonly deployment: Deployment;
  readonly contracts: Holdfast;
}

export interface StoreOptions {
  readonly tier: number;
  /** Periods paid now. */
  readonly periods: number;
  /** Up to where the deal may be extended; `periods` by default. */
  readonly maxPeriods?: number;
  /** How many providers keep the piece; 1 by default. */
  readonly copies?: number;
  /** Most that a period may cost at one provider, in base units. */
  readonly maxPricePerPeriod?: bigint;
  /** Nodes to choose from; all that are registered by default. */
  readonly urls?: readonly string[];
  readonly onProgress?: (step: StoreStep) => void;
}

export type StoreStep =
  | { readonly step: "committed"; readonly pieceCid: string; readonly commitment: Commitment }
  | { readonly step: "uploaded"; readonly url: string }
  | { readonly step: "opened"; readonly deal: Deal };

/** A deal that was opened. */
export interface Deal {
  readonly id: bigint;
  readonly url: string;
  readonly terms: DealTerms;
}

export interface StoredPiece {
  readonly pieceCid: string;
  readonly commitment: Commitment;
  readonly deals: readonly Deal[];
}

const VALIDITY_SECONDS = 1_800;
const PAGE = 100n;

/**
 * What a dapp uses: store a file in one call, get it back verified.
 *
 * @example
 * const client = new HoldfastClient({ address, sender, deployment, contracts });
 * const { pieceCid, deals } = await client.store(blob, { tier: 0, periods: 30, copies: 2 });
 * const { value } = await client.fetch(pieceCid, deals.map((deal) => deal.url));
 */
export class HoldfastClient {
  readonly #o: ClientOptions;

  constructor(options: ClientOptions) {
    this.#o = options;
  }

  /**
   * Stores a payload with the cheapest providers that offer it: commits to it here, hands it over, has the terms signed,
   * pays into escrow and opens a deal with each.
   *
   * Where a provider fails, the next one is asked; deals that are open by then stay.
   *
   * @throws HoldfastError `EMPTY_PIECE`, `TOO_FEW_PROVIDERS`, and what the chain refuses
   */
  async store(payload: Blob, options: StoreOptions): Promise<StoredPiece> {
    const commitment = await commit(payload.stream());
    const pieceCid = encodePieceCid(commitment).toString();
    options.onProgress?.({ step: "committed", pieceCid, commitment });
    const copies = options.copies ?? 1;
    const deals: Deal[] = [];
    const failures: string[] = [];
    for (const node of await this.candidates(commitment.payloadSize, options)) {
      if (deals.length === copies) break;
      try {
        deals.push(await this.#place(node, pieceCid, commitment, payload, options));
      } catch (error) {
        if (!(error instanceof HoldfastError) || !PROVIDER_FAULTS.has(error.code)) throw error;
        failures.push(error.message);
      }
    }
    if (deals.length === copies) return { pieceCid, commitment, deals };
    throw new HoldfastError(
      "TOO_FEW_PROVIDERS",
      `${deals.length} of ${copies} copies were placed${failures.length ? `: ${failures.join("; ")}` : ""}`,
      "allow a higher price, another tier, or fewer copies",
    );
  }

  /** Nodes that offer the tier for a payload of this size, the cheapest first. Those that don't answer are left out. */
  async candidates(payloadSize: bigint, options: StoreOptions): Promise<ProviderNode[]> {
    const { deployment } = this.#o;
    const urls = options.urls ?? (await this.#registeredUrls());
    const asked = await Promise.allSettled(urls.map((url) => askInfo(url)));
    const most = options.maxPricePerPeriod;
    return asked
      .flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []))
      .filter(({ info }) => info.chainId === deployment.chainId && same(info.market, deployment.market))
      .filter(({ info }) => BigInt(info.maxPieceBytes) >= payloadSize)
      .flatMap((node) => priced(node, options.tier, payloadSize))
      .filter(({ price }) => most === undefined || price <= most)
      .sort((a, b) => (a.price < b.price ? -1 : a.price > b.price ? 1 : 0))
      .map(({ node }) => node);
  }

  /** Fetches a piece into memory, verified. @throws HoldfastError as {@link retrieve} */
  fetch(pieceCid: string, urls: readonly string[]): Promise<Retrieval<Uint8Array>>;
  /** Fetches a piece into a sink of one's own, verified. */
  fetch<T>(
    pieceCid: string,
    urls: readonly string[],
    makeSink: () => Sink<T> | Promise<Sink<T>>,
  ): Promise<Retrieval<T>>;
  fetch(pieceCid: string, urls: readonly string[], makeSink: () => Sink<unknown> | Promise<Sink<unknown>> = memorySink) {
    return retrieve(pieceCid, urls, makeSink);
  }

  /** Ends a deal: the period in progress is still owed, the rest comes back at once. */
  async terminate(id: bigint): Promise<void> {
    await this.#o.sender.send(await this.#o.contracts.market.terminate.populateTransaction(id));
  }

  /** Pays for more periods of a deal, up to its maxPeriods. @param maxCost - base units */
  async extend(id: bigint, periods: number, maxCost: bigint): Promise<void> {
    await this.#o.sender.send(await this.#o.contracts.market.extend.populateTransaction(id, periods, maxCost));
  }

  /** What the account has in the vault, in base units. */
  balance(token: string): Promise<bigint> {
    return this.#o.contracts.vault.balanceOf(this.#o.address, BigInt(token));
  }

  /** Takes all of a token out of the vault. Gives back how much that was. */
  async withdrawAll(token: string): Promise<bigint> {
    const { contracts, sender, address } = this.#o;
    const amount = await this.balance(token);
    if (amount > 0n) await sender.send(await contracts.vault.withdraw.populateTransaction(token, address, amount));
    return amount;
  }

  async #place(
    node: ProviderNode,
    pieceCid: string,
    commitment: Commitment,
    payload: Blob,
    options: StoreOptions,
  ): Promise<Deal> {
    const terms = await this.#termsFor(node, commitment, options);
    await upload(node.url, pieceCid, payload);
    options.onProgress?.({ step: "uploaded", url: node.url });
    const { providerSignature } = await askSignature(node.url, terms);
    await this.fund(terms.token, terms.pricePerPeriod * BigInt(terms.periods));
    const { contracts, sender, deployment } = this.#o;
    await sender.send(await contracts.market.open.populateTransaction(terms, "0x", providerSignature));
    const id = dealIdOf(dealDomain(deployment.chainId, deployment.market), terms);
    const deal = { id, url: node.url, terms };
    options.onProgress?.({ step: "opened", deal });
    return deal;
  }

  async #termsFor({ info }: ProviderNode, commitment: Commitment, options: StoreOptions): Promise<DealTerms> {
    const { deployment, address } = this.#o;
    const tier = deployment.tiers[options.tier];
    const offer = info.tiers.find((each) => each.tier === options.tier);
    if (!tier || !offer) throw new HoldfastError("NO_SUCH_TIER", `tier ${options.tier} is not offered`, "choose another");
    const price = pricePerPeriodUp(commitment.payloadSize, BigInt(offer.pricePerGiBPerPeriod));
    const terms: DealTerms = {
      client: address,
      provider: info.provider,
      root: hexlify(commitment.root),
      leafCount: commitment.leafCount,
      tier: options.tier,
      periods: options.periods,
      maxPeriods: options.maxPeriods ?? options.periods,
      token: info.token,
      pricePerPeriod: price,
      collateral: collateralFor(price, offer.collateralRatio, tier.maxMisses),
      egressPricePerGiB: BigInt(offer.egressPricePerGiB),
      validUntil: Math.floor(Date.now() / 1_000) + VALIDITY_SECONDS,
      salt: hexlify(randomBytes(32)),
    };
    checkTerms(terms, tier);
    return terms;
  }

  /** Makes sure that the vault holds `amount` for this account and lets the market take it into escrow. */
  async fund(token: string, amount: bigint): Promise<void> {
    const { contracts, sender, deployment, address } = this.#o;
    const { vault } = contracts;
    const missing = amount - (await this.balance(token));
    if (missing <= 0n) {
      if (await vault.isOperator(address, deployment.market)) return;
      await sender.send(await vault.setOperator.populateTransaction(deployment.market, true));
      return;
    }
    const native = token === ZeroAddress;
    if (!native) await this.#approve(token, missing);
    const deposit = vault.depositAndApprove.populateTransaction(token, missing, deployment.market, {
      value: native ? missing : 0n,
    });
    await sender.send(await deposit);
  }
}
