/**
 * What messages between client and provider are made of. Amounts are decimal strings, bytes 0x-prefixed hex.
 *
 * @packageDocumentation
 */
import { getAddress, isAddress } from "ethers";
import { z } from "zod";
import { HoldfastError } from "../errors.js";

export const amount = z.string().regex(/^(0|[1-9]\d{0,38})$/, "a decimal amount");
export const address = z
  .string()
  .refine((text) => /^0x[0-9a-fA-F]{40}$/.test(text) && isAddress(text), "an address, or its checksum is wrong")
  .transform((text) => getAddress(text));
export const bytes32 = z.string().regex(/^0x[0-9a-fA-F]{64}$/, "32 bytes in hex");
export const signature = z
  .string()
  .max(2 + 2 * 4_096)
  .regex(/^0x([0-9a-fA-F]{2})*$/, "bytes in hex");
export const count = z.number().int().min(0).max(0xffffffff);
/** A whole number that JSON carries without loss. */
export const safe = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const terms = z.strictObject({
  client: address,
  provider: address,
  root: bytes32,
  leafCount: amount,
  tier: z.number().int().min(0).max(255),
  periods: count,
  maxPeriods: count,
  token: address,
  pricePerPeriod: amount,
  collateral: amount,
  egressPricePerGiB: amount,
  validUntil: safe,
  salt: bytes32,
});

/** @throws HoldfastError `INVALID_REQUEST` naming the member that is wrong */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join(".") || "body";
  throw new HoldfastError("INVALID_REQUEST", `${where}: ${issue?.message}`, "see docs/provider.md for the form");
}
