/**
 * The chains that Holdfast is deployed to, and what differs between them. Pure: nothing is asked of a chain here.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import type { Deployment, RandomnessKind } from "./deployment.js";
import { devTiers } from "./dev-tiers.js";

/** A token that deals are paid in. */
export interface PaymentToken {
  readonly symbol: string;
  readonly address: string;
  readonly decimals: number;
  /** Where its issuer names the address. */
  readonly source: string;
}

export interface Network {
  /** As `--network` and Hardhat's configuration have it. */
  readonly name: string;
  readonly title: string;
  readonly chainId: number;
  /** Whether its coin is worth nothing. */
  readonly isTest: boolean;
  /** What gas is paid in, and where a test network gives it away. */
  readonly coin: string;
  readonly faucet?: string;
  /** A public endpoint, for those who have none of their own. */
  readonly rpc: string;
  /** The setting that names another: in the environment, `.env`, or Hardhat's keystore. */
  readonly rpcVariable: string;
  /** Without a slash at the end; an address is at `/address/0x…`. */
  readonly explorer?: string;
  /** Between two blocks, null rounds not counted. */
  readonly blockSeconds: number;
  readonly randomnessKind: RandomnessKind;
  /** Least distance from fixing a commitment to its first challenge, in epochs (PROTOCOL section 4). */
  readonly challengeFinality: number;
  /** Hot, warm and archive, in epochs. */
  readonly tiers: Deployment["tiers"];
  /** Of them, those that Filecoin's own sector proofs may prove. */
  readonly sealedTiers?: readonly number[];
  /** Epochs to answer a forced retrieval. */
  readonly demandWindow: number;
  /** Blocks on top of a transaction after which the deployment goes on. */
  readonly confirmations: number;
  readonly tokens: readonly PaymentToken[];
  /** What whoever pays for gas there should know. */
  readonly gas: string;
}

const HOUR = 3_600;
const DAY = 24 * HOUR;
/** The three tiers of PROTOCOL section 4, in seconds. */
const TIERS = [
  { period: 4 * HOUR, window: HOUR, challenges: 3, maxMisses: 6 },
  { period: DAY, window: 2 * HOUR, challenges: 5, maxMisses: 4 },
  { period: 7 * DAY, window: DAY, challenges: 10, maxMisses: 3 },
] as const;
const ARCHIVE = 2;

const CIRCLE = "https://developers.circle.com/stablecoins/usdc-contract-addresses";
const WFIL = "https://docs.filecoin.io/smart-contracts/advanced/wrapped-fil";
const USDFC = "https://github.com/FilOzone/synapse-sdk/blob/master/packages/synapse-core/src/chains.ts";

const FILECOIN_GAS =
  "FVM gas is not EVM gas: the same call takes some hundred times as much of it, at a price that is lower by as much. Calldata costs most; messages have at most 64 KiB";
const ROLLUP_GAS = "a fee for the data on the chain below comes on top of the gas";

/** What is written down of a chain; the rest follows from its seconds. */
type Facts = Omit<Network, "tiers" | "demandWindow">;

