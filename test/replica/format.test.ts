import { createCipheriv, createHash, hkdfSync } from "node:crypto";
import { expect } from "chai";
import { decodeHeader, encodeHeader, placeOf } from "../../src/replica/format.js";
import { bytesOfHex, FileKey, HEADER_SIZE, hexOf, replicaOf, replicaSize, TAG_SIZE } from "../../src/replica/index.js";
import { pseudoRandom } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { bytesOf } from "../support/pieces.js";

const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i);
const ID = Uint8Array.from({ length: 32 }, (_, i) => 0xa0 + i);

/** The format written down once more, from docs/replicas.md, with another implementation of both primitives. */
function reference(payload: Uint8Array, secret: Uint8Array, id: Uint8Array): Buffer {
  const header = Buffer.alloc(48);
  header.write("HFR\u0001", "latin1");
  header[4] = 16;
  header.writeBigUInt64BE(BigInt(payload.length), 8);
  header.set(id, 16);
  const info = Buffer.concat([Buffer.from("Holdfast replica v1"), header]);
  const key = Buffer.from(hkdfSync("sha256", secret, "", info, 32));
  const parts = [header];
  for (let at = 0; at < payload.length; at += 65_536) {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(at / 65_536, 7);
    if (at + 65_536 >= payload.length) nonce[11] = 1;
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    parts.push(cipher.update(payload.subarray(at, at + 65_536)), cipher.final(), cipher.getAuthTag());
  }
  return Buffer.concat(parts);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** SHA-256 of the replica of `pseudoRandom(size, 1)`: what has been stored must be readable for ever. */
const KNOWN: Readonly<Record<number, string>> = {
  1: "29c12d9fe7232a7be645884031e4c5c17ac930f3375cfa23e5c112c03b9ae06b",
  15: "63248dea85eb5e8637ab53cd0122dfad9488cdf528eb480aac1afe5103c02d48",
  65535: "299d3ff33712a8039ff96ccc9a2d6a3f0922aaceaaccd84d6ccb82ba87323b66",
  65536: "7124276b83cc6300abe99e02a15cc2b3dd6390c673362fc08120948d44abdf4b",
  65537: "8ace60e41facffc8f557a792974dd4a97c5b92e8ab877ed6cccae2a1ac187d9c",
  131072: "fbaabca5854a6552e1517b250f3f2e406871fab571d32d3491444de458449ef2",
  200001: "c321dfabdd3e20bacc92b66f4046a90a15e16d30419d06107ae8011a775e93e1",
};

describe("replica: format", () => {
  for (const size of [1, 15, 65_535, 65_536, 65_537, 131_072, 200_001]) {
    it(`of ${size} bytes is what the docs say, and what it has always been`, async () => {
      const payload = pseudoRandom(size, 1);
      const key = await FileKey.from(SECRET);
      const replica = await bytesOf(replicaOf(new Blob([payload]), key, ID).stream());
      expect(hexOf(replica)).to.equal(reference(payload, SECRET, ID).toString("hex"));
      expect(replica.length).to.equal(replicaSize(size));
      expect(sha256(replica)).to.equal(KNOWN[size]);
    });
  }

  it("names a key by what is derived from it", async () => {
    const { id } = await FileKey.from(SECRET);
    expect(id).to.equal(Buffer.from(hkdfSync("sha256", SECRET, "", "Holdfast file key id v1", 16)).toString("hex"));
  });

  it("keeps a secret where nobody prints it", async () => {
    const { key, secret } = await FileKey.generate();
    expect(secret).to.have.length(32);
    expect((await FileKey.from(secret)).id).to.equal(key.id);
    expect((await FileKey.generate()).key.id).to.not.equal(key.id);
    const { inspect } = await import("node:util");
    const printed = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key);
    expect(printed).to.include(key.id);
    expect(printed).to.not.include(hexOf(secret.subarray(0, 4)));
    expect((await failure<Error & { code: string }>(FileKey.from(secret.slice(1)))).code).to.equal("INVALID_KEY");
  });

  it("writes and reads headers", () => {
    const header = { id: ID, size: 2 ** 45 + 3, chunkLog: 12 };
    const bytes = encodeHeader(header);
    expect(bytes).to.have.length(HEADER_SIZE);
    expect(decodeHeader(bytes)).to.deep.equal(header);
    expect(decodeHeader(encodeHeader({ id: ID, size: 1 }))).to.include({ size: 1, chunkLog: 16 });
    expect(placeOf({ size: 65_537 }, 1)).to.deep.equal({
      index: 1,
      offset: HEADER_SIZE + 65_536 + TAG_SIZE,
      length: 1 + TAG_SIZE,
      last: true,
    });
  });

  const changed = (at: number, value: number) => {
    const bytes = encodeHeader({ id: ID, size: 70_000 });
    bytes[at] = value;
    return bytes;
  };
  const bad: readonly [string, Uint8Array][] = [
    ["too short", encodeHeader({ id: ID, size: 1 }).subarray(0, 47)],
    ["another file type", changed(0, 0)],
    ["another version", changed(3, 2)],
    ["a reserved byte", changed(7, 1)],
    ["chunks of 2 KiB", changed(4, 11)],
    ["chunks of 32 MiB", changed(4, 25)],
    ["more bytes than a number can say", changed(8, 1)],
  ];
  for (const [what, bytes] of bad) {
    it(`refuses a header: ${what}`, () => {
      expect(() => decodeHeader(bytes))
        .to.throw("not a replica")
        .with.property("code", "INVALID_REPLICA");
    });
  }

  it("makes no header of an empty payload, half a byte, or a short id", () => {
    for (const [id, size] of [
      [ID, 0],
      [ID, 1.5],
      [ID.subarray(1), 1],
    ] as const) {
      expect(() => encodeHeader({ id, size }))
        .to.throw()
        .with.property("code", "INVALID_REPLICA");
    }
  });

  it("turns bytes into digits and back", () => {
    expect(hexOf(bytesOfHex("00ff10"))).to.equal("00ff10");
  });
});
