import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { alteredCopy, deriveNegative, deriveThumbnail } from "../../scripts/demo/files.js";
import { checkOrigin } from "../../scripts/demo/origin.js";
import { samplePicture } from "../../scripts/demo/sample.js";
import { HoldfastError } from "../../src/errors.js";
import { holdfast } from "../support/cli.js";

describe("holdfast demo", function () {
  this.timeout(240_000);

  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "holdfast-test-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("keeps its picture on a plain chain, where nobody says which", async () => {
    const { status, stdout, stderr } = await holdfast(["demo"]);
    expect(status, stdout + stderr).to.equal(0);
    expect(stdout)
      .to.match(/ s {2}chain at http/)
      .and.include("3 replicas are held and proven, 1 of them repaired");
    expect(stdout)
      .to.match(/the client makes thumbnail.bmp out of it/)
      .and.match(/sha-256 is the same/);
  });

  it("refuses what can't be stored, and chains that it does not know, before it starts anything", async () => {
    const { stderr: said } = await holdfast(["demo", "--profile", "mars"]);
    expect(said).to.match(/^error: .*mars.*local, ethereum, base, filecoin/);
    const empty = join(dir, "empty");
    await writeFile(empty, "");
    for (const [file, message] of [
      [empty, "is empty"],
      [join(dir, "none"), "cannot be read"],
      [dir, "is not a file"],
    ] as const) {
      const { status, stderr, stdout } = await holdfast(["demo", file]);
      expect(stderr).to.include(message);
      expect([status, stdout]).to.deep.equal([1, ""]);
    }
  });

  it("fails where anything was verified to be what it isn't, or not to be what it is", () => {
    const right = { record: "0x1", derived: "0x2", verified: true, derivedVerified: true, alteredDetected: true };
    expect(() => checkOrigin(right)).not.to.throw();
    for (const [wrong, message] of [
      ["verified", "the stored file was not verified"],
      ["derivedVerified", "the file made out of it was not verified"],
      ["alteredDetected", "the altered copy was not found out"],
    ] as const) {
      expect(() => checkOrigin({ ...right, [wrong]: false }))
        .to.throw(HoldfastError, message)
        .with.property("code", "PROVENANCE_FAILED");
    }
  });

  it("makes another file out of any, and a copy with one bit of it changed", async () => {
    for (const size of [1, 2, 65_536, 65_537, 200_000]) {
      const bytes = randomBytes(size);
      const file = join(dir, "any");
      await writeFile(file, bytes);
      const { path } = await deriveNegative(file, dir);
      const negative = await readFile(path);
      expect(negative.length).to.equal(Math.min(size, 65_536));
      expect(negative.every((byte, at) => byte + (bytes[at] as number) === 0xff)).to.equal(true);
      const copy = await alteredCopy(file);
      const altered = new Uint8Array(await new Response(copy.stream()).arrayBuffer());
      expect([copy.size, altered.length]).to.deep.equal([size, size]);
      const changed = [...altered].flatMap((byte, at) => (byte === bytes[at] ? [] : [byte ^ (bytes[at] as number)]));
      expect(changed).to.deep.equal([1]);
      expect(await readFile(file)).to.deep.equal(bytes);
    }
  });

  it("has a picture of its own, some MiB of it, the same every time", () => {
    const picture = samplePicture();
    expect(picture.length).to.be.within(2 << 20, 8 << 20);
    expect(createHash("sha256").update(picture).digest("hex")).to.equal(
      "c6655072b51680a17954ec0a109de8b85cb7cb5538fd9d79b6d3a1aebaf49bc2",
    );
  });

  it("makes a thumbnail out of the picture's pixels", async () => {
    const picture = samplePicture();
    const sample = join(dir, "sample.bmp");
    await writeFile(sample, picture);
    const thumbnail = await readFile((await deriveThumbnail(sample, dir)).path);
    expect(thumbnail.length).to.equal(54 + 3 * 300 * 225);
    expect(thumbnail.readUInt32LE(2)).to.equal(thumbnail.length);
    expect([thumbnail.readInt32LE(18), thumbnail.readInt32LE(22)]).to.deep.equal([300, 225]);
    const pixel = (bytes: Uint8Array, width: number, x: number, y: number) =>
      [...bytes.subarray(54 + 3 * (y * width + x))].slice(0, 3);
    for (const [x, y] of [
      [0, 0],
      [299, 0],
      [150, 112],
      [210, 60],
      [299, 224],
    ] as const) {
      expect(pixel(thumbnail, 300, x, y)).to.deep.equal(pixel(picture, 1_200, 4 * x, 4 * y));
    }
  });
});
