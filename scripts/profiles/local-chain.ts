/** A chain on this machine with a {@link ChainProfile}. */
import { JsonRpcProvider, Network } from "ethers";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { DrandPrecompile__factory } from "../../typechain-types/index.js";
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
    if (isFilecoin) await placePrecompile(provider);
  } finally {
    provider.destroy();
  }
}

/** What `DrandRandomness` asks (FIP-0095). */
const DRAND = "0xfE00000000000000000000000000000000000006";

/** Puts a stand-in where Filecoin has drand's precompile: the code that its constructor gives. */
async function placePrecompile(provider: JsonRpcProvider): Promise<void> {
  const code = await provider.call({ data: DrandPrecompile__factory.bytecode });
  await provider.send("anvil_setCode", [DRAND, code]);
}