const FACTS: readonly Facts[] = [
  {
    name: "calibration",
    title: "Filecoin Calibration",
    chainId: 314_159,
    isTest: true,
    coin: "tFIL",
    faucet: "https://faucet.calibnet.chainsafe-fil.io",
    rpc: "https://api.calibration.node.glif.io/rpc/v1",
    rpcVariable: "CALIBRATION_RPC_URL",
    explorer: "https://filecoin-testnet.blockscout.com",
    blockSeconds: 30,
    randomnessKind: "drand",
    sealedTiers: [ARCHIVE],
    challengeFinality: 150,
    confirmations: 5,
    tokens: [
      { symbol: "USDFC", address: "0xb3042734b608a1B16e9e86B374A3f3e389B4cDf0", decimals: 18, source: USDFC },
      { symbol: "WFIL", address: "0xaC26a4Ab9cF2A8c5DBaB6fb4351ec0F4b07356c4", decimals: 18, source: WFIL },
    ],
    gas: FILECOIN_GAS,
  },
  {
    name: "filecoin",
    title: "Filecoin",
    chainId: 314,
    isTest: false,
    coin: "FIL",
    rpc: "https://api.node.glif.io/rpc/v1",
    rpcVariable: "FILECOIN_RPC_URL",
    explorer: "https://filecoin.blockscout.com",
    blockSeconds: 30,
    randomnessKind: "drand",
    sealedTiers: [ARCHIVE],
    challengeFinality: 150,
    confirmations: 5,
    tokens: [
      { symbol: "USDFC", address: "0x80B98d3aa09ffff255c3ba4A241111Ff1262F045", decimals: 18, source: USDFC },
      { symbol: "WFIL", address: "0x60E1773636CF5E4A227d9AC24F20fEca034ee25A", decimals: 18, source: WFIL },
    ],
    gas: FILECOIN_GAS,
  },
  {
    name: "sepolia",
    title: "Ethereum Sepolia",
    chainId: 11_155_111,
    isTest: true,
    coin: "ETH",
    faucet: "https://cloud.google.com/application/web3/faucet/ethereum/sepolia",
    rpc: "https://ethereum-sepolia-rpc.publicnode.com",
    rpcVariable: "SEPOLIA_RPC_URL",
    explorer: "https://sepolia.etherscan.io",
    blockSeconds: 12,
    randomnessKind: "randao",
    challengeFinality: 64,
    confirmations: 3,
    tokens: [{ symbol: "USDC", address: "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", decimals: 6, source: CIRCLE }],
    gas: "a keeper pays for checkpoints as well, one for each epoch that is challenged",
  },
  {
    name: "baseSepolia",
    title: "Base Sepolia",
    chainId: 84_532,
    isTest: true,
    coin: "ETH",
    faucet: "https://docs.base.org/base-chain/tools/network-faucets",
    rpc: "https://sepolia.base.org",
    rpcVariable: "BASE_SEPOLIA_RPC_URL",
    explorer: "https://sepolia.basescan.org",
    blockSeconds: 2,
    randomnessKind: "randao",
    challengeFinality: 300,
    confirmations: 5,
    tokens: [{ symbol: "USDC", address: "0x036CbD53842c5426634e7929541eC2318f3dCF7e", decimals: 6, source: CIRCLE }],
    gas: ROLLUP_GAS,
  },
  {
    name: "optimismSepolia",
    title: "OP Sepolia",
    chainId: 11_155_420,
    isTest: true,
    coin: "ETH",
    faucet: "https://console.optimism.io/faucet",
    rpc: "https://sepolia.optimism.io",
    rpcVariable: "OPTIMISM_SEPOLIA_RPC_URL",
    explorer: "https://testnet-explorer.optimism.io",
    blockSeconds: 2,
    randomnessKind: "randao",
    challengeFinality: 300,
    confirmations: 5,
    tokens: [{ symbol: "USDC", address: "0x5fd84259d66Cd46123540766Be93DFE6D43130D7", decimals: 6, source: CIRCLE }],
    gas: ROLLUP_GAS,
  },
];

/** A chain on this machine: Hardhat's or anvil's, whose blocks come when somebody sends. */
const LOCAL: Network = {
  name: "local",
  title: "a chain on this machine",
  chainId: 31_337,
  isTest: true,
  coin: "ETH",
  rpc: "http://127.0.0.1:8545",
  rpcVariable: "LOCAL_RPC_URL",
  blockSeconds: 1,
  randomnessKind: "blockhash",
  challengeFinality: 2,
  tiers: devTiers(),
  demandWindow: 32,
  confirmations: 1,
  tokens: [],
  gas: "costs nothing that is worth anything",
};

export const NETWORKS: readonly Network[] = [
  ...FACTS.map((facts) => ({ ...facts, tiers: tiersOf(facts), demandWindow: DAY / facts.blockSeconds })),
  LOCAL,
];

/** The network of a name, in any case. @throws HoldfastError `UNKNOWN_NETWORK` naming those that there are */
export function networkNamed(name: string): Network {
  const network = NETWORKS.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (network !== undefined) return network;
  const known = NETWORKS.map((one) => one.name).join(", ");
  throw new HoldfastError("UNKNOWN_NETWORK", `there is no network ${JSON.stringify(name)}`, `known are ${known}`);
}

/** The network of a chain id, where it is one of {@link NETWORKS}. */
export function networkOf(chainId: number | bigint): Network | undefined {
  return NETWORKS.find((one) => one.chainId === Number(chainId));
}

/** The tiers of PROTOCOL section 4 in blocks of so many seconds. */
function tiersOf({ blockSeconds }: Facts): Deployment["tiers"] {
  return TIERS.map(({ period, window, ...rest }) => {
    return { period: period / blockSeconds, window: window / blockSeconds, ...rest };
  });
}
