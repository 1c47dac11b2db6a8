import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { expect } from "chai";
import { croissantPathOf, setPathOf } from "../../src/client/folder-set-node.js";
import { hashFile, hashFolder } from "../../src/client/hash-folder-node.js";
import { type HintOptions, hintsOf } from "../../src/client/hints-node.js";
import { notePathOf, writeNote } from "../../src/client/note-node.js";
import { croissantChunks, fileIdOf } from "../../src/provenance/croissant/index.js";
import { openSetFile, writeSetFile } from "../../src/provenance/sets/file-node.js";
import { buildSet, formatMembership } from "../../src/provenance/sets/index.js";
import { expectError } from "../piece/helpers.js";
import { REGISTRANT, REGISTRY, rewrite, SHARED } from "../provenance/sets/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const ID = `0x${"ab".repeat(32)}`;
const OTHER = { chainId: 1, registry: REGISTRANT };
const ODD = "2025/Ünï cöde 日本 #1%20?.txt";

/** A folder with files and, beside it, its manifest and its set. */
async function anchored(registry = REGISTRY) {
  const folder = join(await tempFolder(), "photos");
  for (const path of ["a.jpg", "2025/05/b.jpg", ODD]) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), `picture ${path}`);
  }
  return { folder, id: await anchor(folder, registry) };
}

/** Writes manifest and set of a folder as `anchorFolder` does, without a chain. */
async function anchor(folder: string, registry = REGISTRY): Promise<string> {
  const entries = await hashFolder(folder);
  const header = {
    ...{ name: "n", description: "d", url: "urn:x", licenses: ["MIT"], datePublished: "2026-01-01" },
    creators: [{ type: "Organization" as const, name: "o" }],
  };
  const files = entries.map(({ path, sha256, size }) => ({
    ...{ id: fileIdOf(path), name: path, contentUrl: fileIdOf(path), contentSize: size, sha256: sha256.slice(2) },
    encodingFormats: ["application/octet-stream"],
  }));
  const chunks: string[] = [];
  for await (const chunk of croissantChunks(header, files)) chunks.push(chunk);
  await writeFile(croissantPathOf(folder), chunks.join(""));
  const { sha256: manifestHash } = await hashFile(croissantPathOf(folder));
  const set = buildSet({ ...registry, registrant: REGISTRANT, shared: { ...SHARED, manifestHash }, entries });
  await writeSetFile(setPathOf(folder), set);
  return set.id;
}

const hints = async (file: string, options: Partial<HintOptions> = {}) =>
  hintsOf(file, (await hashFile(file)).sha256, { ...REGISTRY, ...options });

