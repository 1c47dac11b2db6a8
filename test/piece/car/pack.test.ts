import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CarReader } from "@ipld/car";
import { expect } from "chai";
import fc from "fast-check";
import { CAREncoderStream, createDirectoryEncoderStream } from "ipfs-car";
import { recursive } from "ipfs-unixfs-exporter";
import { type ImportCandidate, importer } from "ipfs-unixfs-importer";
import type { CID } from "multiformats/cid";
import { type CarSpool, FolderArchive, type FolderEntry, packFolder } from "../../../src/piece/car/index.js";
import { runs } from "../../support/effort.js";
import { expectError, pseudoRandom } from "../helpers.js";
import { bytesOf, entriesOf, type Tree, text, treeOf } from "./helpers.js";

const MIB = 1 << 20;

/** Names of every kind: of one letter, so that they meet; Unicode; what other systems stumble over. */
const names = fc.oneof(
  fc.constantFrom("a", "b", "C", "ß", "日本", "e\u0301", "é", "😀", ".hidden", " ", "a\\", "con", "%2e%2e"),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((name) => !/[/\0]|^\.{1,2}$|^\ufeff/.test(name)),
);

/** Folders whose paths do not stand in each other's way. */
const trees: fc.Arbitrary<Tree> = fc
  .uniqueArray(
    fc.record({
      path: fc.array(names, { minLength: 1, maxLength: 4 }).map((path) => path.join("/")),
      content: fc.option(fc.uint8Array({ maxLength: 64 }), { nil: undefined }),
    }),
    { maxLength: 20, selector: ({ path }) => path },
  )
  .map((items) => {
    const paths = items.map(({ path }) => path);
    const leaves = items.filter(({ path }) => !paths.some((other) => other.startsWith(`${path}/`)));
    // Without a prototype: a file may be called __proto__.
    return Object.assign(Object.create(null), Object.fromEntries(leaves.map(({ path, content }) => [path, content])));
  });

/** Sizes around where one block, and one node of 1024 links, ends; small files; nothing at all. */
const FILES: Tree = {
  "empty.bin": new Uint8Array(),
  "one.bin": pseudoRandom(1),
  "block.bin": pseudoRandom(MIB, 2),
  "over.bin": pseudoRandom(MIB + 1, 3),
  "deep/er/three.bin": pseudoRandom(3 * MIB, 4),
  "deep/same.bin": pseudoRandom(1),
  "Ünïcode/日本語.txt": text("日本語"),
};

async function archiveOfTree(tree: Tree): Promise<FolderArchive> {
  return FolderArchive.open((await packFolder(entriesOf(tree))).car);
}

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const items: T[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return items;
    items.push(value);
  }
}

/** The root that the importer gives a folder as a whole, by its own tree builder. */
async function importedRoot(tree: Tree): Promise<CID | undefined> {
  const candidates = entriesOf(tree) as ImportCandidate[];
  const files = candidates.map((item) => ({ ...item, content: tree[item.path as string] }) as ImportCandidate);
  let root: CID | undefined;
  const sink = { put: async (cid: CID) => cid };
  for await (const { cid } of importer(files, sink, { profile: "unixfs-v1-2025", wrapWithDirectory: true })) root = cid;
  return root;
}

