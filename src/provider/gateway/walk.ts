import { CID } from "multiformats/cid";
import { HoldfastError } from "../../errors.js";
import type { Link, Plan } from "./follow.js";
import type { HeldBlocks } from "./held-blocks.js";
import type { WalkRoom, WalkShare } from "./walk-room.js";

export interface WalkOptions {
  readonly blocks: Pick<HeldBlocks, "get" | "again">;
  /** Sent first. */
  readonly path: readonly CID[];
  readonly plan: Plan;
  /** Whether a block is sent each time that it occurs. */
  readonly dups: boolean;
  /** Blocks that are sent at most. */
  readonly maxBlocks: number;
  /** Shared with all walks. */
  readonly room: WalkRoom;
}

export interface VisitedBlock {
  readonly cid: CID;
  /** In bytes. */
  readonly size: number;
}

const IDENTITY = 0x00;

/** Blocks that wait for their turn: more than the links of any one block, times the levels of any usual tree. */
const MAX_WAITING = 1 << 16;

/**
 * Goes through a DAG depth first, each block before what it leads to, and gives out what is wanted. Blocks are read one at a
 * time, as they are asked for, and none is kept here while it is sent. In memory are the CIDs that wait, 2^16 at most, and those that were sent: 60 bytes each.
 *
 * Blocks that their CIDs hold themselves are followed and not given out.
 *
 * @throws HoldfastError `BLOCK_MISSING` where one is not here; `DAG_TOO_LARGE`: a few blocks that name each other often enough
 *   stand for more than anybody can read; `NODE_BUSY`: too many large ones at once; what the plan throws
 */
export async function* walk(options: WalkOptions): AsyncGenerator<VisitedBlock> {
  const share = options.room.enter();
  try {
    yield* visit(options, share);
  } finally {
    share.leave();
  }
}

async function* visit(options: WalkOptions, share: WalkShare): AsyncGenerator<VisitedBlock> {
  const { blocks, path, plan, dups, maxBlocks } = options;
  /** Of each block that was sent, whether all below it was as well. */
  const sent = new Map<string, boolean>();
  const waiting = [stepTo(plan.first)];
  let left = maxBlocks;
  const take = async (cid: CID) => {
    if (left-- === 0) throw tooLarge(`it has more than ${maxBlocks} blocks`);
    const bytes = await blocks.get(cid);
    if (bytes) return bytes.length;
    throw new HoldfastError("BLOCK_MISSING", `the block ${cid} is not here`, "ask another provider");
  };
  for (const cid of path) {
    if (cid.multihash.code === IDENTITY) continue;
    sent.set(keyOf(cid), false);
    yield { cid, size: await take(cid) };
  }
  for (let step = waiting.pop(); step; step = waiting.pop()) {
    const cid = CID.decode(step.cid);
    const key = keyOf(cid);
    const before = sent.get(key);
    if (before === true && !dups) continue;
    const size = await take(cid);
    const virtual = cid.multihash.code === IDENTITY;
    if (!virtual) sent.set(key, before === true || step.whole);
    if (!virtual && (before === undefined || dups)) yield { cid, size };
    for (const next of await stepsBelow(plan, blocks, cid, step.at)) waiting.push(next);
    if (waiting.length > MAX_WAITING) throw tooLarge(`more than ${MAX_WAITING} of its blocks wait at once`);
    share.hold(sent.size + waiting.length);
  }
}

/** A block to go to, which keeps nothing in memory of the one that names it: a CID as decoded keeps the whole block that it lies in. */
type Step = Omit<Link, "cid"> & { readonly cid: Uint8Array };

/** What a block leads to, the last first. */
async function stepsBelow(plan: Plan, blocks: WalkOptions["blocks"], cid: CID, at: bigint): Promise<Step[]> {
  return [...plan.follow(cid, await blocks.again(cid), at)].reverse().map(stepTo);
}

function stepTo(link: Link): Step {
  return { ...link, cid: link.cid.bytes.slice() };
}

/** 128 bits of the hash: enough that nobody finds two blocks with the same, and half of the memory. */
function keyOf({ code, multihash: { digest } }: CID): string {
  return code.toString(36) + Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("latin1", 0, 16);
}

function tooLarge(what: string): HoldfastError {
  return new HoldfastError("DAG_TOO_LARGE", `the DAG is too large: ${what}`, "ask for parts of it");
}
