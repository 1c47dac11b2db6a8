/** How actions of the model are sent to the contracts, and the proofs that go with them. */
import { AbiCoder, concat, hexlify, keccak256, type Signer, toBeHex, ZeroAddress } from "ethers";
import {
  challengeIndices,
  type DealTerms,
  migrationQuestionId,
  packProofs,
  possessionEpoch,
  signAmendment,
  signMigration,
  signTerms,
} from "../../src/protocol/index.js";
import type { Action, ActionOf, Attempt } from "./actions.js";
import type { Dice } from "./intents.js";
import { type Commitment, type Deal, openWindow } from "./model.js";
import { networkHelpers, seedOf, TIERS, type World } from "./world.js";

/** A proof's bytes, and what the model needs to know of them. */
export interface Proof extends Attempt {
  readonly bytes: Uint8Array;
}

/** The proof that the window open at `block` asks for; where none is open, that of the last window before. */
export async function canonicalProof(world: World, id: bigint, deal: Deal, block: number): Promise<Proof> {
  const window =
    openWindow(deal, block) ?? deal.windows.filter(({ epoch }) => epoch < block).at(-1) ?? deal.windows[0]!;
  const bytes = await proofOf(world, id, deal, deal.windows.indexOf(window) + 1, window.epoch);
  return { id, bytes, valid: openWindow(deal, block) !== undefined, seedKnown: true };
}

async function proofOf(
  world: World,
  id: bigint,
  deal: Deal,
  k: number,
  epoch: number,
  under: Commitment = (deal.windows[k - 1] ?? deal.windows.at(-1)!).under,
): Promise<Uint8Array> {
  const { terms } = deal;
  const { root, leafCount } = under;
  const piece = world.pieces.find((candidate) => candidate.root === root) as World["pieces"][number];
  const leaves = challengeIndices({
    chainId: world.chainId,
    market: world.marketAddress,
    dealId: id,
    window: k,
    seed: seedOf(epoch),
    count: TIERS[terms.tier]!.challenges,
    leafCount,
  });
  return piece.prove(leaves);
}

/** A proof that is right more often than not; always where there are no dice. */
export async function drawProof(
  world: World,
  id: bigint,
  deal: Deal | undefined,
  block: number,
  dice: Dice | undefined,
): Promise<Proof> {
  if (!deal) return { id, bytes: new Uint8Array(64), valid: false, seedKnown: true };
  const right = await canonicalProof(world, id, deal, block);
  const way = dice?.below(13) ?? 0;
  if (way === 1 && deal.terms.provider !== world.accounts.honest.address) return { ...right, seedKnown: false };
  const bytes = way > 1 && way < 7 ? await spoil(world, id, deal, right.bytes, way, block) : right.bytes;
  const same = hexlify(bytes) === hexlify(right.bytes);
  return { ...right, bytes, valid: right.valid && same };
}

async function spoil(
  world: World,
  id: bigint,
  deal: Deal,
  right: Uint8Array,
  way: number,
  block: number,
): Promise<Uint8Array> {
  if (way === 2) return right.subarray(0, right.length - 32);
  if (way === 3) return Uint8Array.from([...right, ...new Uint8Array(32)]);
  if (way === 4) {
    const flipped = right.slice();
    const at = (block * 7) % right.length;
    flipped[at] = (flipped[at] as number) ^ (1 << (block % 6));
    return flipped;
  }
  const epoch = openWindow(deal, block)?.epoch ?? deal.windows[0]!.epoch;
  if (way === 5) {
    // The right window, but the piece of the first or of the last one.
    const k = deal.windows.findIndex((window) => window.epoch === epoch) + 1;
    const { under } = deal.windows.at(block % 2 === 0 ? 0 : -1)!;
    return proofOf(world, id, deal, k, epoch, under);
  }
  // The right epoch, but another window's number.
  return proofOf(world, id, deal, deal.windows.length + 1, epoch);
}

/** Plays `step` while the seed of `epoch` can't be read; takes no block of its own. */
export async function withholding(world: World, epoch: number | undefined, step: () => Promise<void>): Promise<void> {
  if (epoch === undefined) return step();
  const address = await world.randomness.getAddress();
  await networkHelpers.setStorageAt(address, withheldSlot(epoch), 1n);
  await step();
  await networkHelpers.setStorageAt(address, withheldSlot(epoch), 0n);
}

/** Where SteadyRandomness keeps `withheld[epoch]`: its first variable. */
const withheldSlot = (epoch: number): string => keccak256(concat([toBeHex(epoch, 32), toBeHex(0, 32)]));

interface Call {
  readonly from: string;
  readonly to: string;
  readonly data: string;
  readonly value?: bigint;
}

