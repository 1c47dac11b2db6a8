import { expect } from "chai";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { identity } from "multiformats/hashes/identity";
import { sha256 } from "multiformats/hashes/sha2";
import { FolderArchive, type FolderNode, packFolder } from "../../../src/piece/car/index.js";
import { type Block, carOf, entriesOf, folderBlock, link, pbBlock, rawBlock, text } from "../../piece/car/helpers.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { carContent, startGateway, type TestGateway } from "../../support/gateway.js";
import { removeFolders } from "../../support/pieces.js";

const MIB = 1 << 20;

describe("gateway: CARs", () => {
  let gateway: TestGateway;
  /** docs/a.txt, docs/deep/three.bin of three blocks, many/ of 6,000 files in shards, same.txt as docs/a.txt. */
  let archive: FolderArchive;
  let root: CID;
  const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    gateway.get(path, { method, headers });
  const car = async (path: string) => {
    const response = await get(`/ipfs/${path}`);
    expect(response.status, path).to.equal(200);
    return carContent(response);
  };
  const cidOf = async (path: string) => String((await archive.stat(path)).cid);
  const expectText = async (response: Response, status: number, words: RegExp) => {
    const said = await response.text();
    expect(response.status, said).to.equal(status);
    expect(said).to.match(words);
  };
  const strings = (...blocks: readonly Block[]) => blocks.map(({ cid }) => String(cid));

  before(async () => {
    gateway = await startGateway();
    const tree: Record<string, Uint8Array> = {
      "docs/a.txt": text("a"),
      "docs/deep/three.bin": pseudoRandom(3 * MIB - 10),
      "same.txt": text("a"),
      "ünï code%20.txt": text("percent"),
    };
    for (let i = 0; i < 6_000; i++) tree[`many/file number ${i} with a name.txt`] = text(`${i % 10}`);
    const packed = await packFolder(entriesOf(tree));
    root = packed.root;
    archive = await FolderArchive.open(packed.car);
    await gateway.put(packed.car);
  });
  after(async () => {
    await gateway.close();
    await removeFolders();
  });

  it("sends a whole folder: each block once, depth first, the root in front", async () => {
    const { roots, cids } = await car(`${root}?format=car`);
    expect(roots).to.deep.equal([String(root)]);
    expect(cids[0]).to.equal(String(root));
    expect([...cids].sort()).to.deep.equal([...archive.cids].sort());
    const seen = new Set<string>();
    const order: string[] = [];
    const visit = async (cid: CID) => {
      if (seen.has(String(cid))) return;
      seen.add(String(cid));
      order.push(String(cid));
      const node = await archive.node(cid);
      if (node.type === "folder") for (const { Hash } of node.links) await visit(Hash);
      if (node.type === "file") for (const part of node.parts) await visit(part.cid);
    };
    await visit(root);
    expect(cids).to.deep.equal(order);
  });

  it("says all that there is to say in the headers", async () => {
    const response = await get(`/ipfs/${root}/docs?format=car&dag-scope=block`);
    const headers = Object.fromEntries(response.headers);
    expect(headers).to.include({
      "content-type": "application/vnd.ipld.car; version=1; order=dfs; dups=n",
      "content-disposition": `attachment; filename="${root}.car"`,
      "cache-control": "public, max-age=29030400, immutable",
      "accept-ranges": "none",
      "x-content-type-options": "nosniff",
      vary: "Accept",
    });
    expect(headers.etag).to.match(new RegExp(`^W/"${root}\\.car\\.[0-9a-f]{16}"$`));
    await response.arrayBuffer();
    const head = await get(`/ipfs/${root}/docs?format=car&dag-scope=block`, {}, "HEAD");
    expect(head.status).to.equal(200);
    expect(await head.text()).to.equal("");
    expect(head.headers.get("etag")).to.equal(headers.etag);
    const known = await get(`/ipfs/${root}/docs?format=car&dag-scope=block`, {
      "If-None-Match": headers.etag as string,
    });
    expect(known.status).to.equal(304);
  });

  it("has another tag for everything that can be asked for", async () => {
    const tags = new Set<string | null>();
    const asked = [
      "",
      "&dag-scope=entity",
      "&dag-scope=block",
      "&entity-bytes=0:5",
      "&entity-bytes=0:*",
      "&car-dups=y",
    ];
    const paths = [`${root}`, `${root}/docs/deep/three.bin`, `${root}/docs`, await cidOf("docs/deep/three.bin")];
    for (const path of paths) {
      for (const query of asked) {
        tags.add((await get(`/ipfs/${path}?format=car${query}`, {}, "HEAD")).headers.get("etag"));
      }
    }
    expect(tags.size).to.equal(asked.length * paths.length);
    expect([...tags].every((tag) => tag?.startsWith("W/"))).to.equal(true);
    const [one, same] = [
      `${root}?format=car`,
      `${root}/?format=car&dag-scope=all&car-order=dfs&car-version=1&car-dups=n`,
    ];
    expect((await get(`/ipfs/${one}`, {}, "HEAD")).headers.get("etag")).to.equal(
      (await get(`/ipfs/${same}`, {}, "HEAD")).headers.get("etag"),
    );
  });

  it("follows a path, with the blocks on the way that prove it", async () => {
    const [docs, deep, file] = [await cidOf("docs"), await cidOf("docs/deep"), await cidOf("docs/deep/three.bin")];
    const { roots, cids } = await car(`${root}/docs/deep/three.bin?format=car`);
    expect(roots).to.deep.equal([file]);
    expect(cids.slice(0, 4)).to.deep.equal([String(root), docs, deep, file]);
    expect(cids).to.have.length(7);
    expect((await car(`${root}/docs/deep/?format=car&dag-scope=block`)).cids).to.deep.equal([String(root), docs, deep]);
    expect((await car(`${root}/%C3%BCn%C3%AF%20code%2520.txt?format=car`)).cids).to.deep.equal([
      String(root),
      await cidOf("ünï code%20.txt"),
    ]);
  });

  it("finds one file among thousands by a few shards", async () => {
    const name = "file number 4321 with a name.txt";
    const { cids } = await car(`${root}/many/${encodeURIComponent(name)}?format=car`);
    expect(cids[0]).to.equal(String(root));
    expect(cids[1]).to.equal(await cidOf("many"));
    expect(cids.at(-1)).to.equal(await cidOf(`many/${name}`));
    expect(cids.length).to.be.within(3, 6);
  });

  it("404: a name that is not there, a file for a folder; 400: names that are none", async () => {
    for (const path of ["nothing", "docs/b.txt", "docs/a.txt/x", "many/file number 6000 with a name.txt"]) {
      await expectText(await get(`/ipfs/${root}/${path}?format=car`), 404, /is not in the folder/);
    }
    for (const path of ["docs//a.txt", "%2E%2E%2Fa", "docs%2Fa.txt", "%00", "%ff", "x".repeat(256), "a/".repeat(129)]) {
      await expectText(await get(`/ipfs/${root}/${path}?format=car`), 400, /path/);
    }
  });

  it("scopes: the block, the entity, all", async () => {
    const all = (await car(`${root}?format=car&dag-scope=all`)).cids.length;
    expect(all).to.equal([...archive.cids].length);
    for (const scope of ["block", "entity"]) {
      expect((await car(`${root}?format=car&dag-scope=${scope}`)).cids).to.deep.equal([String(root)]);
    }
    expect((await car(`${root}/docs/deep/three.bin?format=car&dag-scope=entity`)).cids).to.have.length(7);
    expect((await car(`${root}/docs/deep/three.bin?format=car&dag-scope=block`)).cids).to.have.length(4);
    // Of a folder in shards: the shards, and none of what is in it.
    const shards = new Set<string>();
    const gather = async (folder: FolderNode) => {
      shards.add(String(folder.cid));
      for (const { Hash, Name = "" } of folder.links) {
        if (Name.length === folder.prefix) await gather((await archive.node(Hash)) as FolderNode);
      }
    };
    await gather(await archive.folder("many"));
    expect(shards.size).to.be.greaterThan(200);
    const entity = (await car(`${await cidOf("many")}?format=car&dag-scope=entity`)).cids;
    expect([...entity].sort()).to.deep.equal([...shards].sort());
  });

  it("entity-bytes: only the blocks that hold them", async () => {
    const file = await cidOf("docs/deep/three.bin");
    const [top, one, two, three] = (await car(`${file}?format=car`)).cids;
    const size = 3 * MIB - 10;
    for (const [bytes, wanted] of [
      ["0:*", [one, two, three]],
      ["0:0", [one]],
      [`0:${MIB - 1}`, [one]],
      [`${MIB - 1}:${MIB}`, [one, two]],
      [`${MIB}:${2 * MIB - 1}`, [two]],
      [`${size - 1}:*`, [three]],
      [`${size - 1}:${10 * size}`, [three]],
      ["-1:*", [three]],
      [`-${MIB}:-${MIB}`, [two]],
      [`-${10 * size}:0`, [one]],
      [`499:-${2 * MIB}`, [one]],
      ["0:-1", [one, two, three]],
      // It ends before it begins, which depends on the size: nothing is left but the root, which shows it.
      ["5:-3145715", []],
    ] as const) {
      expect((await car(`${file}?format=car&entity-bytes=${bytes}`)).cids, bytes).to.deep.equal([top, ...wanted]);
    }
    expect((await car(`${file}?format=car&dag-scope=block&entity-bytes=0:0`)).cids).to.deep.equal([top, one]);
    expect((await car(`${root}/docs?format=car&entity-bytes=5:9`)).cids).to.deep.equal([
      String(root),
      await cidOf("docs"),
    ]);
  });

  it("400: bytes that are outside, and parameters that are nonsense", async () => {
    const file = await cidOf("docs/deep/three.bin");
    for (const bytes of [`${3 * MIB}:*`, `0:-${4 * MIB}`]) {
      await expectText(await get(`/ipfs/${file}?format=car&entity-bytes=${bytes}`), 400, /outside of 3145718 bytes/);
    }
    for (const bytes of [
      "",
      "5",
      "*:5",
      "a:b",
      "5:4",
      "-4:-5",
      "1:2:3",
      "0x1:5",
      "1e3:*",
      "9".repeat(19).concat(":*"),
    ]) {
      await expectText(await get(`/ipfs/${file}?format=car&entity-bytes=${bytes}`), 400, /entity-bytes/);
    }
    for (const query of [
      "dag-scope=some",
      "car-version=2",
      "car-order=bfs",
      "car-dups=maybe",
      "car-dups=y&car-dups=n",
    ]) {
      await expectText(
        await get(`/ipfs/${file}?format=car&${query}`),
        400,
        /^(dag-scope|car-version|car-order|car-dups) /,
      );
    }
  });

  it("sends blocks as often as they occur, where that is asked for", async () => {
    const [a, b] = [await rawBlock(text("twice a")), await rawBlock(text("twice b"))];
    const inner = await folderBlock(link("1", a), link("2", a));
    const outer = await folderBlock(link("1", inner), link("2", b), link("3", inner));
    await gateway.put(carOf(outer, outer, inner, a, b));
    const once = strings(outer, inner, a, b);
    const often = strings(outer, inner, a, a, b, inner, a, a);
    expect((await car(`${outer.cid}?format=car`)).cids).to.deep.equal(once);
    expect((await car(`${outer.cid}?format=car&car-dups=n`)).cids).to.deep.equal(once);
    expect((await car(`${outer.cid}?format=car&car-dups=y`)).cids).to.deep.equal(often);
    const Accept = "application/vnd.ipld.car; version=1; order=dfs; dups=y";
    const byHeader = await get(`/ipfs/${outer.cid}`, { Accept });
    expect(byHeader.headers.get("content-type")).to.equal(Accept);
    expect(byHeader.headers.get("content-location")).to.equal(`/ipfs/${outer.cid}?format=car&car-dups=y`);
    expect((await carContent(byHeader)).cids).to.deep.equal(often);
    const overridden = await get(`/ipfs/${outer.cid}?car-dups=n`, { Accept });
    expect((await carContent(overridden)).cids).to.deep.equal(once);
  });

  it("sends every part of a range of a file that repeats itself, each block once", async () => {
    const parts = await Promise.all([1, 2, 3, 4].map((seed) => rawBlock(pseudoRandom(100, seed))));
    const links = parts.map((part) => link("", part));
    const half = await pbBlock(links, { type: "file", blockSizes: [100n, 100n, 100n, 100n] });
    const file = await pbBlock([link("", half), link("", half)], { type: "file", blockSizes: [400n, 400n] });
    await gateway.put(carOf(file, file, half, ...parts));
    const [one, two, three, four] = parts as [Block, Block, Block, Block];
    const range = async (bytes: string) => (await car(`${file.cid}?format=car&entity-bytes=${bytes}`)).cids;
    expect(await range("350:449")).to.deep.equal(strings(file, half, four, one));
    expect(await range("350:*")).to.deep.equal(strings(file, half, four, one, two, three));
    expect(await range("0:450")).to.deep.equal(strings(file, half, one, two, three, four));
  });

  it("follows blocks that their CIDs hold, and does not send them", async () => {
    const leaf = await rawBlock(text("below an identity"));
    const own = CID.createV1(raw.code, identity.digest(text("me")));
    const inner = await folderBlock(link("leaf", leaf));
    const virtual = CID.createV1(0x70, identity.digest(inner.bytes));
    const outer = await folderBlock({ Name: "a", Hash: own, Tsize: 1 }, { Name: "b", Hash: virtual, Tsize: 1 });
    await gateway.put(carOf(outer, outer, leaf));
    expect((await car(`${outer.cid}?format=car&car-dups=y`)).cids).to.deep.equal(strings(outer, leaf));
    expect((await car(`${outer.cid}/b/leaf?format=car`)).cids).to.deep.equal(strings(outer, leaf));
    expect((await car(`${virtual}?format=car`)).roots).to.deep.equal([String(virtual)]);
  });

  it("takes what is not UnixFS for what it is: its links for all, itself for an entity", async () => {
    const leaf = await rawBlock(text("below CBOR"));
    const bytes = new Uint8Array(Buffer.concat([Buffer.from([0x81, 0xd8, 42, 0x58, 37, 0]), leaf.cid.bytes]));
    const cbor = { cid: CID.createV1(0x71, await sha256.digest(bytes)), bytes };
    const json = { cid: CID.createV1(0x0129, await sha256.digest(text("{}"))), bytes: text("{}") };
    const bare = await pbBlock([link("x", leaf)], new Uint8Array([0xff, 0xff]));
    await gateway.put(carOf(cbor, cbor, json, bare, leaf));
    for (const block of [cbor, bare]) {
      expect((await car(`${block.cid}?format=car`)).cids).to.deep.equal(strings(block, leaf));
      expect((await car(`${block.cid}?format=car&entity-bytes=0:5`)).cids).to.deep.equal(strings(block));
    }
    expect((await car(`${json.cid}?format=car&dag-scope=entity`)).cids).to.deep.equal(strings(json));
    await expectText(await get(`/ipfs/${json.cid}?format=car`), 422, /codec 0x129/);
    await expectText(await get(`/ipfs/${cbor.cid}/0?format=car`), 422, /codec 0x71/);
    await expectText(
      await get(`/ipfs/${CID.createV1(0x70, leaf.cid.multihash)}?format=car`),
      422,
      /not what its codec says/,
    );
  });

  it("empty files and ranges of nothing", async () => {
    const empty = await pbBlock([], { type: "file" });
    const none = await rawBlock(new Uint8Array());
    await gateway.put(carOf(empty, empty, none));
    for (const block of [empty, none]) {
      for (const bytes of ["0:*", "0:0", "-5:*"]) {
        expect((await car(`${block.cid}?format=car&entity-bytes=${bytes}`)).cids).to.deep.equal(strings(block));
      }
    }
  });
});
