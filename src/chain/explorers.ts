/**
 * Where the sources of a deployment can be shown: verifiers and block explorers, and which network has which. Pure: nothing is
 * asked of them here.
 *
 * @packageDocumentation
 */

/** Sourcify has an API of its own; Blockscout serves Etherscan's, without a key. */
export const EXPLORERS = ["sourcify", "blockscout", "etherscan"] as const;
export type Explorer = (typeof EXPLORERS)[number];

export interface ExplorerFacts {
  readonly title: string;
  /** The setting that names another API than a network's own: an instance of yours. */
  readonly urlVariable: string;
  /** The setting that holds the key, where it wants one. */
  readonly keyVariable?: string;
  /** Least milliseconds between two requests. */
  readonly gapMs: number;
  /** Where its API is described. */
  readonly source: string;
}

export const EXPLORER_FACTS: Readonly<Record<Explorer, ExplorerFacts>> = {
  sourcify: {
    title: "Sourcify",
    urlVariable: "SOURCIFY_API_URL",
    gapMs: 250,
    source: "https://docs.sourcify.dev/docs/api/",
  },
  blockscout: {
    title: "Blockscout",
    urlVariable: "BLOCKSCOUT_API_URL",
    gapMs: 250,
    source: "https://docs.blockscout.com/devs/apis/rpc/contract",
  },
  etherscan: {
    title: "Etherscan",
    urlVariable: "ETHERSCAN_API_URL",
    keyVariable: "ETHERSCAN_API_KEY",
    // Three a second are free: https://docs.etherscan.io/rate-limits
    gapMs: 400,
    source: "https://docs.etherscan.io/contract-verification/verify-with-api",
  },
};

/** Its list of chains: https://storage.googleapis.com/sourcifyeth-chains/sourcify-chains-default.json */
const SOURCIFY = "https://sourcify.dev/server";
/** One for all chains of https://docs.etherscan.io/supported-chains, where Filecoin is not. */
const ETHERSCAN = "https://api.etherscan.io/v2/api";

/**
 * The APIs for a chain. Blockscout's are those of https://github.com/blockscout/chainscout and of Sourcify's list; OP Sepolia's old name
 * (optimism-sepolia.blockscout.com) only leads to the new one, which a request with a body does not survive.
 */
const KNOWN: Readonly<Record<number, Partial<Record<Explorer, string>>>> = {
  314159: { sourcify: SOURCIFY, blockscout: "https://filecoin-testnet.blockscout.com/api" },
  314: { sourcify: SOURCIFY, blockscout: "https://filecoin.blockscout.com/api" },
  11155111: { sourcify: SOURCIFY, blockscout: "https://eth-sepolia.blockscout.com/api", etherscan: ETHERSCAN },
  84532: { sourcify: SOURCIFY, blockscout: "https://base-sepolia.blockscout.com/api", etherscan: ETHERSCAN },
  11155420: { sourcify: SOURCIFY, blockscout: "https://testnet-explorer.optimism.io/api", etherscan: ETHERSCAN },
};

/** The API of an explorer for a chain, undefined where none is known. */
export function explorerApi(explorer: Explorer, chainId: number): string | undefined {
  return KNOWN[chainId]?.[explorer];
}
