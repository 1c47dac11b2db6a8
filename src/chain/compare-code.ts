/** Whether the code on a chain is what a build gives. */
import { dataLength, dataSlice, getBytes, getCreateAddress, hexlify, type Provider } from "ethers";
import { contractOf } from "./contract-names.js";
import { type Deployment, partsOf } from "./deployment.js";

/** A compiled contract, as Hardhat writes it. */
export interface BuiltContract {
  readonly deployedBytecode: string;
  /** Where immutables lie, by their ids. */
  readonly immutableReferences?: Readonly<
    Record<string, readonly { readonly start: number; readonly length: number }[]>
  >;
}

/** Gives a contract of a build by its name. */
export type Build = (name: string) => Promise<BuiltContract>;

export interface CodeReport {
  readonly name: string;
  readonly address: string;
  /** What differs; undefined where nothing does. */
  readonly differs?: string;
}

/** What the market makes when it is built, in this order. */
const OF_MARKET = ["TermsChecker", "ProofVerifier", "MarketChanges"] as const;

/** Those contracts, where they are. */
export function ofMarket(market: string): { name: (typeof OF_MARKET)[number]; address: string }[] {
  return OF_MARKET.map((name, i) => ({ name, address: getCreateAddress({ from: market, nonce: i + 1 }) }));
}

/**
 * Compares each contract of a deployment, those that the market has made too, with a build: byte for byte but for the
 * immutables, whose places hold the same value each, among them the addresses of the market's own parts. What the values should be is
 * `verifyDeployment`'s to say.
 *
 * @throws What the node and `build` throw.
 */
export async function compareCode(provider: Provider, deployment: Deployment, build: Build): Promise<CodeReport[]> {
  const own = ofMarket(deployment.market);
  const parts = partsOf(deployment).map((part) => {
    return { name: contractOf(part, deployment.randomnessKind), address: deployment[part] };
  });
  const made = own.map(({ address }) => address);
  return Promise.all(
    [...parts, ...own].map(async ({ name, address }) => {
      const code = await provider.getCode(address);
      const holds = address === deployment.market ? made : [];
      const differs = differenceOf(code, await build(name), holds);
      return { name, address, ...(differs === undefined ? {} : { differs }) };
    }),
  );
}

function differenceOf(code: string, contract: BuiltContract, holds: readonly string[]): string | undefined {
  const { deployedBytecode: built, immutableReferences = {} } = contract;
  if (code === "0x") return "there is no code";
  if (dataLength(code) !== dataLength(built)) return `it has ${dataLength(code)} bytes, not ${dataLength(built)}`;
  const [there, fresh] = [getBytes(code), getBytes(built)];
  const values = new Set<string>();
  for (const places of Object.values(immutableReferences)) {
    const of = new Set(places.map(({ start, length }) => dataSlice(code, start, start + length)));
    if (of.size > 1) return "an immutable has two values";
    for (const value of of) values.add(value);
    for (const { start, length } of places) for (const bytes of [there, fresh]) bytes.fill(0, start, start + length);
  }
  if (hexlify(there) !== hexlify(fresh)) {
    return `it differs from byte ${there.findIndex((byte, i) => byte !== fresh[i])} on`;
  }
  const missing = holds.find((address) => !values.has(`0x${address.slice(2).toLowerCase().padStart(64, "0")}`));
  return missing === undefined ? undefined : `it does not call ${missing}, which it made`;
}
