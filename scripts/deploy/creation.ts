/** How the contracts of a deployment came to be where they are. */
import {
  type Block,
  concat,
  getCreate2Address,
  getCreateAddress,
  Interface,
  keccak256,
  type Provider,
  zeroPadValue,
} from "ethers";
import type { CodeReport } from "../../src/chain/compare-code.js";
import { contractOf } from "../../src/chain/contract-names.js";
import { marketConfig } from "../../src/chain/deploy.js";
import { type Deployment, type Part, partsOf } from "../../src/chain/deployment.js";
import { ofMarket } from "../../src/chain/immutables.js";
import { artifacts } from "./artifacts.js";
import { CREATE_X } from "./run.js";

export interface CreationReport extends CodeReport {
  /** Whether the block that it was made in could be read: only then can it be said to differ, or not to. */
  readonly isKnown: boolean;
}

/**
 * Compares what made each contract with what the build and the deployment's choices give for it. Code says nothing of what lay in storage
 * from the start: init code of somebody's own can leave money in a vault that nobody has paid in. The market's own parts are
 * made by the market's.
 *
 * @throws Error where the contracts are not compiled
 */
export async function compareCreation(provider: Provider, deployment: Deployment): Promise<CreationReport[]> {
  const given = argumentsOf(deployment);
  return Promise.all(
    partsOf(deployment).map(async (part) => {
      const [name, address] = [contractOf(part, deployment.randomnessKind), deployment[part]];
      const found = await lookFor(provider, deployment, part);
      if (found === undefined) return { name, address, isKnown: false };
      const { block, creation } = found;
      // Whoever made it by a contract of their own, or names another block, would not be looked at.
      if (creation === undefined) {
        return {
          name,
          address,
          isKnown: true,
          differs: `no transaction of block ${block} made it, by itself or by CreateX`,
        };
      }
      const { abi, bytecode } = await artifacts.loadArtifact(name);
      const initCode = concat([bytecode, Interface.from(abi).encodeDeploy(given[part] ?? [])]);
      if (isMadeBy(creation, address, initCode)) return { name, address, isKnown: true };
      const differs = `it was made by other code than the build's, in ${creation.hash}: its storage may have held anything`;
      return { name, address, isKnown: true, differs };
    }),
  );
}

/** What each constructor was given, by part, and by name for the market's own. */
export function argumentsOf(deployment: Deployment): Record<string, unknown[]> {
  const { vault, registry, randomness, market, lens, chainProofs, chainTiers } = deployment;
  const config = { vault, registry, randomness, chainProofs, ...marketConfig(deployment), chainTiers };
  const [checker, verifier] = ofMarket(market).map(({ address }) => address);
  return {
    registry: [vault],
    market: [config],
    lens: [market],
    requests: [market, lens],
    provenance: [lens],
    TermsChecker: [vault, registry, config.stakeToken, config.minStake],
    MarketChanges: [config, checker, verifier],
  };
}

/** A transaction that made a contract; of one that came by a factory, the salt. */
interface Creation {
  readonly hash: string;
  readonly data: string;
  readonly salt?: string;
}

/** The transaction that made a part, as {@link lookFor} finds it. */
export async function creationOf(
  provider: Provider,
  deployment: Deployment,
  part: Part,
): Promise<Creation | undefined> {
  return (await lookFor(provider, deployment, part))?.creation;
}

/**
 * Looks for what made a part in the block that the deployment's file names. Undefined where it names none, where it is not there, and
 * where the node does not answer for blocks as old as that.
 */
async function lookFor(
  provider: Provider,
  deployment: Deployment,
  part: Part,
): Promise<{ readonly block: number; readonly creation: Creation | undefined } | undefined> {
  const number = deployment.build?.blocks[part];
  if (number === undefined) return undefined;
  try {
    const block = await provider.getBlock(number, true);
    if (block === null) return undefined;
    return { block: number, creation: await creationIn(provider, block, deployment[part]) };
  } catch {
    return undefined;
  }
}

async function creationIn(provider: Provider, block: Block, address: string): Promise<Creation | undefined> {
  for (const { to, from, nonce, hash, data } of block.prefetchedTransactions) {
    if (to === null && getCreateAddress({ from, nonce }) === address) return { hash, data };
    if (to !== CREATE_X) continue;
    // The factory's event names what it has made, and the salt that it made of the one that it was given.
    const receipt = await provider.getTransactionReceipt(hash);
    const topic = zeroPadValue(address, 32).toLowerCase();
    const log = receipt?.logs.find(({ address: by, topics }) => by === CREATE_X && topics[1] === topic);
    if (log !== undefined) return { hash, data, salt: log.topics[2] ?? "" };
  }
  return undefined;
}

/** An address of CREATE2 is the hash of its init code, whatever the factory says. */
function isMadeBy({ data, salt }: Creation, address: string, initCode: string): boolean {
  if (salt === undefined) return data === initCode;
  return salt !== "" && getCreate2Address(CREATE_X, salt, keccak256(initCode)) === address;
}
