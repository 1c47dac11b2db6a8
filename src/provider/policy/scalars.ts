/**
 * What a setting in a file can be. Every scalar comes as the text that was written, so that no amount is rounded, no address is
 * read as a number, and NO is Norway.
 *
 * @packageDocumentation
 */
import { getAddress, isAddress } from "ethers";
import { z } from "zod";
import { fromFilecoinAddress, regionBytes, sizeOf } from "../../protocol/index.js";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** An address, of Filecoin's form too; gives its checksummed `0x…`. */
export const address = z.string().transform((text, context) => {
  try {
    const account = /^0x/.test(text) && isAddress(text) ? getAddress(text) : fromFilecoinAddress(text);
    if (account !== undefined) return account;
    context.addIssue("has to be an address, 0x and 40 digits, its checksum right");
  } catch (error) {
    context.addIssue((error as Error).message);
  }
  return z.NEVER;
});

/** A whole number. */
export const count = z
  .string()
  .regex(/^\d{1,9}$/, "has to be a whole number of at most nine digits")
  .transform(Number);

/** A whole number from 1 on. */
export const positive = count.refine((value) => value > 0, "has to be 1 or more");

/** Bytes: `32GiB`. */
export const size = z
  .string()
  .refine((text) => sizeOf(text) !== undefined, "has to be a size: 1500, 10MiB, 1.5GB")
  .transform((text) => Number(sizeOf(text)))
  .refine(Number.isSafeInteger, "is larger than any disk");

/** Milliseconds: `90s`, `1h`, `2d`. */
export const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, "has to be a time: 90s, 30m, 1h, 2d")
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.slice(-1)]! * 1_000);

/** Per cent: `20%`, and less than nothing where it may be a loss. */
export const percent = z
  .string()
  .regex(/^(?:-\d{1,2}|\d{1,4})%$/, "has to be whole per cent: 20%, and at least -99%")
  .transform((text) => Number(text.slice(0, -1)));

/** Base units of a token, or an amount with the token's symbol: what it is is known when the token is. */
export const amount = z
  .string()
  .regex(/^\d{1,39}(?:\.\d{1,77})?(?: ?\D.*)?$/, 'has to be base units, or an amount of the token: "1.5 USDC"');

/** ISO 3166: `DE`, `US-CA`. */
export const region = z.string().refine(isRegion, "has to be an ISO 3166 code: DE, US-CA");

/** Host and port: `0.0.0.0:8080`, `[::1]:8080`. */
export const listen = z
  .string()
  .regex(/^(?:\[[\da-f:.]+\]|[^\s:[\]]+):\d{1,5}$/i, "has to be HOST:PORT")
  .transform((text) => {
    const at = text.lastIndexOf(":");
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
  })
  .refine(({ port }) => port < 65_536, "has a port over 65535");

function isRegion(text: string): boolean {
  try {
    regionBytes(text);
    return true;
  } catch {
    return false;
  }
}
