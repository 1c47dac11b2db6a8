import { createHash, randomBytes, randomInt } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { alteredCopy, deriveNegative, deriveThumbnail } from "../../scripts/demo/files.js";
import { checkOrigin } from "../../scripts/demo/origin.js";
import type { DemoReport } from "../../scripts/demo/report.js";
import { samplePicture } from "../../scripts/demo/sample.js";
import { HoldfastError } from "../../src/errors.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { holdfast } from "../support/cli.js";

const LEFTOVERS = /^holdfast-demo-/;

describe("holdfast demo", function () {
  // A minute each where the machine is free.
  this.timeout(240_000);

  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "holdfast-test-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  /** The process of a provider, as the story names it. */
  const pidOf = (name: string, story: string) => new RegExp(`${name} serves at .*, process (\\d+)`).exec(story)?.[1];

  async function leftovers(): Promise<string[]> {
    return (await readdir(tmpdir())).filter((name) => LEFTOVERS.test(name));
  }

  it("keeps a file of any size in three places, replaces a lost provider, and settles to the last base unit", async () => {
    const before = await leftovers();
    const bytes = randomBytes(randomInt(1, 400_000));
    const file = join(dir, "any");
    await writeFile(file, bytes);
    const { status, stdout, stderr } = await holdfast(["demo", file, "--json"]);
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(stdout.trim().split("\n").at(-1) as string) as DemoReport;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect([report.originalSha256, report.fetchedSha256]).to.deep.equal([sha256, sha256]);
    expect([report.file, report.bytes]).to.deep.equal([file, bytes.length]);
    expect(report.pieceCid).to.equal(encodePieceCid(await commit(bytes)).toString());
    expect(report.conserved).to.equal(true);
    expect([report.replicasProven, report.repaired]).to.deep.equal([3, 1]);
    expect(stderr).to.not.include("did not settle");
    expect(stderr).to.match(/Dunedin fetches the bytes from (Amsterdam|Bogotá|Cape Town)/);
    // From the default to the first proof by another provider, with no human step: two periods at most.
    expect(report.repairBlocks).to.be.within(1, 2 * report.periodBlocks);
    expect(report.misses).to.equal(3);
    expect(report.proofs).to.be.at.least(5);
    expect(BigInt(report.slashed)).to.equal(BigInt(report.compensation) + BigInt(report.bounty));
    expect(BigInt(report.slashed) > 0n && BigInt(report.paidToProviders) > 0n).to.equal(true);
    expect(BigInt(report.refunded) > 0n).to.equal(true);
    const { record, derived, ...verdicts } = report.provenance;
    expect(verdicts).to.deep.equal({ verified: true, derivedVerified: true, alteredDetected: true });
    for (const id of [record, derived]) expect(id).to.match(/^0x[0-9a-f]{64}$/);
    expect(stderr).to.match(
      /verify any: VERIFIED\n.*original, CC-BY-4.0, AI training refused\n.*held by \w+.*, .*, .*; proven/,
    );
    expect(stderr).to.match(
      new RegExp(`verify negative.bin: VERIFIED\\n.*derived from ${record.slice(0, 10)}, .*\\n.*held by `),
    );
    expect(stderr).to.include(`with one bit flipped: ALTERED, held against record ${record.slice(0, 10)}`);
    expect(await leftovers()).to.deep.equal(before);
  });

  it("says so when one provider too many stops: what can't be repaired is paid back, no money is lost", async () => {
    let killed = false;
    const { status, stderr } = await holdfast(["demo", "--json"], (story) => {
      const pid = pidOf("Amsterdam", story);
      if (killed || !pid || !story.includes("Amsterdam proves window 1")) return;
      killed = true;
      process.kill(Number(pid), "SIGKILL");
    });
    expect(killed).to.equal(true);
    expect(stderr).to.include("Amsterdam's process has stopped");
    expect(stderr).to.include("every base unit is accounted for").and.not.include("did not settle");
    expect(stderr).to.match(/the client takes back .* for what nobody filled/);
    expect(stderr).to.match(/verify sample.bmp: VERIFIED\n.*\n.*held by [^,]*, [^,]*; proven last/);
    expect(stderr).to.include("error: 2 of 3 replicas were left");
    expect(status).to.equal(1);
  });

  it("stops everything it started when it is interrupted", async () => {
    const before = await leftovers();
    let pid: string | undefined;
    const { status, stderr } = await holdfast(["demo", "--json"], (story, child) => {
      if (pid) return;
      pid = pidOf("Cape Town", story);
      if (pid) child.kill("SIGINT");
    });
    expect(stderr).to.include("error: the demo was interrupted");
    expect(status).to.equal(1);
    expect(() => process.kill(Number(pid), 0)).to.throw("ESRCH");
    expect(await leftovers()).to.deep.equal(before);
  });

  it("refuses what can't be stored before it starts anything", async () => {
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
