import {
  type ContractTransaction,
  id as hashOf,
  hexlify,
  type JsonRpcSigner,
  MaxUint256,
  parseEther,
  toBeHex,
  ZeroAddress,
} from "ethers";
import { challengeIndices } from "../../../src/protocol/challenge.js";
import { type DealTerms, dealDomain, dealIdOf, signTerms } from "../../../src/protocol/terms.js";
import * as contracts from "../../../typechain-types/index.js";
import type { BenchChain, Cost } from "./chain.js";
import { type BenchPiece, makePiece } from "./pieces.js";

/** Tier 1 is the one of all figures: five challenges, as the targets name them. */
export const TIERS = [
  { period: 32, window: 16, challenges: 3, maxMisses: 6 },
  { period: 128, window: 64, challenges: 5, maxMisses: 4 },
] as const;
export const TIER = 1;
export const { period: PERIOD, window: WINDOW, challenges: CHALLENGES } = TIERS[TIER];

export const CHALLENGE_FINALITY = 2;
const FEE_BPS = 100;
const MIN_STAKE = parseEther("100");
const DEPOSIT = parseEther("100000");
const VALID_UNTIL = 4_102_444_800n; // 2100-01-01
const PERIODS = 60;

/** An open deal and what it takes to prove it. */
export interface BenchDeal {
  readonly id: bigint;
  readonly piece: BenchPiece;
  readonly terms: DealTerms;
}

/** The accounts, each with one role. */
export interface Roles {
  readonly deployer: JsonRpcSigner;
  readonly client: JsonRpcSigner;
  /** A client without a deal. */
  readonly newcomer: JsonRpcSigner;
  readonly provider: JsonRpcSigner;
  /** The provider's hot key, which accepts deals. */
  readonly signer: JsonRpcSigner;
  readonly payee: JsonRpcSigner;
  readonly treasury: JsonRpcSigner;
  readonly keeper: JsonRpcSigner;
}

/** One market with its vault, registry and seeds, and the calls that the rows are made of. */
export class World {
  readonly chain: BenchChain;
  readonly roles: Roles;
  readonly token: contracts.TestToken;
  readonly vault: contracts.Vault;
  readonly registry: contracts.ProviderRegistry;
  readonly randomness: contracts.RandaoRandomness;
  readonly market: contracts.StorageMarket;
  readonly addresses: {
    readonly token: string;
    readonly vault: string;
    readonly registry: string;
    readonly market: string;
  };

  private constructor(
    chain: BenchChain,
    roles: Roles,
    deployed: Pick<World, "token" | "vault" | "registry" | "randomness" | "market" | "addresses">,
  ) {
    this.chain = chain;
    this.roles = roles;
    this.token = deployed.token;
    this.vault = deployed.vault;
    this.registry = deployed.registry;
    this.randomness = deployed.randomness;
    this.market = deployed.market;
    this.addresses = deployed.addresses;
  }

  /** Deploys everything in a fixed order, so that all addresses are fixed as well. */
  static async deploy(chain: BenchChain): Promise<World> {
    const roles = rolesOf(chain.signers);
    const token = await new contracts.TestToken__factory(roles.deployer).deploy("Test Dollar", "TUSD", 18);
    const vault = await new contracts.Vault__factory(roles.deployer).deploy();
    const registry = await new contracts.ProviderRegistry__factory(roles.deployer).deploy(vault);
    const randomness = await new contracts.RandaoRandomness__factory(roles.deployer).deploy();
    const market = await new contracts.StorageMarket__factory(roles.deployer).deploy({
      vault,
      registry,
      randomness,
      treasury: roles.treasury,
      feeBps: FEE_BPS,
      challengeFinality: CHALLENGE_FINALITY,
      demandWindow: PERIOD,
      stakeToken: token,
      minStake: MIN_STAKE,
      tiers: [...TIERS],
      chainProofs: ZeroAddress,
      chainTiers: 0,
    });
    const addresses = {
      token: await token.getAddress(),
      vault: await vault.getAddress(),
      registry: await registry.getAddress(),
      market: await market.getAddress(),
    };
    return new World(chain, roles, { token, vault, registry, randomness, market, addresses });
  }

