import { hexlify } from "ethers";
import {
  type Amendment,
  challengeIndices,
  type DealTerms,
  dealIdOf,
  migrationQuestionId,
  possessionEpoch,
  signAmendment,
  signMigration,
  signTerms,
} from "../../src/protocol/index.js";
import { ethers, latest, type OpenedDeal, type Piece, TIERS, termsFor, type World } from "./market.js";

type Signer = Parameters<typeof signTerms>[0];

/** An amendment to `piece` at the deal's price, which the market accepts as the next one; `changes` replace members. */
export async function amendmentFor(
  world: World,
  deal: Pick<OpenedDeal, "id" | "terms">,
  piece: Piece,
  changes: Partial<Amendment> = {},
): Promise<Amendment> {
  const { nonce } = await world.market.revisionOf(deal.id);
  return {
    dealId: deal.id,
    root: hexlify(piece.commitment.root),
    leafCount: piece.commitment.leafCount,
    pricePerPeriod: deal.terms.pricePerPeriod,
    nonce: Number(nonce),
    validUntil: 4_000_000_000n,
    ...changes,
  };
}

/** The owner sends, the provider has signed: the call as a promise, so that what it is refused with can be looked at. */
export async function sendAmendment(world: World, amendment: Amendment, by: Signer = world.provider) {
  const signature = await signAmendment(by, world.domain, amendment);
  return world.market.connect(world.client).amend(amendment, "0x", signature);
}

/** Amends a deal to `piece`; returns the deal as tests know it, with that piece. */
export async function amendDeal(
  world: World,
  deal: OpenedDeal,
  piece: Piece,
  changes: Partial<Amendment> = {},
): Promise<OpenedDeal> {
  await sendAmendment(world, await amendmentFor(world, deal, piece, changes));
  return { ...deal, piece };
}

/** A second provider, with stake for this market. */
export async function addProvider(world: World, stake = 100_000n) {
  const rival = world.keeper;
  const { vault, registry, tokenAddress, marketAddress } = world;
  await vault.connect(rival).setOperator(registry, true);
  const { name, url, peerId, region, offerUri } = await registry.profileOf(world.provider);
  await registry.connect(rival).register({ name, url, peerId, region, tiers: 7, offerUri });
  await registry.connect(rival).provision(marketAddress, tokenAddress, stake);
  return rival;
}

/** Terms under which `provider` would take the deal over. */
export const movedTerms = (
  world: World,
  piece: Pick<Piece, "commitment">,
  provider: string,
  changes: Partial<DealTerms> = {},
): DealTerms => termsFor(world, piece, { provider, ...changes });

/** The proof of possession that `provider` owes in the next block. */
export async function possessionOf(world: World, id: bigint, terms: DealTerms, piece: Piece): Promise<string> {
  const epoch = possessionEpoch((await latest()) + 1);
  const leaves = challengeIndices({
    chainId: Number((await ethers.provider.getNetwork()).chainId),
    market: world.marketAddress,
    dealId: migrationQuestionId(id, terms.provider),
    window: 0,
    seed: await world.randomness.seed(epoch, { blockTag: "pending" }),
    count: (TIERS[terms.tier] as (typeof TIERS)[number]).challenges,
    leafCount: terms.leafCount,
  });
  return hexlify(await piece.proofOf(leaves));
}

/** What the client sends to move a deal to `terms`, which `provider` has signed. */
export async function sendMigration(
  world: World,
  deal: Pick<OpenedDeal, "id" | "piece">,
  terms: DealTerms,
  provider: Signer,
  changes: { proof?: string } = {},
) {
  const signature = await signTerms(provider, world.domain, terms);
  const proof = changes.proof ?? (await possessionOf(world, deal.id, terms, deal.piece));
  return world.market.connect(world.client).migrate(deal.id, terms, "0x", signature, proof);
}

/** Moves a deal; returns the successor's id. */
export async function migrateDeal(
  world: World,
  deal: Pick<OpenedDeal, "id" | "piece">,
  terms: DealTerms,
  provider: Signer,
): Promise<bigint> {
  await sendMigration(world, deal, terms, provider);
  return dealIdOf(world.domain, terms);
}

/** The owner's consent, for others to send. */
export const consentTo = (world: World, by: Signer, dealId: bigint, terms: DealTerms): Promise<string> =>
  signMigration(by, world.domain, { dealId, successor: dealIdOf(world.domain, terms) });
