import { id as hashOf, hexlify, type JsonRpcSigner, parseEther, toBeHex } from "ethers";
import { challengeIndices } from "../../../src/protocol/challenge.js";
import {
  fillQuestionId,
  firstFillBlock,
  possessionEpoch,
  requestIdOf,
  type StorageRequest,
  signTerms,
} from "../../../src/protocol/index.js";
import { type DealTerms, dealDomain } from "../../../src/protocol/terms.js";
import { MarketLens__factory, type StorageRequests, StorageRequests__factory } from "../../../typechain-types/index.js";
import { BenchChain, type Cost } from "./chain.js";
import { type BenchPiece, makePiece } from "./pieces.js";
import { CHALLENGE_FINALITY, CHALLENGES, TIER, World } from "./world.js";

const CHAIN_ID = 31_337;
const STAKE = parseEther("1000");
const MIN_STAKE = parseEther("1");
const PERIODS = 60;
const VALID_UNTIL = 4_102_444_800n; // 2100-01-01

/** A request that is posted, and what it takes to fill it. */
interface BenchRequest {
  readonly request: StorageRequest & { regions: string[] };
  readonly id: bigint;
  readonly piece: BenchPiece;
  readonly posted: number;
  readonly cost: Cost;
}

/** Posting and filling, on a chain of their own: `request.fill` is the dearest of a request's three. */
export async function measureRequests(add: (op: string, cost: Cost) => void): Promise<void> {
  const bench = await RequestBench.create();
  const simple = await bench.post("simple", {});
  add("request.post.3", simple.cost);
  add("request.fill.h20", await bench.fillAll(simple));
  const staked = await bench.post("staked", { minStake: MIN_STAKE, regions: ["0x444500000000"] });
  add("request.fill.stake", await bench.fillAll(staked));
  const owned = await bench.post("owned", { repair: true });
  add("request.fill.repair", await bench.fillAll(owned));
}

class RequestBench {
  readonly #world: World;
  readonly #requests: StorageRequests;
  readonly #address: string;
  readonly #providers: readonly JsonRpcSigner[];

  private constructor(world: World, requests: StorageRequests, address: string, providers: readonly JsonRpcSigner[]) {
    this.#world = world;
    this.#requests = requests;
    this.#address = address;
    this.#providers = providers;
  }

  /** A market that holds money of others, a client with money, three providers with stake in both contracts. */
  static async create(): Promise<RequestBench> {
    const world = await World.deploy(await BenchChain.create());
    const { deployer, client, newcomer, provider, keeper, payee } = world.roles;
    const lens = await new MarketLens__factory(deployer).deploy(world.market);
    const requests = await new StorageRequests__factory(deployer).deploy(world.market, lens);
    const bench = new RequestBench(world, requests, await requests.getAddress(), [provider, keeper, payee]);
    for (const account of [client, newcomer, provider, keeper, payee]) {
      await world.fund(account);
      await world.deposit(account);
    }
    for (const account of [provider, keeper, payee]) await bench.#equip(account);
    // Signs for the first of them, whose fill is the dearest, as it does in the rows of `open`.
    await world.send(provider, world.registry.setSigner.populateTransaction(world.roles.signer));
    for (const operator of [requests, world.market]) {
      await world.send(newcomer, world.vault.setOperator.populateTransaction(operator, true));
      await world.send(client, world.vault.setOperator.populateTransaction(operator, true));
    }
    await world.open(newcomer, "somebody else's deal", 15);
    await bench.#post(newcomer, "somebody else's request", {});
    return bench;
  }

  async #equip(provider: JsonRpcSigner): Promise<void> {
    const { registry, vault, market, token } = this.#world;
    const profile = { name: "Example", url: "https://example.com", peerId: "", region: "0x444500000000" };
    const full = { ...profile, tiers: 3, offerUri: "" };
    await this.#world.send(provider, registry.register.populateTransaction(full));
    await this.#world.send(provider, vault.setOperator.populateTransaction(registry, true));
    for (const operator of [market, this.#requests]) {
      await this.#world.send(provider, registry.provision.populateTransaction(operator, token, STAKE));
    }
  }

  post(label: string, changes: Partial<StorageRequest>): Promise<BenchRequest> {
    return this.#post(this.#world.roles.client, label, changes);
  }

  async #post(client: JsonRpcSigner, label: string, changes: Partial<StorageRequest>): Promise<BenchRequest> {
    const piece = await makePiece(label, 20);
    const request = {
      client: client.address,
      root: hexlify(piece.root),
      leafCount: piece.leafCount,
      tier: TIER,
      periods: PERIODS,
      maxPeriods: 2 * PERIODS,
      token: this.#world.addresses.token,
      startPrice: 1_234_567_890_123_457n,
      maxPrice: 2_345_678_901_234_567n,
      rampEpochs: 300,
      collateral: 98_765_432_109_876_543n,
      maxEgressPricePerGiB: 9_876_543_210_987n,
      replicas: 3,
      minStake: 0n,
      expires: VALID_UNTIL,
      repair: false,
      dataUri: "https://client.example.com/pieces/bafkzcibcaapao5yxgh6q",
      salt: hashOf(label),
      ...changes,
      regions: [...(changes.regions ?? [])],
    };
    const cost = await this.#world.send(client, this.#requests.post.populateTransaction(request));
    const id = requestIdOf(CHAIN_ID, this.#address, request);
    return { request, id, piece, posted: await this.#world.chain.blockNumber(), cost };
  }

  /** Lets all three providers fill; the cost of the dearest. */
  async fillAll(posted: BenchRequest): Promise<Cost> {
    const first = firstFillBlock(posted.posted, CHALLENGE_FINALITY);
    const epoch = possessionEpoch(first);
    const header = await this.#world.chain.mineEpoch(epoch);
    const checkpoint = this.#world.randomness.checkpoint.populateTransaction(epoch, header);
    await this.#world.send(this.#world.roles.keeper, checkpoint);
    const costs: Cost[] = [];
    for (const provider of this.#providers) costs.push(await this.#fill(posted, provider, epoch));
    return costs.reduce((most, cost) => (cost.gas > most.gas ? cost : most));
  }

  async #fill({ request, id, piece }: BenchRequest, provider: JsonRpcSigner, epoch: number): Promise<Cost> {
    const { client, startPrice: pricePerPeriod, maxEgressPricePerGiB: egressPricePerGiB, ...rest } = request;
    const terms: DealTerms = {
      ...rest,
      client: request.repair ? this.#address : client,
      provider: provider.address,
      pricePerPeriod,
      egressPricePerGiB,
      validUntil: VALID_UNTIL,
      salt: hashOf(toBeHex(id) + provider.address),
    };
    const leaves = challengeIndices({
      chainId: CHAIN_ID,
      market: this.#address,
      dealId: fillQuestionId(id, 0n, provider.address),
      window: 0,
      seed: await this.#world.randomness.seed(epoch),
      count: CHALLENGES,
      leafCount: piece.leafCount,
    });
    const signer = provider === this.#world.roles.provider ? this.#world.roles.signer : provider;
    const signature = await signTerms(signer, dealDomain(CHAIN_ID, this.#world.addresses.market), terms);
    const proof = await piece.prove(leaves);
    const call = this.#requests.fill.populateTransaction(request, 0n, terms, signature, proof);
    return this.#world.send(provider, call);
  }
}
