/** Deploys, or goes on with a deployment that was interrupted. */
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type DeploymentResult,
  DeploymentResultType,
  deploy,
  type SuccessfulDeploymentResult,
} from "@nomicfoundation/ignition-core";
import { concat, dataSlice, id, type JsonRpcApiProvider } from "ethers";
import { contractOf } from "../../src/chain/contract-names.js";
import type { DeployOptions } from "../../src/chain/deploy.js";
import type { Part } from "../../src/chain/deployment.js";
import { HoldfastError } from "../../src/errors.js";
import type { KeySigner } from "../../src/keys/index.js";
import { lockFolder } from "../../src/store/folder-lock.js";
import { artifacts } from "./artifacts.js";
import { brief, startedOtherwise, unfinished } from "./failure.js";
import { confirmedIn, mendJournal } from "./journal.js";
import { holdfastModule } from "./module.js";
import { SigningProvider } from "./signing-provider.js";
import { WriteAhead } from "./write-ahead.js";

/** CreateX, the factory of CREATE2 that Ignition knows, is at this address on most chains: https://createx.rocks */
export const CREATE_X = "0xba5Ed099633D3B313e4D5F7bdc1305d3c28ba5Ed";

/**
 * A salt that only one account can use: CreateX takes one that begins with the sender's address and a zero byte for nobody else's. With
 * one that anybody could use, the second who deploys the same code on a chain would find it there, and so would whoever was overtaken.
 */
export function saltOf(account: string, text: string): string {
  return concat([account, "0x00", dataSlice(id(text), 0, 11)]);
}

export const NOT_FINISHED = "the deployment is not finished";

/** Milliseconds for which a transaction is waited for: whoever has waited enough ends it, and goes on later. */
const WAIT_MS = 7 * 86_400_000;

export interface RunOptions {
  readonly provider: JsonRpcApiProvider;
  readonly signer: KeySigner;
  readonly chainId: number;
  readonly options: DeployOptions;
  /** Where the journal is; one folder a deployment. */
  readonly dir: string;
  /** Blocks on top of a transaction after which the next is sent. */
  readonly confirmations: number;
  /** 32 bytes in hex: with it, addresses are those of CREATE2. */
  readonly salt?: string;
  readonly pollMs?: number;
}

/** What a deployment has come to. */
export interface Deployed {
  readonly addressOf: (part: Part) => string;
  /** Of the transaction that made the contract at an address. */
  readonly hashOf: (address: string) => string;
}

/**
 * Deploys what is not deployed yet. Two at once in one folder are refused.
 *
 * @throws HoldfastError `FOLDER_IN_USE`, `DEPLOYMENT_FAILED` naming what Ignition says; what the node throws
 */
export async function runDeployment(o: RunOptions): Promise<Deployed> {
  await mkdir(o.dir, { recursive: true });
  const release = await lockFolder(o.dir, inUse);
  try {
    const ahead = new WriteAhead(o.dir);
    const provider = new SigningProvider({ ...o, ahead });
    await mendJournal({ ...o, ahead, provider, settle: () => settled(o) });
    await settled(o);
    const result = await deploy({
      artifactResolver: artifacts,
      provider,
      ignitionModule: holdfastModule(o.options),
      deploymentParameters: {},
      accounts: [o.signer.address],
      deploymentDir: o.dir,
      config: {
        ...{ requiredConfirmations: o.confirmations, blockPollingInterval: o.pollMs ?? 1_000 },
        // Of two transactions of one nonce the journal may know the one that was not mined, and would deploy again.
        ...{ disableFeeBumping: true, timeBeforeBumpingFees: WAIT_MS },
      },
      ...(o.salt === undefined ? {} : { strategy: "create2" as const, strategyConfig: { salt: o.salt } }),
    });
    if (result.type !== DeploymentResultType.SUCCESSFUL_DEPLOYMENT) throw failed(result);
    await ahead.clear();
    const hashes = await confirmedIn(o.dir);
    return {
      addressOf: (part) => addressIn(result, contractOf(part, o.options.randomnessKind)),
      hashOf: (address) => hashIn(result, hashes, address),
    };
  } finally {
    await release();
  }
}

/** Waits until all that the account has sent is as deep as it has to be: before that, Ignition does nothing. */
async function settled({ provider, signer, confirmations, pollMs = 1_000 }: RunOptions): Promise<void> {
  for (;;) {
    const pending = await provider.getTransactionCount(signer.address, "pending");
    const block = (await provider.getBlockNumber()) - confirmations + 1;
    if (pending === 0) return;
    if (block >= 0 && (await provider.getTransactionCount(signer.address, block)) >= pending) return;
    await sleep(pollMs);
  }
}

function addressIn({ contracts }: SuccessfulDeploymentResult, name: string): string {
  const found = Object.values(contracts).find(({ contractName }) => contractName === name);
  if (found === undefined) throw new Error(`Ignition has deployed no ${name}`);
  return found.address;
}

function hashIn(
  { contracts }: SuccessfulDeploymentResult,
  hashes: ReadonlyMap<string, string>,
  address: string,
): string {
  const hash = hashes.get(Object.values(contracts).find((one) => one.address === address)?.id ?? "");
  if (hash === undefined) throw new Error(`Ignition knows no transaction that made ${address}`);
  return hash;
}

function failed(result: DeploymentResult): HoldfastError {
  const [reason = "nobody knows why", ...others] = reasonsOf(result);
  const all = others.length === 0 ? brief(reason) : `${brief(reason)}; and ${others.length} more like it`;
  if (result.type !== DeploymentResultType.RECONCILIATION_ERROR) return unfinished(NOT_FINISHED, all);
  return startedOtherwise(`an earlier run has begun it otherwise: ${all}`);
}

function reasonsOf(result: DeploymentResult): string[] {
  if (result.type === DeploymentResultType.SUCCESSFUL_DEPLOYMENT) return [];
  if (result.type === DeploymentResultType.EXECUTION_ERROR) {
    const { failed, timedOut, held, started } = result;
    return [
      ...failed.map(({ futureId, error }) => `${futureId}: ${error}`),
      ...timedOut.map(({ futureId }) => `${futureId}: no block has taken it in time`),
      ...held.map(({ futureId, reason }) => `${futureId}: ${reason}`),
      ...(failed.length + timedOut.length + held.length === 0 ? started.map((id) => `${id} is not done`) : []),
    ];
  }
  return Object.entries(result.errors).flatMap(([id, errors]) => errors.map((error) => `${id}: ${error}`));
}

function inUse(cause: unknown): HoldfastError {
  const hint = "wait for it to end";
  return new HoldfastError("FOLDER_IN_USE", "another process is at this deployment", hint, { cause });
}
