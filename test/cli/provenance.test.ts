import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import type { AnchorReport, RegisterReport } from "../../src/cli/register.js";
import type { StoreReport } from "../../src/cli/store.js";
import type { VerifiedReport } from "../../src/cli/verify.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder, testPiece } from "../support/pieces.js";
import { priced, type StorageNet, startStorageNet } from "../support/storage-net.js";

describe("cli: provenance and verify", () => {
  let net: StorageNet;
  let maker: Wallet;
  let critic: Wallet;
  let folder: string;
  let file: string;
  let restore: () => void;

  before(async () => {
    net = await startStorageNet();
    await net.addProvider(priced(net.token, 2n));
    [maker, critic] = [await net.rich(), await net.rich()];
    folder = await tempFolder();
    file = join(folder, "original.bin");
    await writeFile(file, (await testPiece(10_000)).payload);
    restore = await commandsOn(net);
    actAs(maker);
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });
  beforeEach(() => actAs(maker));

  const verify = async (subject: string, ...args: string[]) => {
    const { status, stdout, stderr } = await holdfast(["verify", subject, "--json", ...args]);
    expect(stdout, stderr).to.not.equal("");
    return { status, report: JSON.parse(stdout) as VerifiedReport };
  };
  const codes = ({ records }: VerifiedReport) => records.flatMap(({ findings }) => findings.map(({ code }) => code));
  const register = async (path: string, ...args: string[]) =>
    jsonOf(await holdfast(["provenance", "register", path, "--json", ...args])) as RegisterReport;
  const store = async (path: string, ...args: string[]) =>
    jsonOf(await holdfast(["store", path, "--periods", "6", "--token", net.token, "--json", ...args])) as StoreReport;
  const flipped = async (path: string, name: string) => {
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    const copy = join(folder, name);
    await writeFile(copy, bytes);
    return copy;
  };

  let original: string;

  it("registers by default what is stored, links it to its deal, and verifies it", async () => {
    const stored = await store(file, "--license", "CC-BY-4.0", "--ai-training", "refused");
    original = stored.record ?? "";
    expect(original).to.match(/^0x[0-9a-f]{64}$/);
    expect(await net.contracts.provenance.linkAt(original, 0)).to.equal(BigInt(stored.deals[0]?.id ?? 0));
    const { status, report } = await verify(file);
    expect([report.outcome, report.records.length, report.bytes]).to.deep.equal(["warning", 1, "10000"]);
    // No window has been proven yet.
    expect([status, codes(report)]).to.deep.equal([2, ["NOT_HELD"]]);
    expect(report.records[0]).to.include({ id: original, license: "CC-BY-4.0", aiTraining: "refused" });
  });

  it("is content, and says so by its exit status, once the provider has proven that it holds it", async () => {
    for (let tries = 0; !(await net.contracts.provenance.isHeld(original)); tries++) {
      expect(tries, "blocks without a proof that counts").to.be.below(200);
      await net.mine();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { status, stdout } = await holdfast(["verify", file]);
    expect([status, stdout.split("\n")[1]]).to.deep.equal([
      0,
      "VERIFIED: these are the bytes that the record is about, and nothing speaks against it",
    ]);
    expect(stdout).to.match(/^held by {5}0x\w{40} at http:\S+, last proven .+ UTC \(block \d+\), deal 0x\w{8}$/m);
  });

  it("says so where the bytes are altered, or nobody has registered them", async () => {
    const altered = await flipped(file, "altered.bin");
    expect((await verify(altered)).report.outcome).to.equal("unknown");
    const { status, report } = await verify(altered, "--record", original);
    expect([status, report.outcome, report.against?.id]).to.deep.equal([1, "altered", original]);
    const text = await holdfast(["verify", altered, "--record", original.slice(0, 12)]);
    expect(text.stdout).to.include(`Held against record ${original}`);
    expect(text.status).to.equal(1);
  });

  it("notes a registered file's record beside it, so that a change of it shows", async () => {
    const edited = join(folder, "edited.bin");
    await writeFile(edited, (await testPiece(9_000, 3)).payload);
    const { id, note } = await register(edited, "--kind", "edited", "--parent", original, "--license", "CC-BY-4.0");
    expect(note).to.equal(`${edited}.provenance.json`);
    const { report } = await verify(edited);
    expect(report.records[0]?.parents).to.deep.equal([{ id: original, kind: "revision" }]);
    expect(report.records[0]?.sources).to.deep.equal([{ id: original, depth: 1, state: "standing" }]);
    await copyFile(await flipped(edited, "tmp"), edited);
    const changed = await verify(edited);
    expect([changed.status, changed.report.outcome, changed.report.against?.id]).to.deep.equal([1, "altered", id]);
  });

  it("carries a refusal, a licence and a dispute down to what was made of it", async () => {
    const model = join(folder, "model.bin");
    await writeFile(model, (await testPiece(5_000, 4)).payload);
    await register(model, "--kind", "trained-on", "--parent", original, "--license", "MIT");
    const trained = await verify(model);
    expect(trained.status).to.equal(2);
    expect(codes(trained.report)).to.include("AI_TRAINING");

    // Whoever holds the rights may license as they like: somebody else may not.
    actAs(critic);
    const copy = join(folder, "relicensed.bin");
    await writeFile(copy, (await testPiece(5_000, 5)).payload);
    await register(copy, "--kind", "derived", "--parent", `${original}:derivation`, "--license", "CC0-1.0");
    expect(codes((await verify(copy)).report)).to.include("LICENSE_CONFLICT");

    jsonOf(await holdfast(["provenance", "attest", original, "--dispute", "--reason", "staged \u001b[2J", "--json"]));
    const disputed = await verify(model);
    expect(codes(disputed.report)).to.include("ANCESTOR_DISPUTED");
    const text = await holdfast(["verify", file]);
    expect(text.stdout).to.include(`${critic.address} disputes: “staged \\x1b[2J”`);
    jsonOf(await holdfast(["provenance", "revoke", original, "--json"]));
    expect(codes((await verify(model)).report)).to.not.include("ANCESTOR_DISPUTED");
  });

  it("draws a lineage, and writes it for others", async () => {
    const [svg, prov] = [join(folder, "out.svg"), join(folder, "out.json")];
    const lineage = await holdfast(["provenance", "lineage", original, "--svg", svg, "--prov", prov, "--json"]);
    const { counts } = jsonOf(lineage);
    expect(counts).to.include({ nodes: 4, descendants: 3, ancestors: 0 });
    expect(await readFile(svg, "utf8")).to.match(/^<svg[^>]*>|<\?xml/);
    expect(Object.keys(JSON.parse(await readFile(prov, "utf8")))).to.include.members(["prefix", "entity"]);
    expect((await holdfast(["provenance", "lineage", original])).stdout).to.include("3 made of it, 0 tainted");
  });

  it("anchors a folder, proves its files, and sees which was changed", async () => {
    const photos = join(folder, "photos");
    await mkdir(join(photos, "2025"), { recursive: true });
    for (const name of ["a.jpg", "2025/b.jpg", "2025/c d.jpg"]) {
      await writeFile(join(photos, name), `picture ${name}`);
    }
    const anchored = jsonOf(
      await holdfast(["provenance", "register", photos, "--license", "CC-BY-4.0", "--json"]),
    ) as AnchorReport;
    expect(anchored).to.include({ files: 3, records: 3 });
    const { report } = await verify(join(photos, "2025/c d.jpg"));
    expect(report.records[0]).to.include({ anchoredIn: anchored.id, license: "CC-BY-4.0", registrant: maker.address });
    expect(codes(report)).to.deep.equal(["NOT_HELD"]);
    const proof = join(folder, "b.proof");
    jsonOf(await holdfast(["provenance", "prove", join(photos, "2025/b.jpg"), "-o", proof, "--json"]));
    const alone = join(folder, "b.jpg");
    await copyFile(join(photos, "2025/b.jpg"), alone);
    const [byProof] = (await verify(alone, "--proof", proof)).report.records;
    expect(byProof?.anchoredIn).to.equal(anchored.id);
    const published = jsonOf(await holdfast(["provenance", "publish", alone, "--proof", proof, "--json"]));
    expect(published).to.deep.equal({ id: byProof?.id, set: anchored.id });
    expect(jsonOf(await holdfast(["provenance", "show", published.id, "--json"]))).to.include({
      anchoredIn: anchored.id,
    });
    expect((await holdfast(["provenance", "prove", file])).stderr).to.match(/is in no set that is known here/);
    await writeFile(join(photos, "2025/c d.jpg"), "another picture");
    const changed = await verify(join(photos, "2025/c d.jpg"));
    expect([changed.status, changed.report.outcome, changed.report.against?.id]).to.deep.equal([
      1,
      "altered",
      anchored.id,
    ]);
    await writeFile(join(photos, "new.jpg"), "a new picture");
    expect((await verify(join(photos, "new.jpg"))).report.outcome).to.equal("unknown");
    jsonOf(await holdfast(["provenance", "withdraw", anchored.id, "--reason", "wrong folder", "--json"]));
    expect(codes((await verify(join(photos, "a.jpg"))).report)).to.include("ANCESTOR_WITHDRAWN");
  });

  it("registers the files of a folder that is stored, and shows by which deal each is held", async () => {
    const album = join(folder, "album");
    await mkdir(join(album, "2026"), { recursive: true });
    for (const name of ["a.jpg", "2026/b.jpg"]) await writeFile(join(album, name), `stored picture ${name}`);
    const stored = await store(album, "--kind", "edited", "--parent", original, "--ai-training", "refused");
    expect([stored.record, stored.set]).to.satisfy((ids: string[]) => ids.every((id) => /^0x[0-9a-f]{64}$/.test(id)));
    const shown = jsonOf(await holdfast(["provenance", "show", stored.set!, "--json"]));
    expect(shown).to.deep.include({ kind: "edited", parents: [{ id: original, kind: "revision" }], count: "2" });
    const whole = jsonOf(await holdfast(["provenance", "show", stored.record!, "--json"]));
    expect(whole).to.deep.include({ kind: "aggregated", parents: [{ id: stored.set, kind: "component" }] });
    expect(whole).to.include({ cid: stored.rootCid, aiTraining: "refused" });
    for (let tries = 0; !(await net.contracts.provenance.isHeld(stored.record!)); tries++) {
      expect(tries, "blocks without a proof that counts").to.be.below(200);
      await net.mine();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { status, report } = await verify(join(album, "2026/b.jpg"));
    const [record] = report.records;
    expect([status, report.outcome, codes(report)]).to.deep.equal([0, "verified", ["HELD_WITHIN"]]);
    expect(record?.anchoredIn).to.equal(stored.set);
    expect(record?.holdings.map(({ within }) => within)).to.deep.equal([stored.record]);
    const text = await holdfast(["verify", join(album, "a.jpg")]);
    expect(text.stdout).to.match(new RegExp(`^held by .*, within ${stored.record!.slice(0, 10)}$`, "m"));
    // What its CID names is computed from the blocks that are served.
    const named = await verify(stored.rootCid!);
    expect([named.status, named.report.outcome, codes(named.report)]).to.deep.equal([0, "verified", []]);
    expect(named.report.records[0]?.id).to.equal(stored.record);
    await copyFile(await flipped(join(album, "a.jpg"), "flipped.jpg"), join(album, "a.jpg"));
    const changed = await verify(join(album, "a.jpg"));
    expect([changed.status, changed.report.outcome, changed.report.against?.id]).to.deep.equal([
      1,
      "altered",
      stored.set,
    ]);
  });

  it("stores a folder whose files can't be registered beside it, and says so", async () => {
    const taken = join(folder, "taken");
    await mkdir(taken);
    await writeFile(join(taken, "a.txt"), "a text of its own");
    await writeFile(`${taken}.set`, "somebody's file");
    const { status, stdout, stderr } = await holdfast([
      "store",
      taken,
      "--periods",
      "6",
      "--token",
      net.token,
      "--json",
    ]);
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(/it is stored, and its files are not registered: .*taken\.set is there already/);
    expect(JSON.parse(stdout)).to.have.property("record").and.not.to.have.property("set");
    expect(await readFile(`${taken}.set`, "utf8")).to.equal("somebody's file");
    const bare = await store(taken, "--no-provenance");
    expect([bare.record, bare.set]).to.deep.equal([undefined, undefined]);
  });

  it("holds a record against the manifest that is named", async () => {
    const [data, manifest, other] = [join(folder, "data.bin"), join(folder, "m.json"), join(folder, "o.json")];
    await writeFile(data, "some data with a manifest");
    await writeFile(manifest, "a manifest");
    await writeFile(other, "another manifest");
    await register(data, "--manifest", manifest);
    expect(codes((await verify(data)).report)).to.include("MANIFEST_UNCHECKED");
    expect(codes((await verify(data, "--manifest", manifest)).report)).to.deep.equal(["NOT_HELD"]);
    expect(codes((await verify(data, "--manifest", other)).report)).to.include("OTHER_MANIFEST");
  });

  it("verifies what a CID names, by fetching it", async () => {
    const stored = await store(file, "--no-provenance");
    expect(stored.record).to.equal(undefined);
    const { report, status } = await verify(stored.pieceCid);
    // Whether its first window has been proven by now depends on the provider's phase.
    expect([status, report.outcome]).to.be.deep.oneOf([
      [0, "verified"],
      [2, "warning"],
    ]);
    expect(report.records[0]?.id).to.equal(original);
    expect(report.url).to.equal(stored.deals[0]?.url);
    const unknown = await holdfast(["verify", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"]);
    expect([unknown.status, unknown.stderr]).to.deep.equal([
      1,
      "there is no such file: fetching what it names as a CID from whoever holds it\nerror: no record names bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy\n" +
        "hint: verify the file itself, or its PieceCID\n",
    ]);
  });

  it("supersedes, links and shows, and refuses what makes no sense", async () => {
    const newer = join(folder, "newer.bin");
    await writeFile(newer, (await testPiece(8_000, 6)).payload);
    const { id } = await register(newer, "--kind", "edited", "--parent", original);
    jsonOf(await holdfast(["provenance", "supersede", original, id, "--json"]));
    const shown = jsonOf(await holdfast(["provenance", "show", original, "--json"]));
    expect(shown).to.include({ id: original, supersededBy: id, form: "record" });
    expect((await holdfast(["provenance", "show", original])).stdout).to.include(`replaced by ${id}`);
    for (const [args, error] of [
      [["register", newer, "--license", "Apache 2.0"], /INVALID|no SPDX licence expression/],
      [["register", newer, "--parent", `0x${"12".repeat(32)}`], /UnknownParent/],
      [["register", newer, "--parent", `${original}:uncle`], /uncle is no kind of edge/],
      [["attest", original], /OwnRecord/],
      [["show", "0x12"], /no record's id/],
      [["show", `0x${"12".repeat(32)}`], /there is no record or set/],
    ] as const) {
      const { status, stderr } = await holdfast(["provenance", ...args]);
      expect([status, stderr]).to.satisfy(([code, text]: [number, string]) => code === 1 && error.test(text), stderr);
    }
    const parent = await holdfast(["store", newer, "--periods", "6", "--parent", `0x${"12".repeat(32)}`]);
    expect(parent.stderr).to.match(/^error: there is no record or set 0x1212/);
  });
});
