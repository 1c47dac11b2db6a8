import { expect } from "chai";
import { commit, encodePieceCid } from "../../../src/piece/index.js";
import { healthOf } from "../../../src/provider/pdp/health.js";
import { removeFolders, type TestPiece, testPiece } from "../../support/pieces.js";
import { expectText, type LoneNode, MIB, startLoneNode, until } from "./node.js";

describe("provider: finding pieces", () => {
  let node: LoneNode;
  let piece: TestPiece;
  let free: number;

  const put = async ({ payload, cid }: Pick<TestPiece, "payload" | "cid">) => {
    const begun = await node.ask("POST", "/pdp/piece", { body: JSON.stringify({ pieceCid: cid }) });
    expect((await node.ask("PUT", begun.headers.location as string, { body: payload })).status).to.equal(204);
  };
  const statusOf = async (cid: string) => JSON.parse((await node.ask("GET", `/pdp/piece/${cid}/status`)).text);

  before(async () => {
    piece = await testPiece(1_000);
  });
  beforeEach(async () => {
    free = 2 ** 40;
    node = await startLoneNode({ freeBytes: async () => free });
  });
  afterEach(() => node.close());
  after(removeFolders);

  it("answers a ping, and with 503 where the disk is full", async () => {
    free = 2 ** 30 - 1;
    expectText(await node.ask("GET", "/pdp/ping"), 503, /not well: there is no space/);
    free = 2 ** 30;
    await until(async () => (await node.ask("GET", "/pdp/ping")).status === 200);
  });

  it("answers a ping with 503 where index or pieces can't be reached, and says no more of it", async () => {
    const find = node.store.find.bind(node.store);
    let asked = 0;
    node.store.find = async () => {
      asked++;
      throw new Error("connect ECONNREFUSED 10.0.0.7:5432");
    };
    const answers = await Promise.all(Array.from({ length: 20 }, () => node.ask("GET", "/pdp/ping")));
    for (const answer of answers)
      expectText(answer, 503, /^the node is not well: its index or its pieces can't be reached$/);
    expect(asked).to.be.lessThan(10);
    node.store.find = find;
    await until(async () => (await node.ask("GET", "/pdp/ping")).status === 200);
  });

  it("knows of a store that does not answer", async () => {
    const admission = { checkFree: async () => undefined } as never;
    const silent = { find: () => new Promise<never>(() => undefined) };
    expect(await healthOf({ admission, store: silent, healthMs: 50 })()).to.match(/do not answer/);
    expect(await healthOf({ admission, store: node.store })()).to.equal(undefined);
  });

  it("says what becomes of a piece", async () => {
    expectText(await node.ask("GET", `/pdp/piece/${piece.cid}/status`), 404, /is not here/);
    expectText(await node.ask("GET", "/pdp/piece/x/status"), 400, /not the CID of a piece/);
    await put(piece);
    const fields = { pieceCid: piece.cid, indexed: false, advertised: false };
    expect(await statusOf(piece.cid)).to.deep.equal({ ...fields, status: "pending", retrieved: false });
    await node.ask("HEAD", `/piece/${piece.cid}`);
    expect(await statusOf(piece.cid)).to.deep.equal({ ...fields, status: "pending", retrieved: false });
    const before = Date.now();
    await node.ask("GET", `/piece/${piece.cid}`);
    const { retrievedAt, ...rest } = await statusOf(piece.cid);
    expect(rest).to.deep.equal({ ...fields, status: "retrieved", retrieved: true });
    expect(Date.parse(retrievedAt)).to.be.within(before, Date.now());
    await node.store.remove(piece.cid);
    expect((await node.ask("GET", `/pdp/piece/${piece.cid}/status`)).status).to.equal(404);
  });

  it("says of data sets which routes to use instead, whatever is asked of them", async () => {
    for (const [method, path] of [
      ["GET", "/pdp/data-sets"],
      ["POST", "/pdp/data-sets"],
      ["POST", "/pdp/data-sets/create-and-add"],
      ["GET", "/pdp/data-sets/7"],
      ["POST", "/pdp/data-sets/7/pieces"],
      ["DELETE", "/pdp/data-sets/7/pieces/1"],
    ] as const) {
      expectText(await node.ask(method, path), 501, /POST \/deals.*POST \/amendments/);
    }
  });

  /** A piece of 127 bytes or more that begins like this. */
  const served = async (begin: string) => {
    const payload = new Uint8Array(Buffer.concat([Buffer.from(begin, "latin1"), Buffer.alloc(200, " ")]));
    const cid = encodePieceCid(await commit(payload)).toString();
    await put({ payload, cid });
    return { cid, ...(await node.ask("GET", `/piece/${cid}`)) };
  };

  it("names a type that fits, the same for all and for a range, and nothing that could run", async () => {
    for (const [begin, type] of [
      ["\x89PNG\r\n\x1a\n", "image/png"],
      ["\xff\xd8\xff\xe0", "image/jpeg"],
      ["RIFF\0\0\0\0WEBP", "image/webp"],
      ["\0\0\0\x20ftypisom", "video/mp4"],
      ["\0\0\0\x20ftypavif", "image/avif"],
      ["%PDF-1.7", "application/pdf"],
      ["\x3a\xa2eroots\x81", "application/vnd.ipld.car"],
      ["plain words, \xc3\xa4 too", "text/plain; charset=utf-8"],
      ["<!DOCTYPE html><script>alert(1)</script>", "text/plain; charset=utf-8"],
      ['<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">', "text/plain; charset=utf-8"],
      ["\xef\xbb\xbf<html>", "text/plain; charset=utf-8"],
      ["<\0h\0t\0m\0l\0>\0", "application/octet-stream"],
      ["+ADw-script+AD4-", "text/plain; charset=utf-8"],
      ["\xc3\x28", "application/octet-stream"],
      ["MZ\x90\0", "application/octet-stream"],
    ] as const) {
      const { cid, status, headers } = await served(begin);
      expect(status).to.equal(200);
      expect(headers["content-type"], begin).to.equal(type);
      expect(headers["x-content-type-options"]).to.equal("nosniff");
      expect(headers["content-security-policy"]).to.equal("default-src 'none'; sandbox");
      expect(headers["content-disposition"]).to.equal(`inline; filename="${cid}"`);
      expect(headers.etag).to.equal(`"${cid}"`);
      expect(headers["cache-control"]).to.equal("public, max-age=29030400, immutable");
      const part = await node.ask("GET", `/piece/${cid}`, { headers: { range: "bytes=9-20" } });
      expect(part.status).to.equal(206);
      expect(part.headers["content-type"]).to.equal(type);
      expect((await node.ask("HEAD", `/piece/${cid}`)).headers["content-type"]).to.equal(type);
    }
  });

  it("takes text for text where a character is cut at the end of what is looked at", async () => {
    expect((await served(`${"a".repeat(511)}\xc3\xa4`)).headers["content-type"]).to.equal("text/plain; charset=utf-8");
    const one = await testPiece(1, 3);
    await put(one);
    expect((await node.ask("GET", `/piece/${one.cid}`)).status).to.equal(200);
  });

  it("takes no path for a piece", async () => {
    await put(piece);
    for (const path of [
      "/piece/../unpaid/x",
      "/piece/..%2funpaid%2fx",
      `/piece/${piece.cid}%00`,
      `/piece/${piece.cid}.layer`,
      `/pdp/piece/${piece.cid}%2f..%2fx/status`,
      "/pdp/piece/%2e%2e/status",
      `/pdp/piece?pieceCid=../${piece.cid}`,
      "//pdp//piece",
    ]) {
      expect((await node.ask("GET", path)).status, path).to.be.oneOf([400, 404]);
    }
    const long = await node.ask("GET", `/piece/${"a".repeat(12_000)}`);
    expect(long.status).to.equal(400);
    expect(long.text.length).to.be.lessThan(500);
  });

  it("serves a piece of many MiB whole, and in ranges", async () => {
    const big = await testPiece(5 * MIB + 3, 4);
    await put(big);
    expect((await node.ask("GET", `/piece/${big.cid}`)).bytes).to.deep.equal(Buffer.from(big.payload));
    const part = await node.ask("GET", `/piece/${big.cid}`, { headers: { range: `bytes=${MIB}-${2 * MIB}` } });
    expect(part.bytes).to.deep.equal(Buffer.from(big.payload.subarray(MIB, 2 * MIB + 1)));
  });
});