  /** Gives `account` tokens that the vault may take. */
  async fund(account: JsonRpcSigner): Promise<void> {
    await this.send(account, this.token.mint.populateTransaction(account, 2n * DEPOSIT));
    await this.send(account, this.token.approve.populateTransaction(this.vault, MaxUint256));
  }

  /** Deposits half of what `fund` gave. */
  deposit(account: JsonRpcSigner): Promise<Cost> {
    return this.send(account, this.vault.deposit.populateTransaction(this.token, account, DEPOSIT / 2n));
  }

  async send(from: JsonRpcSigner, call: Promise<ContractTransaction>): Promise<Cost> {
    return this.chain.send(from, await call);
  }

  /** Opens a deal over a new piece. The client submits; the provider's hot key has signed. */
  async open(client: JsonRpcSigner, label: string, height: number): Promise<BenchDeal & { readonly cost: Cost }> {
    return this.openOver(client, label, await makePiece(label, height));
  }

  /** The same over a piece that is there. */
  async openOver(
    client: JsonRpcSigner,
    label: string,
    piece: BenchPiece,
  ): Promise<BenchDeal & { readonly cost: Cost }> {
    const terms = await this.#terms(client, label, piece);
    const domain = dealDomain(31_337, this.addresses.market);
    const accepted = await signTerms(this.roles.signer, domain, terms);
    const cost = await this.send(client, this.market.open.populateTransaction(terms, "0x", accepted));
    return { id: dealIdOf(domain, terms), piece, terms, cost };
  }

  async #terms(client: JsonRpcSigner, label: string, piece: BenchPiece): Promise<DealTerms> {
    return {
      client: client.address,
      provider: this.roles.provider.address,
      root: hexlify(piece.root),
      leafCount: piece.leafCount,
      tier: TIER,
      periods: PERIODS,
      maxPeriods: 2 * PERIODS,
      token: this.addresses.token,
      pricePerPeriod: 1_234_567_890_123_457n,
      collateral: 98_765_432_109_876_543n,
      egressPricePerGiB: 9_876_543_210_987n,
      validUntil: VALID_UNTIL,
      salt: hashOf(label),
    };
  }

  /** The proof of `deal` for the window that block `epoch` opened. */
  async proofOf(deal: BenchDeal, window: number, epoch: number): Promise<Uint8Array> {
    const indices = challengeIndices({
      chainId: 31_337,
      market: this.addresses.market,
      dealId: deal.id,
      window,
      seed: await this.randomness.seed(epoch),
      count: CHALLENGES,
      leafCount: deal.piece.leafCount,
    });
    return deal.piece.prove(indices);
  }

  async prove(deal: BenchDeal, window: number, epoch: number): Promise<Cost> {
    const proof = await this.proofOf(deal, window, epoch);
    return this.send(this.roles.keeper, this.market.prove.populateTransaction(deal.id, proof));
  }

  settle(...deals: readonly BenchDeal[]): Promise<Cost> {
    const ids = deals.map(({ id }) => id);
    return this.send(this.roles.keeper, this.market.settle.populateTransaction(ids, this.roles.keeper));
  }

  /** e_1 of a deal. */
  async firstEpochOf(deal: BenchDeal): Promise<number> {
    const { course } = await this.market.recordOf(toBeHex(deal.id));
    return Number(course.firstEpoch);
  }
}

function rolesOf(signers: readonly JsonRpcSigner[]): Roles {
  const [deployer, client, newcomer, provider, signer, payee, treasury, keeper] = signers;
  if (!deployer || !client || !newcomer || !provider || !signer || !payee || !treasury || !keeper) {
    throw new Error("the network has fewer than eight accounts");
  }
  return { deployer, client, newcomer, provider, signer, payee, treasury, keeper };
}
