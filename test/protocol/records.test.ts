import { expect } from "chai";
import { hexlify, keccak256, solidityPacked, TypedDataEncoder, verifyTypedData, Wallet } from "ethers";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import {
  ANCHORING_TYPES,
  type AnchoredSet,
  anchorIdOf,
  anchorStruct,
  EDGE_KINDS,
  type Edge,
  MAX_PARENTS,
  NO_HASH,
  type ProvenanceRecord,
  provenanceDomain,
  REGISTRATION_TYPES,
  rawCidOf,
  recordIdOf,
  recordStruct,
  signAnchoring,
  signRegistration,
  sortEdges,
} from "../../src/protocol/index.js";
import { runs } from "../support/effort.js";
import { ethers } from "../support/market.js";
import { anyRecord, anySet } from "../support/provenance.js";
import { hex } from "./arbitraries.js";

const REGISTRY = "0x00000000000000000000000000000000000000a1";
const DOMAIN = provenanceDomain(1, REGISTRY);
const RECORD: ProvenanceRecord = {
  registrant: "0x00000000000000000000000000000000000000B2",
  contentHash: `0x${"c3".repeat(32)}`,
  size: 1_000n,
  pieceId: `0x${"d4".repeat(32)}`,
  cid: "0x01551220",
  parents: [{ parent: `0x${"e5".repeat(32)}`, kind: "training" }],
  kind: "derived",
  license: "CC-BY-4.0",
  aiTraining: "constrained",
  manifestHash: `0x${"f6".repeat(32)}`,
};
const SET: AnchoredSet = {
  registrant: RECORD.registrant,
  root: `0x${"c3".repeat(32)}`,
  count: 1_000n,
  parents: RECORD.parents,
  kind: "derived",
  license: "CC-BY-4.0",
  aiTraining: "constrained",
  manifestHash: `0x${"f6".repeat(32)}`,
};

/** `value` once for each member, with that member replaced by another's. */
function variants<T extends object>(value: T, other: T): T[] {
  const names = Object.keys(value) as (keyof T)[];
  return names.map((name) => ({ ...value, [name]: other[name] }));
}

