import { hexlify } from "ethers";
import { type Commitment, commitWithLayer, prove } from "../../src/piece/index.js";
import { type DealTerms, dealDomain, dealIdOf, packProofs, signTerms } from "../../src/protocol/index.js";
import { id as claim, ethers, networkHelpers } from "./vault.js";

export { ALIAS, COIN, ethers, networkHelpers } from "./vault.js";
export { claim };

export const FEE_BPS = 100n;
export const FINALITY = 4;
/** hot, warm, archive, on the scale of a test. */
export const TIERS = [
  { period: 32, window: 8, challenges: 3, maxMisses: 3 },
  { period: 48, window: 12, challenges: 5, maxMisses: 2 },
  { period: 64, window: 16, challenges: 10, maxMisses: 1 },
] as const;

export const Status = { None: 0n, Open: 1n, Ending: 2n, Completed: 3n, Defaulted: 4n, Migrated: 5n } as const;

const PROFILE = {
  name: "Provider",
  url: "https://provider.example",
  peerId: "",
  region: "0x444500000000",
  tiers: 7,
  offerUri: "",
};

/** The tier that the chain may prove, where something answers for it. */
export const ARCHIVE = 2;

/** A multiple of every period of {@link TIERS}. */
const GRID = 192;

/**
 * A market with everything around it: four accounts with money in the vault, a provider with stake. It begins at a multiple of
 * every period: schedules are counted from block 0, and where windows lie must not hang on what other tests have mined.
 */
export async function deployMarket(options: { feeBps?: bigint; minStake?: bigint; chainProofs?: string } = {}) {
  await networkHelpers.mineUpTo(Math.ceil(((await latest()) + 1) / GRID) * GRID);
  const [client, provider, keeper, stranger, treasury, signer] = await ethers.getSigners();
  if (!client || !provider || !keeper || !stranger || !treasury || !signer) throw new Error("too few accounts");
  const vault = await ethers.deployContract("Vault");
  const registry = await ethers.deployContract("ProviderRegistry", [vault]);
  const randomness = await ethers.deployContract("BlockhashRandomness");
  const token = await ethers.deployContract("TestToken", ["Test Dollar", "TUSD", 6]);
  const config = {
    vault: await vault.getAddress(),
    registry: await registry.getAddress(),
    randomness: await randomness.getAddress(),
    treasury: treasury.address,
    feeBps: options.feeBps ?? FEE_BPS,
    challengeFinality: FINALITY,
    demandWindow: 16,
    stakeToken: await token.getAddress(),
    minStake: options.minStake ?? 0n,
    tiers: TIERS.map((tier) => ({ ...tier })),
    chainProofs: options.chainProofs ?? ethers.ZeroAddress,
    chainTiers: options.chainProofs === undefined ? 0 : 1 << ARCHIVE,
  };
  const market = await ethers.deployContract("StorageMarket", [config]);
  const lens = await ethers.deployContract("MarketLens", [market]);
  const [marketAddress, tokenAddress] = [await market.getAddress(), await token.getAddress()];
  for (const account of [client, provider, keeper, stranger]) {
    await token.mint(account, 10_000_000n);
    await token.connect(account).approve(vault, ethers.MaxUint256);
    await vault.connect(account).depositAndApprove(tokenAddress, 1_000_000n, marketAddress);
  }
  await vault.connect(provider).setOperator(registry, true);
  await registry.connect(provider).register(PROFILE);
  await registry.connect(provider).provision(marketAddress, tokenAddress, 500_000n);
  const { chainId } = await ethers.provider.getNetwork();
  const domain = dealDomain(Number(chainId), marketAddress);
  const accounts = { client, provider, keeper, stranger, treasury, signer };
  return { vault, registry, randomness, token, market, lens, config, domain, marketAddress, tokenAddress, ...accounts };
}

/** The market that most tests want, as a fixture. */
export const standardMarket = () => deployMarket();

export type World = Awaited<ReturnType<typeof deployMarket>>;

