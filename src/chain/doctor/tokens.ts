/** Whether the tokens that deals are paid in are what the table of networks says. */
import { Contract, Interface, isError, type Provider, ZeroAddress } from "ethers";
import type { Deployment } from "../deployment.js";
import type { Network, PaymentToken } from "../networks.js";
import { type Finding, look, type Notes, notesAt } from "./finding.js";

const ERC20 = new Interface(["function symbol() view returns (string)", "function decimals() view returns (uint8)"]);

/** Looks at each payment token of the network, and at the token of the deployment's stake. */
export async function examineTokens(
  provider: Provider,
  network: Network | undefined,
  deployment: Deployment | undefined,
): Promise<Finding[]> {
  const notes = notesAt("");
  const known = network?.tokens ?? [];
  const found = known.map((token) => look(notes, `token ${token.symbol}`, () => paymentToken(notes, provider, token)));
  const stake = deployment?.stakeToken ?? ZeroAddress;
  if (stake !== ZeroAddress && !known.some(({ address }) => address === stake)) {
    found.push(look(notes, "stake token", () => stakeToken(notes, provider, stake)));
  }
  return (await Promise.all(found)).flat();
}

async function paymentToken(notes: Notes, provider: Provider, token: PaymentToken): Promise<Finding> {
  const what = `token ${token.symbol}`;
  const todo = `look up its address anew: ${token.source}`;
  if ((await provider.getCode(token.address)) === "0x") return notes.failed(what, `no code at ${token.address}`, todo);
  const there = await read(provider, token.address);
  if (there === undefined) return notes.failed(what, `${token.address} is no ERC-20 token`, todo);
  const seen = `${there.symbol} with ${there.decimals} decimals at ${token.address}`;
  if (there.symbol === token.symbol && there.decimals === token.decimals) return notes.ok(what, seen);
  return notes.failed(what, `${seen}, and not ${token.symbol} with ${token.decimals}`, todo);
}

async function stakeToken(notes: Notes, provider: Provider, address: string): Promise<Finding> {
  const there = await read(provider, address);
  if (there !== undefined) {
    return notes.ok("stake token", `${there.symbol} with ${there.decimals} decimals at ${address}`);
  }
  const todo = "amounts of it are in base units, if it is a token at all";
  return notes.warning("stake token", `${address} says neither symbol nor decimals`, todo);
}

async function read(provider: Provider, address: string) {
  const contract = new Contract(address, ERC20, provider);
  try {
    const [symbol, decimals]: [string, bigint] = await Promise.all([
      contract.getFunction("symbol")(),
      contract.getFunction("decimals")(),
    ]);
    return { symbol: symbol.slice(0, 16), decimals: Number(decimals) };
  } catch (error) {
    if (isError(error, "CALL_EXCEPTION") || isError(error, "BAD_DATA")) return undefined;
    throw error;
  }
}
