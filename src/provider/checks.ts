/**
 * What the desks that sign have in common.
 *
 * @packageDocumentation
 */
import type { Signer } from "ethers";
import type { DealViewStructOutput } from "../../typechain-types/MarketLens.js";
import type { Contracts } from "../chain/contracts.js";
import { chainError } from "../chain/errors.js";
import { HoldfastError } from "../errors.js";
import { Status } from "../protocol/index.js";
import type { PieceStore, PieceTree } from "../store/index.js";

/** Signatures that can be used for longer would be a free option on the provider's stake, in seconds. */
export const MAX_VALIDITY_SECONDS = 3_600n;

/** What this provider does not sign, and why. */
export function refusal(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError("DEAL_REFUSED", reason, "ask GET /offers for what is offered", { cause });
}

/** A key that was replaced signs nothing that the market accepts. @throws HoldfastError `DEAL_REFUSED` */
export async function checkSigner(contracts: Contracts, provider: string, signer: Signer): Promise<void> {
  const address = await signer.getAddress();
  if (address === provider) return;
  const registered = await contracts.registry.signerOf(provider);
  if (registered !== address) {
    throw refusal("this node's key is not the signer that the provider registered");
  }
}

/**
 * Gives one's word on a piece, just before the signature. Whatever was looked at before that may have been deleted since.
 *
 * @param until - unix seconds up to which it can be used
 * @throws HoldfastError `DEAL_REFUSED` where it is not here; from this call on, it stays
 */
export async function promise(
  { store }: { readonly store: Pick<PieceStore, "promise"> },
  { root, leafCount }: PieceTree,
  until: bigint,
): Promise<void> {
  if (!(await store.promise(root, leafCount, until))) throw refusal("the piece is not here any more");
}

/** A deal that is open. @throws HoldfastError `DEAL_REFUSED` */
export async function openDeal({ lens }: Contracts, id: bigint): Promise<DealViewStructOutput> {
  let deal: DealViewStructOutput;
  try {
    deal = await lens.dealOf(id);
  } catch (error) {
    const failed = chainError(error, "read a deal");
    throw failed.revert?.name === "UnknownDeal" ? refusal("the market has no such deal", error) : failed;
  }
  if (Number(deal.standing.status) !== Status.Open) throw refusal("that deal is not open, or not any more");
  return deal;
}
