import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileBlob, fileSink } from "../../src/client/file-node.js";
import type { Deal, HoldfastClient, StoredPiece } from "../../src/client/index.js";
import { type Due, Status } from "../../src/protocol/index.js";
import { ChainClock } from "./chain-clock.js";
import type { Child, ChildMessage } from "./child.js";
import { dollars, type Narrator } from "./report.js";
import { done, type World } from "./world.js";

/** How long the clock stands for somebody who has something to do, in milliseconds. */
const PATIENCE_MS = 20_000;
/** How long for a provider that has lost its bytes. */
const LIAR_MS = 4_000;
const PERIODS = 12;
/** The most that the client pays for a period at one provider, in base units. */
const MAX_PRICE = 20_000_000n;

/** A deal of the demo, and the process that answers for it. */
interface Watched {
  readonly deal: Deal;
  readonly provider: string;
  readonly child: Child;
  /** False once its bytes were deleted, or its process is gone. */
  honest: boolean;
}

export interface StoryOptions {
  readonly world: World;
  readonly client: HoldfastClient;
  readonly nodes: readonly { readonly child: Child; readonly url: string; readonly dataDir: string }[];
  readonly narrator: Narrator;
}

/** The demo's plot: store, prove, lose, slash, fetch, end. */
export class Story {
  readonly #o: StoryOptions;
  readonly #clock: ChainClock;
  readonly #watched: Watched[] = [];
  /** Windows that a provider has given up, as `id/window`. */
  readonly #troubled = new Set<string>();

  constructor(options: StoryOptions) {
    this.#o = options;
    this.#clock = new ChainClock(options.world.provider);
  }

  /** What a child process tells. */
  hear(name: string, message: ChildMessage): void {
    const { narrator } = this.#o;
    if (message.kind === "proven") narrator.tell(`${name} proves window ${message.window}`);
    if (message.kind === "trouble") {
      narrator.tell(`${name} can't prove window ${message.window}: ${message.code}`);
      this.#troubled.add(`${message.id}/${message.window}`);
    }
    if (message.kind === "settled") this.#hearSettled(message.id as bigint, message.moved as Due);
  }

