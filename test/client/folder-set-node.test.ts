import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect } from "chai";
import { anchorFolder, croissantPathOf, recordIri, setPathOf } from "../../src/client/folder-set-node.js";
import { hashFile } from "../../src/client/hash-folder-node.js";
import type { ChainAccess } from "../../src/client/index.js";
import { readCroissant } from "../../src/provenance/croissant/index.js";
import { openSetFile } from "../../src/provenance/sets/file-node.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { ethers, networkHelpers } from "../support/market.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import {
  CHAIN_ID,
  deployProvenance,
  Form,
  freshHash,
  type ProvenanceWorld,
  register,
  stateOf,
} from "../support/provenance.js";
import { accessOf } from "../support/provenance-reader.js";

const FILES = { "a.jpg": "a", "sub/b.jpg": "b", "sub/copy of a.jpg": "a", "Ünï cöde/日本.txt": "c", empty: "" };

describe("client: claiming a folder", () => {
  let world: ProvenanceWorld;
  let access: ChainAccess;

  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployProvenance);
    access = await accessOf(world, world.client);
  });
  after(removeFolders);

  async function makeFolder(files: Readonly<Record<string, string>> = FILES) {
    const folder = join(await tempFolder(), "photos");
    await mkdir(folder);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return folder;
  }
  const beside = async (folder: string) => (await readdir(dirname(folder))).sort();
  const blocks = () => ethers.provider.getBlockNumber();

  it("writes manifest and set beside it, and anchors the set", async () => {
    const folder = await makeFolder();
    const parent = await register(world);
    const claims = { kind: "aggregated", license: "CC-BY-4.0", aiTraining: "refused" } as const;
    const parents = [{ parent: parent.id, kind: "component" as const }];
    const seen: string[] = [];
    const { head, ...rest } = await anchorFolder(access, folder, {
      ...claims,
      parents,
      onFile: (path) => seen.push(path),
    });
    expect(rest).to.deep.equal({
      ...{ files: 5, contents: 4 },
      ...{ manifestPath: `${folder}.croissant.json`, setPath: `${folder}.set` },
    });
    expect(seen.sort()).to.deep.equal(Object.keys(FILES).sort());
    expect(await beside(folder)).to.deep.equal(["photos", "photos.croissant.json", "photos.set"]);
    expect(await stateOf(world, head.id)).to.include({ form: Form.Set, registrant: access.address });
    expect(head.shared).to.deep.include({ ...claims, parents });
    const { sha256: manifestHash } = await hashFile(rest.manifestPath);
    expect([head.shared.manifestHash, head.set.manifestHash]).to.deep.equal([manifestHash, manifestHash]);

    const manifest = await readCroissant(await readFile(rest.manifestPath));
    expect(manifest).to.deep.include({ name: "photos", aiTraining: "refused" });
    expect(manifest.licenses).to.have.length(1);
    expect(String(manifest.licenses[0])).to.include("CC-BY-4.0");
    expect(manifest.wasDerivedFrom).to.deep.equal([recordIri(CHAIN_ID, world.provenanceAddress, parent.id)]);
    expect(manifest.files.map(({ sha256 }) => `0x${sha256}`).sort()).to.deep.equal(
      (await Promise.all(Object.keys(FILES).map(async (path) => (await hashFile(join(folder, path))).sha256))).sort(),
    );
    const set = await openSetFile(rest.setPath);
    expect(set.id).to.equal(head.id);
    for (const path of Object.keys(FILES)) {
      expect(await set.find((await hashFile(join(folder, path))).sha256), path).to.not.equal(undefined);
    }
    await set.close();
  });

  it("puts a person's words into the manifest", async () => {
    const folder = await makeFolder({ a: "a" });
    const creators = [{ type: "Person" as const, name: "Ada" }];
    const words = { name: "N", description: "D", url: "https://example.org/", creators, datePublished: "2026-01-31" };
    const { manifestPath } = await anchorFolder(access, folder, { words });
    const { name, description, url, datePublished } = await readCroissant(await readFile(manifestPath));
    expect({ name, description, url }).to.deep.equal({ name: "N", description: "D", url: "https://example.org/" });
    expect(datePublished).to.include("2026-01-31");
  });

  it("is the same set the second time, and costs nothing", async () => {
    const folder = await makeFolder();
    const words = { datePublished: "2026-01-31" };
    const first = await anchorFolder(access, folder, { words });
    const [manifest, set] = [await readFile(first.manifestPath), await readFile(first.setPath)];
    const before = await blocks();
    expect(await anchorFolder(access, folder, { words })).to.deep.equal(first);
    expect(await blocks()).to.equal(before);
    expect(await readFile(first.manifestPath)).to.deep.equal(manifest);
    expect(await readFile(first.setPath)).to.deep.equal(set);
    await writeFile(join(folder, "new.jpg"), "new");
    expect((await anchorFolder(access, folder, { words })).head.id).to.not.equal(first.head.id);
  });

  it("knows a folder by whatever path leads to it", async () => {
    const folder = await makeFolder();
    const words = { datePublished: "2026-01-31" };
    const first = await anchorFolder(access, folder, { words });
    for (const path of [`${folder}/`, `${folder}/.`, `${folder}/sub/..`, join(folder, "..", basename(folder))]) {
      expect(await anchorFolder(access, path, { words }), path).to.deep.equal(first);
    }
    const here = process.cwd();
    process.chdir(folder);
    try {
      expect(setPathOf(".")).to.equal(first.setPath);
      expect(await anchorFolder(access, ".", { words })).to.deep.equal(first);
    } finally {
      process.chdir(here);
    }
    expect(await beside(folder)).to.have.length(3);
  });

  it("EMPTY_SET where it has no file, before anything is written", async () => {
    const folder = await makeFolder({});
    await mkdir(join(folder, "empty"));
    await expectError("EMPTY_SET", () => anchorFolder(access, folder));
    expect(await beside(folder)).to.deep.equal(["photos"]);
  });

  it("writes nothing where it is refused: a licence, a link, no folder, too many parents", async () => {
    const folder = await makeFolder();
    await expectError("INVALID_LICENSE", () => anchorFolder(access, folder, { license: "mine" }));
    const parents = Array.from({ length: 65 }, () => ({ parent: freshHash(), kind: "input" as const }));
    await expectError("TOO_MANY_PARENTS", () => anchorFolder(access, folder, { parents }));
    await symlink("/etc", join(folder, "link"));
    await expectError("SYMBOLIC_LINK", () => anchorFolder(access, folder));
    await expectError("FILE_UNREADABLE", () => anchorFolder(access, join(folder, "missing")));
    expect(await beside(folder)).to.deep.equal(["photos"]);
    const left: string[] = [];
    expect((await anchorFolder(access, folder, { onLink: (path) => left.push(path) })).files).to.equal(5);
    expect(left).to.deep.equal(["link"]);
  });

  it("leaves nothing half-written where it is interrupted, and what was there before as it was", async () => {
    const folder = await makeFolder();
    const { manifestPath, setPath } = await anchorFolder(access, folder);
    const before = [await readFile(manifestPath), await readFile(setPath)];
    await writeFile(join(folder, "new.jpg"), "new");
    const stop = new AbortController();
    const reason = new Error("enough");
    const onFile = () => stop.abort(reason);
    expect(await failure(anchorFolder(access, folder, { signal: stop.signal, onFile }))).to.equal(reason);
    // At the manifest, when all files are hashed.
    const late = new AbortController();
    let hashed = 0;
    const onLast = () => ++hashed === 6 && queueMicrotask(() => late.abort(reason));
    expect(await failure(anchorFolder(access, folder, { signal: late.signal, onFile: onLast }))).to.equal(reason);
    expect([await readFile(manifestPath), await readFile(setPath)]).to.deep.equal(before);
    expect(await beside(folder)).to.have.length(3);
  });

  it("FILE_EXISTS where somebody else's file is in the place of one, which is not touched", async () => {
    for (const pathOf of [setPathOf, croissantPathOf]) {
      for (const put of [(path: string) => mkdir(path), (path: string) => writeFile(path, "{}")]) {
        const folder = await makeFolder();
        await put(pathOf(folder));
        const [start, names] = [await blocks(), await beside(folder)];
        await expectError("FILE_EXISTS", () => anchorFolder(access, folder));
        expect(await blocks(), "nothing is anchored").to.equal(start);
        expect(await beside(folder)).to.deep.equal(names);
      }
    }
  });

  it("leaves everything as it was where the chain refuses", async () => {
    const folder = await makeFolder();
    const sender: ChainAccess["sender"] = { ...access.sender, send: () => Promise.reject(new Error("no gas")) };
    expect((await failure(anchorFolder({ ...access, sender }, folder))).message).to.equal("no gas");
    expect(await beside(folder)).to.deep.equal(["photos"]);
    const { head } = await anchorFolder(access, folder);
    await writeFile(join(folder, "more.jpg"), "one more");
    expect((await failure(anchorFolder({ ...access, sender }, folder))).message).to.equal("no gas");
    const set = await openSetFile(setPathOf(folder));
    await set.close();
    expect(set.id).to.equal(head.id);
    const strange = [{ parent: `0x${"12".repeat(32)}`, kind: "derivation" as const }];
    expect((await failure(anchorFolder(access, folder, { parents: strange }))).message).to.include("UnknownParent");
  });

  it("keeps an earlier set and its manifest, by which what was anchored is verified", async () => {
    const folder = await makeFolder();
    const first = await anchorFolder(access, folder);
    await writeFile(join(folder, "more.jpg"), "one more");
    const second = await anchorFolder(access, folder);
    expect(second.head.id).to.not.equal(first.head.id);
    const kept = `photos.${first.head.id.slice(2, 10)}`;
    expect((await beside(folder)).sort()).to.deep.equal(
      ["photos", "photos.croissant.json", "photos.set", `${kept}.croissant.json`, `${kept}.set`].sort(),
    );
    const old = await openSetFile(join(dirname(folder), `${kept}.set`));
    await old.close();
    expect(old.id).to.equal(first.head.id);
  });
});
