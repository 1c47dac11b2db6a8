import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { epochOf, type Tier } from "../../src/protocol/index.js";
import { openDatabase } from "../../src/store/database/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { type Child, type ChildMessage, startChild } from "../demo/child.js";
import { openDeals, storePieces } from "./keeper/deals.js";
import type { KeeperConfig, ToKeeper } from "./keeper/keeper-child.js";
import type { KeeperFigures } from "./keeper/tally.js";
import { Blocks, buildWorld, type World } from "./keeper/world.js";

/** Distinct pieces at most; where there are more deals, they share them. */
const MOST_PIECES = 500;
const PIECE_BYTES = 1 << 20;
/** 128 blocks to prove in: a quarter of an hour at 7 seconds each, and two minutes at one. */
const BENCH_TIER: Tier = { period: 192, window: 128, challenges: 5, maxMisses: 3 };
/** Blocks at the steady pace before each challenge; those between, in which nothing is due, are made at once. */
const LEAD_BLOCKS = 4;
/** Blocks that the keeper has after the last window has closed, to notice. */
const TRAIL_BLOCKS = 3;
const POLL_MS = 250;
/** As the launcher has it for `keeper run`. */
const NODE_FLAGS = ["--max-semi-space-size=4", "--max-old-space-size=1024"];
const MOST_FIGURES_MS = 60_000;

export interface KeeperBenchOptions {
  readonly deals: number;
  readonly periods: number;
  /** Milliseconds from block to block. */
  readonly blockMs: number;
  readonly json?: boolean;
}

export interface KeeperBench extends KeeperFigures {
  readonly deals: number;
  readonly periods: number;
  readonly pieces: number;
  readonly blockMs: number;
  /** To store the pieces and open the deals. */
  readonly setupSeconds: number;
  /** What the market says in the end of all deals together. */
  readonly provenOnChain: number;
  readonly missedOnChain: number;
}

/**
 * Has one keeper prove all deals of one provider while blocks come at a steady pace. All deals are of one tier, so that
 * all of their windows begin with the same block.
 *
 * @throws Error where the keeper ends by itself; what the chain throws
 */
