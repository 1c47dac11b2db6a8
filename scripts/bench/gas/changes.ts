import { id as hashOf, hexlify, parseEther } from "ethers";
import { FolderArchive, mergeFolder, type PackedFolder, packFolder } from "../../../src/piece/car/index.js";
import { commitWithLayer, prove } from "../../../src/piece/index.js";
import { signAmendment } from "../../../src/protocol/amendment.js";
import { challengeIndices } from "../../../src/protocol/challenge.js";
import { migrationQuestionId, possessionEpoch, signTerms } from "../../../src/protocol/index.js";
import { dealDomain } from "../../../src/protocol/terms.js";
import { BenchChain, type Cost } from "./chain.js";
import type { BenchPiece } from "./pieces.js";
import { type BenchDeal, CHALLENGES, World } from "./world.js";

const CHAIN_ID = 31_337;
const STAKE = parseEther("1000");
const VALID_UNTIL = 4_102_444_800n; // 2100-01-01
const FILE_BYTES = 1024;

type Add = (op: string, cost: Cost) => void;

/**
 * Amending, moving and selling, on a chain of their own: deals that were opened alike, in their first window. Amendments
 * wait for the next window and raise the price with the size: the dearest case.
 */
export async function measureAgreed(add: Add): Promise<void> {
  const world = await equippedWorld();
  const { client, newcomer } = world.roles;
  const folder = await folderOf(0, 1_000);
  const old = await pieceOf(folder);
  const [small, large] = [
    await world.openOver(client, "one more", old),
    await world.openOver(client, "many more", old),
  ];
  const moved = await world.open(client, "moved", 20);
  const sold = await world.open(client, "sold", 20);
  await world.chain.mineTo((await world.firstEpochOf(small)) + 2);
  add("amend.1", await amend(world, small, await grown(folder, 1)));
  add("amend.1000", await amend(world, large, await grown(folder, 1_000)));
  add("transfer", await world.send(client, world.market.transferFrom.populateTransaction(client, newcomer, sold.id)));
  add("migrate.h20", await migrate(world, moved));
}

/** A market that holds deals of others, a client with money, a provider and another one with stake. */
async function equippedWorld(): Promise<World> {
  const world = await World.deploy(await BenchChain.create());
  const { client, newcomer, provider, signer, keeper } = world.roles;
  const { registry, vault, market, token } = world;
  for (const account of [client, newcomer, provider, keeper]) {
    await world.fund(account);
    await world.deposit(account);
    await world.send(account, vault.setOperator.populateTransaction(market, true));
    await world.send(account, vault.setOperator.populateTransaction(registry, true));
  }
  const profile = { name: "Example", url: "https://example.com", peerId: "", region: "0x444500000000" };
  for (const account of [provider, keeper]) {
    await world.send(account, registry.register.populateTransaction({ ...profile, tiers: 3, offerUri: "" }));
    await world.send(account, registry.provision.populateTransaction(market, token, STAKE));
  }
  await world.send(provider, registry.setSigner.populateTransaction(signer));
  await world.open(newcomer, "somebody else's deal", 15);
  return world;
}

/** Files `from` up to, not including, `to`: 1 KiB each, no two alike. */
function* files(from: number, to: number) {
  for (let i = from; i < to; i++) {
    yield {
      path: `file-${i}.bin`,
      content: () => new Uint8Array(FILE_BYTES).map((_, at) => (i * 31 + at * (i | 1)) & 0xff),
    };
  }
}

const folderOf = (from: number, to: number): Promise<PackedFolder> => packFolder(files(from, to));

/** The folder with `more` files added, as one piece. */
async function grown(folder: PackedFolder, more: number): Promise<BenchPiece> {
  const archive = await FolderArchive.open(folder.car);
  return pieceOf(await mergeFolder(archive, files(folder.files, folder.files + more)));
}

async function pieceOf({ car }: PackedFolder): Promise<BenchPiece> {
  const payload = await car.bytes();
  const { commitment, layer } = await commitWithLayer(payload);
  const read = (offset: number, length: number): Uint8Array => payload.subarray(offset, offset + length);
  return { ...commitment, prove: (indices) => prove(layer, read, indices) };
}

/** The owner sends; the provider's hot key has signed. */
async function amend(world: World, { id, piece, terms }: BenchDeal, next: BenchPiece): Promise<Cost> {
  const amendment = {
    dealId: id,
    root: hexlify(next.root),
    leafCount: next.leafCount,
    pricePerPeriod: (terms.pricePerPeriod * next.leafCount) / piece.leafCount,
    nonce: 0,
    validUntil: VALID_UNTIL,
  };
  const accepted = await signAmendment(world.roles.signer, dealDomain(CHAIN_ID, world.addresses.market), amendment);
  return world.send(world.roles.client, world.market.amend.populateTransaction(amendment, "0x", accepted));
}

/** To the other provider, at the same price; the owner sends. */
async function migrate(world: World, { id, piece, terms: old }: BenchDeal): Promise<Cost> {
  const { client, keeper } = world.roles;
  const epoch = possessionEpoch((await world.chain.blockNumber()) + 64);
  const header = await world.chain.mineEpoch(epoch);
  await world.send(keeper, world.randomness.checkpoint.populateTransaction(epoch, header));
  const terms = { ...old, provider: keeper.address, salt: hashOf("moved on") };
  const leaves = challengeIndices({
    chainId: CHAIN_ID,
    market: world.addresses.market,
    dealId: migrationQuestionId(id, keeper.address),
    window: 0,
    seed: await world.randomness.seed(epoch),
    count: CHALLENGES,
    leafCount: piece.leafCount,
  });
  const accepted = await signTerms(keeper, dealDomain(CHAIN_ID, world.addresses.market), terms);
  const proof = await piece.prove(leaves);
  return world.send(client, world.market.migrate.populateTransaction(id, terms, "0x", accepted, proof));
}
