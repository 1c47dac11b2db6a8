/** The registry of the tests as `src/provenance` and `src/client` read and write it. */
import { ZeroAddress } from "ethers";
import { connect } from "../../src/chain/contracts.js";
import type { Deployment } from "../../src/chain/deployment.js";
import { type ChainAccess, walletSender } from "../../src/client/index.js";
import type { ProvenanceReader } from "../../src/provenance/index.js";
import { ethers } from "./market.js";
import { nullRoundAt } from "./null-rounds.js";
import { type Account, CHAIN_ID, type ProvenanceWorld } from "./provenance.js";

type Runner = Parameters<typeof connect>[0];

/** @param runner - what is asked of the chain goes through it */
export async function readerOf(world: ProvenanceWorld, runner: Runner = ethers.provider): Promise<ProvenanceReader> {
  const { vault, registry, lens, provenanceAddress: provenance, marketAddress: market, config } = world;
  const deployment: Deployment = {
    ...{ ...config, feeBps: Number(config.feeBps), chainId: CHAIN_ID, block: 0, randomnessKind: "blockhash" },
    ...{ market, provenance, requests: ZeroAddress, lens: await lens.getAddress() },
    ...{ vault: await vault.getAddress(), registry: await registry.getAddress() },
  };
  return { deployment, contracts: connect(runner, deployment) };
}

/** As an account of the tests, through its wallet. */
export async function accessOf(world: ProvenanceWorld, account: Account): Promise<ChainAccess> {
  return { ...(await readerOf(world)), address: account.address, sender: walletSender(account) };
}

/** A provider whose node has no block at an epoch, as at a null round of Filecoin. */
export function emptyAt(at: number): Runner {
  const provider: object = new Proxy(nullRoundAt(ethers.provider, at), {
    get: (target, name) => (name === "provider" ? provider : Reflect.get(target, name, target)),
  });
  return provider as Runner;
}

/** A provider that tells of each call of a method before it is passed on, and waits for what it is told with. */
export function overheard(method: string, hear: () => Promise<void> | void): Runner {
  const provider: object = new Proxy(ethers.provider, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return name === "provider" ? provider : value;
      return async (...args: unknown[]) => {
        if (name === method) await hear();
        return value.apply(target, args);
      };
    },
  });
  return provider as Runner;
}