export async function benchKeeper(options: KeeperBenchOptions): Promise<KeeperBench> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  const world = await buildWorld(BENCH_TIER);
  try {
    const result = await measure(world, folder, options);
    print(result, options.json ?? false);
    return result;
  } finally {
    world.provider.destroy();
    await world.anvil.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(world: World, folder: string, options: KeeperBenchOptions): Promise<KeeperBench> {
  const { deals: count, periods, blockMs } = options;
  const begun = Date.now();
  const blocks = new Blocks(world);
  const storeDir = join(folder, "data");
  // To make a database takes more memory, once, than to have it.
  await (await openDatabase({ dir: databaseOf(folder) })).destroy();
  const store = await BlobPieceStore.open(storeDir);
  const pieces = await storePieces(store, Math.min(count, MOST_PIECES), PIECE_BYTES);
  await store.close();
  await blocks.toPeriod();
  const ids = await openDeals(world, blocks, { count, periods, pieces });
  await blocks.shrink();
  const setupSeconds = Math.round((Date.now() - begun) / 1e3);
  const first = await firstEpochOf(world, ids);
  const say = (text: string) => void (options.json || console.log(text));
  say(`${count} deals opened after ${setupSeconds} s`);
  const figures = await keep(world, { folder, storeDir, first, count, periods, blockMs, say });
  const books = await booksOf(world, ids);
  return { deals: count, periods, pieces: pieces.length, blockMs, setupSeconds, ...figures, ...books };
}

function databaseOf(folder: string): string {
  return join(folder, "index");
}

/** Of all deals; they were opened within one period. */
async function firstEpochOf({ contracts }: World, ids: readonly bigint[]): Promise<number> {
  const [one, other] = await contracts.lens.dealsOf([ids[0] as bigint, ids.at(-1) as bigint]);
  if (one === undefined || one.firstEpoch === 0n || one.firstEpoch !== other?.firstEpoch) {
    throw new Error(`the deals begin at ${one?.firstEpoch} and ${other?.firstEpoch}, not together`);
  }
  return Number(one.firstEpoch);
}

interface Keeping {
  readonly folder: string;
  readonly storeDir: string;
  readonly first: number;
  readonly count: number;
  readonly periods: number;
  readonly blockMs: number;
  readonly say: (text: string) => void;
}

/** Runs the keeper over all windows. */
async function keep(world: World, keeping: Keeping): Promise<KeeperFigures> {
  const { folder, storeDir, first, count, periods, blockMs, say } = keeping;
  const config: KeeperConfig = {
    rpcUrl: world.anvil.url,
    deployment: world.deployment,
    storeDir,
    databaseDir: databaseOf(folder),
    provider: world.owner.address,
    privateKey: world.prover.privateKey,
    pollMs: Math.min(POLL_MS, blockMs),
  };
  const heard = new EventEmitter<{ figures: [KeeperFigures] }>();
  let over = 0;
  const onMessage = (message: ChildMessage) => {
    if (typeof message.over === "number") over = message.over;
    if (message.kind === "figures") heard.emit("figures", message as unknown as KeeperFigures);
  };
  const child = await startChild("the keeper", "../bench/keeper/keeper-child.ts", config, onMessage, NODE_FLAGS);
  try {
    const pace = new Pace(world, child, blockMs);
    for (let window = 1; window <= periods; window++) {
      const from = Date.now();
      await pace.throughWindow(window, epochOf(first, world.tier.period, window), () => over >= window * count);
      say(`window ${window} over after ${Math.round((Date.now() - from) / 1e3)} s`);
    }
    await pace.steady(TRAIL_BLOCKS);
    const figures = once(heard, "figures", { signal: AbortSignal.timeout(MOST_FIGURES_MS) });
    child.send({} satisfies ToKeeper);
    return (await figures)[0] as KeeperFigures;
  } finally {
    await child.stop();
  }
}

/** Makes blocks: at a steady pace while something is due, whatever the keeper does. */
class Pace {
  readonly #blocks: Blocks;
  readonly #world: World;
  readonly #child: Child;
  readonly #blockMs: number;
  #next = Date.now();

  constructor(world: World, child: Child, blockMs: number) {
    this.#blocks = new Blocks(world);
    this.#world = world;
    this.#child = child;
    this.#blockMs = blockMs;
  }

  async steady(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      if (!this.#child.alive) throw new Error("the keeper has ended early");
      // A block that took longer than its time is followed by the next at once, and the pace goes on from there.
      this.#next = Math.max(this.#next + this.#blockMs, Date.now());
      await sleep(this.#next - Date.now());
      await this.#blocks.mine();
    }
  }

  /** From shortly before a challenge until all is proven or too late. */
  async throughWindow(window: number, epoch: number, isDone: () => boolean): Promise<void> {
    await this.#blocks.mine(epoch - LEAD_BLOCKS - (await this.#blocks.head()));
    await this.steady(LEAD_BLOCKS);
    this.#child.send({ start: { window, epoch, at: Date.now() } } satisfies ToKeeper);
    for (let block = 0; block < this.#world.tier.window + TRAIL_BLOCKS && !isDone(); block++) await this.steady(1);
  }
}

/** What the market itself has written down. */
async function booksOf({ contracts }: World, ids: readonly bigint[]) {
  let [provenOnChain, missedOnChain] = [0, 0];
  for (let from = 0; from < ids.length; from += 100) {
    for (const { proven, standing } of await contracts.lens.dealsOf(ids.slice(from, from + 100))) {
      provenOnChain += Number(proven);
      missedOnChain += Number(standing.missed);
    }
  }
  return { provenOnChain, missedOnChain };
}

function print(result: KeeperBench, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  const { deals, periods, pieces, blockMs, blocks, seconds } = result;
  console.log(`${deals} deals over ${pieces} pieces of 1 MiB, ${periods} periods, a block every ${blockMs} ms`);
  console.log(`windows      ${result.due} due, ${result.proven} proven, ${result.missed} missed`);
  console.log(`on chain     ${result.provenOnChain} proven, ${result.missedOnChain} missed`);
  console.log(
    `batches      ${result.batches}, ${result.mostProofs} proofs at most, ${result.gasPerProof} gas for each`,
  );
  console.log(
    `delay        ${blocks.median} blocks, ${blocks.most} at most; ${seconds.median} s, ${seconds.most} at most`,
  );
  console.log(`processor    ${result.cpuMsPerProof} ms a proof, ${result.cpuSeconds} s in all`);
  const { peakMiB, heapMiB, externalMiB } = result;
  console.log(`memory       ${peakMiB} MiB at most; ${heapMiB} of objects, ${externalMiB} of buffers and the database`);
  console.log(`requests     ${result.requests}; ${result.requestsPerIdleHead} at a head with nothing to do`);
  for (const [code, times] of Object.entries(result.troubles)) console.log(`trouble      ${code}, ${times} times`);
}