describe("protocol: records", () => {
  describe("ids", () => {
    it("are hashes of the domain, a prefix and what Solidity encodes", () => {
      const domain = TypedDataEncoder.hashDomain(DOMAIN);
      const coder = ethers.AbiCoder.defaultAbiCoder();
      const edges = "tuple(bytes32,uint8)[]";
      const { registrant, contentHash, size, pieceId, cid, license, manifestHash, root, count } = { ...SET, ...RECORD };
      const record = coder.encode(
        [`tuple(address,bytes32,uint64,bytes32,bytes,${edges},uint8,string,uint8,bytes32)`],
        [[registrant, contentHash, size, pieceId, cid, [[`0x${"e5".repeat(32)}`, 4]], 2, license, 2, manifestHash]],
      );
      const packed = solidityPacked(["bytes32", "uint8", "bytes"], [domain, 1, record]);
      expect(recordIdOf(DOMAIN, RECORD)).to.equal(keccak256(packed));
      const set = coder.encode(
        [`tuple(address,bytes32,uint64,${edges},uint8,string,uint8,bytes32)`],
        [[registrant, root, count, [[`0x${"e5".repeat(32)}`, 4]], 2, license, 2, manifestHash]],
      );
      expect(anchorIdOf(DOMAIN, SET)).to.equal(
        keccak256(solidityPacked(["bytes32", "uint8", "bytes"], [domain, 2, set])),
      );
    });

    it("are others for each member of a record", () => {
      const other: ProvenanceRecord = {
        registrant: REGISTRY,
        contentHash: NO_HASH,
        size: 1_001n,
        pieceId: NO_HASH,
        cid: "0x",
        parents: [{ parent: `0x${"e5".repeat(32)}`, kind: "input" }],
        kind: "edited",
        license: "CC-BY-4.0 ",
        aiTraining: "refused",
        manifestHash: NO_HASH,
      };
      const ids = [RECORD, ...variants(RECORD, other)].map((record) => recordIdOf(DOMAIN, record));
      expect(new Set(ids).size).to.equal(11);
    });

    it("are others for each member of a set", () => {
      const other: AnchoredSet = {
        ...{
          registrant: REGISTRY,
          root: NO_HASH,
          count: 1n,
          parents: [],
          kind: "aggregated",
          license: "",
          aiTraining: "allowed",
          manifestHash: NO_HASH,
        },
      };
      const ids = [SET, ...variants(SET, other)].map((set) => anchorIdOf(DOMAIN, set));
      expect(new Set(ids).size).to.equal(9);
    });

    it("are others on each chain and in each registry", () => {
      const domains = [DOMAIN, provenanceDomain(2, REGISTRY), provenanceDomain(1, RECORD.registrant)];
      expect(new Set(domains.map((domain) => recordIdOf(domain, RECORD))).size).to.equal(3);
      expect(new Set(domains.map((domain) => anchorIdOf(domain, SET))).size).to.equal(3);
    });

    it("are the same however hexadecimal digits are written", () => {
      const upper = (value: string) => `0x${value.slice(2).toUpperCase()}`;
      const { contentHash, cid } = RECORD;
      const record = { ...RECORD, contentHash: upper(contentHash), cid: upper(cid) };
      expect(recordIdOf(DOMAIN, record)).to.equal(recordIdOf(DOMAIN, RECORD));
    });

    it("are of values that fit their types", () => {
      const wrong: Partial<Record<keyof ProvenanceRecord, unknown>>[] = [
        { registrant: "0x12" },
        { contentHash: "0x12" },
        { size: 2n ** 64n },
        { size: -1n },
        { cid: "0x1" },
        { kind: "stolen" },
        { aiTraining: "perhaps" },
        { parents: [{ parent: NO_HASH, kind: "friend" }] },
      ];
      for (const change of wrong) {
        const record = { ...RECORD, ...change } as ProvenanceRecord;
        expect(() => recordIdOf(DOMAIN, record), Object.keys(change)[0]).to.throw(TypeError);
      }
      expect(() => anchorIdOf(DOMAIN, { ...SET, count: 2n ** 64n })).to.throw(TypeError);
    });

    it("of different records differ", () => {
      const differ = fc.property(anyRecord, anyRecord, (one, other) => {
        fc.pre(JSON.stringify(recordStruct(one), text) !== JSON.stringify(recordStruct(other), text));
        expect(recordIdOf(DOMAIN, one)).to.not.equal(recordIdOf(DOMAIN, other));
      });
      fc.assert(differ, { numRuns: runs(100) });
    });
  });

  describe("signatures", () => {
    const signer = new Wallet(`0x${"01".repeat(32)}`);

    it("are over records, in order, and the time until which they count", async () => {
      const signs = fc.asyncProperty(fc.array(anyRecord, { maxLength: 3 }), async (records) => {
        const signature = await signRegistration(signer, DOMAIN, records, 7n);
        const message = { records: records.map(recordStruct), validUntil: 7n };
        expect(verifyTypedData(DOMAIN, REGISTRATION_TYPES, message, signature)).to.equal(signer.address);
        const later = { ...message, validUntil: 8n };
        expect(verifyTypedData(DOMAIN, REGISTRATION_TYPES, later, signature)).to.not.equal(signer.address);
      });
      await fc.assert(signs, { numRuns: runs(20) });
    });

    it("are over a set, and the time until which they count", async () => {
      const signs = fc.asyncProperty(anySet, async (set) => {
        const signature = await signAnchoring(signer, DOMAIN, set, 7n);
        const message = { anchor: anchorStruct(set), validUntil: 7n };
        expect(verifyTypedData(DOMAIN, ANCHORING_TYPES, message, signature)).to.equal(signer.address);
      });
      await fc.assert(signs, { numRuns: runs(20) });
    });
  });

  describe("sortEdges", () => {
    const [low, high] = [`0x${"0a".repeat(32)}`, `0x${"a0".repeat(32)}`];

    it("puts parents in ascending order, the kinds of one in theirs, each once", () => {
      const edges: Edge[] = [
        { parent: high, kind: "training" },
        { parent: low, kind: "training" },
        { parent: high, kind: "derivation" },
        { parent: low, kind: "revision" },
        { parent: high.toUpperCase().replace("X", "x"), kind: "training" },
      ];
      expect(sortEdges(edges)).to.deep.equal([
        { parent: low, kind: "revision" },
        { parent: low, kind: "training" },
        { parent: high, kind: "derivation" },
        { parent: high, kind: "training" },
      ]);
      expect(sortEdges([])).to.deep.equal([]);
    });

    it("gives one order, whatever the order before: the one that the contract wants", () => {
      const edge = fc.record({
        parent: fc.oneof(hex(32), fc.constantFrom(low, high)),
        kind: fc.constantFrom(...EDGE_KINDS),
      });
      const drawn = fc
        .array(edge, { maxLength: MAX_PARENTS })
        .chain((edges) => fc.tuple(fc.constant(edges), fc.shuffledSubarray(edges, { minLength: edges.length })));
      const sorts = fc.property(drawn, ([edges, shuffled]) => {
        const sorted = sortEdges(edges);
        expect(sortEdges(shuffled)).to.deep.equal(sorted);
        expect(sortEdges(sorted)).to.deep.equal(sorted);
        const ranks = sorted.map(({ parent, kind }) => 8n * BigInt(parent) + BigInt(EDGE_KINDS.indexOf(kind)));
        expect(ranks.slice(1).every((rank, i) => rank > (ranks[i] as bigint))).to.equal(true);
        for (const each of edges) expect(sorted).to.deep.include(each);
      });
      fc.assert(sorts, { numRuns: runs(100) });
    });

    it("takes 64, and those that stand there twice as one", () => {
      const edges = Array.from({ length: 65 }, (_, i) => ({
        parent: ethers.zeroPadValue(ethers.toBeHex(i), 32),
        kind: "input" as const,
      }));
      const most = edges.slice(1);
      expect(sortEdges([...most, ...most])).to.have.length(64);
      expect(() => sortEdges(edges))
        .to.throw("a record has at most 64 parents, not 65")
        .with.property("code", "TOO_MANY_PARENTS");
    });
  });

  it("the CID of bytes as one raw block names their hash", () => {
    // As `ipfs add --cid-version=1 --raw-leaves` names a file of these three bytes.
    const named = CID.parse("bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu");
    // SHA-256 of "abc": FIPS 180-4.
    const abc = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(rawCidOf(abc)).to.equal(hexlify(named.bytes));
  });
});

const text = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value);
