import { encode as encodeCbor } from "@ipld/dag-cbor";
import { expect } from "chai";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import { identity } from "multiformats/hashes/identity";
import { sha512 } from "multiformats/hashes/sha2";
import { HoldfastError } from "../../../src/errors.js";
import { type FileNode, FolderArchive, packFolder } from "../../../src/piece/car/index.js";
import { carHeader } from "../../../src/piece/car/writer.js";
import { runs } from "../../support/effort.js";
import { expectError, pseudoRandom } from "../helpers.js";
import {
  archiveOf,
  type Block,
  bytesOf,
  carOf,
  DAG_PB,
  entriesOf,
  folderBlock,
  joined,
  link,
  pbBlock,
  rawBlock,
  section,
  TOO_LARGE,
  text,
  treeOf,
} from "./helpers.js";

/** The CID of no bytes. */
const EMPTY = CID.parse("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");

const TREE = { "a.txt": text("a"), "b/c.bin": pseudoRandom(1_500_000), "b/d/e.txt": text("e"), empty: undefined };

const bytes = (...parts: readonly (Uint8Array | number[])[]) =>
  new Blob(parts.map((part) => new Uint8Array(part) as Uint8Array<ArrayBuffer>));

async function readAll(archive: FolderArchive): Promise<unknown> {
  return treeOf(archive);
}

describe("folder archive: reading", () => {
  let archive: FolderArchive;

  before(async () => {
    archive = await FolderArchive.open((await packFolder(entriesOf(TREE))).car);
  });

  it("finds files, folders and the root by their paths", async () => {
    expect(await joined(archive.content(await archive.file("b/c.bin")))).to.deep.equal(TREE["b/c.bin"]);
    expect((await archive.file("b/d/e.txt")).size).to.equal(1n);
    expect((await archive.stat("empty")).type).to.equal("folder");
    expect(String((await archive.stat("")).cid)).to.equal(String(archive.root));
    const listed: string[] = [];
    for await (const { name } of archive.list(await archive.folder("b"))) listed.push(name);
    expect(listed).to.deep.equal(["c.bin", "d"]);
  });

  for (const path of ["c", "b/c", "a.txt/b", "b/d/e.txt/f", "empty/x", "B"]) {
    it(`says that there is no ${path}`, () => expectError("PATH_NOT_FOUND", () => archive.stat(path)));
  }

  for (const path of [
    "/a.txt",
    "b/../a.txt",
    "b//c.bin",
    "b/",
    "./a.txt",
    "a\0",
    "%2e%2e/a.txt".replace("%2e%2e", ".."),
  ]) {
    it(`follows no ${JSON.stringify(path)}`, () => expectError("INVALID_PATH", () => archive.stat(path)));
  }

  it("tells files from folders", async () => {
    await expectError("NOT_A_FILE", () => archive.file("b"));
    await expectError("NOT_A_FILE", () => archive.file(""));
    await expectError("NOT_A_FOLDER", () => archive.folder("a.txt"));
  });

  it("reads a CAR whose root is one file", async () => {
    const file = await archiveOf(await rawBlock(text("alone")));
    expect(await joined(file.content(await file.file("")))).to.deep.equal(text("alone"));
    await expectError("NOT_A_FOLDER", () => readAll(file));
    await expectError("PATH_NOT_FOUND", () => file.stat("a"));
  });

  it("walks no further than it is told", async () => {
    const seen: string[] = [];
    const walk = async (most: number) => {
      for await (const { path } of archive.walk(most)) seen.push(path);
    };
    await expectError("FOLDER_TOO_LARGE", () => walk(5));
    expect(seen.splice(0)).to.have.length(5);
    await walk(6);
    expect(seen).to.deep.equal(["a.txt", "b", "b/c.bin", "b/d", "b/d/e.txt", "empty"]);
  });

  it("reads from anything that has bytes at offsets, and passes on what that throws", async () => {
    const car = await bytesOf((await packFolder(entriesOf(TREE))).car);
    const read = (offset: number, length: number) => car.slice(offset, offset + length);
    expect(await treeOf(await FolderArchive.open({ size: car.length, read }))).to.deep.equal(TREE);
    const broken = new Error("disk on fire");
    const failing = { size: car.length, read: () => Promise.reject(broken) };
    expect(await FolderArchive.open(failing).then(undefined, (error) => error)).to.equal(broken);
    let reads = 0;
    const late = { size: car.length, read: (at: number, n: number) => (reads++ < 3 ? read(at, n) : read(at, n - 1)) };
    await expectError("CAR_MALFORMED", async () => treeOf(await FolderArchive.open(late)));
  });
});

