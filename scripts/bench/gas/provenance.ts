import { encodeBytes32String, id as hashOf, type JsonRpcSigner } from "ethers";
import {
  type AnchoredSet,
  anchorStruct,
  type ProvenanceRecord,
  provenanceDomain,
  recordIdOf,
  recordStruct,
  signRegistration,
  sortEdges,
  VERDICTS,
} from "../../../src/protocol/index.js";
import {
  MarketLens__factory,
  type ProvenanceRegistry,
  ProvenanceRegistry__factory,
} from "../../../typechain-types/index.js";
import { BenchChain, type Cost } from "./chain.js";
import { World } from "./world.js";

const CHAIN_ID = 31_337;
const BATCH = 100;
const ANCHORED = 1_000_000n;
const VALID_UNTIL = 4_102_444_800n; // 2100-01-01
/** A reason of usual length. */
const REASON = "Checked against the original negative by the picture desk.";

type Add = (op: string, cost: Cost) => void;

/**
 * Records of usual shape (a piece, a manifest, a licence, one parent), on a chain of their own. Of each call the first in
 * its account's history is measured: nothing of it is warm.
 */
export async function measureProvenance(add: Add): Promise<void> {
  const bench = await ProvenanceBench.create();
  const { registrant, relayer, critic } = bench;
  const parent = bench.record("parent", []);
  await bench.register(parent);
  add("provenance.register", await bench.register(bench.record("child", [bench.idOf(parent)])));
  const batch = Array.from({ length: BATCH }, (_, i) => bench.record(`batch ${i}`, [bench.idOf(parent)]));
  add("provenance.register.batch100", await bench.send(registrant, "registerMany", [batch.map(recordStruct)]));
  const relayed = [bench.record("relayed", [bench.idOf(parent)])];
  const signature = await signRegistration(registrant, bench.domain, relayed, VALID_UNTIL);
  const call = [relayed.map(recordStruct), VALID_UNTIL, signature] as const;
  add("provenance.register.relayed", await bench.send(relayer, "registerFor", call));
  add("provenance.anchor", await bench.send(registrant, "anchor", [anchorStruct(bench.set(bench.idOf(parent)))]));
  const vouch = [bench.idOf(parent), encodeBytes32String("origin"), VERDICTS.indexOf("vouches"), 0, REASON] as const;
  add("provenance.attest", await bench.send(critic, "attest", vouch));
  add("provenance.withdraw", await bench.send(registrant, "withdraw", [bench.idOf(parent), REASON]));
}

class ProvenanceBench {
  readonly #world: World;
  readonly #registry: ProvenanceRegistry;
  readonly domain: ReturnType<typeof provenanceDomain>;

  private constructor(world: World, registry: ProvenanceRegistry, address: string) {
    this.#world = world;
    this.#registry = registry;
    this.domain = provenanceDomain(CHAIN_ID, address);
  }

  static async create(): Promise<ProvenanceBench> {
    const world = await World.deploy(await BenchChain.create());
    const { deployer } = world.roles;
    const lens = await new MarketLens__factory(deployer).deploy(world.market);
    const registry = await new ProvenanceRegistry__factory(deployer).deploy(lens);
    return new ProvenanceBench(world, registry, await registry.getAddress());
  }

  get registrant(): JsonRpcSigner {
    return this.#world.roles.client;
  }

  get relayer(): JsonRpcSigner {
    return this.#world.roles.keeper;
  }

  get critic(): JsonRpcSigner {
    return this.#world.roles.newcomer;
  }

  record(label: string, parents: readonly string[]): ProvenanceRecord {
    return {
      registrant: this.registrant.address,
      contentHash: hashOf(`content of ${label}`),
      size: 31_457_280n,
      pieceId: hashOf(`piece of ${label}`),
      cid: "0x",
      parents: sortEdges(parents.map((parent) => ({ parent, kind: "derivation" }))),
      kind: "derived",
      license: "CC-BY-4.0",
      aiTraining: "constrained",
      manifestHash: hashOf(`manifest of ${label}`),
    };
  }

  /** Of a million records, with one parent. */
  set(parent: string): AnchoredSet {
    const { registrant, parents, kind, license, aiTraining } = this.record("set", [parent]);
    const [root, manifestHash] = [hashOf("root of a set"), hashOf("manifest of a set")];
    return { registrant, root, count: ANCHORED, parents, kind, license, aiTraining, manifestHash };
  }

  idOf(record: ProvenanceRecord): string {
    return recordIdOf(this.domain, record);
  }

  register(record: ProvenanceRecord): Promise<Cost> {
    return this.send(this.registrant, "register", [recordStruct(record)]);
  }

  send(from: JsonRpcSigner, name: string, args: readonly unknown[]): Promise<Cost> {
    return this.#world.send(from, this.#registry.getFunction(name).populateTransaction(...args));
  }
}