  #hearSettled(id: bigint, { payment, compensation, bounty, refund }: Due): void {
    const text = Object.entries({ paid: payment, compensated: compensation, bounty, refunded: refund })
      .filter(([, amount]) => amount > 0n)
      .map(([what, amount]) => `${what} ${dollars(amount)}`)
      .join(", ");
    this.#o.narrator.tell(`watcher settles the deal with ${this.#nameOf(id)}: ${text}`);
  }

  /** Stores the file with two of the providers. */
  async store(path: string): Promise<StoredPiece> {
    const { client, narrator, nodes } = this.#o;
    const stored = await client.store(await fileBlob(path), {
      tier: 0,
      periods: PERIODS,
      maxPricePerPeriod: MAX_PRICE,
      copies: 2,
      onProgress: (step) => {
        if (step.step === "committed")
          narrator.tell(`commitment ${step.pieceCid}, ${step.commitment.leafCount} leaves`);
        if (step.step === "uploaded")
          narrator.tell(`${this.#nodeAt(step.url).child.name} has the bytes and checked them`);
      },
    });
    for (const deal of stored.deals) {
      const { child } = this.#nodeAt(deal.url);
      this.#watched.push({ deal, provider: child.name, child, honest: true });
      const { pricePerPeriod, periods, collateral } = deal.terms;
      narrator.tell(
        `deal with ${child.name}: ${periods} periods at ${dollars(pricePerPeriod)}, stake ${dollars(collateral)}`,
      );
    }
    if (this.#watched.length !== 2 || nodes.length < 2) throw new Error("the plot needs two deals");
    return stored;
  }

  /** Lets time pass until every deal has this many windows proven and closed. */
  provePeriods(windows: bigint): Promise<void> {
    return this.#advance(async () => {
      const views = await Promise.all(this.#watched.map(({ deal }) => this.#view(deal.id)));
      return views.every((view, i) => view.standing.provenClosed >= windows || !this.#watched[i]?.honest);
    });
  }

  /** Deletes what the second provider keeps, behind its back, and lets time pass until its deal has defaulted. */
  async loseBytes(): Promise<void> {
    const liar = this.#watched[1] as Watched;
    const pieces = join(this.#nodeAt(liar.deal.url).dataDir, "pieces");
    for (const name of await readdir(pieces)) if (name.endsWith(".piece")) await rm(join(pieces, name));
    liar.honest = false;
    this.#o.narrator.tell(`the bytes at ${liar.provider} are deleted; its stake and its promise stay`);
    await this.#advance(async () => {
      const { standing, stage } = await this.#view(liar.deal.id);
      return Number(standing.status) === Status.Defaulted && stage === CLOSED;
    });
    this.#o.narrator.tell(`${liar.provider}'s deal has defaulted: all of its stake in it is gone`);
  }

  /** Fetches the file, from the liar first, and gives back its sha-256. */
  async fetch({ pieceCid }: StoredPiece, path: string): Promise<string> {
    const urls = [...this.#watched].reverse().map(({ deal }) => deal.url);
    const { url, failures } = await this.#o.client.fetch(pieceCid, urls, () => fileSink(path));
    for (const failure of failures) {
      this.#o.narrator.tell(`${this.#nodeAt(failure.url).child.name} has nothing: ${failure.error.message}`);
    }
    this.#o.narrator.tell(`${this.#nodeAt(url).child.name} serves the file, verified against its commitment`);
    return sha256(path);
  }

  /** The client ends what still runs; when the last owed period is over, everything is settled. */
  async end(): Promise<void> {
    const { client, world, narrator } = this.#o;
    for (const { deal } of this.#watched) {
      const { standing } = await this.#view(deal.id);
      if (Number(standing.status) !== Status.Open) continue;
      await client.terminate(deal.id);
      narrator.tell(`the client ends its deal with ${this.#nameOf(deal.id)}: the rest comes back at once`);
    }
    await this.#advance(async () => {
      const views = await Promise.all(this.#watched.map(({ deal }) => this.#view(deal.id)));
      return views.every(({ standing }) => Number(standing.status) >= Status.Completed);
    });
    const market = world.contracts.market.connect(world.client);
    await done(
      market.settle(
        this.#watched.map(({ deal }) => deal.id),
        world.client.address,
      ),
    );
  }

  /** Block after block until `over`; the clock stands while a proof or a slash is due. */
  async #advance(over: () => Promise<boolean>): Promise<void> {
    while (!(await over())) {
      await this.#clock.tick();
      for (const watched of this.#watched) await this.#attend(watched);
    }
  }

  async #attend(watched: Watched): Promise<void> {
    const { id } = watched.deal;
    const { standing, lastProven, slashedMisses } = await this.#view(id);
    if (standing.missed > slashedMisses) {
      const booked = async () => (await this.#view(id)).slashedMisses >= standing.missed;
      if (!(await this.#clock.waitFor(booked, PATIENCE_MS))) this.#o.narrator.tell("the watcher did not settle a miss");
    }
    if (watched.honest && !watched.child.alive) {
      this.#o.narrator.tell(`${watched.provider}'s process has stopped`);
      watched.honest = false;
    }
    const live = Number(standing.status) === Status.Open || Number(standing.status) === Status.Ending;
    if (!live || standing.open === 0n || lastProven >= standing.open) return;
    const proven = async () => (await this.#view(id)).lastProven >= standing.open;
    const duty = `${id}/${standing.open}`;
    if (watched.honest) {
      const answered = async () => (await proven()) || !watched.child.alive;
      if (await this.#clock.waitFor(answered, PATIENCE_MS)) return;
      this.#o.narrator.tell(`${watched.provider} did not prove window ${standing.open}`);
      watched.honest = false;
    } else if (watched.child.alive && !this.#troubled.has(duty)) {
      await this.#clock.waitFor(async () => this.#troubled.has(duty) || (await proven()), LIAR_MS);
      if (await proven()) this.#o.narrator.tell(`${watched.provider} could answer from what it still has`);
      this.#troubled.add(duty);
    }
  }

  #view(id: bigint) {
    return this.#o.world.contracts.lens.dealOf(id);
  }

  #nameOf(id: bigint): string {
    return this.#watched.find(({ deal }) => deal.id === id)?.provider ?? "somebody";
  }

  #nodeAt(url: string) {
    const node = this.#o.nodes.find((each) => each.url === url);
    if (!node) throw new Error(`no node at ${url}`);
    return node;
  }
}

/** `Stage.Closed`: booked to its end. */
const CLOSED = 4n;

/** sha-256 of a file, in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
