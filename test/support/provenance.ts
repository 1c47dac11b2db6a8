/** Provenance for tests: a registry over the market of the tests, and records and sets that it takes. */
import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import fc from "fast-check";
import {
  AI_TRAINING,
  type AnchoredSet,
  AnchorTree,
  anchorIdOf,
  anchorStruct,
  EDGE_KINDS,
  MAX_CID_BYTES,
  NO_HASH,
  type ProvenanceRecord,
  provenanceDomain,
  RECORD_KINDS,
  recordIdOf,
  recordStruct,
  sortEdges,
} from "../../src/protocol/index.js";
import { address, hex } from "../protocol/arbitraries.js";
import { deployMarket, ethers, networkHelpers, type OpenedDeal } from "./market.js";

export const CHAIN_ID = 31_337;
export const Form = { None: 0n, Record: 1n, Set: 2n } as const;
export const Verdict = { None: 0n, Vouches: 1n, Disputes: 2n } as const;
/** 2100-01-01 */
export const VALID_UNTIL = 4_102_444_800n;

/** A market with a `ProvenanceRegistry` that believes it. */
export async function deployProvenance() {
  const world = await deployMarket();
  const provenance = await ethers.deployContract("ProvenanceRegistry", [world.lens]);
  const provenanceAddress = await provenance.getAddress();
  return { ...world, provenance, provenanceAddress, recordDomain: provenanceDomain(CHAIN_ID, provenanceAddress) };
}

export type ProvenanceWorld = Awaited<ReturnType<typeof deployProvenance>>;
export type Account = ProvenanceWorld["client"];

let drawn = 0;
/** Another hash each time. */
export const freshHash = (): string => ethers.id(`hash ${++drawn}`);

/** A record of the client's that can be registered; `changes` replace single members. */
export function recordFor(world: ProvenanceWorld, changes: Partial<ProvenanceRecord> = {}): ProvenanceRecord {
  return {
    registrant: world.client.address,
    contentHash: freshHash(),
    size: 1_000n,
    pieceId: NO_HASH,
    cid: "0x",
    parents: [],
    kind: "original",
    license: "CC-BY-4.0",
    aiTraining: "allowed",
    manifestHash: NO_HASH,
    ...changes,
  };
}

/** The id that a record has in this registry, by the mirror. */
export const idOf = (world: ProvenanceWorld, record: ProvenanceRecord): string =>
  recordIdOf(world.recordDomain, record);

/** The edges of a record that was derived from others. */
export const derivedFrom = (ids: readonly string[]) =>
  sortEdges(ids.map((parent) => ({ parent, kind: "derivation" as const })));

/** Registers a record, by its registrant where that is the client. */
export async function register(world: ProvenanceWorld, changes: Partial<ProvenanceRecord> = {}, by = world.client) {
  const record = recordFor(world, { registrant: by.address, ...changes });
  await world.provenance.connect(by).register(recordStruct(record));
  return { record, id: idOf(world, record), call: recordStruct(record), at: await now() };
}

/** Records of the client's, in one transaction; their ids in the same order. */
export async function registerMany(world: ProvenanceWorld, count: number): Promise<string[]> {
  const records = Array.from({ length: count }, () => recordFor(world));
  await world.provenance.connect(world.client).registerMany(records.map(recordStruct));
  return records.map((record) => idOf(world, record));
}

/** A set over records, not anchored yet, with the proof of each. */
export function setOf(
  world: ProvenanceWorld,
  records: readonly ProvenanceRecord[],
  changes: Partial<AnchoredSet> = {},
) {
  const tree = AnchorTree.of(records.map((record) => getBytes(idOf(world, record))));
  const set: AnchoredSet = {
    registrant: world.client.address,
    root: hexlify(tree.root),
    count: BigInt(records.length),
    parents: [],
    kind: "aggregated",
    license: "CC-BY-4.0",
    aiTraining: "refused",
    manifestHash: freshHash(),
    ...changes,
  };
  const proofOf = (index: number) => tree.proof(index).map((node) => hexlify(node));
  return { set, tree, proofOf, id: anchorIdOf(world.recordDomain, set), call: anchorStruct(set) };
}

