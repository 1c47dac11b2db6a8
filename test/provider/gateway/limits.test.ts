import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { type Block, carOf, DAG_PB, folderBlock, link, pbBlock, rawBlock, text } from "../../piece/car/helpers.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { carContent, startGateway, type TestGateway } from "../../support/gateway.js";
import { removeFolders } from "../../support/pieces.js";

const MIB = 1 << 20;

describe("gateway: what whoever packs a CAR may do to it", () => {
  let gateway: TestGateway;

  /** All bytes that come, and whether the body came to its end. */
  async function raw(path: string): Promise<{ status: number | undefined; bytes: Buffer; complete: boolean }> {
    const asked = request(gateway.url + path).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    response.on("data", (chunk) => chunks.push(chunk));
    response.on("error", () => undefined);
    await new Promise((closed) => response.once("close", closed));
    return { status: response.statusCode, bytes: Buffer.concat(chunks), complete: response.complete };
  }
  const expectCut = async (path: string, ...blocks: readonly Block[]) => {
    gateway.logged.length = 0;
    const { status, bytes, complete } = await raw(path);
    expect(status).to.equal(200);
    expect(complete).to.equal(false);
    const { cids } = await carContent(new Response(new Uint8Array(bytes)));
    expect(cids).to.deep.equal(blocks.map(({ cid }) => String(cid)));
    expect(gateway.logged.map(({ msg }) => msg)).to.deep.equal(["a CAR breaks off"]);
  };
  const expectText = async (path: string, status: number, words: RegExp) => {
    const response = await gateway.get(path);
    const said = await response.text();
    expect(response.status, said).to.equal(status);
    expect(said).to.match(words);
  };

  before(async () => {
    gateway = await startGateway({ maxBlocks: 500 });
  });
  after(async () => {
    await gateway.close();
    await removeFolders();
  });

  it("breaks off where a block is missing, and says 404 where it is on the path", async () => {
    const [a, gone] = [await rawBlock(text("a")), await rawBlock(text("gone"))];
    const root = await folderBlock(link("a", a), link("gone", gone), link("z", a));
    await gateway.put(carOf(root, root, a));
    await expectCut(`/ipfs/${root.cid}?format=car`, root, a);
    await expectText(`/ipfs/${root.cid}/gone?format=car`, 404, /is not here/);
    expect((await gateway.get(`/ipfs/${root.cid}?format=car&dag-scope=entity`)).status).to.equal(200);
  });

  it("breaks off at a block that has changed on disk since", async () => {
    const [a, b] = [await rawBlock(pseudoRandom(100)), await rawBlock(pseudoRandom(200))];
    const root = await folderBlock(link("a", a), link("b", b));
    const pieceCid = await gateway.put(carOf(root, root, a, b));
    const path = join(gateway.dir, "pieces", `${pieceCid}.piece`);
    const payload = await readFile(path);
    payload[payload.length - 1] = (payload.at(-1) as number) ^ 1;
    await writeFile(path, payload);
    const { complete, bytes } = await raw(`/ipfs/${root.cid}?format=car`);
    expect(complete).to.equal(false);
    expect(bytes.includes(payload.subarray(-50))).to.equal(false);
    expect(gateway.logged.map(({ msg }) => msg)).to.include("a block is damaged on disk");
  });

  it("ends a DAG that doubles with each level, asked for with all duplicates", async () => {
    let top = await rawBlock(text("bottom"));
    const blocks = [top];
    for (let level = 0; level < 60; level++) {
      top = await folderBlock(link("1", top), link("2", top));
      blocks.unshift(top);
    }
    await gateway.put(carOf(top, ...blocks));
    // 2^60 blocks, or 61.
    const { complete, bytes } = await raw(`/ipfs/${top.cid}?format=car&car-dups=y`);
    expect(complete).to.equal(false);
    expect((await carContent(new Response(new Uint8Array(bytes)))).cids).to.have.length(500);
    expect((await carContent(await gateway.get(`/ipfs/${top.cid}?format=car`))).cids).to.have.length(61);
  });

  it("reads a file that doubles with each level once, whatever part of it is asked for", async () => {
    let top = await rawBlock(pseudoRandom(1));
    const blocks = [top];
    let size = 1n;
    for (let level = 0; level < 30; level++) {
      top = await pbBlock([link("", top), link("", top)], { type: "file", blockSizes: [size, size] });
      size *= 2n;
      blocks.unshift(top);
    }
    await gateway.put(carOf(top, ...blocks));
    for (const bytes of ["1:-2", `${size / 2n}:*`, "0:*", `${size / 3n}:${size / 2n}`]) {
      const { cids } = await carContent(await gateway.get(`/ipfs/${top.cid}?format=car&entity-bytes=${bytes}`));
      expect(new Set(cids).size).to.equal(cids.length);
      expect(cids.length).to.be.within(30, 31);
    }
  });

  it("ends an answer of too many blocks, and blocks that name too many at once", async () => {
    const leaves = await Promise.all(Array.from({ length: 600 }, (_, i) => rawBlock(text(`leaf ${i}`))));
    const root = await folderBlock(...leaves.map((leaf, i) => link(`${i}`.padStart(4, "0"), leaf)));
    await gateway.put(carOf(root, root, ...leaves));
    await expectCut(`/ipfs/${root.cid}?format=car`, root, ...leaves.slice(0, 499));
    const links = Array.from({ length: 40_000 }, () => link("", leaves[0] as Block));
    const wide = await pbBlock(links, { type: "directory" });
    expect(wide.bytes.length).to.be.lessThan(2 * MIB);
    // Again and again the first of its many links, while the others wait.
    const wider = await pbBlock([link("", wide), ...links], { type: "directory" });
    await gateway.put(carOf(wider, wider, wide, ...leaves));
    await expectCut(`/ipfs/${wider.cid}?format=car`, wider, wide);
  });

  it("goes down a chain of any length without a stack", async () => {
    let top = await rawBlock(text("end"));
    const blocks = [top];
    for (let i = 0; i < 450; i++) {
      top = await folderBlock(link("x", top));
      blocks.unshift(top);
    }
    await gateway.put(carOf(top, ...blocks));
    expect((await carContent(await gateway.get(`/ipfs/${top.cid}?format=car`))).cids).to.have.length(451);
    await expectText(`/ipfs/${top.cid}/${"x/".repeat(129)}?format=car`, 400, /deeper than 128/);
    expect((await gateway.get(`/ipfs/${top.cid}/${"x/".repeat(128)}?format=car&dag-scope=block`)).status).to.equal(200);
  });

  it("422: reads no more than 64 MiB to follow a path", async () => {
    let top = await pbBlock([], { type: "directory" });
    const blocks = [top];
    for (let i = 0; i < 40; i++) {
      // A shard and a folder may carry any bytes beside their links.
      const large = await pbBlock([link("x", top)], { type: "directory", data: pseudoRandom(2 * MIB - 1_000, i + 1) });
      top = large;
      blocks.unshift(top);
    }
    await gateway.put(carOf(top, ...blocks));
    const path = (depth: number) => `/ipfs/${top.cid}/${"x/".repeat(depth)}?format=car&dag-scope=block`;
    await expectText(path(35), 422, /too large folders/);
    const deep = await gateway.get(path(30));
    expect(deep.status).to.equal(200);
    await deep.body?.cancel();
  });

  it("says that a shard is none, deeper than its hash or of another kind", async () => {
    const shard = (links: Parameters<typeof pbBlock>[0]) =>
      pbBlock(links, { type: "hamt-sharded-directory", fanout: 2n, hashType: 0x22n });
    let top = await shard([]);
    const blocks = [top];
    // Each leads to the next, wherever the hash points.
    for (let i = 0; i < 70; i++) {
      top = await shard([link("0", top), link("1", top)]);
      blocks.unshift(top);
    }
    const flat = await folderBlock(link("x", top));
    const mixed = await shard([link("0", flat), link("1", flat)]);
    await gateway.put(carOf(top, ...blocks, flat, mixed));
    await expectText(`/ipfs/${top.cid}/name?format=car`, 422, /lies too deep/);
    await expectText(`/ipfs/${mixed.cid}/x?format=car`, 404, /is not in the folder/);
    await expectCut(`/ipfs/${mixed.cid}?format=car&dag-scope=entity`, mixed, flat);
  });

  it("breaks off at a block that is not what its codec says, and at one of a codec it can't read", async () => {
    const noise = await rawBlock(text("noise"));
    const asFolder = { cid: CID.createV1(DAG_PB, noise.cid.multihash), bytes: noise.bytes };
    const json = { cid: CID.createV1(0x0129, await sha256.digest(text("{}"))), bytes: text("{}") };
    for (const bad of [asFolder, json]) {
      const root = await folderBlock(link("bad", bad));
      await gateway.put(carOf(root, root, bad));
      await expectCut(`/ipfs/${root.cid}?format=car`, root, bad);
    }
  });

  it("breaks off where a piece is removed under way", async () => {
    const leaves = await Promise.all(Array.from({ length: 40 }, (_, i) => rawBlock(pseudoRandom(MIB, 100 + i))));
    const root = await folderBlock(...leaves.map((leaf, i) => link(`${i}`.padStart(4, "0"), leaf)));
    const pieceCid = await gateway.put(carOf(root, root, ...leaves));
    const asked = request(`${gateway.url}/ipfs/${root.cid}?format=car`).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.on("error", () => undefined);
    const closed = new Promise((resolve) => response.once("close", resolve));
    await gateway.store.remove(pieceCid);
    response.resume();
    await closed;
    expect(response.complete).to.equal(false);
    expect((await gateway.get(`/ipfs/${root.cid}?format=raw`)).status).to.equal(404);
  });

  it("reads no further than whoever listens, and stops when they hang up", async () => {
    const big = await startGateway();
    const leaves = await Promise.all(Array.from({ length: 40 }, (_, i) => rawBlock(pseudoRandom(MIB, i + 1))));
    const root = await folderBlock(...leaves.map((leaf, i) => link(`${i}`.padStart(4, "0"), leaf)));
    await big.put(carOf(root, root, ...leaves));
    let reads = 0;
    const read = big.store.read.bind(big.store);
    big.store.read = (...where) => {
      reads++;
      return read(...where);
    };
    const asked = request(`${big.url}/ipfs/${root.cid}?format=car`).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.pause();
    const settled = async () => {
      for (let before = -1; before !== reads; await new Promise((go) => setTimeout(go, 200))) before = reads;
      return reads;
    };
    const stalled = await settled();
    // What the sockets' buffers take in, and not the rest.
    expect(stalled).to.be.within(2, 30);
    response.destroy();
    expect((await settled()) - stalled).to.be.lessThan(3);
    expect(big.logged).to.deep.equal([]);
    await big.close();
  });

  describe("and whoever asks for it and does not read", () => {
    const sockets: Socket[] = [];
    const ask = (path: string, times: number) => {
      const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1").pause();
      sockets.push(socket);
      socket.on("error", () => undefined);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(times));
    };
    const memory = () => process.memoryUsage().arrayBuffers / MIB;

    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.destroy();
    });

    it("has one block begun of all that were asked for ahead", async () => {
      const block = await rawBlock(pseudoRandom(2 * MIB, 77));
      await gateway.put(block.bytes);
      let reads = 0;
      const read = gateway.store.read.bind(gateway.store);
      gateway.store.read = (...where) => {
        reads++;
        return read(...where);
      };
      ask(`/ipfs/${block.cid}?format=raw`, 90);
      await new Promise((go) => setTimeout(go, 1_500));
      gateway.store.read = read;
      // What the sockets' buffers take in, and not the rest.
      expect(reads).to.be.within(1, 20);
    });

    for (const format of ["raw", "car"]) {
      it(`holds a slice of a block for each (${format})`, async function () {
        this.timeout(60_000);
        const blocks = await Promise.all(
          Array.from({ length: 40 }, (_, i) => rawBlock(pseudoRandom(2 * MIB, 200 + i))),
        );
        const root = await folderBlock(...blocks.map((block, i) => link(`${i}`.padStart(2, "0"), block)));
        await gateway.put(carOf(root, root, ...blocks));
        const before = memory();
        for (let i = 0; i < 150; i++) {
          const path = format === "raw" ? `/ipfs/${blocks[i % 40]?.cid}?format=raw` : `/ipfs/${root.cid}?format=car`;
          ask(path, 8);
        }
        let [least, reads] = [Number.POSITIVE_INFINITY, 0];
        for (; reads < 20; reads++) {
          await new Promise((go) => setTimeout(go, 200));
          if (reads >= 10) least = Math.min(least, memory() - before);
        }
        // 32 MiB of blocks, and 64 to 128 KiB for each.
        expect(least).to.be.lessThan(80);
      });
    }
  });
});