describe("folder archive: what is no CAR", () => {
  const header = carHeader(EMPTY);
  const cbor = (value: unknown) => [encodeCbor(value).length, ...encodeCbor(value)];
  const cases: [string, Blob][] = [
    ["no bytes", bytes()],
    ["a plain file", bytes(pseudoRandom(10_000))],
    ["text", bytes(text("just some text"))],
    ["zeroes", bytes(new Uint8Array(1_000))],
    ["a header that is cut off", bytes(header.subarray(0, 20))],
    ["a header of a gigabyte", bytes([0x80, 0x80, 0x80, 0x80, 0x04], header)],
    ["a header of 2^60 bytes", bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], header)],
    ["a CARv2", bytes([0x0a, 0xa1, 0x67, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x02], new Uint8Array(40), header)],
    ["no roots", bytes(cbor({ version: 1, roots: [] }))],
    ["two roots", bytes(cbor({ version: 1, roots: [1, 2].map(() => CID.decode(header.subarray(-36 - 9, -9))) }))],
    ["roots that are none", bytes(cbor({ version: 1, roots: ["a"] }))],
    ["padding of zeroes", bytes(header, [0, 0, 0])],
    ["a section that is cut off", bytes(header, [100, 1, 0x55])],
    ["a section shorter than its CID", bytes(header, [10, 1, 0x55, 0x12, 0x20], new Uint8Array(100))],
    ["a section that lies in another", bytes(header, [0x01, 1, 0x55, 0x12, 0x20], new Uint8Array(83))],
    ["a section that ends after the CAR", bytes(header, [0xff, 0x01, 1, 0x55, 0x12, 0x20], new Uint8Array(100))],
    [
      "a block of a size that nobody exchanges",
      bytes(header, section({ cid: EMPTY, bytes: new Uint8Array(TOO_LARGE) })),
    ],
    [
      "a CID of a megabyte",
      bytes(header, [0xff, 0xff, 0x7f, 1, 0x55, 0x12, 0x80, 0x80, 0x40], new Uint8Array(3 << 20)),
    ],
    ["a CID of version 9", bytes(header, [40, 9, 0x55, 0x12, 0x20], new Uint8Array(100))],
  ];
  for (const [what, blob] of cases) {
    it(`refuses ${what}`, () => expectError("CAR_MALFORMED", () => FolderArchive.open(blob)));
  }
});

describe("folder archive: wrong blocks", () => {
  it("says which block is missing", async () => {
    const file = await rawBlock(text("a"));
    const root = await folderBlock(link("a", file));
    const archive = await FolderArchive.open(carOf(root, root));
    expect((await expectError("BLOCK_MISSING", () => archive.file("a"))).message).to.contain(String(file.cid));
    await expectError("BLOCK_MISSING", async () => (await FolderArchive.open(carOf(root, file))).stat(""));
  });

  it("hands out no byte of a block that is not what its CID says", async () => {
    const file = await rawBlock(pseudoRandom(1_000));
    const root = await folderBlock(link("a", file));
    for (const bad of [file.bytes.with(999, 0), file.bytes.subarray(1), new Uint8Array(), pseudoRandom(1_000, 2)]) {
      const archive = await FolderArchive.open(carOf(root, root, { cid: file.cid, bytes: bad }));
      await expectError("BLOCK_CORRUPT", () => archive.file("a"));
    }
  });

  it("takes the first of two blocks of one CID, and notices if it is wrong", async () => {
    const file = await rawBlock(text("a"));
    const root = await folderBlock(link("a", file));
    const wrong = { cid: file.cid, bytes: text("b") };
    expect(await treeOf(await FolderArchive.open(carOf(root, root, file, wrong)))).to.deep.equal({ a: text("a") });
    await expectError("BLOCK_CORRUPT", async () => treeOf(await FolderArchive.open(carOf(root, root, wrong, file))));
  });

  it("property: one wrong byte anywhere gives an error, or changes nothing", async () => {
    const small = { "a.txt": text("hello"), "b/c.bin": pseudoRandom(300), "b/d/e": text("e"), empty: undefined };
    const car = await bytesOf((await packFolder(entriesOf(small))).car);
    const change = fc.record({ at: fc.nat(car.length - 1), xor: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, xor }) => {
        const bad = car.with(at, (car[at] as number) ^ xor);
        try {
          // The root is in the header too: other bytes there are another folder, and have to be none.
          expect(await treeOf(await FolderArchive.open(new Blob([bad])))).to.deep.equal(small);
        } catch (error) {
          expect(error).to.be.instanceOf(HoldfastError);
        }
      }),
      { numRuns: runs(400) },
    );
  });

  it("reads only sha2-256, raw and dag-pb", async () => {
    const other = CID.createV1(0x55, await sha512.digest(text("a")));
    const inline = CID.createV1(0x55, identity.digest(text("a")));
    const cbor = { cid: CID.createV1(0x71, (await rawBlock(text("a"))).cid.multihash), bytes: text("a") };
    for (const block of [{ cid: other, bytes: text("a") }, { cid: inline, bytes: text("a") }, cbor]) {
      await expectError("CAR_UNSUPPORTED", async () =>
        treeOf(await archiveOf(await folderBlock(link("a", block)), block)),
      );
    }
  });
});

