/**
 * What moving a deal takes, to another provider or to another market: a deal that may be moved, how long it would still
 * have gone on, and its piece.
 *
 * @packageDocumentation
 */
import { hexlify, type Provider } from "ethers";
import type { Deployment } from "../chain/deployment.js";
import { HoldfastError } from "../errors.js";
import { type Commitment, commit, encodePieceCid, type Payload } from "../piece/index.js";
import { startedAt } from "../protocol/index.js";
import { type DealInfo, dealIdText, readOwnOpenDeal } from "./deals.js";
import { ask, type ChainAccess } from "./funds.js";

/**
 * A deal that `access` owns, that is open and has no amendment waiting.
 *
 * @throws HoldfastError `UNKNOWN_DEAL`, `NOT_OWNER`, `DEAL_NOT_OPEN`, `AMENDMENT_PENDING`
 * @throws ChainError where the chain can't be asked
 */
export async function readMovableDeal(access: ChainAccess, id: bigint): Promise<DealInfo> {
  const deal = await readOwnOpenDeal(access, id);
  if (!deal.pending) return deal;
  const message = `an amendment of deal ${dealIdText(id)} waits for window ${deal.pending.from}, and would be lost`;
  throw new HoldfastError("AMENDMENT_PENDING", message, "move the deal when the window before it has closed");
}

/** The periods that a deal gives back where it is ended in the next block: all that have not begun, but one. */
export async function periodsLeft({ contracts, deployment }: ChainAccess, deal: DealInfo): Promise<number> {
  const chain = contracts.market.runner?.provider as Provider;
  const head = await ask("read the head", chain.getBlockNumber());
  const { period } = deployment.tiers[deal.tier] as Deployment["tiers"][number];
  return Math.max(0, deal.periods - 1 - startedAt(deal.firstEpoch, period, head + 1));
}

/**
 * Commits to a payload that is said to be a deal's piece.
 *
 * @throws HoldfastError `PIECE_MISMATCH` where it is another one
 */
export async function commitToPieceOf({ id, root, leafCount }: DealInfo, payload: Payload): Promise<Commitment> {
  const commitment = await commit(payload.stream());
  if (hexlify(commitment.root) === root && commitment.leafCount === leafCount) return commitment;
  const message = `the payload is ${encodePieceCid(commitment)}, not the piece of deal ${dealIdText(id)}`;
  throw new HoldfastError("PIECE_MISMATCH", message, "give the file that the deal is for, or none");
}
