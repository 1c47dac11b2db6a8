/** Whether the code on a chain is what a build gives. */
import { dataLength, dataSlice, getBytes, type Provider, toQuantity } from "ethers";
import { contractOf } from "./contract-names.js";
import { type Deployment, partsOf } from "./deployment.js";
import { type Immutables, immutablesOf, ofMarket } from "./immutables.js";

/** A compiled contract, as Hardhat writes it. */
export interface BuiltContract {
  readonly deployedBytecode: string;
  /** Where immutables lie, by their ids. */
  readonly immutableReferences?: Readonly<
    Record<string, readonly { readonly start: number; readonly length: number }[]>
  >;
  /** What the sources call them, by the same ids. */
  readonly immutableNames: Readonly<Record<string, string>>;
}

/** Gives a contract of a build by its name. */
export type Build = (name: string) => Promise<BuiltContract>;

export interface CodeReport {
  readonly name: string;
  readonly address: string;
  /** What differs; undefined where nothing does. */
  readonly differs?: string;
}

/**
 * Compares each contract of a deployment, those that the market has made too, with a build, byte for byte: immutables, private ones
 * as well, with what they are by the deployment's choices. Whoever deploys by init code of their own can leave anything there, and
 * the market runs code of a part that has immutables of its own: what its getters say is not enough.
 *
 * @throws What the node and `build` throw; RangeError where a tier is one that no market can have.
 */
export async function compareCode(provider: Provider, deployment: Deployment, build: Build): Promise<CodeReport[]> {
  const parts = partsOf(deployment).map((part) => {
    return { name: contractOf(part, deployment.randomnessKind), address: deployment[part] };
  });
  const immutables = immutablesOf(deployment);
  return Promise.all(
    [...parts, ...ofMarket(deployment.market)].map(async ({ name, address }) => {
      const code = await provider.getCode(address);
      const differs = differenceOf(code, await build(name), immutables[name] ?? {});
      return { name, address, ...(differs === undefined ? {} : { differs }) };
    }),
  );
}

function differenceOf(code: string, contract: BuiltContract, expected: Immutables): string | undefined {
  const { deployedBytecode: built, immutableReferences = {}, immutableNames } = contract;
  if (code === "0x") return "there is no code";
  if (dataLength(code) !== dataLength(built)) return `it has ${dataLength(code)} bytes, not ${dataLength(built)}`;
  const [there, fresh] = [getBytes(code), getBytes(built)];
  const wrong = new Set<string>();
  for (const [id, places] of Object.entries(immutableReferences)) {
    const name = immutableNames[id] ?? id;
    for (const { start, length } of places) {
      wrong.add(immutableDifference(name, dataSlice(code, start, start + length), expected[name]));
      for (const bytes of [there, fresh]) bytes.fill(0, start, start + length);
    }
  }
  const at = there.findIndex((byte, i) => byte !== fresh[i]);
  if (at >= 0) return `it differs from byte ${at} on`;
  wrong.delete("");
  return wrong.size === 0 ? undefined : [...wrong].join("; ");
}

/** Empty where there is none. An immutable that is new in the sources differs until `immutablesOf` knows it. */
function immutableDifference(name: string, value: string, expected: string | undefined): string {
  if (expected === undefined) return `what its ${name} should be is not known`;
  return value === expected ? "" : `its ${name} is ${toQuantity(value)}, not ${toQuantity(expected)}`;
}