describe("folder archive: wrong trees", () => {
  let leaf: Block;
  let empty: Block;
  const shard = (fanout: bigint, ...links: Parameters<typeof pbBlock>[0]) =>
    pbBlock(links, { type: "hamt-sharded-directory", data: new Uint8Array(), fanout, hashType: 0x22n });
  const file = (blockSizes: bigint[], ...links: Parameters<typeof pbBlock>[0]) =>
    pbBlock(links, { type: "file", blockSizes });

  before(async () => {
    leaf = await rawBlock(text("abc"));
    empty = await rawBlock(new Uint8Array());
  });

  for (const name of ["..", ".", "", "/etc/passwd", "a/b", "../x", "a\0b", "x".repeat(256)]) {
    it(`refuses the name ${JSON.stringify(name).slice(0, 20)}`, async () => {
      const root = await folderBlock(link(name, leaf));
      await expectError("FOLDER_MALFORMED", async () => readAll(await archiveOf(root, leaf)));
      if (name === "") return; // In a shard, no name means another shard.
      const sharded = await shard(256n, link(`0A${name}`, leaf));
      await expectError("FOLDER_MALFORMED", async () => readAll(await archiveOf(sharded, leaf)));
    });
  }

  it("refuses a name that comes twice, by whichever path it is asked", async () => {
    const other = await rawBlock(text("b"));
    const root = await folderBlock(link("a", leaf), link("a", other));
    for (const path of ["a", "b"]) {
      await expectError("FOLDER_MALFORMED", async () => (await archiveOf(root, leaf, other)).stat(path));
    }
    const below = await shard(256n, link("01a", leaf));
    const sharded = await shard(256n, link("00a", leaf), link("01", below));
    await expectError("FOLDER_MALFORMED", async () => readAll(await archiveOf(sharded, leaf, below)));
  });

  it("refuses symbolic links and what it does not know, as files and as folders", async () => {
    const symlink = await pbBlock([], { type: "symlink", data: text("/etc/passwd") });
    const archive = await archiveOf(await folderBlock(link("a", symlink)), symlink);
    expect((await archive.stat("a")).type).to.equal("symlink");
    await expectError("NOT_A_FILE", () => archive.file("a"));
    await expectError("PATH_NOT_FOUND", () => archive.stat("a/b"));
    const metadata = await pbBlock([], { type: "metadata", data: text("a") });
    await expectError("CAR_UNSUPPORTED", async () => (await archiveOf(metadata)).stat(""));
  });

  it("refuses blocks that are not UnixFS", async () => {
    const noise = { cid: CID.createV1(DAG_PB, leaf.cid.multihash), bytes: leaf.bytes };
    await expectError("FOLDER_MALFORMED", async () => (await archiveOf(noise)).stat(""));
    const wrong = await pbBlock([], text("not a message"));
    await expectError("FOLDER_MALFORMED", async () => (await archiveOf(wrong)).stat(""));
  });

  const read = async (root: Block, ...blocks: Block[]) => {
    const archive = await archiveOf(root, ...blocks);
    return joined(archive.content(await archive.file("")));
  };

  it("refuses files whose parts are not what they say", async () => {
    await expectError("FOLDER_MALFORMED", async () => read(await file([], link("", leaf)), leaf));
    await expectError("FOLDER_MALFORMED", async () => read(await file([3n, 3n], link("", leaf)), leaf));
    for (const size of [2n, 4n, 1n << 60n]) {
      await expectError("FOLDER_MALFORMED", async () => read(await file([size], link("", leaf)), leaf));
    }
    const folder = await folderBlock();
    await expectError("FOLDER_MALFORMED", async () => read(await file([3n], link("", folder)), folder));
    expect(await read(await file([3n, 3n], link("", leaf), link("", leaf)), leaf)).to.deep.equal(text("abcabc"));
  });

  it("refuses parts of no bytes, which could be repeated for ever", async () => {
    await expectError("FOLDER_MALFORMED", async () => read(await file([0n], link("", empty)), empty));
  });

  it("refuses files that lie in files without end", async () => {
    const blocks = [leaf];
    for (let i = 0; i < 40; i++) blocks.unshift(await file([3n], link("", blocks[0] as Block)));
    const [root, ...rest] = blocks as [Block, ...Block[]];
    await expectError("FOLDER_MALFORMED", () => read(root, ...rest));
    expect(await read(...(blocks.slice(-16) as [Block, ...Block[]]))).to.deep.equal(text("abc"));
  });

  it("knows the size of a bomb before it goes off", async () => {
    let node = leaf;
    let size = 3n;
    const blocks = [leaf];
    for (let level = 0; level < 5; level++) {
      node = await file(Array(100).fill(size), ...Array.from({ length: 100 }, () => link("", node)));
      size *= 100n;
      blocks.push(node);
    }
    const archive = await archiveOf(node, ...blocks);
    expect(((await archive.stat("")) as FileNode).size).to.equal(3n * 10n ** 10n);
  });

  it("refuses folders too deep within each other, and walks no bomb of folders to its end", async () => {
    const blocks = [await folderBlock()];
    for (let i = 0; i < 130; i++) blocks.unshift(await folderBlock(link("a", blocks[0] as Block)));
    const [root, ...rest] = blocks as [Block, ...Block[]];
    await expectError("FOLDER_MALFORMED", async () => readAll(await archiveOf(root, ...rest)));
    const bomb = [await folderBlock()];
    for (let i = 0; i < 60; i++)
      bomb.unshift(await folderBlock(link("a", bomb[0] as Block), link("b", bomb[0] as Block)));
    const [fuse, ...charge] = bomb as [Block, ...Block[]];
    const archive = await archiveOf(fuse, ...charge);
    await expectError("FOLDER_TOO_LARGE", async () => {
      for await (const _ of archive.walk(5_000));
    });
  });

  it("refuses shards that recur, are no shards, or have an impossible fanout", async () => {
    let node = await shard(256n);
    const blocks = [node];
    for (let i = 0; i < 8; i++) {
      node = await shard(256n, link("00", node), link("01", node));
      blocks.push(node);
    }
    await expectError("FOLDER_MALFORMED", async () => readAll(await archiveOf(node, ...blocks)));
    const plain = await folderBlock();
    await expectError("FOLDER_MALFORMED", async () =>
      readAll(await archiveOf(await shard(256n, link("00", plain)), plain)),
    );
    await expectError("FOLDER_MALFORMED", async () =>
      readAll(await archiveOf(await shard(256n, link("00", leaf)), leaf)),
    );
    for (const fanout of [0n, 1n, 3n, 255n, 2048n]) {
      await expectError("FOLDER_MALFORMED", async () => (await archiveOf(await shard(fanout))).stat(""));
    }
  });

  it("refuses shards too deep within each other", async () => {
    let node = await shard(256n, link("00a", leaf));
    const blocks = [leaf, node];
    for (let i = 0; i < 70; i++) {
      node = await shard(256n, link("00", node));
      blocks.push(node);
    }
    await expectError("FOLDER_MALFORMED", async () => readAll(await archiveOf(node, ...blocks)));
  });

  it("never fails but by its own errors, whatever a block holds", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (noise) => {
        const { multihash } = (await rawBlock(noise)).cid;
        const block = { cid: CID.createV1(DAG_PB, multihash), bytes: noise };
        try {
          await readAll(await archiveOf(block));
        } catch (error) {
          expect(error).to.be.instanceOf(HoldfastError);
        }
        try {
          await FolderArchive.open(bytes(carHeader(block.cid), section(block), noise));
        } catch (error) {
          expect(error).to.be.instanceOf(HoldfastError);
        }
      }),
      { numRuns: runs(300) },
    );
  });
});
