/**
 * The client's money in the vault.
 *
 * @packageDocumentation
 */
import { Contract, Interface, ZeroAddress } from "ethers";
import type { Contracts } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { chainError } from "../chain/errors.js";
import type { ChainSender } from "./sender.js";

/** What the client needs to read and write the chain. */
export interface ChainAccess {
  /** The account that pays and owns the deals: the sender's. */
  readonly address: string;
  readonly sender: ChainSender;
  readonly deployment: Deployment;
  /** Connected to a provider. */
  readonly contracts: Contracts;
}

const ERC20 = new Interface([
  "function approve(address spender, uint256 amount) returns (bool)",
  "function allowance(address owner, address spender) view returns (uint256)",
]);

/** Reads from the chain. @throws ChainError saying what was tried */
export async function ask<T>(doing: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw chainError(error, doing);
  }
}

/** What the account has in the vault, in base units. */
export function balanceOf({ contracts, address }: ChainAccess, token: string): Promise<bigint> {
  return ask("read a balance", contracts.vault.balanceOf(address, BigInt(token)));
}

/**
 * Makes sure that the vault holds at least `amount` of `token` for the account, and lets a contract take it into escrow.
 * Deposits what is missing.
 *
 * @param operator - the contract of the deployment that takes it; the market by default
 * @throws ChainError where wallet or token don't have it
 */
export async function fund(
  access: ChainAccess,
  token: string,
  amount: bigint,
  operator: string = access.deployment.market,
): Promise<void> {
  const { contracts, sender, address } = access;
  const { vault } = contracts;
  const missing = amount - (await balanceOf(access, token));
  if (missing <= 0n) {
    if (await ask("read an approval", vault.isOperator(address, operator))) return;
    const call = await vault.setOperator.populateTransaction(operator, true);
    const who = operator === access.deployment.market ? "the market" : operator;
    await sender.send(call, `let ${who} take escrow`);
    return;
  }
  const native = token === ZeroAddress;
  if (!native) await approve(access, token, missing);
  const call = await vault.depositAndApprove.populateTransaction(token, missing, operator, {
    value: native ? missing : 0n,
  });
  await sender.send(call, `deposit ${missing} base units`);
}

/** Takes all of a token out of the vault. Gives back how much that was. */
export async function withdrawAll(access: ChainAccess, token: string): Promise<bigint> {
  const { contracts, sender, address } = access;
  const amount = await balanceOf(access, token);
  if (amount === 0n) return 0n;
  const call = await contracts.vault.withdraw.populateTransaction(token, address, amount);
  await sender.send(call, `withdraw ${amount} base units`);
  return amount;
}

/** Lets the vault take exactly `amount`. Some tokens (USDT) only change an allowance from or to zero. */
async function approve(access: ChainAccess, token: string, amount: bigint): Promise<void> {
  const { contracts, sender, deployment, address } = access;
  const { vault } = deployment;
  const allowance = new Contract(token, ERC20, contracts.vault.runner).getFunction("allowance");
  const allowed: bigint = await ask("read an allowance", allowance(address, vault));
  if (allowed >= amount) return;
  const set = (value: bigint) => ({ to: token, data: ERC20.encodeFunctionData("approve", [vault, value]) });
  if (allowed > 0n) await sender.send(set(0n), "reset an allowance");
  await sender.send(set(amount), `let the vault take ${amount} base units`);
}
