/** Whether the code on a chain is what these sources give. */
import type { Artifact } from "@nomicfoundation/ignition-core";
import { dataLength, dataSlice, getBytes, getCreateAddress, hexlify, type Provider } from "ethers";
import { type Deployment, partsOf } from "../../src/chain/deployment.js";
import { artifacts } from "./artifacts.js";
import { contractOf } from "./module.js";

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
 * Compares each contract of a deployment, those that the market has made too, with a fresh build: byte for byte but for the
 * immutables, whose places hold the same value each, among them the addresses of the market's own parts. What the values should be is
 * `verifyDeployment`'s to say.
 *
 * @throws what the node throws
 */
export async function verifyCode(provider: Provider, deployment: Deployment): Promise<CodeReport[]> {
  const own = ofMarket(deployment.market);
  const parts = partsOf(deployment).map((part) => {
    return { name: contractOf(part, deployment.randomnessKind), address: deployment[part] };
  });
  const made = own.map(({ address }) => address);
  return Promise.all(
    [...parts, ...own].map(async ({ name, address }) => {
      const code = await provider.getCode(address);
      const holds = address === deployment.market ? made : [];
      const differs = differenceOf(code, await artifacts.loadArtifact(name), holds);
      return { name, address, ...(differs === undefined ? {} : { differs }) };
    }),
  );
}

function differenceOf(code: string, artifact: Artifact, holds: readonly string[]): string | undefined {
  const { deployedBytecode: built, immutableReferences = {} } = artifact;
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