describe("folders: packing", () => {
  it("gives back what was packed", async () => {
    const { car, root, files, bytes, blocks } = await packFolder(entriesOf({ ...FILES, "empty/er": undefined }));
    const archive = await FolderArchive.open(car);
    expect(await treeOf(archive)).to.deep.equal({ ...FILES, "empty/er": undefined });
    expect(String(archive.root)).to.equal(String(root));
    expect(files).to.equal(7);
    expect(bytes).to.equal(BigInt(5 * MIB + 3 + 9));
    // Leaves 1 + 1 + 1 + 2 + 3 + 1, nodes over two of them, folders deep, er, Ünïcode, empty, er, root; same.bin is one.bin.
    expect(blocks).to.equal(9 + 2 + 6);
  });

  it("names the folder's CID as the only root of a CARv1", async () => {
    const { car, root } = await packFolder(entriesOf(FILES));
    const reader = await CarReader.fromBytes(await bytesOf(car));
    expect(reader.version).to.equal(1);
    expect((await reader.getRoots()).map(String)).to.deep.equal([String(root)]);
  });

  it("gives the CIDs that the world knows", async () => {
    const empty = await packFolder([]);
    expect(String(empty.root)).to.equal("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
    const archive = await archiveOfTree({ "hello.txt": text("hello world") });
    expect(String((await archive.file("hello.txt")).cid)).to.equal(
      "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
    );
  });

  it("property: every folder comes back, and its bytes do not depend on the order", async () => {
    await fc.assert(
      fc.asyncProperty(trees, fc.infiniteStream(fc.nat()), async (tree, keys) => {
        const { car, root } = await packFolder(entriesOf(tree));
        const back = await treeOf(await FolderArchive.open(car));
        expect(new Map(Object.entries(back))).to.deep.equal(new Map(Object.entries(tree)));
        const order = new Map(entriesOf(tree).map((item) => [item, keys.next().value as number]));
        const shuffled = entriesOf(tree).sort(
          (a, b) => (order.get(a) ?? a.path.length) - (order.get(b) ?? b.path.length),
        );
        const again = await packFolder(shuffled.reverse());
        expect(String(again.root)).to.equal(String(root));
        expect(await bytesOf(again.car)).to.deep.equal(await bytesOf(car));
      }),
      { numRuns: runs(60) },
    );
  });

  it("reads each file once, one after the other, in the order of the paths' bytes", async () => {
    const seen: string[] = [];
    let open = 0;
    const entry = (path: string): FolderEntry => ({
      path,
      async *content() {
        expect(++open).to.equal(1);
        seen.push(path);
        yield text(path);
        open--;
      },
    });
    // By UTF-16, as JavaScript sorts, the last two would change places.
    const paths = ["a", "a/b".replace("/", "-"), "b/z", "b-", "\uffee", "😀"];
    const done: string[] = [];
    await packFolder(paths.map(entry), { onFile: (path) => done.push(path) });
    expect(seen).to.deep.equal(["a", "a-b", "b/z", "b-", "\uffee", "😀"]);
    expect(done).to.deep.equal(seen);
  });
});

describe("folders: other implementations", () => {
  it("agree on the root: the importer, as a whole", async () => {
    expect(String((await packFolder(entriesOf(FILES))).root)).to.equal(String(await importedRoot(FILES)));
  });

  it("agree on the root: the importer, for a folder that is spread over shards", async () => {
    const tree = Object.fromEntries(Array.from({ length: 6_000 }, (_, i) => [`file-${i}.txt`, text(String(i))]));
    const { root, car } = await packFolder(entriesOf(tree));
    expect(String(root)).to.equal(String(await importedRoot(tree)));
    const archive = await FolderArchive.open(car);
    expect((await archive.folder("")).prefix).to.equal(2);
    expect((await archive.file("file-4711.txt")).data).to.deep.equal(text("4711"));
    await expectError("PATH_NOT_FOUND", () => archive.file("file-6000.txt"));
    expect(Object.keys(await treeOf(archive))).to.have.length(6_000);
  });

  it("agree on the root: ipfs-car, which shares no code for UnixFS", async () => {
    const files = Object.entries(FILES).filter(([name]) => name !== "empty.bin");
    const blobs = files.map(([name, bytes]) => {
      const stream = () => new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
      return { name, stream };
    });
    const blocks = await all(createDirectoryEncoderStream(blobs));
    expect(String((await packFolder(entriesOf(Object.fromEntries(files)))).root)).to.equal(String(blocks.at(-1)?.cid));
  });

  it("read what was written: ipfs-unixfs-exporter, from a CAR that @ipld/car reads", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 5_500 }, (_, i) => [`shards/${i}-${"x".repeat(20)}`, text("x")]),
    );
    const tree: Tree = { ...FILES, ...many };
    const { car, root } = await packFolder(entriesOf(tree));
    const reader = await CarReader.fromBytes(await bytesOf(car));
    const store = {
      async *get(cid: CID) {
        yield (await reader.get(cid))?.bytes as Uint8Array;
      },
    };
    const found = new Set<string>();
    for await (const { path } of recursive(root, store)) found.add(path.slice(`${root}/`.length));
    for (const path of Object.keys(tree)) expect(found.has(path), path).to.equal(true);
  });

  it("are read: a CAR of ipfs-car's blocks", async () => {
    const file = { name: "a/b.bin", stream: () => new Blob([pseudoRandom(MIB + 5)]).stream() };
    const blocks = await all(createDirectoryEncoderStream([file]));
    const root = blocks.at(-1)?.cid as (typeof blocks)[number]["cid"];
    const car = createDirectoryEncoderStream([file]).pipeThrough(new CAREncoderStream([root as never]));
    const archive = await FolderArchive.open(new Blob((await all(car)) as Uint8Array<ArrayBuffer>[]));
    expect(await treeOf(archive)).to.deep.equal({ "a/b.bin": pseudoRandom(MIB + 5) });
  });
});

