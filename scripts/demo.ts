/**
 * The whole market on this machine: a chain, provider nodes, a keeper that watches and repairs, a client, a file, and
 * a provider that is lost.
 *
 * @packageDocumentation
 */
import { cp, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import pino from "pino";
import { TransactionSender } from "../src/chain/sender.js";
import { fileBlob } from "../src/client/file-node.js";
import { type ChainAccess, HoldfastClient } from "../src/client/index.js";
import { HoldfastError } from "../src/errors.js";
import { startSource } from "../src/provider/index.js";
import { openDatabase } from "../src/store/database/index.js";
import { compare, holdings, isConserved, sumDeals, withdrawAll } from "./demo/accounts.js";
import type { Node } from "./demo/cast.js";
import { type Child, startChild } from "./demo/child.js";
import { deriveNegative, deriveThumbnail, sha256 } from "./demo/files.js";
import { checkOrigin, tellOrigin } from "./demo/origin.js";
import { type DemoReport, dollars, holdingsTable, Narrator } from "./demo/report.js";
import { writeSample } from "./demo/sample.js";
import { REPLICAS, Story } from "./demo/story.js";
import { buildWorld, enlist, type ProviderActor, type World } from "./demo/world.js";
import { type ChainProfile, profileNamed } from "./profiles/profiles.js";

export interface DemoOptions {
  /** The file to store; a picture made on the spot where none is named. */
  readonly file?: string;
  /** What its chain is like, by a profile's name; `local` by default. */
  readonly profile?: string;
  /** Print one JSON object last on standard output, and the story on standard error. */
  readonly json?: boolean;
}

const PROVEN_BEFORE_THE_LOSS = 1n;
/** What the first provider asks for a GiB and a period, in base units, and what each further one asks more. */
const [CHEAPEST, DEARER] = [1_000_000n, 100_000n];

/** Undone in the reverse of the order in which they were done. */
class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];
  #over = false;

  /** What is done after an interruption is undone at once. */
  add(step: () => Promise<unknown>): void {
    if (this.#over) step().catch(() => undefined);
    else this.#steps.push(step);
  }

  async run(): Promise<void> {
    this.#over = true;
    for (const step of this.#steps.splice(0).reverse()) await step().catch(() => undefined);
  }
}

/**
 * Runs the demo to its end and cleans up after itself, whatever happens.
 *
 * @throws HoldfastError `UNKNOWN_PROFILE`, `EMPTY_PIECE`, `FILE_UNREADABLE`, `PIECE_UNAVAILABLE` where nobody could serve the file any
 *   more, `REPLICAS_LOST` where fewer replicas than wanted were proven in the end, `PROVENANCE_FAILED` where verifying
 *   came to something else than it should, `INTERRUPTED`
 */
export async function demo({ file, json = false, profile: named = "local" }: DemoOptions): Promise<DemoReport> {
  const profile = profileNamed(named);
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
    const staged = { profile, narrator: new Narrator(write), cleanup, signal: stop.signal };
    const report = await Promise.race([play(file, staged), interrupted]);
    if (json) console.log(JSON.stringify(report));
    return report;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await cleanup.run();
  }
}

interface Staging {
  readonly profile: ChainProfile;
  readonly narrator: Narrator;
  readonly cleanup: Cleanup;
  readonly signal: AbortSignal;
}

