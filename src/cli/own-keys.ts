/** Whether keys are what their duties need: apart from each other, and the provider's own where only that will do. */
import { getAddress } from "ethers";
import { isDevelopmentChain } from "../chain/block-time.js";
import type { Chain } from "../chain/chain.js";
import { HoldfastError } from "../errors.js";
import { type KeyRole, requireSeparate } from "../keys/index.js";

/**
 * Sees to it that no account has two duties, and that the one that sends proofs all day owns no stake. On a developer's own chain
 * one key may do everything.
 *
 * @param provider - undefined where none is served: nothing is asked then
 * @throws HoldfastError `SHARED_KEY`; what the chain answers
 */
export async function requireOwnKeys(
  { contracts, deployment }: Pick<Chain, "contracts" | "deployment">,
  provider: string | undefined,
  keys: Readonly<Partial<Record<KeyRole, string>>>,
): Promise<void> {
  if (provider === undefined || isDevelopmentChain(deployment.chainId)) return;
  if (keys.proving !== undefined && getAddress(keys.proving) === getAddress(provider)) throw powerful(provider);
  const payout = await contracts.registry.payeeOf(provider);
  if (keys.stake !== undefined && [keys.stake, payout].every((one) => getAddress(one) === getAddress(provider))) {
    throw paidToStake(provider);
  }
  requireSeparate({ payout, ...keys });
}

/** Nobody but the provider may bond its stake. @throws HoldfastError `WRONG_STAKE_KEY` */
export function requireStakeKey(provider: string, stake: string): void {
  if (getAddress(stake) === getAddress(provider)) return;
  const message = `${stake} can't bond the stake of ${provider}: only its own account can`;
  const hint = "name that key (HOLDFAST_STAKE_KEYSTORE), or leave `restore` out of the policy";
  throw new HoldfastError("WRONG_STAKE_KEY", message, hint);
}

/** The stake's key has to be this one: only who is paid can be another. */
function paidToStake(provider: string): HoldfastError {
  const message = `${provider}, the provider's own account, is the key for payout and for stake`;
  const hint =
    "have another account paid (`holdfast provider init --payee ADDRESS`), or leave `restore` out of the policy";
  return new HoldfastError("SHARED_KEY", message, hint);
}

function powerful(provider: string): HoldfastError {
  const message = `${provider} is the provider's own account, and the key for proving`;
  const hint = "make a key that owns nothing with `holdfast keys new`, and name it (HOLDFAST_PROVING_KEYSTORE)";
  return new HoldfastError("SHARED_KEY", message, hint);
}
