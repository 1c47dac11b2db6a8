import { hexlify, toUtf8Bytes, zeroPadBytes } from "ethers";
import { HoldfastError } from "../errors.js";

/** ISO 3166-1 alpha-2 (`DE`), or 3166-2 (`US-CA`): what the registry takes for a region. */
export const REGION_FORM: RegExp = /^[A-Z]{2}(-[A-Z0-9]{1,3})?$/;

/** How the contracts write "no region". */
export const NO_REGION = "0x000000000000";

/**
 * A region as the contracts have it: up to six ASCII bytes, zeros behind them.
 *
 * @param text - `DE`, `US-CA`
 * @throws HoldfastError `INVALID_REGION`
 * @example
 * regionBytes("US-CA"); // "0x55532d434100"
 */
export function regionBytes(text: string): string {
  if (REGION_FORM.test(text)) return zeroPadBytes(hexlify(toUtf8Bytes(text)), 6);
  throw new HoldfastError("INVALID_REGION", `${text} is no region`, "give an ISO 3166 code in capitals: DE, or US-CA");
}

/**
 * A region as people write it; empty where there is none.
 *
 * @param bytes - six bytes in hex, as the registry gives them
 */
export function regionText(bytes: string): string {
  const codes = bytes.slice(2).match(/../g) ?? [];
  return codes.map((code) => (code === "00" ? "" : String.fromCharCode(Number.parseInt(code, 16)))).join("");
}
