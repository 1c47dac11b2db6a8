import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { inChunks, removeFolders, type TestPiece, testPiece } from "../../support/pieces.js";
import { expectText, type LoneNode, MIB, startLoneNode, UUID, until } from "./node.js";

const SIZE = MIB + 17;

describe("provider: uploads whose CID is named first", () => {
  let node: LoneNode;
  let piece: TestPiece;

  const begin = (body: unknown) => node.ask("POST", "/pdp/piece", { body: JSON.stringify(body) });
  const place = async (cid = piece.cid) => {
    const begun = await begin({ pieceCid: cid });
    expect(begun.status, begun.text).to.equal(201);
    return begun.headers.location as string;
  };
  const expectNothing = async () => {
    await until(async () => (await node.files("uploads")).length === 0);
    expect(await node.files("pieces")).to.deep.equal([]);
    expect(node.unpaid.list()).to.deep.equal([]);
  };

  before(async () => {
    piece = await testPiece(SIZE);
  });
  beforeEach(async () => {
    node = await startLoneNode({ stallMs: 1_500 });
  });
  afterEach(() => node.close());
  after(removeFolders);

  it("takes a piece, has it with the last byte, and says 409 to who sends again", async () => {
    const at = await place();
    expect(at).to.match(new RegExp(`^/pdp/piece/upload/${UUID}$`));
    const sent = await node.ask("PUT", at, { body: piece.payload });
    expect(sent.status, sent.text).to.equal(204);
    expect(await node.store.list()).to.deep.equal([piece.cid]);
    expect(await node.files("uploads")).to.deep.equal([]);
    expectText(await node.ask("PUT", at, { body: piece.payload }), 409, /has its bytes already/);
    const again = await begin({ pieceCid: piece.cid });
    expect(again.status).to.equal(200);
    expect(JSON.parse(again.text)).to.deep.equal({ pieceCid: piece.cid });
  });

  it("takes a piece of one byte, and one that comes in chunks", async () => {
    const small = await testPiece(1, 2);
    expect((await node.ask("PUT", await place(small.cid), { body: small.payload })).status).to.equal(204);
    expect((await node.ask("PUT", await place(), { body: inChunks(piece.payload) })).status).to.equal(204);
    expect(await node.store.list()).to.have.members([small.cid, piece.cid]);
  });

  it("refuses what is too large before a byte of it comes, and what is no CID", async () => {
    const large = await testPiece(8 * MIB + 1);
    expectText(await begin({ pieceCid: large.cid }), 413, /at most 8388608 bytes/);
    for (const body of [{}, { pieceCid: 7 }, [], null]) {
      expectText(await begin(body), 400, /no pieceCid|not a JSON object/);
    }
    for (const pieceCid of ["", "../../etc/passwd", "bafkqaaa", `${piece.cid}/x`]) {
      expectText(await begin({ pieceCid }), 400, /not the CID of a piece/);
    }
    expectText(await node.ask("POST", "/pdp/piece", { body: "x".repeat(70_000) }), 413, /at most 65536 bytes/);
    await expectNothing();
  });

  const changed = () => piece.payload.map((byte, i) => (i === 9 ? byte ^ 1 : byte));
  for (const [what, bytes] of [
    ["shorter", () => piece.payload.subarray(1)],
    ["longer", () => Buffer.concat([piece.payload, Buffer.from("x")])],
    ["others", changed],
    ["none", () => new Uint8Array(0)],
  ] as const) {
    for (const framing of ["with a length", "in chunks"]) {
      it(`refuses bytes that are ${what}, ${framing}, and keeps nothing`, async () => {
        const at = await place();
        const body = framing === "in chunks" ? inChunks(new Uint8Array(bytes())) : bytes();
        expectText(
          await node.ask("PUT", at, { body }),
          400,
          /the piece has 1048593 bytes|the uploaded bytes are|no bytes/,
        );
        await expectNothing();
        expectText(await node.ask("PUT", at, { body: piece.payload }), 404, /no upload/);
      });
    }
  }

  it("keeps nothing of a peer that hangs up, or that drips", async () => {
    for (const ending of ["hang up", "drip"]) {
      const at = await place();
      const head = `PUT ${at} HTTP/1.1\nHost: x\nContent-Length: ${SIZE}\n\n`;
      const socket = node.begin(head, piece.payload.subarray(0, 200_000));
      await until(async () => (await node.files("uploads")).length > 0);
      if (ending === "hang up") socket.destroy();
      else {
        const drip = setInterval(() => socket.write("x"), 30);
        await new Promise((closed) => socket.resume().once("close", closed));
        clearInterval(drip);
      }
      await expectNothing();
      expectText(await node.ask("PUT", at, { body: piece.payload }), 404, /no upload/);
    }
  });

  it("says 409 to a second sender, 202 to who looks, while the first one sends", async () => {
    const at = await place();
    const head = `PUT ${at} HTTP/1.1\nHost: x\nContent-Length: ${SIZE}\n\n`;
    const socket = node.begin(head, piece.payload.subarray(0, MIB));
    await until(async () => (await node.files("uploads")).length > 0);
    expectText(await node.ask("PUT", at, { body: piece.payload }), 409, /has its bytes already/);
    const found = await node.ask("GET", `/pdp/piece?pieceCid=${piece.cid}`);
    expect(found.status).to.equal(202);
    const status = await node.ask("GET", `/pdp/piece/${piece.cid}/status`);
    expect(JSON.parse(status.text)).to.include({ pieceCid: piece.cid, status: "pending" });
    const closed = new Promise((go) => socket.resume().once("data", go));
    socket.write(piece.payload.subarray(MIB));
    expect(String(await closed)).to.match(/^HTTP\/1.1 204/);
    socket.destroy();
    expect((await node.ask("GET", `/pdp/piece?pieceCid=${piece.cid}`)).status).to.equal(200);
  });

  it("knows no ids but its own, and keeps the two kinds apart", async () => {
    const named = await place();
    const id = named.split("/").at(-1) as string;
    const other = (await node.ask("POST", "/pdp/piece/uploads")).headers.location?.split("/").at(-1) as string;
    for (const strange of [other, crypto.randomUUID(), id.toUpperCase(), "..%2f..%2fpieces%2fx", "%00", "x"]) {
      expectText(await node.ask("PUT", `/pdp/piece/upload/${strange}`, { body: piece.payload }), 404, /no upload/);
    }
    const body = JSON.stringify({ pieceCid: piece.cid });
    for (const method of ["PUT", "POST", "HEAD", "DELETE"]) {
      expect((await node.ask(method, `/pdp/piece/uploads/${id}`, { body })).status).to.equal(404);
    }
    expect((await node.ask("PUT", named, { body: piece.payload })).status).to.equal(204);
  });

  it("calls nobody, whatever `notify` says", async () => {
    let calls = 0;
    const server = createServer((_, response) => {
      calls++;
      response.end();
    }).listen(0, "127.0.0.1");
    await new Promise((go) => server.once("listening", go));
    const notify = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    for (const value of [notify, 7, { url: notify }])
      expect((await begin({ pieceCid: piece.cid, notify: value })).status).to.equal(201);
    const at = (await begin({ pieceCid: piece.cid, notify })).headers.location as string;
    expect((await node.ask("PUT", at, { body: piece.payload })).status).to.equal(204);
    await begin({ pieceCid: piece.cid, notify });
    await new Promise((go) => setTimeout(go, 200));
    server.close();
    expect(calls).to.equal(0);
  });
});
