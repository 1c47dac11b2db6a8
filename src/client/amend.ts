/**
 * Putting another piece in the place of a deal's: to append, to replace, to delete.
 *
 * @packageDocumentation
 */
import { hexlify, type Provider } from "ethers";
import { Mutex } from "../chain/mutex.js";
import { chainTime } from "../chain/time.js";
import { HoldfastError } from "../errors.js";
import { type Commitment, commit, decodePieceCid, encodePieceCid, type Payload } from "../piece/index.js";
import { type Amendment, amendmentDigest, dealDomain, pricePerPeriodUp, startedAt } from "../protocol/index.js";
import { type DealInfo, dealIdText, readOwnOpenDeal } from "./deals.js";
import { ask, type ChainAccess, fund } from "./funds.js";
import { refused } from "./http.js";
import { askOffers, listedProviders } from "./offers.js";
import { askAmendment, upload } from "./providers.js";
import { checkAgreed } from "./signatures.js";

export interface AmendOptions {
  /** The most that a period may cost from then on, in base units of the deal's token. */
  readonly maxPricePerPeriod: bigint;
  /** Told of each step as it is done. */
  readonly onProgress?: (step: AmendStep) => void;
}

export type AmendStep =
  | { readonly step: "committed"; readonly pieceCid: string; readonly commitment: Commitment }
  | { readonly step: "uploaded"; readonly url: string }
  | { readonly step: "signed"; readonly amendment: Amendment };

export interface Amended {
  readonly amendment: Amendment;
  readonly pieceCid: string;
  readonly commitment: Commitment;
  /** Where the deal's provider serves the piece. */
  readonly url: string;
  /** k*: the first window under the new commitment. Until the one before has closed, the old piece is proven. */
  readonly from: number;
}

const VALIDITY_SECONDS = 1_800n;
const OFFERS_TIMEOUT_MS = 10_000;

/**
 * Gives a deal another piece: hands it to the deal's provider, has it sign the amendment at the price that it offers for
 * a piece of that size, checks the signature, and sends. A higher price takes the difference for the windows concerned
 * from the owner's account in the vault, where what is missing is deposited; a lower one gives it back there.
 *
 * The deal stays as it was where anything fails.
 *
 * @param what - the payload, or the PieceCID of one that the provider has already
 * @param paying - held while money moves, so that nothing else counts on the same
 * @throws HoldfastError `UNKNOWN_DEAL`, `NOT_OWNER`, `DEAL_NOT_OPEN`, `AMENDMENT_PENDING`, `TOO_LATE`, `EMPTY_PIECE`,
 *   `INVALID_PIECE_CID`, `PRICE_TOO_HIGH`, `PROVIDER_UNREACHABLE`, `PROVIDER_REFUSED`
 * @throws ChainError where money is missing, the market refuses, or the chain can't be reached
 * @example
 * const { from } = await amendDeal(access, id, payload, { maxPricePerPeriod: 2_000n });
 */
export async function amendDeal(
  access: ChainAccess,
  id: bigint,
  what: Payload | string,
  { maxPricePerPeriod, onProgress }: AmendOptions,
  paying: Mutex = new Mutex(),
): Promise<Amended> {
  const deal = await readAmendableDeal(access, id);
  const commitment = typeof what === "string" ? decodePieceCid(what) : await commit(what.stream());
  const pieceCid = encodePieceCid(commitment).toString();
  onProgress?.({ step: "committed", pieceCid, commitment });
  const { url, price } = await priceAt(access, deal, commitment.payloadSize);
  if (price > maxPricePerPeriod) {
    const message = `a period of the new piece costs ${price} base units, over ${maxPricePerPeriod}`;
    throw new HoldfastError("PRICE_TOO_HIGH", message, "allow a higher price, or move the deal to another provider");
  }
  if (typeof what !== "string") {
    await upload(url, pieceCid, what);
    onProgress?.({ step: "uploaded", url });
  }
  const amendment: Amendment = {
    dealId: id,
    root: hexlify(commitment.root),
    leafCount: commitment.leafCount,
    pricePerPeriod: price,
    nonce: deal.amendments,
    // The upload may have taken long.
    validUntil: (await ask("read the time", chainTime(chainOf(access)))) + VALIDITY_SECONDS,
  };
  const providerSignature = await agreed(access, deal, url, amendment);
  onProgress?.({ step: "signed", amendment });
  const from = await paying.run(() => send(access, deal, amendment, providerSignature));
  return { amendment, pieceCid, commitment, url, from };
}

