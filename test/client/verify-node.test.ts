import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { fileBlob } from "../../src/client/file-node.js";
import { type ChainAccess, recordOf, registerRecord } from "../../src/client/index.js";
import { anchorFolder, readCredentials, setPathOf, verifyFile, writeNote } from "../../src/client/provenance-node.js";
import type { VerifyFileOptions } from "../../src/client/verify-node.js";
import { ProvenanceBook } from "../../src/provenance/book.js";
import { contentOf } from "../../src/provenance/content.js";
import { expectError } from "../piece/helpers.js";
import { box, fixture, pngWith, testRoot } from "../provenance/c2pa/helpers.js";
import { networkHelpers } from "../support/market.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { deployProvenance, now, type ProvenanceWorld } from "../support/provenance.js";
import { accessOf, readerOf } from "../support/provenance-reader.js";

describe("client: verifying a file", () => {
  let world: ProvenanceWorld;
  let access: ChainAccess;

  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployProvenance);
    access = await accessOf(world, world.client);
  });
  after(removeFolders);

  const verify = async (path: string, options: Partial<VerifyFileOptions> = {}) => {
    const reader = await readerOf(world);
    return verifyFile(reader, await ProvenanceBook.open(reader), path, { now: await now(), ...options });
  };
  const codes = ({ findings }: Awaited<ReturnType<typeof verify>>) => findings.map(({ code }) => code);
  const place = async (bytes: Uint8Array | string, name = "file name, ünï.bin") => {
    const path = join(await tempFolder(), name);
    await writeFile(path, bytes);
    return path;
  };
  const register = async (path: string, claims: Parameters<typeof recordOf>[2] = {}) =>
    registerRecord(
      access,
      recordOf(access.address, await contentOf(await fileBlob(path, { mayBeEmpty: true })), claims),
    );
  const registry = () => ({ chainId: access.deployment.chainId, registry: access.deployment.provenance });

  it("finds the record of its bytes, and says by the note beside it what they should be", async () => {
    const file = await place("one");
    expect((await verify(file)).outcome).to.equal("unknown");
    const { id } = await register(file);
    const report = await verify(file);
    expect([report.outcome, report.records[0]?.known.id, ...codes(report)]).to.deep.equal(["warning", id]);
    expect([report.credentials, report.against]).to.deep.equal([undefined, undefined]);
    await writeNote(file, registry(), id);
    expect((await verify(file)).against).to.equal(undefined);
    await writeFile(file, "two");
    const altered = await verify(file);
    expect([altered.outcome, altered.against?.id, ...codes(altered)]).to.deep.equal(["altered", id]);
  });

  it("tells where other bytes were put in its place, though somebody has registered those", async () => {
    const file = await place("one");
    const { id } = await register(file);
    await writeNote(file, registry(), id);
    await writeFile(file, "two");
    const other = await register(file);
    const report = await verify(file);
    expect([report.outcome, report.against?.id, ...codes(report)]).to.deep.equal(["warning", id, "OTHER_BYTES"]);
    expect(report.records.map(({ known }) => known.id)).to.deep.equal([other.id]);
    // Who names a record wants to know of that one.
    expect((await verify(file, { only: [id], against: id })).outcome).to.equal("altered");
  });

  it("verifies a file of a folder that was claimed, until it is changed or the set is not anchored here", async () => {
    const folder = join(await tempFolder(), "photos");
    await mkdir(join(folder, "sub"), { recursive: true });
    await writeFile(join(folder, "sub/a.jpg"), "a");
    await writeFile(join(folder, "b.jpg"), "b");
    const start = await networkHelpers.takeSnapshot();
    const { head } = await anchorFolder(access, folder);
    const file = join(folder, "sub/a.jpg");
    const report = await verify(file);
    expect([report.outcome, report.records[0]?.known.anchoredIn]).to.deep.equal(["warning", head.id]);
    const copy = await place("a");
    expect((await verify(copy)).outcome).to.equal("unknown");
    expect((await verify(copy, { set: setPathOf(folder) })).records).to.have.length(1);
    await writeFile(file, "changed");
    const changed = await verify(file);
    expect([changed.outcome, changed.against?.id]).to.deep.equal(["altered", head.id]);
    await start.restore();
    expect((await verify(join(folder, "b.jpg"))).outcome).to.equal("unknown");
  });

  it("HINT_PASSED_OVER, a note, for what lies there and can't be read; what is named has to be readable", async () => {
    const file = await place("one");
    await register(file);
    execFileSync("mkfifo", [`${file}.provenance.json`]);
    const set = setPathOf(join(file, ".."));
    await writeFile(set, "no set");
    try {
      const report = await verify(file);
      expect([report.outcome, ...codes(report)]).to.deep.equal(["warning", "HINT_PASSED_OVER", "HINT_PASSED_OVER"]);
      expect(new Set(report.findings.map(({ level }) => level))).to.deep.equal(new Set(["note"]));
      await expectError("SET_FILE_INVALID", () => verify(file, { set }));
      await expectError("PROOF_INVALID", () => verify(file, { proof: file }));
    } finally {
      execFileSync("rm", [set]);
    }
  });

  it("takes an empty file for what it is: bytes with a hash, and no piece", async () => {
    const file = await place("");
    expect((await verify(file)).outcome).to.equal("unknown");
    const { id, record } = await register(file);
    expect(record).to.include({ size: 0n });
    const { outcome, records, content } = await verify(file);
    expect([outcome, records[0]?.known.id, content.commitment]).to.deep.equal(["warning", id, undefined]);
    expect(records[0]?.findings.map(({ code }) => code)).to.deep.equal(["NOT_HELD"]);
  });

  it("FILE_UNREADABLE for what is no file", async () => {
    const folder = await tempFolder();
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const name of ["missing", ".", "pipe"]) {
      await expectError("FILE_UNREADABLE", () => verify(join(folder, name)));
    }
  });

  describe("with content credentials", () => {
    const asset = async (name: string) => {
      const path = join(await tempFolder(), name);
      await writeFile(path, await fixture(name));
      return path;
    };

    it("reads them, and whom they lead to", async () => {
      const file = await asset("original.jpg");
      const own = await verify(file);
      expect([own.outcome, own.credentials?.state, ...codes(own)]).to.deep.equal([
        ...["unknown", "valid", "CREDENTIALS_UNTRUSTED"],
      ]);
      const trusting = await verify(file, { trustAnchors: await testRoot() });
      expect([trusting.credentials?.state, ...codes(trusting)]).to.deep.equal(["trusted"]);
      await expectError("C2PA_TRUST_ANCHORS", () => verify(file, { trustAnchors: "no PEM" }));
    });

    it("CREDENTIALS_ALTERED: altered, where the picture was changed under them", async () => {
      const file = await asset("original.jpg");
      const bytes = await readFile(file);
      bytes[bytes.length - 40]! ^= 1;
      await writeFile(file, bytes);
      const report = await verify(file);
      expect([report.outcome, report.credentials?.state, ...codes(report)]).to.deep.equal([
        ...["altered", "invalid", "CREDENTIALS_ALTERED"],
      ]);
      expect(report.findings[0]?.message).to.equal(
        "its content credentials say that it was changed since: assertion.dataHash.mismatch",
      );
      await register(file);
      expect((await verify(file)).outcome).to.equal("warning");
    });

    it("CREDENTIALS_AI_TRAINING: a warning, where they refuse what its record allows", async () => {
      const file = await asset("generated.png");
      await register(file, { aiTraining: "refused" });
      const trustAnchors = await testRoot();
      expect(codes(await verify(file, { trustAnchors }))).to.deep.equal([]);
      await register(file, { aiTraining: "allowed" });
      const report = await verify(file, { trustAnchors });
      expect([report.outcome, ...codes(report)]).to.deep.equal(["warning", "CREDENTIALS_AI_TRAINING"]);
    });

    it("CREDENTIALS_UNREADABLE: a note, where they are no manifest", async () => {
      const png = await fixture("generated.png");
      const file = await place(pngWith(png.subarray(0, 33), box("jumb", Buffer.from("nonsense"))), "broken.png");
      await expectError("C2PA_UNREADABLE", async () => readCredentials(await fileBlob(file)));
      const report = await verify(file);
      expect([report.outcome, report.credentials, ...codes(report)]).to.deep.equal([
        ...["unknown", undefined, "CREDENTIALS_UNREADABLE"],
      ]);
    });

    it("has none where it is no picture, has no manifest, or is empty", async () => {
      const plain = await asset("plain.jpg");
      for (const path of [plain, await place("text"), await place("")]) {
        expect(await readCredentials(await fileBlob(path, { mayBeEmpty: true })), path).to.equal(undefined);
      }
      const copy = join(await tempFolder(), "x");
      await copyFile(plain, copy);
      expect((await verify(copy)).credentials).to.equal(undefined);
    });
  });
});
