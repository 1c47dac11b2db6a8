/** Whether the account that commands act with can pay for what it has to. */
import { type JsonRpcApiProvider, ZeroAddress } from "ethers";
import { connect } from "../contracts.js";
import type { Deployment } from "../deployment.js";
import type { Network } from "../networks.js";
import { type Finding, look, type Notes, notesAt } from "./finding.js";
import { coinText, type GasCosts } from "./gas.js";

/** Proofs that an account should be able to pay for: a deal with a window each four hours has that many in 50 days. */
const PROOFS = 300n;

export interface AccountOptions {
  readonly address: string;
  readonly network: Network | undefined;
  readonly deployment: Deployment | undefined;
  /** Undefined where they are not known. */
  readonly costs: GasCosts | undefined;
}

/** Looks at an account's coin, its claims in the vault, and its stake where it is a provider. */
export async function examineAccount(provider: JsonRpcApiProvider, options: AccountOptions): Promise<Finding[]> {
  const notes = notesAt("");
  const { deployment, address } = options;
  const coin = await look(notes, "balance", () => balance(notes, provider, options));
  if (deployment === undefined) return coin;
  return [...coin, ...(await look(notes, "stake", () => stake(notes, provider, deployment, address)))];
}

async function balance(
  notes: Notes,
  provider: JsonRpcApiProvider,
  { address, network, costs }: AccountOptions,
): Promise<Finding> {
  const has = await provider.getBalance(address);
  const [symbol, faucet] = [network?.coin ?? "coin", network?.faucet];
  const todo = faucet === undefined ? "send it some" : `get some from ${faucet}`;
  const seen = coinText(has, symbol);
  if (has === 0n) return notes.failed("balance", `${seen}: it can't pay for gas`, todo);
  if (costs === undefined) return notes.ok("balance", seen);
  const enough = `${PROOFS} proofs cost about ${coinText(costs.proof * PROOFS, symbol)} now`;
  if (has < costs.proof * PROOFS) return notes.warning("balance", `${seen}, and ${enough}`, todo);
  return notes.ok("balance", `${seen}; ${enough}`);
}

async function stake(
  notes: Notes,
  provider: JsonRpcApiProvider,
  deployment: Deployment,
  address: string,
): Promise<Finding> {
  const { registry, vault } = connect(provider, deployment);
  const { market, stakeToken, minStake } = deployment;
  const [registered, [free, locked], claim] = await Promise.all([
    registry.isRegistered(address),
    registry.provisionOf(address, market, stakeToken),
    vault.balanceOf(address, BigInt(stakeToken)),
  ]);
  const unit = stakeToken === ZeroAddress ? "base units of the coin" : `base units of ${stakeToken}`;
  if (!registered) return notes.note("stake", `it is no registered provider; ${claim} in the vault, in ${unit}`);
  const seen = `a registered provider: ${free} free, ${locked} behind deals, ${claim} in the vault, in ${unit}`;
  if (free + locked >= minStake) return notes.ok("stake", seen);
  return notes.warning(
    "stake",
    `${seen}; the market asks for ${minStake}`,
    "provision more: it takes no deal with less",
  );
}