/** A piece that is really proven: bytes, commitment, and a proof of any leaves. */
export async function makePiece(bytes: number, seed = 1) {
  const payload = new Uint8Array(bytes).map((_, i) => (i * 31 + seed * 97 + (i >> 8)) & 0xff);
  const { commitment, layer } = await commitWithLayer(payload);
  const proofOf = (leaves: readonly bigint[]) =>
    prove(layer, (offset, length) => payload.subarray(offset, offset + length), leaves);
  return { commitment, proofOf };
}

export type Piece = Awaited<ReturnType<typeof makePiece>>;

let salt = 0;

/** Terms that the market accepts; `changes` replace single members. */
export function termsFor(world: World, { commitment }: { commitment: Commitment }, changes: Partial<DealTerms> = {}) {
  const terms: DealTerms = {
    client: world.client.address,
    provider: world.provider.address,
    root: hexlify(commitment.root),
    leafCount: commitment.leafCount,
    tier: 0,
    periods: 6,
    maxPeriods: 12,
    token: world.tokenAddress,
    pricePerPeriod: 1_000n,
    collateral: 3_001n,
    egressPricePerGiB: 7n,
    validUntil: 4_000_000_000n,
    salt: ethers.zeroPadValue(ethers.toBeHex(++salt), 32),
    ...changes,
  };
  return terms;
}

type Signer = Parameters<typeof signTerms>[0];

/** Opens terms as the client does: it sends, the provider has signed. */
export async function openTerms(world: World, terms: DealTerms, by: Signer = world.provider): Promise<bigint> {
  const signature = await signTerms(by, world.domain, terms);
  await world.market.connect(world.client).open(terms, "0x", signature);
  return dealIdOf(world.domain, terms);
}

/** A deal on a piece of its own, just opened. */
export async function openDeal(world: World, changes: Partial<DealTerms> = {}, bytes = 1_000) {
  const piece = await makePiece(bytes);
  const terms = termsFor(world, piece, changes);
  const id = await openTerms(world, terms);
  const { firstEpoch } = await world.lens.dealOf(id);
  return { id, terms, piece, first: Number(firstEpoch), tier: TIERS[terms.tier] as (typeof TIERS)[number] };
}

export type OpenedDeal = Awaited<ReturnType<typeof openDeal>>;

/** e_k */
export const epoch = (deal: OpenedDeal, k: number): number => deal.first + (k - 1) * deal.tier.period;

/** The next transaction is in block `block`. */
export async function nextBlockIs(block: number): Promise<void> {
  await networkHelpers.mineUpTo(block - 1);
}

/** A struct or tuple from the chain as the plain array of its members. */
export const plain = (struct: readonly unknown[] | undefined): unknown[] => [...(struct ?? [])];

/** The latest block; it is also what a view sees as block.number. */
export const latest = (): Promise<number> => networkHelpers.time.latestBlock();

/** The proof that the market wants in the window that is open in the latest block. */
export async function proofNow(world: World, deal: Pick<OpenedDeal, "id" | "piece">): Promise<string> {
  const { leaves } = await world.lens.challengeOf(deal.id);
  return hexlify(await deal.piece.proofOf(leaves));
}

/** Proves window k, early in it. */
export async function proveWindow(world: World, deal: OpenedDeal, k: number): Promise<void> {
  const opened = epoch(deal, k) + 1;
  if ((await latest()) < opened) await networkHelpers.mineUpTo(opened);
  await world.market.connect(world.keeper).prove(deal.id, await proofNow(world, deal));
}

/** Proofs as `proveMany` takes them. */
export const pack = (proofs: readonly string[]): string =>
  hexlify(packProofs(proofs.map((proof) => ethers.getBytes(proof))));

/** Claims in the vault, in the world's token. */
export const balance = (world: World, account: { address: string }): Promise<bigint> =>
  world.vault.balanceOf(account.address, claim(world.tokenAddress));

export const NO_BOUNTY = ethers.ZeroAddress;
