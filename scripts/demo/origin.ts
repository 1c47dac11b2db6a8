import { basename } from "node:path";
import { chainTime } from "../../src/chain/time.js";
import { fileBlob } from "../../src/client/file-node.js";
import {
  type ChainAccess,
  type Claims,
  contentOf,
  linkDeals,
  type Payload,
  ProvenanceBook,
  type RegisteredRecord,
  recordOf,
  registerRecord,
  type VerifyReport,
  verifyContent,
} from "../../src/client/index.js";
import { HoldfastError } from "../../src/errors.js";
import { shortId } from "../../src/provenance/findings.js";
import type { RecordReport } from "../../src/provenance/verify.js";
import { alteredCopy, type DerivedFile } from "./files.js";
import type { Narrator, ProvenanceReport } from "./report.js";
import type { Story } from "./story.js";
import type { World } from "./world.js";

export interface OriginOptions {
  readonly world: World;
  readonly access: ChainAccess;
  readonly story: Story;
  readonly narrator: Narrator;
}

/** What the client states of both files: a use that the source refuses is to be refused by what is made of it, too. */
const RIGHTS = { license: "CC-BY-4.0", aiTraining: "refused" } as const;
/** Periods until the deal on the derived file has a window that is proven and closed, with some to spare. */
const PERIODS_TO_PROVE = 4;

/**
 * The client registers its file and another one that was made out of it, which is stored as well; both are verified, and
 * so is an altered copy.
 *
 * @param file - what the request stores
 * @param derived - what was made out of it
 */
export async function tellOrigin(
  { world, access, story, narrator }: OriginOptions,
  file: string,
  derived: DerivedFile,
): Promise<ProvenanceReport> {
  const [name, derivedName] = [basename(file), basename(derived.path)];
  const replicas = await story.replicaDeals();
  const source = await claim(access, file, RIGHTS, replicas);
  narrator.tell(`the client registers ${name} and links its ${replicas.length} deals: record ${shortId(source.id)}`);
  await story.letProve();
  narrator.tell(`the client makes ${derivedName} out of it: ${derived.how}`);
  const deal = await story.storeBeside(derived.path);
  await story.letProve();
  const parents = [{ parent: source.id, kind: "derivation" }] as const;
  const child = await claim(access, derived.path, { ...RIGHTS, kind: "derived", parents }, [deal]);
  narrator.tell(`the client registers ${derivedName} as derived from it: record ${shortId(child.id)}`);
  await untilHeld(access, story, [source.id, child.id]);

  const judge = await verifier(access, await chainTime(world.provider));
  const held = await judge(await fileBlob(file));
  tellVerdict(world, narrator, name, held);
  const derivedHeld = await judge(await fileBlob(derived.path));
  tellVerdict(world, narrator, derivedName, derivedHeld);
  const altered = await judge(await alteredCopy(file), source.id);
  tellVerdict(world, narrator, `a copy of ${name} with one bit flipped`, altered);
  return {
    record: source.id,
    derived: child.id,
    verified: held.outcome === "verified",
    derivedVerified: derivedHeld.outcome === "verified",
    alteredDetected: altered.outcome === "altered" && altered.against?.id === source.id,
  };
}

/** @throws HoldfastError `PROVENANCE_FAILED` where verifying came to something else than it should */
export function checkOrigin({ verified, derivedVerified, alteredDetected }: ProvenanceReport): void {
  const failures = [
    ...(verified ? [] : ["the stored file was not verified"]),
    ...(derivedVerified ? [] : ["the file made out of it was not verified"]),
    ...(alteredDetected ? [] : ["the altered copy was not found out"]),
  ];
  if (failures.length === 0) return;
  throw new HoldfastError("PROVENANCE_FAILED", failures.join("; "), "all money was paid out; run the demo again");
}

/** Registers a record of a file, and names the deals that hold it. */
async function claim(
  access: ChainAccess,
  path: string,
  claims: Claims,
  deals: readonly bigint[],
): Promise<RegisteredRecord> {
  const record = recordOf(access.address, await contentOf(await fileBlob(path)), claims);
  const registered = await registerRecord(access, record);
  await linkDeals(access, record, deals);
  return registered;
}

/** Lets time pass until the chain itself says of all records that they are held, or for long enough. */
async function untilHeld({ contracts, deployment }: ChainAccess, story: Story, ids: readonly string[]): Promise<void> {
  const { period } = deployment.tiers[0] as { period: number };
  const held = async () => (await Promise.all(ids.map((id) => contracts.provenance.isHeld(id)))).every(Boolean);
  await story.advance(held, PERIODS_TO_PROVE * period);
}

/** Holds bytes against all that is registered, or against one record only, as `holdfast verify` does. */
async function verifier(access: ChainAccess, now: bigint) {
  const book = await ProvenanceBook.open(access);
  return async (payload: Payload, record?: string): Promise<VerifyReport> => {
    const only = record === undefined ? {} : { only: [record], against: record };
    return verifyContent(access, book, await contentOf(payload), { now, ...only });
  };
}

function tellVerdict(world: World, narrator: Narrator, what: string, report: VerifyReport): void {
  const { outcome, against, records } = report;
  const held = against === undefined ? "" : `, held against record ${shortId(against.id)}`;
  narrator.tell(`verify ${what}: ${outcome.toUpperCase()}${held}`);
  for (const record of records) {
    narrator.tell(`  ${claimText(record)}`);
    narrator.tell(`  ${holdingText(world, record)}`);
    for (const { level, message } of record.findings) narrator.tell(`  ${level}: ${message}`);
  }
}

/** `record 0x6df1c0de by 0x70997970: derived from 0x31e55322, CC-BY-4.0, AI training refused`. */
function claimText({ known, aiTraining }: RecordReport): string {
  const { kind, license, parents } = known.record;
  const from = parents.map(({ parent }) => ` from ${shortId(parent)}`).join(",");
  return `record ${shortId(known.id)} by ${shortId(known.registrant)}: ${kind}${from}, ${license}, AI training ${aiTraining}`;
}

function holdingText(world: World, { holdings }: RecordReport): string {
  const [latest] = holdings;
  if (latest === undefined) return "held by nobody";
  const names = holdings.map(({ provider }) => world.providers.find(({ owner }) => owner.address === provider)?.name);
  return `held by ${names.join(", ")}; proven last for block ${latest.lastProvenEpoch}`;
}
