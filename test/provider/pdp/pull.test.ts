import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { removeFolders, type TestPiece, testPiece } from "../../support/pieces.js";
import { expectText, type LoneNode, type LoneOptions, MIB, startLoneNode, until } from "./node.js";

const local = { allowAddress: (address: string) => address === "127.0.0.1", resumeAfterMs: 5, connections: 1 };

describe("provider: pulling pieces for whoever asks", () => {
  let from: LoneNode;
  let node: LoneNode;
  let pieces: TestPiece[];
  let source: Server;
  let waiting: ServerResponse[];

  const start = async (pulling: LoneOptions["pulling"] = {}) => {
    await node?.close();
    node = await startLoneNode({ pulling: { fetching: local, retryMs: 5, ...pulling } });
  };
  const urlAt = (base: string, { cid }: TestPiece) => ({ pieceCid: cid, sourceUrl: `${base}/piece/${cid}` });
  const hanging = () => `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
  const bodyOf = (list: unknown, changes: Record<string, unknown> = {}) =>
    JSON.stringify({ extraData: "0x01ff", recordKeeper: `0x${"11".repeat(20)}`, pieces: list, ...changes });
  const pull = (list: unknown, changes = {}) => node.ask("POST", "/pdp/piece/pull", { body: bodyOf(list, changes) });
  const poll = async (list: unknown) => {
    let answer = await pull(list);
    await until(async () => {
      answer = await pull(list);
      return answer.status === 200;
    });
    return JSON.parse(answer.text);
  };

  before(async () => {
    pieces = await Promise.all([1, 2, 3].map((seed) => testPiece(MIB + seed, seed)));
    from = await startLoneNode();
    for (const { payload, cid } of pieces) {
      const id = await from.store.beginUpload();
      await from.store.writeUpload(
        id,
        (async function* () {
          yield payload;
        })(),
        8 * MIB,
      );
      await from.store.finishUpload(id, cid);
    }
    source = createServer((_, response) => void waiting.push(response)).listen(0, "127.0.0.1");
    await once(source, "listening");
  });
  beforeEach(async () => {
    waiting = [];
    await start();
  });
  afterEach(async () => {
    for (const response of waiting) response.destroy();
    await node.close();
  });
  after(async () => {
    source.close();
    source.closeAllConnections();
    await from.close();
    await removeFolders();
  });

  it("fetches pieces, and says so to the same request again", async () => {
    const list = pieces.map((piece) => urlAt(from.url, piece));
    const first = await pull(list, { dataSetId: 7 });
    expect(first.status).to.equal(202);
    expect(JSON.parse(first.text).status).to.be.oneOf(["pending", "inProgress"]);
    const done = await poll(list);
    expect(done).to.deep.equal({
      status: "complete",
      pieces: pieces.map(({ cid }) => ({ pieceCid: cid, status: "complete" })),
    });
    for (const { cid, payload } of pieces) {
      expect((await node.ask("GET", `/piece/${cid}`)).bytes).to.deep.equal(Buffer.from(payload));
    }
    // Nothing is asked for a second time.
    expect((await pull(list)).status).to.equal(200);
    expect(node.unpaid.list().map(({ pieceCid }) => pieceCid)).to.have.members(pieces.map(({ cid }) => cid));
  });

  it("fetches a piece once, however many ask, and 202 is what they hear until it is here", async () => {
    const list = [urlAt(hanging(), pieces[0]!)];
    for (let i = 0; i < 5; i++) expect((await pull(list)).status).to.equal(202);
    await until(() => waiting.length > 0);
    expect((await node.ask("GET", `/pdp/piece?pieceCid=${pieces[0]!.cid}`)).status).to.equal(202);
    expect(JSON.parse((await pull(list)).text)).to.include({ status: "inProgress" });
    waiting[0]?.end(pieces[0]!.payload);
    expect((await poll(list)).status).to.equal("complete");
    expect(waiting).to.have.length(1);
  });

  it("tries again what failed, says so, and gives up", async () => {
    await start({ retryMs: 100, tries: 2, failedMs: 200 });
    const list = [urlAt(hanging(), pieces[0]!), urlAt(from.url, pieces[1]!)];
    await pull(list);
    await until(() => waiting.length === 1);
    waiting[0]?.writeHead(500).end();
    await until(async () => JSON.parse((await pull(list)).text).status === "retrying");
    await until(() => waiting.length === 2);
    waiting[1]?.writeHead(404).end();
    const failed = await poll(list);
    expect(failed.status).to.equal("failed");
    expect(failed.pieces.map(({ status }: { status: string }) => status)).to.deep.equal(["failed", "complete"]);
    await new Promise((go) => setTimeout(go, 250));
    expect((await pull(list)).status).to.equal(202);
    await until(() => waiting.length === 3);
  });

  it("does not try again what serves other bytes, or may not be asked, and keeps nothing", async () => {
    const [piece] = pieces as [TestPiece];
    const list = [urlAt(hanging(), piece)];
    await pull(list);
    await until(() => waiting.length === 1);
    waiting[0]?.end(piece.payload.map((byte, i) => (i === 7 ? byte ^ 1 : byte)));
    expect((await poll(list)).status).to.equal("failed");
    expect(waiting).to.have.length(1);
    for (const base of ["http://127.0.0.2:1", "http://169.254.169.254", "http://[::1]:80", "http://10.0.0.1"]) {
      expect((await poll([urlAt(base, piece)])).status, base).to.equal("failed");
    }
    for (const sub of ["pieces", "uploads"]) expect(await node.files(sub)).to.deep.equal([]);
    expect(node.unpaid.list()).to.deep.equal([]);
  });

  it("names what is wrong with a request", async () => {
    const [piece] = pieces as [TestPiece];
    const good = urlAt(from.url, piece);
    for (const [body, text] of [
      [bodyOf([]), /pieces is no list/],
      [bodyOf(Array.from({ length: 17 }, () => good)), /list of 1 to 16/],
      [bodyOf("x"), /pieces is no list/],
      [bodyOf([null]), /pieces\[0\]\.pieceCid/],
      [bodyOf([good, { pieceCid: piece.cid }]), /pieces\[1\]\.sourceUrl/],
      [bodyOf([good], { extraData: "0x1" }), /extraData/],
      [bodyOf([good], { extraData: undefined }), /extraData/],
      [bodyOf([good], { recordKeeper: "0x11" }), /recordKeeper/],
      [bodyOf([good], { dataSetId: 1.5 }), /dataSetId/],
      [bodyOf([good], { dataSetId: "7" }), /dataSetId/],
      [bodyOf([{ ...good, sourceUrl: `file:///piece/${piece.cid}` }]), /no http: or https:/],
      [bodyOf([{ ...good, sourceUrl: `http://a:b@x/piece/${piece.cid}` }]), /no http: or https:/],
      [bodyOf([{ ...good, sourceUrl: "http://x/admin" }]), /does not end in/],
      [bodyOf([{ ...good, sourceUrl: `http://x/piece/${piece.cid}?delete=1` }]), /does not end in/],
      [bodyOf([{ ...good, sourceUrl: `http://x/${"y".repeat(2_048)}/piece/${piece.cid}` }]), /no URL/],
      [bodyOf([{ pieceCid: "x", sourceUrl: "http://x/piece/x" }]), /not the CID of a piece/],
      ["[]", /extraData/],
      ["x", /not a JSON object/],
    ] as const) {
      expectText(await node.ask("POST", "/pdp/piece/pull", { body }), 400, text);
    }
    const large = await testPiece(8 * MIB + 1);
    expectText(await pull([urlAt(from.url, large)]), 413, /at most 8388608/);
  });

  it("fetches so many at a time, and queues no more than it may: 429 with Retry-After", async () => {
    await start({ maxFetches: 2, maxQueued: 8 });
    const ask = (i: number) => pull([urlAt(`${hanging()}/${i}`, pieces[0]!)]);
    expect((await ask(1)).status).to.equal(202);
    expect((await ask(2)).status).to.equal(202);
    const third = await ask(3);
    expectText(third, 429, /2 of them for your network/);
    expect(third.headers["retry-after"]).to.match(/^[1-9]\d*$/);
    // What is under way can still be looked at.
    expect((await ask(1)).status).to.equal(202);
    await until(() => waiting.length > 0);
    await new Promise((go) => setTimeout(go, 100));
    expect(waiting).to.have.length(1);
    expect(JSON.parse((await ask(2)).text).status).to.equal("pending");
  });

  it("breaks off what it fetches when the node closes", async () => {
    const list = [urlAt(hanging(), pieces[0]!)];
    await pull(list);
    await until(() => waiting.length === 1);
    await node.close();
    expect(await node.files("uploads")).to.deep.equal([]);
  });

  describe("on a disk that fills", () => {
    let free: number;
    const hang = (i: number) => urlAt(hanging(), pieces[i] as TestPiece);

    beforeEach(async () => {
      free = 4 * MIB;
      await node.close();
      const pulling = { fetching: local, retryMs: 5, tries: 1 };
      node = await startLoneNode({ pulling, minFreeBytes: 2.5 * MIB, freeBytes: async () => free });
    });

    it("begins nothing that has no room, beside what is coming", async () => {
      expectText(await pull([hang(0), hang(1)]), 507, /no space/);
      expect((await pull([hang(0)])).status).to.equal(202);
      await until(() => waiting.length === 1);
      expectText(await pull([hang(1)]), 507, /no space/);
      // One that is coming has its room.
      expect((await pull([hang(0)])).status).to.equal(202);
    });

    it("fails what has no room any more when its turn comes", async () => {
      await node.close();
      const pulling = { fetching: local, tries: 1, maxFetches: 1 };
      node = await startLoneNode({ pulling, minFreeBytes: 2.5 * MIB, freeBytes: async () => free });
      free = 64 * MIB;
      expect((await pull([hang(0), hang(1)])).status).to.equal(202);
      await until(() => waiting.length === 1);
      free = 3 * MIB;
      waiting[0]?.end(pieces[0]?.payload);
      const answer = await poll([hang(1)]);
      expect(answer.status).to.equal("failed");
      expect(waiting).to.have.length(1);
      expect(await node.store.list()).to.deep.equal([pieces[0]?.cid]);
    });
  });
});
