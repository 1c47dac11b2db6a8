/**
 * The whole market on this machine: a chain, three provider nodes, a keeper that watches, a client, a file, and a
 * provider that lies.
 *
 * @packageDocumentation
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import pino from "pino";
import { TransactionSender } from "../src/chain/sender.js";
import { fileBlob } from "../src/client/file-node.js";
import { HoldfastClient } from "../src/client/index.js";
import { HoldfastError } from "../src/errors.js";
import { compare, holdings, isConserved, sumDeals, withdrawAll } from "./demo/accounts.js";
import { type Child, startChild } from "./demo/child.js";
import { type DemoReport, dollars, holdingsTable, Narrator } from "./demo/report.js";
import { writeSample } from "./demo/sample.js";
import { Story, sha256 } from "./demo/story.js";
import { buildWorld, enrol, type World } from "./demo/world.js";

export interface DemoOptions {
  /** The file to store; a picture made on the spot where none is named. */
  readonly file?: string;
  /** Print one JSON object last on standard output, and the story on standard error. */
  readonly json?: boolean;
}

const PROVEN_BEFORE_THE_LOSS = 2n;

/** Undone in the reverse of the order in which they were done. */
class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step().catch(() => undefined);
  }
}

/**
 * Runs the demo to its end and cleans up after itself, whatever happens.
 *
 * @throws HoldfastError `EMPTY_PIECE`, `FILE_UNREADABLE`, `PIECE_UNAVAILABLE` where nobody could serve the file any
 *   more, `INTERRUPTED`
 */
export async function demo({ file, json = false }: DemoOptions): Promise<DemoReport> {
  const cleanup = new Cleanup();
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const write = json ? console.error : console.log;
  const interrupted = new Promise<never>((_, reject) => {
    const error = new HoldfastError("INTERRUPTED", "the demo was interrupted", "everything it started is stopped");
    stop.signal.addEventListener("abort", () => reject(error));
  });
  try {
    const report = await Promise.race([play(file, new Narrator(write), cleanup, stop.signal), interrupted]);
    if (json) console.log(JSON.stringify(report));
    return report;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await cleanup.run();
  }
}

async function play(
  named: string | undefined,
  narrator: Narrator,
  cleanup: Cleanup,
  signal: AbortSignal,
): Promise<DemoReport> {
  if (named !== undefined) await fileBlob(named); // A file that can't be stored is known before anything is started.
  const dir = await mkdtemp(join(tmpdir(), "holdfast-demo-"));
  cleanup.add(() => rm(dir, { recursive: true, force: true }));
  const file = named === undefined ? join(dir, "sample.bmp") : resolve(named);
  if (named === undefined) await writeSample(file);

  narrator.chapter("A chain, three providers, somebody who watches");
  const world = await buildWorld(signal);
  cleanup.add(async () => world.provider.destroy());
  cleanup.add(() => world.anvil.stop());
  narrator.tell(`chain at ${world.anvil.url}, market ${world.deployment.market}`);
  const before = await holdings(world);
  const stage = await raiseCurtain(world, dir, narrator, cleanup);

  narrator.chapter(`The client stores ${basename(file)} with two of them`);
  const stored = await stage.story.store(file);
  narrator.chapter("Time passes: the providers prove, the watcher settles");
  await stage.story.provePeriods(PROVEN_BEFORE_THE_LOSS);
  narrator.chapter("A provider loses the bytes and says nothing");
  await stage.story.loseBytes();
  narrator.chapter("The client wants its file");
  const copy = join(dir, "fetched");
  const fetched = await stage.story.fetch(stored, copy).catch((error: unknown) => error);
  narrator.chapter("The end: everything is settled, everybody takes what is theirs");
  await stage.story.end();
  const report = await settleAccounts(
    world,
    before,
    stored.deals.map(({ id }) => id),
    narrator,
  );
  if (typeof fetched !== "string") throw fetched;
  const original = await sha256(file);
  narrator.tell(`sha-256 ${fetched === original ? "is the same" : "DIFFERS"}: ${fetched}`);
  const { size } = await stat(file);
  return { file, bytes: size, pieceCid: stored.pieceCid, ...report, fetchedSha256: fetched, originalSha256: original };
}

/** Starts the providers and the watcher, each a process of its own. */
async function raiseCurtain(
  world: World,
  dir: string,
  narrator: Narrator,
  cleanup: Cleanup,
): Promise<{ story: Story }> {
  const { anvil, deployment, provider, contracts, client: wallet, tokenAddress } = world;
  const common = { rpcUrl: anvil.url, deployment };
  let story: Story | undefined;
  const start = async (name: string, script: string, config: object): Promise<Child> => {
    const child = await startChild(name, script, { ...common, ...config }, (said) => story?.hear(name, said));
    cleanup.add(() => child.stop());
    return child;
  };
  const nodes = await Promise.all(
    world.providers.map(async (actor, i) => {
      const dataDir = join(dir, `provider-${i + 1}`);
      const price = 1_000_000n * BigInt(i + 1);
      const child = await start(actor.name, "./provider.ts", {
        dataDir,
        token: tokenAddress,
        owner: actor.owner.address,
        hotKey: actor.hot.privateKey,
        pricePerGiBPerPeriod: `${price}`,
      });
      return { child, url: child.ready.url as string, dataDir };
    }),
  );
  for (const [i, actor] of world.providers.entries()) {
    const node = nodes[i] as (typeof nodes)[number];
    await enrol(world, actor, node.url);
    narrator.tell(`${actor.name} serves at ${node.url}, process ${node.child.ready.pid}`);
  }
  const watcher = await start("watcher", "./watcher.ts", { key: world.watcher.privateKey });
  narrator.tell(`the watcher keeps an eye on everybody, process ${watcher.ready.pid}`);
  const logger = pino({ level: "silent" });
  const sender = new TransactionSender({ provider, signer: wallet, logger, pollMs: 25 });
  const client = new HoldfastClient({ address: wallet.address, sender, deployment, contracts });
  story = new Story({ world, client, nodes, narrator });
  return { story };
}

async function settleAccounts(
  world: World,
  before: ReadonlyMap<string, bigint>,
  ids: readonly bigint[],
  narrator: Narrator,
) {
  await withdrawAll(world);
  const accounts = compare(before, await holdings(world));
  const { balanced, ...sums } = await sumDeals(world, ids);
  const conserved = balanced && (await isConserved(world, accounts));
  narrator.print(`\n${holdingsTable(accounts)}\n`);
  narrator.tell(`${sums.proofs} proofs paid ${dollars(BigInt(sums.paidToProviders))} to providers`);
  narrator.tell(`${sums.misses} misses cost ${dollars(BigInt(sums.slashed))} of stake`);
  narrator.tell(`${dollars(BigInt(sums.compensation))} to the client, ${dollars(BigInt(sums.bounty))} to the watcher`);
  narrator.tell(conserved ? "every base unit is accounted for" : "BASE UNITS ARE MISSING");
  return { ...sums, conserved };
}