/** The transaction of an action. `proofs` go with proofs, `hash` with a guarded transfer. */
export async function callOf(world: World, action: Action, proofs: readonly Proof[], hash?: string): Promise<Call> {
  const { market } = world;
  const to = world.marketAddress;
  const from = action.by;
  const call = async (data: string | Promise<string>): Promise<Call> => ({ from, to, data: await data });
  const { interface: abi } = market;
  switch (action.kind) {
    case "open":
      return call(openData(world, action));
    case "cancel":
      return call(abi.encodeFunctionData("cancel", [action.terms]));
    case "prove":
      return call(abi.encodeFunctionData("prove", [action.id, proofs[0]!.bytes]));
    case "proveByChain": {
      const { provider, root, leafCount } = action.vouched;
      const evidence = AbiCoder.defaultAbiCoder().encode(
        ["address", "bytes32", "uint256"],
        [provider, root, leafCount],
      );
      return call(abi.encodeFunctionData("proveByChain", [action.id, evidence]));
    }
    case "proveMany": {
      const packed = packProofs(proofs.map(({ bytes }) => bytes));
      const bytes = action.malformed ? concat([packed, "0x00"]) : packed;
      return call(abi.encodeFunctionData("proveMany", [proofs.map(({ id }) => id), bytes]));
    }
    case "settle":
      return call(abi.encodeFunctionData("settle", [[...action.ids], action.bountyTo]));
    case "extend":
      return call(abi.encodeFunctionData("extend", [action.id, action.periods, action.maxCost]));
    case "restore":
      return call(abi.encodeFunctionData("restore", [action.id, action.n]));
    case "terminate":
      return call(abi.encodeFunctionData("terminate", [action.id]));
    case "amend":
      return call(amendData(world, action));
    case "migrate":
      return call(migrateData(world, action, proofs[0]!.bytes));
    case "transfer":
      return call(abi.encodeFunctionData("transferFrom", [action.from, action.to, action.id]));
    case "transferIf":
      return call(abi.encodeFunctionData("transferIf", [action.id, action.to, hash!]));
    default:
      return moneyCall(world, action);
  }
}

/** A signature of an account of the world, empty where nobody signs. */
async function signed(
  world: World,
  account: string | undefined,
  sign: (signer: Signer) => Promise<string>,
): Promise<string> {
  const signer = Object.values(world.accounts).find(({ address }) => address === account);
  return signer ? sign(signer) : "0x";
}

async function openData(world: World, { terms, clientSigned, providerSigned }: ActionOf<"open">): Promise<string> {
  const sign = (account: string | undefined) =>
    signed(world, account, (signer) => signTerms(signer, world.domain, terms));
  return world.market.interface.encodeFunctionData("open", [
    terms,
    await sign(clientSigned),
    await sign(providerSigned),
  ]);
}

async function amendData(world: World, action: ActionOf<"amend">): Promise<string> {
  const { amendment } = action;
  const sign = (account: string | undefined) =>
    signed(world, account, (signer) => signAmendment(signer, world.domain, amendment));
  const signatures = [await sign(action.ownerSigned), await sign(action.providerSigned)] as const;
  return world.market.interface.encodeFunctionData("amend", [amendment, ...signatures]);
}

async function migrateData(world: World, action: ActionOf<"migrate">, proof: Uint8Array): Promise<string> {
  const { id, successor, terms } = action;
  const consent = { dealId: id, successor };
  const signatures = [
    await signed(world, action.ownerSigned, (signer) => signMigration(signer, world.domain, consent)),
    await signed(world, action.providerSigned, (signer) => signTerms(signer, world.domain, terms)),
  ] as const;
  return world.market.interface.encodeFunctionData("migrate", [id, terms, ...signatures, proof]);
}

/** Draws the proof that the new provider of a migration holds the piece; wrong in two of six ways. */
export async function drawPossession(
  world: World,
  id: bigint,
  terms: DealTerms,
  block: number,
  dice: Dice,
): Promise<Proof & { readonly epoch: number }> {
  const epoch = possessionEpoch(block);
  const piece = world.pieces.find(({ root }) => root === terms.root);
  const ask = (dealId: bigint) =>
    challengeIndices({
      chainId: world.chainId,
      market: world.marketAddress,
      dealId,
      window: 0,
      seed: seedOf(epoch),
      count: TIERS[terms.tier]?.challenges ?? 1,
      leafCount: piece?.commitment.leafCount ?? 1n,
    });
  if (!piece) return { id, epoch, bytes: new Uint8Array(), valid: false, seedKnown: true };
  const right = await piece.prove(ask(migrationQuestionId(id, terms.provider)));
  const way = dice.below(12);
  // A proof for another provider, as good as one that was copied; a spoiled one; a seed that can't be read.
  const other = await piece.prove(ask(migrationQuestionId(id, world.accounts.stranger.address)));
  const bytes = way === 10 ? other : way === 9 ? right.subarray(32) : right;
  return { id, epoch, bytes, valid: hexlify(bytes) === hexlify(right), seedKnown: way !== 11 };
}

async function moneyCall(
  world: World,
  action: ActionOf<"deposit" | "withdraw" | "provision" | "unprovision" | "setPayee" | "setSigner">,
): Promise<Call> {
  const { by, kind } = action;
  const [vault, registry] = [world.vault.interface, world.registry.interface];
  const toVault = { from: by, to: world.config.protocol[0] as string };
  const toRegistry = { from: by, to: world.config.protocol[1] as string };
  if (kind === "setPayee") return { ...toRegistry, data: registry.encodeFunctionData(kind, [action.payee]) };
  if (kind === "setSigner") return { ...toRegistry, data: registry.encodeFunctionData(kind, [action.signer]) };
  const { token, amount } = action;
  if (kind === "withdraw") return { ...toVault, data: vault.encodeFunctionData(kind, [token, by, amount]) };
  if (kind === "deposit") {
    const data = vault.encodeFunctionData(kind, [token, by, amount]);
    return { ...toVault, data, value: token === ZeroAddress ? amount : 0n };
  }
  const data = registry.encodeFunctionData(kind as "provision", [world.marketAddress, token, amount]);
  return { ...toRegistry, data };
}
