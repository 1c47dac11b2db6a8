import { filecoinAddress } from "../protocol/index.js";

/** An account or contract for a person: as Filecoin writes it as well, where the chain is one. */
export function accountText(address: string, chainId: number | bigint): string {
  const other = filecoinAddress(address, chainId);
  return other === undefined ? address : `${address}  ${other}`;
}