/**
 * A deal that its owner may amend now: asked before bytes and money move.
 *
 * @throws HoldfastError `UNKNOWN_DEAL`, `NOT_OWNER`, `DEAL_NOT_OPEN`, `AMENDMENT_PENDING`, `TOO_LATE`
 */
export async function readAmendableDeal(access: ChainAccess, id: bigint): Promise<DealInfo> {
  const deal = await readOwnOpenDeal(access, id);
  await checkInTime(access, deal);
  return deal;
}

async function checkInTime(access: ChainAccess, deal: DealInfo): Promise<void> {
  const text = dealIdText(deal.id);
  if (deal.pending) {
    const message = `another amendment of deal ${text} waits for window ${deal.pending.from}`;
    throw new HoldfastError("AMENDMENT_PENDING", message, "amend again when the window before it has closed");
  }
  if ((await firstWindow(access, deal)) <= deal.periods) return;
  const hint = "extend it first, or open a new deal";
  throw new HoldfastError("TOO_LATE", `deal ${text} has no window left that could still be changed`, hint);
}

/** k* of an amendment in the next block. */
async function firstWindow(access: ChainAccess, { firstEpoch, tier }: DealInfo): Promise<number> {
  const { tiers, challengeFinality } = access.deployment;
  const head = await ask("read the head", chainOf(access).getBlockNumber());
  const { period } = tiers[tier] as (typeof tiers)[number];
  return startedAt(firstEpoch, period, head + 1 + challengeFinality) + 1;
}

/** What the deal's provider asks for a piece of this size, in the deal's tier and token. */
async function priceAt(access: ChainAccess, deal: DealInfo, size: bigint): Promise<{ url: string; price: bigint }> {
  const [listed] = await listedProviders(access, [deal.provider]);
  if (!listed) throw new HoldfastError("NOT_REGISTERED", `${deal.provider} is not registered`, "move the deal");
  const { chainId, market, offers } = await askOffers(listed, AbortSignal.timeout(OFFERS_TIMEOUT_MS));
  const here = chainId === access.deployment.chainId && market === access.deployment.market;
  const prices = offers
    .map(({ offer }) => offer)
    .filter(
      ({ provider, tier, token }) => here && provider === deal.provider && tier === deal.tier && token === deal.token,
    )
    .filter(({ minSize, maxSize }) => minSize <= size && size <= maxSize)
    .map(({ pricePerGiBPerPeriod }) => pricePerPeriodUp(size, pricePerGiBPerPeriod));
  const [least] = prices.sort((a, b) => (a < b ? -1 : 1));
  if (least === undefined)
    throw refused(listed.url, `it offers nothing for ${size} bytes in the deal's tier and token`);
  return { url: listed.url, price: least };
}

/** The provider's signature over this very amendment, checked before any money moves. */
async function agreed(access: ChainAccess, deal: DealInfo, url: string, amendment: Amendment): Promise<string> {
  const { chainId, market } = access.deployment;
  const { providerSignature } = await askAmendment(url, amendment, deal.owner);
  const digest = amendmentDigest(dealDomain(chainId, market), amendment);
  await checkAgreed(access, url, deal.provider, digest, providerSignature);
  return providerSignature;
}

/** Gives k*, as the market says. */
async function send(access: ChainAccess, deal: DealInfo, amendment: Amendment, signature: string): Promise<number> {
  const { market } = access.contracts;
  const windows = BigInt(Math.max(0, deal.periods - (await firstWindow(access, deal)) + 1));
  const more = (amendment.pricePerPeriod - deal.pricePerPeriod) * windows;
  if (more > 0n) await fund(access, deal.token, more);
  const call = await market.amend.populateTransaction(amendment, "0x", signature);
  const sent = await access.sender.send(call, "amend a deal");
  const logs = sent.status === "mined" ? sent.receipt.logs : [];
  for (const log of logs) {
    const event = log.address === access.deployment.market ? market.interface.parseLog(log) : null;
    if (event?.name === "Amended") return Number(event.args.from);
  }
  throw new HoldfastError("NO_EVENT", "the market says nothing of the amendment", "read the deal to see what it is");
}

function chainOf({ contracts }: ChainAccess): Provider {
  return contracts.market.runner?.provider as Provider;
}
