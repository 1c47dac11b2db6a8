import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { CID } from "multiformats/cid";
import { identity } from "multiformats/hashes/identity";
import { sha512 } from "multiformats/hashes/sha2";
import { type Block, carOf, DAG_PB, rawBlock, text } from "../../piece/car/helpers.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { startGateway, type TestGateway } from "../../support/gateway.js";
import { removeFolders } from "../../support/pieces.js";

const MIB = 1 << 20;
const RAW = "application/vnd.ipld.raw";
const CAR = "application/vnd.ipld.car";

describe("gateway: blocks", () => {
  let gateway: TestGateway;
  let block: Block;
  let missing: Block;
  const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    gateway.get(path, { method, headers });
  const expectText = async (response: Response, status: number, words: RegExp) => {
    expect(response.status).to.equal(status);
    expect(response.headers.get("content-type")).to.match(/^text\/plain/);
    expect(response.headers.get("cache-control")).to.equal(null);
    expect(await response.text()).to.match(words);
  };
  const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

  before(async () => {
    gateway = await startGateway();
    block = await rawBlock(pseudoRandom(5_000));
    missing = await rawBlock(text("nowhere"));
    await gateway.put(carOf(block, block));
  });
  after(async () => {
    await gateway.close();
    await removeFolders();
  });

  it("gives a block with what lets everybody keep it for ever", async () => {
    const response = await get(`/ipfs/${block.cid}?format=raw`);
    expect(response.status).to.equal(200);
    expect(await bytesOf(response)).to.deep.equal(block.bytes);
    const headers = Object.fromEntries(response.headers);
    expect(headers).to.include({
      "content-type": RAW,
      "content-disposition": `attachment; filename="${block.cid}.bin"`,
      "content-length": "5000",
      etag: `"${block.cid}.raw"`,
      "cache-control": "public, max-age=29030400, immutable",
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
      vary: "Accept",
      "access-control-allow-origin": "*",
    });
    expect(headers).to.not.have.property("content-location");
  });

  it("answers HEAD as GET, without the bytes", async () => {
    const [got, asked] = [
      await get(`/ipfs/${block.cid}?format=raw`),
      await get(`/ipfs/${block.cid}?format=raw`, {}, "HEAD"),
    ];
    const headers = ({ headers }: Response) =>
      [...headers].filter(([name]) => !/^(date|connection|keep-alive)$/.test(name));
    expect(asked.status).to.equal(200);
    expect(headers(asked)).to.deep.equal(headers(got));
    expect(await asked.text()).to.equal("");
    expect((await get(`/ipfs/${missing.cid}?format=raw`, {}, "HEAD")).status).to.equal(404);
  });

  it("takes the format from the query, and else from Accept", async () => {
    const at = `/ipfs/${block.cid}`;
    const typeOf = async (path: string, Accept: string) => (await get(path, { Accept })).headers.get("content-type");
    expect(await typeOf(`${at}?format=raw`, CAR)).to.equal(RAW);
    expect(await typeOf(`${at}?format=car`, RAW)).to.match(/^application\/vnd\.ipld\.car; /);
    expect(await typeOf(at, RAW)).to.equal(RAW);
    expect(await typeOf(at, `${CAR};q=0.5, ${RAW}`)).to.equal(RAW);
    expect(await typeOf(at, `text/html, ${RAW};q=0.2, ${CAR};q=0.9`)).to.match(/vnd\.ipld\.car/);
    expect(await typeOf(at, `${CAR};version=2, ${RAW};q=0.1`)).to.equal(RAW);
    expect(await typeOf(at, `${CAR};q=0, ${RAW.toUpperCase()};q=0.1`)).to.equal(RAW);
    const byHeader = await get(at, { Accept: RAW });
    expect(byHeader.headers.get("content-location")).to.equal(`${at}?format=raw`);
  });

  it("406: has no other formats", async () => {
    const at = `/ipfs/${block.cid}`;
    for (const format of ["tar", "json", "ipns-record", "dag-cbor", "RAW", ""]) {
      await expectText(await get(`${at}?format=${format}`), 406, /is not served; ask for application\/vnd\.ipld\.raw/);
    }
    for (const Accept of ["text/html", `${CAR};version=2`, `${CAR};order=foo`, `${CAR};dups=x`, `${RAW};q=0`]) {
      await expectText(await get(at, { Accept }), Accept.endsWith("q=0") ? 400 : 406, /./);
    }
  });

  it("400: does not guess what a client means that says no format, or nonsense", async () => {
    const at = `/ipfs/${block.cid}`;
    for (const Accept of ["", "*/*", "text/html, */*;q=0.8"]) {
      await expectText(await get(at, { Accept }), 400, /no format: add \?format=raw or \?format=car/);
    }
    await expectText(await get(`${at}?format=raw&format=car`), 400, /format comes more than once/);
    await expectText(await get(`${at}/a.txt?format=raw`), 400, /a block has no path/);
    for (const cid of ["nonsense", "Qm", `${block.cid}x`, "b".repeat(300), "%00", "", "%ff", "..%2f..%2fetc"]) {
      await expectText(await get(`/ipfs/${cid}?format=raw`), 400, /is no CID/);
    }
  });

  it("404: says what is not here, and 412 where only what is here was asked for", async () => {
    const at = `/ipfs/${missing.cid}?format=`;
    for (const format of ["raw", "car"]) {
      await expectText(await get(at + format), 404, /is not here; ask another provider/);
      await expectText(await get(at + format, { "Cache-Control": "only-if-cached" }), 412, /is not here/);
    }
    const cached = await get(`/ipfs/${block.cid}?format=raw`, { "Cache-Control": "Only-If-Cached" });
    expect(cached.status).to.equal(200);
    // By another hash function nothing is here, and nothing with a part of a hash.
    const other = CID.createV1(0x55, await sha512.digest(block.bytes));
    const short = CID.decode(new Uint8Array([1, 0x55, 0x12, 20, ...block.cid.multihash.digest.subarray(0, 20)]));
    for (const cid of [other, short]) await expectText(await get(`/ipfs/${cid}?format=raw`), 404, /is not here/);
  });

  it("knows a block by any CID of its hash", async () => {
    const v0 = CID.createV0(block.cid.multihash as never);
    const pb = CID.createV1(DAG_PB, block.cid.multihash);
    for (const cid of [v0, pb]) {
      const response = await get(`/ipfs/${cid}?format=raw`);
      expect(await bytesOf(response)).to.deep.equal(block.bytes);
      expect(response.headers.get("etag")).to.equal(`"${cid}.raw"`);
    }
  });

  it("gives ranges, and 304 where a client has it already", async () => {
    const at = `/ipfs/${block.cid}?format=raw`;
    const part = await get(at, { Range: "bytes=10-19" });
    expect(part.status).to.equal(206);
    expect(part.headers.get("content-range")).to.equal("bytes 10-19/5000");
    expect(await bytesOf(part)).to.deep.equal(block.bytes.subarray(10, 20));
    expect((await get(at, { Range: "bytes=5000-" })).status).to.equal(416);
    expect((await get(at, { Range: "bytes=0-1", "If-Range": '"another"' })).status).to.equal(200);
    const known = await get(at, { "If-None-Match": `W/"x", "${block.cid}.raw"` });
    expect(known.status).to.equal(304);
    expect(await known.text()).to.equal("");
    expect((await get(`/ipfs/${missing.cid}?format=raw`, { "If-None-Match": "*" })).status).to.equal(404);
  });

  it("answers the probe for a gateway, and other CIDs that hold their bytes", async () => {
    for (const method of ["GET", "HEAD"]) {
      const probe = await get("/ipfs/bafkqaaa?format=raw", {}, method);
      expect(probe.status).to.equal(200);
      expect(probe.headers.get("content-length")).to.equal("0");
      expect(await probe.text()).to.equal("");
    }
    const car = await get("/ipfs/bafkqaaa", { Accept: CAR });
    expect(car.status).to.equal(200);
    // 0x3a…: a header whose only root is the CID, and nothing behind it.
    expect(Buffer.from(await car.arrayBuffer()).toString("hex")).to.match(
      /^19a265726f6f7473.*0001550000.*76657273696f6e01$/,
    );
    const own = CID.createV1(0x55, identity.digest(text("hello")));
    expect(await (await get(`/ipfs/${own}?format=raw`)).text()).to.equal("hello");
  });

  it("has blocks of up to 2 MiB, and whole payloads as well", async () => {
    const [largest, larger] = [await rawBlock(pseudoRandom(2 * MIB, 7)), await rawBlock(pseudoRandom(2 * MIB + 1, 8))];
    await gateway.put(carOf(largest, largest, larger));
    expect(await bytesOf(await get(`/ipfs/${largest.cid}?format=raw`))).to.deep.equal(largest.bytes);
    expect((await get(`/ipfs/${larger.cid}?format=raw`)).status).to.equal(404);
    const plain = await rawBlock(text("no CAR"));
    await gateway.put(plain.bytes);
    expect(await (await get(`/ipfs/${plain.cid}?format=raw`)).text()).to.equal("no CAR");
  });

  it("never gives bytes that do not hash to the CID", async () => {
    const lone = await rawBlock(pseudoRandom(1_000, 9));
    const pieceCid = await gateway.put(carOf(lone, lone));
    const path = join(gateway.dir, "pieces", `${pieceCid}.piece`);
    const payload = await readFile(path);
    payload[payload.length - 1] = (payload.at(-1) as number) ^ 1;
    await writeFile(path, payload);
    await expectText(await get(`/ipfs/${lone.cid}?format=raw`), 404, /is not here/);
    expect(gateway.logged.map(({ msg }) => msg)).to.deep.equal(["a block is damaged on disk"]);
    await gateway.store.remove(pieceCid);
    await expectText(await get(`/ipfs/${lone.cid}?format=car`), 404, /is not here/);
  });

  it("has no other methods", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) {
      expect((await get(`/ipfs/${block.cid}?format=raw`, {}, method)).status).to.equal(404);
    }
  });
});