describe("folders: many folders in one", () => {
  it("spreads a folder of subfolders over shards as well", async () => {
    const tree = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`folder-${i}/a`, text("x")]));
    const { car } = await packFolder(entriesOf(tree));
    const archive = await FolderArchive.open(car);
    expect((await archive.folder("")).prefix).to.equal(2);
    expect(Object.keys(await treeOf(archive))).to.have.length(5_000);
  });
});

describe("folders: bad sources", () => {
  const content = () => text("x");

  for (const path of [
    "/a",
    "a/",
    "a//b",
    "/",
    ".",
    "..",
    "a/../b",
    "./a",
    "a/.",
    "a\0b",
    "\ud800",
    "\ufeffa",
    "é".repeat(128),
  ]) {
    it(`refuses the path ${JSON.stringify(path).slice(0, 20)}`, async () => {
      await expectError("INVALID_PATH", () => packFolder([{ path, content }]));
      await expectError("INVALID_PATH", () => packFolder([{ path }]));
    });
  }

  it("refuses paths too deep", async () => {
    const path = Array.from({ length: 129 }, () => "a").join("/");
    await expectError("INVALID_PATH", () => packFolder([{ path, content }]));
    const { car } = await packFolder([{ path: path.slice(2), content }]);
    expect((await FolderArchive.open(car)).root).to.not.equal(undefined);
  });

  it("takes the longest name that there can be", async () => {
    const tree = { ["é".repeat(127)]: text("x") };
    expect(await treeOf(await archiveOfTree(tree))).to.deep.equal(tree);
  });

  for (const paths of [["a", "a"], ["a", "a/b"], ["a/b", "a"], ["a/b/c", "a/b/c"], [""]]) {
    it(`refuses a path that comes twice, or is a file and a folder: ${JSON.stringify(paths)}`, async () => {
      await expectError("DUPLICATE_PATH", () => packFolder(paths.map((path) => ({ path, content }))));
    });
  }

  it("takes folders that are named more than once", async () => {
    const { car } = await packFolder([{ path: "" }, { path: "a" }, { path: "a/b", content }, { path: "a" }]);
    expect(await treeOf(await FolderArchive.open(car))).to.deep.equal({ "a/b": text("x") });
  });

  it("discards the spool when a source, a content or the spool fails", async () => {
    const fail = () => {
      throw new Error("no more");
    };
    const failing: [FolderEntry[] | AsyncIterable<FolderEntry>, Partial<CarSpool>][] = [
      [[{ path: "..", content }], {}],
      [[{ path: "a", content: fail }], {}],
      [[{ path: "a", content }], { append: fail }],
      [[{ path: "a", content }], { finish: fail }],
    ];
    for (const [source, faults] of failing) {
      let discarded = 0;
      const spool: CarSpool = {
        append: async () => undefined,
        finish: async () => new Blob(),
        discard: async () => void discarded++,
        ...faults,
      };
      expect(await packFolder(source, { spool }).then(undefined, (error: Error) => error)).to.be.instanceOf(Error);
      expect(discarded).to.equal(1);
    }
  });
});

describe("folders: memory", () => {
  it("holds a chunk at a time, of a file of any size", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const held = () => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const chunk = pseudoRandom(MIB);
    let [most, size] = [0, 0];
    const content = async function* () {
      // Each chunk another, or it would be one block.
      for (let i = 0; i < 96; i++) yield chunk.with(0, i);
    };
    const spool: CarSpool = {
      async append(bytes) {
        size += bytes.length;
        most = Math.max(most, held());
      },
      finish: async () => new Blob(),
      discard: async () => undefined,
    };
    const before = held();
    await packFolder([{ path: "large.bin", content }], { spool });
    expect(size).to.be.greaterThan(96 * MIB);
    expect(most - before).to.be.lessThan(8 * MIB);
  });
});
