/** A chain on this machine with a {@link ChainProfile}. */
import { JsonRpcProvider, Network } from "ethers";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import {
  CallActorPrecompile__factory,
  DrandPrecompile__factory,
  PowerActor__factory,
} from "../../typechain-types/index.js";
import { startFilecoinNode } from "./filecoin-node.js";
import type { ChainProfile } from "./profiles.js";

export interface LocalChainOptions {
  /** Funded accounts of the mnemonic that every development chain knows. */
  readonly accounts?: number;
  readonly args?: readonly string[];
  readonly signal?: AbortSignal;
}

/** anvil's own. */
const BLOCK_GAS = 30_000_000;

/**
 * Starts a chain. A block is mined for each transaction, and whenever anvil's methods ask for one; timestamps are as far apart as
 * the profile has it, however fast that goes.
 *
 * @throws HoldfastError what `startAnvil` throws
 */
export async function startLocalChain(profile: ChainProfile, options: LocalChainOptions = {}): Promise<Anvil> {
  const { accounts, args = [], signal } = options;
  const { chainId, hardfork, isFilecoin, blockGas = BLOCK_GAS } = profile;
  const anvil = await startAnvil({
    chainId,
    ...(accounts === undefined ? {} : { accounts }),
    ...(signal === undefined ? {} : { signal }),
    args: [
      ...(hardfork === undefined ? [] : ["--hardfork", hardfork]),
      ...["--gas-limit", String(blockGas)],
      ...(isFilecoin ? ["--no-mining"] : []),
      ...args,
    ],
  });
  try {
    await prepare(anvil.url, profile);
    if (!isFilecoin) return anvil;
    const node = await startFilecoinNode(anvil.url, blockGas);
    return {
      ...anvil,
      url: node.url,
      stop: async () => {
        await node.stop();
        await anvil.stop();
      },
    };
  } catch (error) {
    await anvil.stop();
    throw error;
  }
}

async function prepare(url: string, { chainId, blockSeconds, isFilecoin }: ChainProfile): Promise<void> {
  const provider = new JsonRpcProvider(url, Network.from(chainId), { staticNetwork: true, cacheTimeout: -1 });
  try {
    if (blockSeconds !== undefined) await provider.send("anvil_setBlockTimestampInterval", [blockSeconds]);
    if (isFilecoin) await placeStandIns(provider);
  } finally {
    provider.destroy();
  }
}

/**
 * Where Filecoin has drand's precompile (FIP-0095), the one that calls actors (FIP-0054), and the power actor, and the code that
 * stands in for each: all that contracts ask when they are built.
 */
const STAND_INS: Readonly<Record<string, string>> = {
  "0xfE00000000000000000000000000000000000006": DrandPrecompile__factory.bytecode,
  "0xfe00000000000000000000000000000000000005": CallActorPrecompile__factory.bytecode,
  "0xff00000000000000000000000000000000000004": PowerActor__factory.bytecode,
};

/** Puts the code there that each constructor gives. */
async function placeStandIns(provider: JsonRpcProvider): Promise<void> {
  for (const [address, data] of Object.entries(STAND_INS)) {
    await provider.send("anvil_setCode", [address, await provider.call({ data })]);
  }
}
