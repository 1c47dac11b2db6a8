import { spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import {
  addToKeyring,
  keyFromKeyring,
  lockManifest,
  openManifest,
  readManifest,
  writeManifest,
} from "../../../src/client/file-node.js";
import { FileKey, formatManifest, type Manifest, parseManifest } from "../../../src/client/index.js";
import { hexOf } from "../../../src/replica/index.js";
import { expectError } from "../../piece/helpers.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";

const ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const word = (digit: string) => `0x${digit.repeat(64)}`;

function manifestOf(changes: Partial<Manifest> = {}): Manifest {
  return {
    format: "holdfast-replicas",
    version: 1,
    chainId: 31_337,
    market: ADDRESS,
    key: "ab".repeat(16),
    file: { name: "a.bin", sha256: "0".repeat(64), size: 5 },
    copies: 2,
    wishes: { tier: 0, periods: 6, maxPeriods: 6, token: ADDRESS, maxPricePerPeriod: "7" },
    replicas: [
      {
        id: word("1"),
        pieceCid: "bafk",
        deal: word("2"),
        provider: ADDRESS,
        url: "http://a",
        state: "open",
        cost: "42",
      },
    ],
    ...changes,
  };
}

describe("replicas: keyring", () => {
  after(removeFolders);

  const made = async () => {
    const path = join(await tempFolder(), "new", "keyring");
    const { key, secret } = await FileKey.generate();
    await addToKeyring(path, secret);
    return { path, key, secret };
  };

  it("keeps keys in a file that its owner alone may read", async () => {
    const { path, key } = await made();
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    const others = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { key, secret } = await FileKey.generate();
        expect(await addToKeyring(path, secret)).to.equal(key.id);
        return key.id;
      }),
    );
    for (const id of [key.id, ...others]) expect((await keyFromKeyring(path, id)).id).to.equal(id);
  });

  it("is not used, and not added to, where others may read it", async () => {
    const { path, key, secret } = await made();
    for (const mode of [0o640, 0o604, 0o660]) {
      await chmod(path, mode);
      await expectError("KEYRING_EXPOSED", () => keyFromKeyring(path, key.id));
      await expectError("KEYRING_EXPOSED", () => addToKeyring(path, secret));
    }
  });

  it("says what is missing without saying what is there", async () => {
    const { path, secret } = await made();
    const error = await expectError("KEY_NOT_FOUND", () => keyFromKeyring(path, "0".repeat(32)));
    expect(JSON.stringify(error) + error.stack).to.not.include(hexOf(secret));
    await expectError("KEYRING_UNREADABLE", () => keyFromKeyring(`${path}.not`, "0".repeat(32)));
    const folder = await tempFolder();
    await expectError("KEYRING_UNREADABLE", () => addToKeyring(folder, secret));
  });

  it("loses no key to a line that was cut off, and notices one that was changed", async () => {
    const { path, key, secret } = await made();
    await writeFile(path, `${await readFile(path, "utf8")}holdfast-file-key-v1 0123`, { mode: 0o600 });
    const next = await FileKey.generate();
    await addToKeyring(path, next.secret);
    expect((await keyFromKeyring(path, next.key.id)).id).to.equal(next.key.id);
    expect((await keyFromKeyring(path, key.id)).id).to.equal(key.id);
    const digits = hexOf(secret);
    await writeFile(path, (await readFile(path, "utf8")).replace(digits, [...digits].reverse().join("")));
    await expectError("KEY_DAMAGED", () => keyFromKeyring(path, key.id));
  });
});

describe("replicas: manifest", () => {
  after(removeFolders);

  it("is JSON that reads back the same", async () => {
    const path = join(await tempFolder(), "a.json");
    await writeManifest(path, manifestOf());
    expect(await readManifest(path)).to.deep.equal(manifestOf());
    expect(await readdir(join(path, ".."))).to.deep.equal(["a.json"]);
  });

  const wrong: Record<string, unknown> = {
    "another format": { ...manifestOf(), format: "zip" },
    "a later version": { ...manifestOf(), version: 2 },
    "a field nobody knows": { ...manifestOf(), secret: "x" },
    "a key instead of its id": { ...manifestOf(), key: "ab".repeat(32) },
    "no size": { ...manifestOf(), file: { sha256: "0".repeat(64), size: 0 } },
    "a number as an amount": { ...manifestOf(), wishes: { ...manifestOf().wishes, maxPricePerPeriod: 7 } },
    "a state nobody knows": { ...manifestOf(), replicas: [{ ...manifestOf().replicas[0], state: "fine" }] },
    "an opening without its terms": { ...manifestOf(), replicas: [{ ...manifestOf().replicas[0], state: "opening" }] },
    "one replica twice": { ...manifestOf(), replicas: [manifestOf().replicas[0], manifestOf().replicas[0]] },
  };
  for (const [what, value] of Object.entries(wrong)) {
    it(`is refused with ${what}`, () => expectError("INVALID_MANIFEST", () => parseManifest(JSON.stringify(value))));
  }

  it("is refused where it is no JSON, or not there, or can't be written", async () => {
    const folder = await tempFolder();
    await expectError("INVALID_MANIFEST", () => parseManifest(formatManifest(manifestOf()).slice(1)));
    await expectError("MANIFEST_UNREADABLE", () => readManifest(join(folder, "none.json")));
    await mkdir(join(folder, "dir.json"));
    await expectError("FILE_UNWRITABLE", () => writeManifest(join(folder, "dir.json"), manifestOf()));
    expect(await readdir(folder)).to.deep.equal(["dir.json"]);
    await expectError("FILE_UNWRITABLE", () => lockManifest(join(folder, "nowhere", "a.json")));
  });

  it("is changed by one program at a time, each change on the disk", async () => {
    const path = join(await tempFolder(), "a.json");
    await writeManifest(path, manifestOf());
    const { book, release } = await openManifest(path);
    await expectError("MANIFEST_IN_USE", () => openManifest(path));
    const [replica] = book.manifest.replicas;
    await book.put({ ...replica!, state: "lost" });
    expect((await readManifest(path)).replicas).to.deep.equal([{ ...replica, state: "lost" }]);
    await book.drop(word("1"));
    expect((await readManifest(path)).replicas).to.deep.equal([]);
    await release();
    await (await openManifest(path)).release();
  });

  it("is free again after a program that was killed, not after one that may run", async () => {
    const path = join(await tempFolder(), "a.json");
    await writeManifest(path, manifestOf());
    const { pid } = spawnSync(process.execPath, ["--version"]);
    await writeFile(`${path}.lock`, String(pid));
    await (await openManifest(path)).release();
    for (const content of ["", "garbage", String(process.ppid)]) {
      await writeFile(`${path}.lock`, content);
      await expectError("MANIFEST_IN_USE", () => openManifest(path));
    }
  });

  it("is given free where it can't be read", async () => {
    const path = join(await tempFolder(), "a.json");
    await writeFile(path, "{");
    await expectError("INVALID_MANIFEST", () => openManifest(path));
    expect(await readdir(join(path, ".."))).to.deep.equal(["a.json"]);
  });
});
