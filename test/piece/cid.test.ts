import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { varint } from "multiformats";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import {
  commit,
  commitmentOf,
  decodePieceCid,
  decodePieceCidV1,
  encodePieceCid,
  encodePieceCidV1,
  MAX_PAYLOAD_SIZE,
  zeroSubtree,
} from "../../src/piece/index.js";
import { expectError, pseudoRandom } from "./helpers.js";

interface Vector {
  payload?: [value: number, count: number][];
  zeros?: string;
  padding: number;
  height: number;
  v1?: string;
  v2: string;
}

const { source, vectors } = JSON.parse(
  readFileSync(new URL("./vectors/piece-cid-v2.json", import.meta.url), "utf8"),
) as { source: string; vectors: Vector[] };

const ROOT = zeroSubtree(4);

/** A CID with whatever digest, codec and multihash a test wants to see refused. */
function forge(digest: Uint8Array, codec = 0x55, multihash = 0x1011): CID {
  return CID.createV1(codec, Digest.create(multihash, digest));
}

function digestOf(padding: readonly number[], height: number, root: Uint8Array = ROOT): Uint8Array {
  return Uint8Array.from([...padding, height, ...root]);
}

const varintOf = (value: number): number[] => [...varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))];

describe("piece: PieceCID", () => {
  describe(`vectors of ${source}`, () => {
    for (const vector of vectors) {
      it(vector.v2, async () => {
        // Payloads of zeros as large as a sector are not streamed: their root is a zero subtree.
        const commitment = vector.payload
          ? await commit(
              vector.payload.map(([value, count]) => new Uint8Array(count).fill(value)),
              { allowEmpty: true },
            )
          : commitmentOf(zeroSubtree(vector.height), BigInt(vector.zeros ?? 0));
        expect(commitment.height).to.equal(vector.height);
        expect(commitment.padding).to.equal(BigInt(vector.padding));
        expect(encodePieceCid(commitment).toString()).to.equal(vector.v2);
        expect(decodePieceCid(vector.v2, { allowEmpty: true })).to.deep.equal(commitment);
        if (vector.v1) {
          expect(encodePieceCidV1(commitment.root).toString()).to.equal(vector.v1);
          expect(decodePieceCidV1(vector.v1)).to.deep.equal(commitment.root);
        }
      });
    }
  });

  it("round-trips every size that a piece can have", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: MAX_PAYLOAD_SIZE }), fc.integer({ min: 0, max: 40 }), (size, shift) => {
        const payloadSize = (size >> BigInt(shift)) + 1n;
        fc.pre(payloadSize <= MAX_PAYLOAD_SIZE);
        const root = pseudoRandom(32, shift);
        root[31] = 0;
        const commitment = commitmentOf(root, payloadSize);
        expect(decodePieceCid(encodePieceCid(commitment))).to.deep.equal(commitment);
        expect(decodePieceCid(encodePieceCid(commitment).toString())).to.deep.equal(commitment);
      }),
      { numRuns: 500 },
    );
  });

  it("accepts the largest piece and no larger one", async () => {
    const largest = commitmentOf(ROOT, MAX_PAYLOAD_SIZE);
    expect(largest).to.include({ height: 40, leafCount: 1n << 40n, padding: 0n });
    expect(decodePieceCid(encodePieceCid(largest))).to.deep.equal(largest);
    await expectError("PIECE_TOO_LARGE", () => encodePieceCid({ root: ROOT, payloadSize: MAX_PAYLOAD_SIZE + 1n }));
    await expectError("INVALID_SIZE", () => encodePieceCid({ root: ROOT, payloadSize: -1n }));
    await expectError("INVALID_PIECE_CID", () => decodePieceCid(forge(digestOf([0], 41))));
  });

  it("refuses a root that no tree has", async () => {
    const topBit = ROOT.slice();
    topBit[31] = 0x40;
    for (const root of [topBit, ROOT.slice(1), new Uint8Array(33)]) {
      await expectError("INVALID_ROOT", () => encodePieceCid({ root, payloadSize: 508n }));
      await expectError("INVALID_ROOT", () => encodePieceCidV1(root));
      await expectError("INVALID_PIECE_CID", () => decodePieceCid(forge(digestOf([0], 4, root))));
      await expectError("INVALID_PIECE_CID", () => decodePieceCidV1(forge(root, 0xf101, 0x1012)));
    }
  });

  const refused: Record<string, CID | string> = {
    "no CID at all": "bafk-not-a-cid",
    "an empty string": "",
    "another codec": forge(digestOf([0], 4), 0x70),
    "another multihash": forge(digestOf([0], 4), 0x55, 0x12),
    "a PieceCIDv1": encodePieceCidV1(ROOT),
    "an empty digest": forge(new Uint8Array()),
    "a digest without a root": forge(Uint8Array.of(0, 4)),
    "a height under 2": forge(digestOf([0], 1)),
    "a varint that is longer than it need be": forge(digestOf([0x80, 0x00], 4)),
    "a varint without an end": forge(new Uint8Array(34).fill(0xff)),
    "a padding that leaves half of the tree empty": forge(digestOf(varintOf(254), 4)),
    "a padding as large as the tree": forge(digestOf(varintOf(508), 4)),
    "a padding larger than the tree": forge(digestOf(varintOf(509), 4)),
    "an empty payload": encodePieceCid({ root: zeroSubtree(2), payloadSize: 0n }),
  };
  for (const [what, cid] of Object.entries(refused)) {
    it(`refuses ${what}`, async () => {
      await expectError("INVALID_PIECE_CID", () => decodePieceCid(cid));
    });
  }

  it("takes every padding that its tree can have, and names the empty payload only on request", () => {
    expect(decodePieceCid(forge(digestOf(varintOf(253), 4))).payloadSize).to.equal(255n);
    expect(decodePieceCid(forge(digestOf(varintOf(126), 2))).payloadSize).to.equal(1n);
    expect(decodePieceCid(forge(digestOf(varintOf(127), 2)), { allowEmpty: true }).leafCount).to.equal(0n);
  });

  it("reads the root of a v1 CID only", async () => {
    await expectError("INVALID_PIECE_CID", () => decodePieceCidV1(forge(ROOT, 0xf101, 0x12)));
    await expectError("INVALID_PIECE_CID", () => decodePieceCidV1(forge(ROOT, 0x55, 0x1012)));
    await expectError("INVALID_PIECE_CID", () => decodePieceCidV1(forge(digestOf([0], 4))));
  });
});