async function play(named: string | undefined, { profile, narrator, cleanup, signal }: Staging): Promise<DemoReport> {
  if (named !== undefined) await fileBlob(named); // A file that can't be stored is known before anything is started.
  const dir = await mkdtemp(join(tmpdir(), `holdfast-demo-${process.pid}-`));
  cleanup.add(() => rm(dir, { recursive: true, force: true }));
  const file = named === undefined ? join(dir, "sample.bmp") : resolve(named);
  if (named === undefined) await writeSample(file);

  narrator.chapter("A chain, three providers, somebody who watches");
  const world = await buildWorld(signal, profile);
  cleanup.add(async () => world.provider.destroy());
  cleanup.add(() => world.anvil.stop());
  narrator.tell(`${chainText(profile)} at ${world.anvil.url}, market ${world.deployment.market}`);
  const before = await holdings(world);
  const { story, access, open } = await raiseCurtain(world, dir, narrator, cleanup);
  const [newcomer, ...founders] = [...world.providers].reverse() as [ProviderActor, ...ProviderActor[]];
  for (const node of await Promise.all(founders.reverse().map(open))) story.add(node);

  narrator.chapter(`The client wants ${basename(file)} kept by ${REPLICAS} providers, and lets the price find them`);
  const source = await startSource(await fileBlob(file), pino({ level: "silent" }));
  cleanup.add(() => source.close());
  const { pieceCid } = await story.request(file, source.url);
  await source.close();
  narrator.chapter("Time passes: the providers prove, the watcher settles");
  await story.provePeriods(PROVEN_BEFORE_THE_LOSS);
  narrator.chapter("A fourth provider opens, and one of the three is lost for good");
  story.add(await open(newcomer));
  await story.loseProvider();
  const outcome = await story.outcome();
  narrator.tell(`${outcome.replicasProven} replicas are held and proven, ${outcome.repaired} of them repaired`);
  narrator.chapter("Where did it come from? The client says, and anybody can check");
  const derived = await (named === undefined ? deriveThumbnail : deriveNegative)(file, dir);
  const origin = await later(tellOrigin({ world, access, story, narrator }, file, derived));
  narrator.chapter("The client wants its file");
  const fetched = await later(story.fetch(join(dir, "fetched")));
  narrator.chapter("The end: everything is settled, everybody takes what is theirs");
  await story.end();
  const accounts = await settleAccounts(world, before, story.deals, narrator);
  const fetchedSha256 = fetched();
  if (outcome.replicasProven < REPLICAS) {
    const what = `${outcome.replicasProven} of ${REPLICAS} replicas were left: no other provider could take over`;
    throw new HoldfastError("REPLICAS_LOST", what, "all money was paid out; run the demo again");
  }
  const provenance = origin();
  checkOrigin(provenance);
  const originalSha256 = await sha256(file);
  narrator.tell(`sha-256 ${fetchedSha256 === originalSha256 ? "is the same" : "DIFFERS"}: ${fetchedSha256}`);
  const periodBlocks = world.deployment.tiers[0]?.period ?? 0;
  const { size } = await stat(file);
  const kept = { file, bytes: size, pieceCid, ...outcome, periodBlocks };
  return { ...kept, ...accounts, fetchedSha256, originalSha256, provenance };
}

function chainText({ name, blockSeconds, randomnessKind }: ChainProfile): string {
  return name === "local" ? "chain" : `chain like ${name} (${blockSeconds} s a block, seeds from ${randomnessKind})`;
}

/** Keeps what becomes of something until it is asked for: what fails is told after the money is accounted for. */
async function later<T>(result: Promise<T>): Promise<() => T> {
  try {
    const value = await result;
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** A database that nothing is in, for providers to copy: to make one takes seconds of work. */
async function emptyDatabase(dir: string): Promise<string> {
  const at = join(dir, "empty-index");
  await (await openDatabase({ dir: at })).destroy();
  return at;
}

/** Starts the watcher, and gives what starts a provider: each is a process of its own. */
async function raiseCurtain(
  world: World,
  dir: string,
  narrator: Narrator,
  cleanup: Cleanup,
): Promise<{ story: Story; access: ChainAccess; open: (actor: ProviderActor) => Promise<Node> }> {
  const { anvil, deployment, provider, contracts, client: wallet, tokenAddress } = world;
  const logger = pino({ level: "silent" });
  const sender = new TransactionSender({ provider, signer: wallet, logger, pollMs: 25 });
  const access = { address: wallet.address, sender, deployment, contracts };
  const story = new Story({ world, client: new HoldfastClient(access), access, narrator });
  const common = { rpcUrl: anvil.url, deployment };
  const start = async (name: string, script: string, config: object): Promise<Child> => {
    const child = await startChild(name, script, { ...common, ...config }, (said) => story.hear(name, said));
    cleanup.add(() => child.stop());
    return child;
  };
  const [watcher, emptyIndex] = await Promise.all([
    start("watcher", "./watcher.ts", { key: world.watcher.privateKey }),
    emptyDatabase(dir),
  ]);
  narrator.tell(`the watcher keeps an eye on everybody, process ${watcher.ready.pid}`);
  const open = async (actor: ProviderActor): Promise<Node> => {
    const index = world.providers.indexOf(actor);
    const dataDir = join(dir, `provider-${index + 1}`);
    await cp(emptyIndex, join(dataDir, "index"), { recursive: true });
    const child = await start(actor.name, "./provider.ts", {
      dataDir,
      token: tokenAddress,
      owner: actor.owner.address,
      hotKey: actor.hot.privateKey,
      pricePerGiBPerPeriod: `${CHEAPEST + DEARER * BigInt(index)}`,
    });
    const url = child.ready.url as string;
    await enlist(world, actor, url);
    return { actor, child, url, dataDir };
  };
  return { story, access, open };
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