describe("client: hints beside a file", () => {
  after(removeFolders);

  it("says nothing where there is nothing", async () => {
    const file = join(await tempFolder(), "a.jpg");
    await writeFile(file, "a");
    expect(await hints(file)).to.deep.equal({ passedOver: [] });
  });

  describe("its note", () => {
    async function noted(id = ID, registry = REGISTRY) {
      const file = join(await tempFolder(), "a b 日本.jpg");
      await writeFile(file, "a");
      expect(await writeNote(file, registry, id)).to.equal(notePathOf(file));
      return file;
    }

    it("names a record, and is replaced by a newer one", async () => {
      const file = await noted();
      expect(await hints(file)).to.deep.equal({ against: ID, passedOver: [] });
      const upper = { ...REGISTRY, registry: REGISTRY.registry.toLowerCase() };
      expect((await hints(file, upper)).against).to.equal(ID);
      const newer = `0x${"cd".repeat(32)}`;
      await writeNote(file, REGISTRY, newer);
      expect((await hints(file)).against).to.equal(newer);
      // Through a path that goes down and up again.
      expect((await hints(join(dirname(file), "..", basename(dirname(file)), basename(file)))).against).to.equal(newer);
      expect((await hints(relative(process.cwd(), file))).against).to.equal(newer);
    });

    it("counts for its own registry only", async () => {
      for (const registry of [
        { ...REGISTRY, chainId: 1 },
        { ...REGISTRY, registry: REGISTRANT },
      ]) {
        const { against, passedOver } = await hints(await noted(ID, registry));
        expect(against).to.equal(undefined);
        expect(passedOver).to.have.length(1);
        expect(passedOver[0]).to.include(`on chain ${registry.chainId}, not`);
      }
    });

    it("FILE_UNWRITABLE where it can't be written", async () => {
      const file = join(await tempFolder(), "missing", "a.jpg");
      await expectError("FILE_UNWRITABLE", () => writeNote(file, REGISTRY, ID));
      const other = join(await tempFolder(), "a.jpg");
      await mkdir(notePathOf(other));
      await expectError("FILE_UNWRITABLE", () => writeNote(other, REGISTRY, ID));
    });

    const good = { holdfast: "record/1", ...REGISTRY, id: ID };
    const hostile: Record<string, (path: string) => unknown> = {
      "no JSON": (path) => writeFile(path, "{"),
      "no UTF-8": (path) => writeFile(path, Buffer.from("ff80fe", "hex")),
      nothing: (path) => writeFile(path, ""),
      "of another form": (path) => writeFile(path, JSON.stringify({ ...good, holdfast: "record/2" })),
      "with more in it": (path) => writeFile(path, JSON.stringify({ ...good, more: 1 })),
      "with an id that is none": (path) => writeFile(path, JSON.stringify({ ...good, id: "0x12" })),
      "longer than any honest one": (path) => writeFile(path, JSON.stringify(good) + " ".repeat(4_096)),
      "of many gigabytes": async (path) => {
        await writeFile(path, "");
        await truncate(path, 2 ** 40);
      },
      "a folder": (path) => mkdir(path),
      "a pipe": (path) => execFileSync("mkfifo", [path]),
      "a device": (path) => symlink("/dev/zero", path),
    };
    for (const [what, make] of Object.entries(hostile)) {
      it(`is passed over where it is ${what}`, async () => {
        const file = join(await tempFolder(), "a.jpg");
        await writeFile(file, "a");
        await make(notePathOf(file));
        const { against, passedOver } = await hints(file);
        expect(against).to.equal(undefined);
        expect(passedOver).to.have.length(1);
        expect(passedOver[0]).to.include(notePathOf(file));
      });
    }
  });

  describe("the set beside a folder that it is in", () => {
    it("proves each of its files, however deep and whatever its name", async () => {
      const { folder, id } = await anchored();
      for (const path of ["a.jpg", "2025/05/b.jpg", ODD]) {
        const { member, passedOver } = await hints(join(folder, path));
        expect(member?.head.id).to.equal(id);
        expect(member?.membership.record.contentHash).to.equal((await hashFile(join(folder, path))).sha256);
        expect(passedOver).to.deep.equal([]);
      }
    });

    it("goes before the note, and says of what a changed file should be", async () => {
      const { folder, id } = await anchored();
      const file = join(folder, ODD);
      await writeNote(join(folder, "a.jpg"), REGISTRY, ID);
      expect(await hints(join(folder, "a.jpg"))).to.have.property("member");
      await writeFile(file, "another picture");
      expect(await hints(file)).to.deep.equal({ against: id, passedOver: [] });
      await writeNote(file, REGISTRY, ID);
      expect((await hints(file)).against).to.equal(ID);
    });

    it("has nothing to do with files that came later, or lie elsewhere", async () => {
      const { folder } = await anchored();
      for (const path of ["new.jpg", "2025/a.jpg", "../a.jpg"]) {
        await writeFile(join(folder, path), "new");
        expect(await hints(join(folder, path)), path).to.deep.equal({ passedOver: [] });
      }
    });

    it("is asked only where its manifest is the one that it was made with", async () => {
      const { folder } = await anchored();
      await writeFile(join(folder, "a.jpg"), "changed");
      await rewrite(croissantPathOf(folder), (bytes) => Buffer.concat([bytes, Buffer.from(" ")]));
      expect(await hints(join(folder, "a.jpg"))).to.deep.equal({ passedOver: [] });
    });

    it("is the nearest that knows the file", async () => {
      const { folder, id } = await anchored();
      const inner = join(folder, "2025");
      const innerId = await anchor(inner);
      expect((await hints(join(inner, "05/b.jpg"))).member?.head.id).to.equal(innerId);
      await writeFile(join(inner, "05/new.jpg"), "picture a.jpg");
      // Not in the inner set, but the same bytes as a file of the outer one.
      expect((await hints(join(inner, "05/new.jpg"))).member?.head.id).to.equal(id);
    });

    const hostile: Record<string, (path: string, folder: string) => unknown> = {
      "no set": (path) => writeFile(path, "nothing of the kind"),
      nothing: (path) => writeFile(path, ""),
      "cut off": (path) => rewrite(path, (bytes) => bytes.subarray(0, -1)),
      "changed within": (path) => rewrite(path, (bytes) => bytes.fill(0, bytes.length - 200, bytes.length - 32)),
      "a folder": async (path) => {
        execFileSync("rm", [path]);
        await mkdir(path);
      },
      "a pipe": (path) => {
        execFileSync("rm", [path]);
        execFileSync("mkfifo", [path]);
      },
      "of another registry": async (_, folder) => anchor(folder, OTHER),
    };
    for (const [what, spoil] of Object.entries(hostile)) {
      it(`is passed over where it is ${what}, and the note counts`, async () => {
        const { folder } = await anchored();
        const file = join(folder, "a.jpg");
        await writeNote(file, REGISTRY, ID);
        await spoil(setPathOf(folder), folder);
        const { against, member, passedOver } = await hints(file);
        expect([against, member]).to.deep.equal([ID, undefined]);
        expect(passedOver).to.have.length(1);
      });
    }

    it("is passed over with a manifest that is too large, or a pipe", async () => {
      const { folder } = await anchored();
      const file = join(folder, "a.jpg");
      await writeFile(file, "changed");
      await truncate(croissantPathOf(folder), 2 ** 40);
      expect((await hints(file)).passedOver[0]).to.include(croissantPathOf(folder));
      execFileSync("rm", [croissantPathOf(folder)]);
      execFileSync("mkfifo", [croissantPathOf(folder)]);
      expect(await hints(file))
        .to.have.property("passedOver")
        .with.length(1);
    });

    it("is passed over with a manifest of its own that is no Croissant", async () => {
      const { folder } = await anchored();
      await writeFile(croissantPathOf(folder), "{}");
      const { sha256: manifestHash } = await hashFile(croissantPathOf(folder));
      const entries = await hashFolder(folder);
      const set = buildSet({ ...REGISTRY, registrant: REGISTRANT, shared: { ...SHARED, manifestHash }, entries });
      await writeSetFile(setPathOf(folder), set);
      await writeFile(join(folder, "a.jpg"), "changed");
      const { against, passedOver } = await hints(join(folder, "a.jpg"));
      expect([against, passedOver.length]).to.deep.equal([undefined, 1]);
    });
  });

  describe("what is named", () => {
    it("is used wherever the file lies: a set", async () => {
      const { folder, id } = await anchored();
      const copy = join(await tempFolder(), "copy.jpg");
      await copyFile(join(folder, "2025/05/b.jpg"), copy);
      const set = setPathOf(folder);
      expect((await hints(copy, { set })).member?.head.id).to.equal(id);
      await writeFile(copy, "changed");
      expect(await hints(copy, { set })).to.deep.equal({ against: id, passedOver: [] });
    });

    it("is used wherever the file lies: a proof", async () => {
      const { folder, id } = await anchored();
      const file = join(folder, "a.jpg");
      const proof = join(folder, "a.proof");
      const set = await openSetFile(setPathOf(folder));
      const membership = await set.find((await hashFile(file)).sha256);
      await set.close();
      await writeFile(proof, formatMembership(membership!, set));
      expect((await hints(file, { proof })).member?.membership.id).to.equal(membership?.id);
      await writeFile(file, "changed");
      expect(await hints(file, { proof })).to.deep.equal({ against: id, passedOver: [] });
      await expectError("OTHER_REGISTRY", () => hints(file, { ...OTHER, proof }));
    });

    it("has to be what it should be", async () => {
      const { folder } = await anchored();
      const file = join(folder, "a.jpg");
      const [set, pipe] = [setPathOf(folder), join(folder, "pipe")];
      execFileSync("mkfifo", [pipe]);
      await expectError("OTHER_REGISTRY", () => hints(file, { ...OTHER, set }));
      await expectError("FILE_UNREADABLE", () => hints(file, { set: join(folder, "missing") }));
      for (const wrong of [file, folder, pipe]) {
        await expectError("SET_FILE_INVALID", () => hints(file, { set: wrong }));
      }
      for (const wrong of [join(folder, "missing"), folder, pipe, "/dev/zero"]) {
        await expectError("FILE_UNREADABLE", () => hints(file, { proof: wrong }));
      }
      await expectError("PROOF_INVALID", () => hints(file, { proof: file }));
      const large = join(folder, "large");
      await writeFile(large, await readFile(set));
      await truncate(large, 1 << 20);
      await expectError("FILE_UNREADABLE", () => hints(file, { proof: large }));
    });
  });
});
