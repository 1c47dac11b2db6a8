/** The records that `bench lineage` asks about. */
import { createHash } from "node:crypto";
import { type ContractTransactionResponse, encodeBytes32String, hexlify, type JsonRpcProvider } from "ethers";
import { connect } from "../../src/chain/contracts.js";
import type { Deployment } from "../../src/chain/deployment.js";
import {
  EDGE_KINDS,
  NO_HASH,
  type ProvenanceRecord,
  provenanceDomain,
  RECORD_KINDS,
  recordIdOf,
  recordStruct,
  sortEdges,
  VERDICTS,
} from "../../src/protocol/index.js";

const BATCH = 100;
/** A batch of records with two parents on average takes 5 million. */
const BATCH_GAS = 15_000_000n;
/** How far back a parent is at most. */
const REACH = 100;
const ATTESTED_EVERY = 100;
const WITHDRAWN_EVERY = 250;
const LICENSES = ["CC-BY-4.0", "CC0-1.0", "MIT", "CC-BY-SA-4.0"];

export interface Registered {
  /** The one that all others came from. */
  readonly first: string;
  readonly last: string;
  readonly ancestorsOfLast: number;
  readonly attestations: number;
  readonly withdrawals: number;
  /** Height of the chain. */
  readonly blocks: number;
}

/**
 * Registers records, each but the first with one to three parents among the hundred before it, and has some of them
 * disputed, vouched for or withdrawn. The same number gives the same records.
 *
 * @param provider - of a development chain, whose accounts it uses
 */
export async function fillRegistry(
  provider: JsonRpcProvider,
  deployment: Deployment,
  records: number,
): Promise<Registered> {
  const [registrant, attester] = [await provider.getSigner(0), await provider.getSigner(1)];
  const { provenance } = connect(provider, deployment);
  const [own, foreign] = [provenance.connect(registrant), provenance.connect(attester)];
  const made = makeRecords(deployment, registrant.address, records);
  const all = [...made];
  for (let at = 0; at < all.length; at += BATCH) {
    const batch = all.slice(at, at + BATCH).map(([, record]) => recordStruct(record));
    await mined(own.registerMany(batch, { gasLimit: BATCH_GAS }));
  }
  const ids = [...made.keys()];
  const every = (step: number) => ids.filter((_, i) => i % step === step - 1);
  const [attested, withdrawn] = [every(ATTESTED_EVERY), every(WITHDRAWN_EVERY)];
  for (const [i, id] of attested.entries()) {
    const verdict = VERDICTS.indexOf(i % 2 === 0 ? "vouches" : "disputes");
    await mined(
      foreign.attest(id, encodeBytes32String("origin"), verdict, 0, "what was found when it was looked into"),
    );
  }
  for (const id of withdrawn) await mined(own.withdraw(id, "whom it shows does not want it"));
  const [first, last] = [ids[0] as string, ids.at(-1) as string];
  return {
    first,
    last,
    ancestorsOfLast: ancestorsOf(made, last),
    attestations: attested.length,
    withdrawals: withdrawn.length,
    blocks: await provider.getBlockNumber(),
  };
}

/** By id, in the order in which they can be registered. */
function makeRecords(
  { chainId, provenance }: Deployment,
  registrant: string,
  count: number,
): Map<string, ProvenanceRecord> {
  const domain = provenanceDomain(chainId, provenance);
  const made = new Map<string, ProvenanceRecord>();
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const hash = createHash("sha256").update(`record ${i}`).digest();
    const pick = <T>(of: readonly T[], at: number) => of[hash.readUInt16BE(2 * at) % of.length] as T;
    const before = ids.slice(-REACH);
    const edges = before.length === 0 ? [] : [0, 1, 2].slice(0, pick([1, 2, 3], 0));
    const record: ProvenanceRecord = {
      registrant,
      contentHash: hexlify(hash),
      size: BigInt(1_000 + i),
      pieceId: NO_HASH,
      cid: "0x",
      parents: sortEdges(edges.map((at) => ({ parent: pick(before, 1 + at), kind: pick(EDGE_KINDS, 4 + at) }))),
      kind: edges.length === 0 ? "original" : pick(RECORD_KINDS.slice(1), 7),
      license: pick(LICENSES, 8),
      aiTraining: "allowed",
      manifestHash: NO_HASH,
    };
    const id = recordIdOf(domain, record);
    ids.push(id);
    made.set(id, record);
  }
  return made;
}

function ancestorsOf(records: ReadonlyMap<string, ProvenanceRecord>, id: string): number {
  const reached = new Set([id]);
  for (const at of reached) for (const { parent } of records.get(at)?.parents ?? []) reached.add(parent);
  return reached.size - 1;
}

async function mined(sending: Promise<ContractTransactionResponse>): Promise<void> {
  await (await sending).wait();
}
