/** How actions of the model are sent to the contracts, and the proofs that go with them. */
import { concat, hexlify, keccak256, toBeHex, ZeroAddress } from "ethers";
import { challengeIndices, packProofs, signTerms } from "../../src/protocol/index.js";
import type { Action, ActionOf, Attempt } from "./actions.js";
import type { Dice } from "./intents.js";
import { type Deal, openWindow } from "./model.js";
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

async function proofOf(world: World, id: bigint, deal: Deal, k: number, epoch: number): Promise<Uint8Array> {
  const { terms } = deal;
  const piece = world.pieces.find(({ root }) => root === terms.root) as World["pieces"][number];
  const leaves = challengeIndices({
    chainId: world.chainId,
    market: world.marketAddress,
    dealId: id,
    window: k,
    seed: seedOf(epoch),
    count: TIERS[terms.tier]!.challenges,
    leafCount: terms.leafCount,
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
  const way = dice?.below(12) ?? 0;
  if (way === 1 && deal.terms.provider !== world.accounts.honest.address) return { ...right, seedKnown: false };
  const bytes = way > 1 && way < 6 ? await spoil(world, id, deal, right.bytes, way, block) : right.bytes;
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
  // The right epoch, but another window's number.
  const epoch = openWindow(deal, block)?.epoch ?? deal.windows[0]!.epoch;
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
    case "transfer":
      return call(abi.encodeFunctionData("transferFrom", [action.from, action.to, action.id]));
    case "transferIf":
      return call(abi.encodeFunctionData("transferIf", [action.id, action.to, hash!]));
    default:
      return moneyCall(world, action);
  }
}

async function openData(world: World, action: ActionOf<"open">): Promise<string> {
  const sign = async (account: string | undefined): Promise<string> => {
    const signer = Object.values(world.accounts).find(({ address }) => address === account);
    return signer ? signTerms(signer, world.domain, action.terms) : "0x";
  };
  const signatures = [await sign(action.clientSigned), await sign(action.providerSigned)] as const;
  return world.market.interface.encodeFunctionData("open", [action.terms, ...signatures]);
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
