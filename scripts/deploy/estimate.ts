/** What a deployment takes, found out by doing it on a chain of this process. */
import { type JsonRpcApiProvider, type TransactionRequest, ZeroAddress } from "ethers";
import { network as hardhat } from "hardhat";
import { CONTRACTS, contractOf } from "../../src/chain/contract-names.js";
import { type DeployOptions, marketConfig } from "../../src/chain/deploy.js";
import type { Part } from "../../src/chain/deployment.js";
import { artifacts } from "./artifacts.js";

/** What contracts ask on Filecoin when they are built: drand's precompile, and the power actor by another. */
const STAND_INS = {
  DrandPrecompile: "0xfe00000000000000000000000000000000000006",
  CallActorPrecompile: "0xfe00000000000000000000000000000000000005",
  PowerActor: "0xff00000000000000000000000000000000000004",
} as const;
const EIP_170 = 24_576;

export interface ContractEstimate {
  readonly part: string;
  readonly name: string;
  /** Of the EVM, for the transaction that deploys it alone. */
  readonly gas: bigint;
  /** Of the code that stays, in bytes; {@link EIP_170} at most. */
  readonly size: number;
}

export interface Estimate {
  readonly contracts: readonly ContractEstimate[];
  /** Of the EVM. */
  readonly gas: bigint;
  /** Gas that the target's nodes ask for what takes 1,000 here: FVM gas is another. */
  readonly scale: bigint;
  /** Base units of the coin. */
  readonly pricePerGas: bigint;
  readonly cost: bigint;
}

/**
 * Deploys everything on a chain of this process, and asks the target what the smallest of it would take there.
 *
 * @param from - the account that is to pay, where it has coin: an FVM node estimates for none that never had any
 * @throws what the node throws
 */
export async function estimate(
  target: JsonRpcApiProvider,
  from: string | undefined,
  options: DeployOptions,
): Promise<Estimate> {
  const { contracts, probe } = await rehearse(options);
  const gas = contracts.reduce((sum, one) => sum + one.gas, 0n);
  const asked = await target.estimateGas({ ...(from !== undefined && { from }), data: probe.data });
  const scale = (asked * 1_000n) / probe.gas;
  const fees = await target.getFeeData();
  const pricePerGas = fees.maxFeePerGas ?? fees.gasPrice ?? 0n;
  return { contracts, gas, scale, pricePerGas, cost: (gas * scale * pricePerGas) / 1_000n };
}

async function rehearse(options: DeployOptions) {
  const { ethers, networkHelpers } = await hardhat.create();
  for (const [name, address] of Object.entries(STAND_INS)) {
    await networkHelpers.setCode(address, (await artifacts.loadArtifact(name)).deployedBytecode);
  }
  const contracts: ContractEstimate[] = [];
  const deploy = async (part: Part, args: unknown[] = []) => {
    const name = contractOf(part, options.randomnessKind);
    const contract = await ethers.deployContract(name, args);
    const { gasUsed } = (await contract.deploymentTransaction()!.wait())!;
    const address = await contract.getAddress();
    const size = (await ethers.provider.getCode(address)).length / 2 - 1;
    if (size > EIP_170) throw new Error(`${name} has ${size} bytes, and ${EIP_170} may be`);
    contracts.push({ part, name, gas: gasUsed, size });
    return address;
  };
  const vault = await deploy("vault");
  const registry = await deploy("registry", [vault]);
  const randomness = await deploy("randomness");
  const config = marketConfig(options);
  const chainProofs = config.chainTiers > 0 ? await deploy("chainProofs") : ZeroAddress;
  const market = await deploy("market", [{ vault, registry, randomness, chainProofs, ...config }]);
  const lens = await deploy("lens", [market]);
  await deploy("requests", [market, lens]);
  await deploy("provenance", [lens]);
  const { bytecode: data } = await artifacts.loadArtifact(CONTRACTS.vault);
  const [{ address: from }] = (await ethers.getSigners()) as unknown as [{ address: string }];
  const probe: TransactionRequest = { from, data };
  return { contracts, probe: { data, gas: await ethers.provider.estimateGas(probe) } };
}
