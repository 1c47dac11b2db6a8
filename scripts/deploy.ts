/**
 * Puts Holdfast on a chain: looks at everything first, says what it costs, asks, deploys, writes down what there is.
 *
 * @packageDocumentation
 */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { JsonRpcApiProvider } from "ethers";
import { verifyDeployment } from "../src/chain/contracts.js";
import { type DeployOptions, marketConfig } from "../src/chain/deploy.js";
import { type Deployment, formatDeployment } from "../src/chain/deployment.js";
import { readDeployment, writeDeployment } from "../src/chain/deployment-node.js";
import { rpcMessage } from "../src/chain/errors.js";
import type { Network } from "../src/chain/networks.js";
import { HoldfastError } from "../src/errors.js";
import type { KeySigner } from "../src/keys/index.js";
import { type Estimate, estimate } from "./deploy/estimate.js";
import { explained } from "./deploy/failure.js";
import { recordOf } from "./deploy/record.js";
import { CREATE_X, NOT_FINISHED, runDeployment, saltOf } from "./deploy/run.js";

export interface DeployRequest {
  readonly network: Network;
  readonly provider: JsonRpcApiProvider;
  readonly signer: KeySigner;
  readonly options: DeployOptions;
  /** The deployment's file; the journal is in a folder beside it. */
  readonly file: string;
  /** Any text: with the account, it decides the addresses where the chain has a CREATE2 factory. */
  readonly salt: string;
  readonly confirmations?: number;
  readonly pollMs?: number;
  /** Nothing is to be spent: the account needs no coin. */
  readonly dryRun?: boolean;
  /** Shown before anything is spent; deploys only where it gives true. */
  readonly agree: (plan: DeployPlan) => Promise<boolean>;
}

/** What is about to be done. */
export interface DeployPlan {
  readonly network: Network;
  readonly from: string;
  /** Of that account, in base units of the coin. */
  readonly balance: bigint;
  readonly estimate: Estimate;
  /** Whether addresses follow from account, code and salt, and not from nonces. */
  readonly deterministic: boolean;
  /** Whether an earlier run was interrupted. */
  readonly resumed: boolean;
}

export interface DeployOutcome {
  /** `there`: it was already. `refused`: nobody agreed. */
  readonly outcome: "deployed" | "there" | "refused";
  readonly deployment?: Deployment;
  readonly plan?: DeployPlan;
}

/**
 * Deploys, or goes on with what was interrupted, or finds that it is there.
 *
 * @throws HoldfastError `DEPLOYED_OTHERWISE` where the file is of other choices, `EMPTY_BALANCE`, `FOLDER_IN_USE`,
 *   `DEPLOYMENT_FAILED` for whatever node, Ignition and file system say, `DEPLOYMENT_MISMATCH`
 */
export async function deployTo(request: DeployRequest): Promise<DeployOutcome> {
  const { provider, options, file, agree, dryRun = false } = request;
  if (existsSync(file)) {
    const deployment = await thereAlready(provider, options, file);
    return { outcome: "there", deployment };
  }
  const plan = await explained("the deployment can't be planned", () => planFor(request));
  if (plan.balance < plan.estimate.cost && !plan.resumed && !dryRun) throw poor(plan);
  if (!(await agree(plan))) return { outcome: "refused", plan };
  const deployment = await explained(NOT_FINISHED, () => carryOut(request, plan));
  await writeDeployment(file, deployment);
  return { outcome: "deployed", deployment, plan };
}

async function carryOut(request: DeployRequest, plan: DeployPlan): Promise<Deployment> {
  const { provider, options, file, network, salt: text, ...rest } = request;
  const { chainId } = network;
  const confirmations = request.confirmations ?? network.confirmations;
  const how = { ...rest, provider, options, chainId, confirmations, dir: journalOf(file) };
  const deployed = await runDeployment(plan.deterministic ? { ...how, salt: saltOf(plan.from, text) } : how);
  const deployment = await recordOf(provider, chainId, options, deployed);
  await verifyDeployment(provider, deployment);
  return deployment;
}

async function planFor({ network, provider, signer, options, file, dryRun }: DeployRequest): Promise<DeployPlan> {
  const { address: from } = signer;
  const balance = await provider.getBalance(from);
  const empty = () => poor({ network, from, balance });
  if (balance === 0n && dryRun !== true) throw empty();
  const [estimated, factory] = await Promise.all([
    estimate(provider, balance === 0n ? undefined : from, options).catch((error) => {
      throw balance === 0n && rpcMessage(error) !== undefined ? empty() : error;
    }),
    provider.getCode(CREATE_X),
  ]);
  const resumed = existsSync(join(journalOf(file), "journal.jsonl"));
  return { network, from, balance, estimate: estimated, deterministic: factory !== "0x", resumed };
}

/** Where Ignition keeps what it has done for a deployment. */
function journalOf(file: string): string {
  return join(dirname(file), ".ignition", basename(file, ".json"));
}

async function thereAlready(provider: JsonRpcApiProvider, options: DeployOptions, file: string): Promise<Deployment> {
  const there = await readDeployment(file);
  const asked = { ...there, randomnessKind: options.randomnessKind, ...marketConfig(options) };
  if (formatDeployment(asked) !== formatDeployment(there)) {
    const message = `${file} is a deployment with other choices`;
    throw new HoldfastError("DEPLOYED_OTHERWISE", message, "name another file with --out for one beside it");
  }
  await verifyDeployment(provider, there);
  return there;
}

type Account = Pick<DeployPlan, "network" | "from" | "balance"> & Partial<Pick<DeployPlan, "estimate">>;

function poor({ network, from, balance, estimate }: Account): HoldfastError {
  const takes = estimate === undefined ? "takes some" : `takes about ${estimate.cost}`;
  const message = `${from} has ${balance} base units of ${network.coin}, and the deployment ${takes}`;
  const hint = network.faucet === undefined ? "send it some" : `get some from ${network.faucet}`;
  return new HoldfastError("EMPTY_BALANCE", message, hint);
}
