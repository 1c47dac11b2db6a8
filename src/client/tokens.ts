/**
 * Amounts as people read and write them: with the decimals and the symbol of their token.
 *
 * @packageDocumentation
 */
import { Contract, formatUnits, Interface, type Provider, parseUnits, ZeroAddress } from "ethers";
import { HoldfastError } from "../errors.js";

/** What of a token its amounts are written with. */
export interface Token {
  /** Zero: the native coin. */
  readonly address: string;
  readonly symbol: string;
  readonly decimals: number;
}

const ERC20 = new Interface(["function symbol() view returns (string)", "function decimals() view returns (uint8)"]);
const COIN = { symbol: "coin", decimals: 18 };
/** A token without these functions is counted in its base units. */
const UNKNOWN = { symbol: "base units", decimals: 0 };
const LONGEST_SYMBOL = 16;

/** Reads what a token calls itself. Anybody may name a token like another: its address tells them apart. */
export async function readToken(provider: Provider, address: string): Promise<Token> {
  if (address === ZeroAddress) return { address, ...COIN };
  const contract = new Contract(address, ERC20, provider);
  try {
    const [symbol, decimals]: [string, bigint] = await Promise.all([
      contract.getFunction("symbol")(),
      contract.getFunction("decimals")(),
    ]);
    return { address, symbol: printable(symbol), decimals: Number(decimals) };
  } catch {
    return { address, ...UNKNOWN };
  }
}

/** Reads each of several tokens once. Gives them by address. */
export async function readTokens(provider: Provider, addresses: Iterable<string>): Promise<ReadonlyMap<string, Token>> {
  const distinct = [...new Set(addresses)];
  const tokens = await Promise.all(distinct.map((address) => readToken(provider, address)));
  return new Map(tokens.map((token) => [token.address, token]));
}

/** `1.25 TUSD` for 1250000 base units of a token with six decimals. */
export function amountText(amount: bigint, { symbol, decimals }: Token): string {
  return `${formatUnits(amount, decimals).replace(/\.0$/, "")} ${symbol}`;
}

/**
 * Base units of what a person wrote: a whole number is one of base units, as everywhere on the command line; with the
 * token's symbol after it, `1.25 TUSD`, it is one of tokens.
 *
 * @throws HoldfastError `INVALID_AMOUNT` for what is no such number, negative, or finer than the token
 */
export function parseAmountOf(text: string, { symbol, decimals }: Token): bigint {
  if (/^\d{1,39}$/.test(text)) return BigInt(text);
  const [, number, unit] = /^(\d{1,39}(?:\.\d{1,77})?) ?(\D.*)$/.exec(text) ?? [];
  if (number !== undefined && unit === symbol) {
    try {
      return parseUnits(number, decimals);
    } catch {
      // More digits after the point than the token has.
    }
  }
  const hint = `give base units, or a number with at most ${decimals} digits after the point: "1.5 ${symbol}"`;
  throw new HoldfastError("INVALID_AMOUNT", `${text.slice(0, 60)} is no amount of ${symbol}`, hint);
}

/** A symbol is a stranger's text: no line breaks, no terminal's control characters, not long. */
function printable(symbol: string): string {
  const clean = symbol.replaceAll(/[^\p{L}\p{N}\p{S}\p{P} ]/gu, "").trim();
  return clean === "" ? "tokens" : clean.slice(0, LONGEST_SYMBOL);
}