/** Anchors a set of the client's over records. */
export async function anchor(
  world: ProvenanceWorld,
  records: readonly ProvenanceRecord[],
  changes: Partial<AnchoredSet> = {},
) {
  const made = setOf(world, records, changes);
  await world.provenance.connect(world.client).anchor(made.call);
  return { ...made, at: await now() };
}

/** What the registry knows of an id, as a plain object. */
export async function stateOf(world: ProvenanceWorld, id: string) {
  const { form, registrant, registeredAt, kind, aiTraining, withdrawn, supersededBy } =
    await world.provenance.stateOf(id);
  return { form, registrant, registeredAt, kind, aiTraining, withdrawn, supersededBy };
}

/** `stateOf` where there is nothing. */
export const NOTHING = {
  form: Form.None,
  registrant: ethers.ZeroAddress,
  registeredAt: 0n,
  kind: 0n,
  aiTraining: 0n,
  withdrawn: false,
  supersededBy: NO_HASH,
};

/** The time of the latest block, in Unix seconds. */
export const now = async (): Promise<bigint> => BigInt(await networkHelpers.time.latest());

/** Expects that the registry refuses a call, with this error and these values. */
export async function refused(world: ProvenanceWorld, call: Promise<unknown>, error: string, ...args: unknown[]) {
  const refusal = expect(call).to.be.revertedWithCustomError(world.provenance, error);
  await (args.length === 0 ? refusal : refusal.withArgs(...args));
}

/** The signer of an address that nobody has a key of, with money for gas. */
export async function impersonated(account: string) {
  await networkHelpers.impersonateAccount(account);
  await networkHelpers.setBalance(account, 10n ** 18n);
  return ethers.getSigner(account);
}

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: "binary", maxLength: 150 });

/** Records of any values that fit their types, whether or not the registry takes them. */
export const anyRecord: fc.Arbitrary<ProvenanceRecord> = fc.record({
  registrant: address,
  contentHash: hex(32),
  size: uint64,
  pieceId: hex(32),
  cid: fc.uint8Array({ maxLength: 100 }).map((bytes) => hexlify(bytes)),
  parents: fc.array(fc.record({ parent: hex(32), kind: fc.constantFrom(...EDGE_KINDS) }), { maxLength: 70 }),
  kind: fc.constantFrom(...RECORD_KINDS),
  license: text,
  aiTraining: fc.constantFrom(...AI_TRAINING),
  manifestHash: hex(32),
});

/** Sets of any values that fit their types. */
export const anySet: fc.Arbitrary<AnchoredSet> = fc.record({
  registrant: address,
  root: hex(32),
  count: uint64,
  parents: fc.array(fc.record({ parent: hex(32), kind: fc.constantFrom(...EDGE_KINDS) }), { maxLength: 70 }),
  kind: fc.constantFrom(...RECORD_KINDS),
  license: text,
  aiTraining: fc.constantFrom(...AI_TRAINING),
  manifestHash: hex(32),
});

/** As Unicode characters have at most four bytes each, 32 of them always fit. */
const short = (license: string) => [...license].slice(0, 32).join("");

/** Records that the registry takes, where it knows their parents. */
export const fittingRecord: fc.Arbitrary<ProvenanceRecord> = anyRecord
  .filter(({ contentHash }) => contentHash !== NO_HASH)
  .map((record) => ({ ...record, cid: record.cid.slice(0, 2 + 2 * MAX_CID_BYTES), license: short(record.license) }));

/** Sets that the registry takes. */
export const fittingSet: fc.Arbitrary<AnchoredSet> = anySet
  .filter(({ root, count }) => root !== NO_HASH && count > 0n)
  .map((set) => ({ ...set, license: short(set.license) }));

/** keccak256(root, leafCount) of the piece that a deal of the tests is on. */
export function pieceIdOf({ piece: { commitment } }: Pick<OpenedDeal, "piece">): string {
  const types = ["bytes32", "uint64"];
  const values = [commitment.root, commitment.leafCount];
  return ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(types, values));
}

/** The deals that a record is linked to, in order. */
export async function links({ provenance }: ProvenanceWorld, id: string): Promise<bigint[]> {
  const count = Number(await provenance.linkCount(id));
  return Promise.all(Array.from({ length: count }, (_, i) => provenance.linkAt(id, i)));
}
