/** The demo in a process of its own, on a chain of each kind. */
import { createHash, randomBytes, randomInt } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { DemoReport } from "../../scripts/demo/report.js";
import type { ChainProfile } from "../../scripts/profiles/profiles.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { holdfast } from "./cli.js";
import { removeFolders, tempFolder } from "./pieces.js";

/** The process of a provider, as the story names it. */
const pidOf = (name: string, story: string) => new RegExp(`${name} serves at .*, process (\\d+)`).exec(story)?.[1];

/** What a demo has left behind; others run meanwhile. */
async function leftoversOf(pid: number): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith(`holdfast-demo-${pid}-`));
}

/** Declares the tests of the demo that need a chain. */
export function testDemoOn({ name, challengeFinality }: ChainProfile): void {
  const command = ["demo", "--json", ...(name === "local" ? [] : ["--profile", name])];
  after(removeFolders);

  it("keeps a file of any size in three places, replaces a lost provider, and settles to the last base unit", async () => {
    const bytes = randomBytes(randomInt(1, 400_000));
    const file = join(await tempFolder(), "any");
    await writeFile(file, bytes);
    let demo = 0;
    const { status, stdout, stderr } = await holdfast([...command, file], (_, child) => {
      demo = child.pid!;
    });
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(stdout.trim().split("\n").at(-1) as string) as DemoReport;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect([report.originalSha256, report.fetchedSha256]).to.deep.equal([sha256, sha256]);
    expect([report.file, report.bytes]).to.deep.equal([file, bytes.length]);
    expect(report.pieceCid).to.equal(encodePieceCid(await commit(bytes)).toString());
    expect(stderr).to.not.include("did not settle").and.not.include("did not prove").and.not.include("can't prove");
    expect(stderr).to.match(/Dunedin fetches the bytes from (Amsterdam|Bogotá|Cape Town)/);
    expectBooks(report, challengeFinality);
    expectOrigin(report, stderr);
    expect(await leftoversOf(demo)).to.deep.equal([]);
  });

  it("says so when one provider too many stops: what can't be repaired is paid back, no money is lost", async () => {
    let killed = false;
    const { status, stderr } = await holdfast(command, (story) => {
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
    let pid: string | undefined;
    let demo = 0;
    let had: Promise<string[]> | undefined;
    const { status, stderr } = await holdfast(command, (story, child) => {
      demo = child.pid!;
      had ??= leftoversOf(demo);
      if (pid) return;
      pid = pidOf("Cape Town", story);
      if (pid) child.kill("SIGINT");
    });
    expect(stderr).to.include("error: the demo was interrupted");
    expect(status).to.equal(1);
    expect(() => process.kill(Number(pid), 0)).to.throw("ESRCH");
    expect(await had).to.have.length(1);
    expect(await leftoversOf(demo)).to.deep.equal([]);
  });
}

function expectBooks(report: DemoReport, finality: number): void {
  expect(report.conserved).to.equal(true);
  expect([report.replicasProven, report.repaired]).to.deep.equal([3, 1]);
  // From the default to the first proof by another provider, with no human step: two periods at most, and what finality adds.
  const most = 2 * report.periodBlocks + (finality > report.periodBlocks / 2 ? finality : 0);
  expect(report.repairBlocks).to.be.within(1, most);
  expect(report.misses).to.equal(3);
  expect(report.proofs).to.be.at.least(5);
  expect(BigInt(report.slashed)).to.equal(BigInt(report.compensation) + BigInt(report.bounty));
  expect(BigInt(report.slashed) > 0n && BigInt(report.paidToProviders) > 0n).to.equal(true);
  expect(BigInt(report.refunded) > 0n).to.equal(true);
}

function expectOrigin({ provenance: { record, derived, ...verdicts } }: DemoReport, story: string): void {
  expect(verdicts).to.deep.equal({ verified: true, derivedVerified: true, alteredDetected: true });
  for (const id of [record, derived]) expect(id).to.match(/^0x[0-9a-f]{64}$/);
  expect(story).to.match(
    /verify any: VERIFIED\n.*original, CC-BY-4.0, AI training refused\n.*held by \w+.*, .*, .*; proven/,
  );
  expect(story).to.match(
    new RegExp(`verify negative.bin: VERIFIED\\n.*derived from ${record.slice(0, 10)}, .*\\n.*held by `),
  );
  expect(story).to.include(`with one bit flipped: ALTERED, held against record ${record.slice(0, 10)}`);
}
