import { open, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { inChunks, removeFolders, type TestPiece, testPiece } from "../../support/pieces.js";
import { expectText, type LoneNode, MIB, startLoneNode, UUID, until } from "./node.js";

const SIZE = 3 * MIB + 17;

describe("provider: uploads that are gone on with", () => {
  let node: LoneNode;
  let piece: TestPiece;

  const begin = async () => {
    const begun = await node.ask("POST", "/pdp/piece/uploads");
    expect(begun.status).to.equal(201);
    expect(begun.headers.location).to.match(new RegExp(`^/pdp/piece/uploads/${UUID}$`));
    return begun.headers.location as string;
  };
  const offsetOf = async (at: string) => {
    const { status, headers } = await node.ask("HEAD", at);
    expect(status).to.equal(204);
    expect(headers["cache-control"]).to.equal("no-store");
    expect(headers["upload-limit"]).to.equal("max-size=8388608");
    return { offset: Number(headers["upload-offset"]), complete: headers["upload-complete"] };
  };
  const patch = (at: string, offset: number, body: Uint8Array, headers: Record<string, string> = {}) =>
    node.ask("PATCH", at, { body, headers: { "upload-offset": String(offset), ...headers } });
  const finish = (at: string, pieceCid = piece.cid) => node.ask("POST", at, { body: JSON.stringify({ pieceCid }) });
  const fileOf = (at: string, suffix = ".piece") => join(node.dir, "uploads", `${at.split("/").at(-1)}${suffix}`);
  /** Sends some bytes of a whole, and hangs up. */
  const breakOff = async (at: string, bytes: number, headers = `Content-Length: ${SIZE}`) => {
    const socket = node.begin(`PUT ${at} HTTP/1.1\nHost: x\n${headers}\n\n`, piece.payload.subarray(0, bytes));
    await until(async () => (await stat(fileOf(at)).catch(() => undefined))?.size === bytes);
    socket.destroy();
  };
  const expectNothing = async () => {
    await until(async () => (await node.files("uploads")).length === 0);
    expect(await node.files("pieces")).to.deep.equal([]);
  };
  const expectPiece = async () => {
    expect((await node.ask("GET", `/piece/${piece.cid}`)).bytes).to.deep.equal(Buffer.from(piece.payload));
    expect(await node.files("uploads")).to.deep.equal([]);
  };

  before(async () => {
    piece = await testPiece(SIZE);
  });
  beforeEach(async () => {
    node = await startLoneNode({ stallMs: 1_000 });
  });
  afterEach(() => node.close());
  after(removeFolders);

  for (const method of ["PATCH", "PUT"]) {
    it(`goes on by ${method} where the connection broke`, async () => {
      const at = await begin();
      await breakOff(at, 2 * MIB - 1);
      const { offset, complete } = await offsetOf(at);
      expect(offset).to.equal(2 * MIB - 1);
      expect(complete).to.equal("?0");
      expectText(await finish(at), 400, /not got all its bytes/);
      const headers = { "upload-offset": String(offset), "upload-length": String(SIZE) };
      const rest = await node.ask(method, at, { body: piece.payload.subarray(offset), headers });
      expect(rest.status, rest.text).to.equal(204);
      expect(rest.headers).to.include({ "upload-offset": String(SIZE), "upload-complete": "?1" });
      expect((await finish(at)).status).to.equal(200);
      await expectPiece();
    });
  }

  it("goes on after a restart, and after several", async () => {
    const at = await begin();
    await breakOff(at, MIB);
    for (const end of [2 * MIB, 2 * MIB + 1, SIZE]) {
      await node.close();
      node = await startLoneNode({}, node);
      const { offset } = await offsetOf(at);
      const complete = end === SIZE ? "?1" : "?0";
      const sent = await patch(at, offset, piece.payload.subarray(offset, end), { "upload-complete": complete });
      expect(sent.status, sent.text).to.equal(204);
      expect(await offsetOf(at)).to.deep.equal({ offset: end, complete });
    }
    await node.close();
    node = await startLoneNode({}, node);
    expect(node.store.uploads()).to.have.length(1);
    expect((await finish(at)).status).to.equal(200);
    await expectPiece();
  });

  it("cuts off after a restart what came after the last checkpoint, and makes nothing of a damaged one", async () => {
    const [kept, damaged, short, strange] = [await begin(), await begin(), await begin(), await begin()];
    for (const at of [kept, damaged, short, strange]) await breakOff(at, MIB);
    for (const at of [kept, damaged, short, strange]) await offsetOf(at);
    await node.close();
    await writeFile(fileOf(kept), "more than was synced", { flag: "a" });
    const state = await readFile(fileOf(damaged, ".state"));
    await writeFile(fileOf(damaged, ".state"), state.subarray(0, -1));
    await truncate(fileOf(short), MIB - 1);
    await writeFile(fileOf(strange, ".state"), '{"size":-1}\nx');
    await writeFile(join(node.dir, "uploads", "notes.state"), "not ours");
    node = await startLoneNode({}, node);
    for (const at of [damaged, short, strange]) expect((await node.ask("HEAD", at)).status).to.equal(404);
    expect(await node.files("uploads")).to.have.length(2);
    expect((await patch(kept, MIB, piece.payload.subarray(MIB))).status).to.equal(204);
    expect((await finish(kept)).status).to.equal(200);
    await expectPiece();
  });

  it("takes over from a connection that hangs, which the node has not noticed", async () => {
    const at = await begin();
    const socket = node.begin(
      `PUT ${at} HTTP/1.1\nHost: x\nContent-Length: ${SIZE}\n\n`,
      piece.payload.subarray(0, MIB),
    );
    await until(async () => (await stat(fileOf(at)).catch(() => undefined))?.size === MIB);
    const started = Date.now();
    expect((await offsetOf(at)).offset).to.equal(MIB);
    expect(Date.now() - started).to.be.lessThan(900);
    expect((await patch(at, MIB, piece.payload.subarray(MIB))).status).to.equal(204);
    expect((await finish(at)).status).to.equal(200);
    socket.destroy();
    await expectPiece();
  });

  it("says where to go on to who is wrong about it", async () => {
    const at = await begin();
    await breakOff(at, MIB);
    for (const offset of [0, MIB - 1, MIB + 1, SIZE]) {
      const wrong = await patch(at, offset, piece.payload.subarray(MIB));
      expectText(wrong, 409, /goes on at byte 1048576/);
      expect(wrong.headers["upload-offset"]).to.equal(String(MIB));
    }
    for (const offset of ["-1", "1e3", "x", "9".repeat(16), "", "1, 2"]) {
      const answer = await node.ask("PATCH", at, { body: "x", headers: { "upload-offset": offset } });
      expectText(answer, 400, /Upload-Offset is no number/);
    }
    expectText(await node.ask("PATCH", at, { body: "x" }), 400, /needs the header Upload-Offset/);
    expect((await offsetOf(at)).offset).to.equal(MIB);
  });

  it("begins anew with a PUT that says no offset", async () => {
    const at = await begin();
    await breakOff(at, MIB);
    await offsetOf(at);
    expect((await node.ask("PUT", at, { body: inChunks(piece.payload) })).status).to.equal(204);
    expect((await finish(at)).status).to.equal(200);
    await expectPiece();
  });

  it("keeps nothing of what gets too long on the way, is another piece, or shorter than it was said to be", async () => {
    const long = await begin();
    await breakOff(long, MIB, "Content-Length: 8388608");
    await offsetOf(long);
    const most = 8 * MIB;
    expectText(await patch(long, MIB, new Uint8Array(most - MIB + 1)), 413, /more than 8388608 bytes/);
    expect((await offsetOf(long)).offset).to.equal(MIB);
    const chunks = node.ask("PATCH", long, {
      body: inChunks(new Uint8Array(most - MIB + 1)),
      headers: { "upload-offset": String(MIB) },
    });
    expect((await chunks).status).to.equal(413);
    await expectNothing();

    const corrupt = await begin();
    await breakOff(corrupt, MIB);
    const { offset } = await offsetOf(corrupt);
    await patch(corrupt, offset, piece.payload.subarray(offset - 1, SIZE - 1));
    expectText(await finish(corrupt), 400, /the uploaded bytes are/);
    await expectNothing();

    const short = await begin();
    const told = await node.ask("PUT", short, { body: piece.payload, headers: { "upload-length": String(SIZE + 1) } });
    expectText(told, 400, /Upload-Length said/);
    await expectNothing();
    for (const at of [long, corrupt, short]) expect((await node.ask("HEAD", at)).status).to.equal(404);
    const announced = await node.ask("PUT", await begin(), {
      body: "x",
      headers: { "upload-length": String(most + 1) },
    });
    expectText(announced, 413, /more than/);
  });

  it("keeps nothing when the disk is full half-way", async () => {
    const at = await begin();
    await breakOff(at, MIB);
    const { offset } = await offsetOf(at);
    const probe = await open(join(node.dir, "probe"), "w");
    const handles = Object.getPrototypeOf(probe) as { write: typeof probe.write };
    await probe.close();
    const { write } = handles;
    try {
      handles.write = async () => {
        throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      };
      expectText(await patch(at, offset, piece.payload.subarray(offset)), 507, /no space/);
    } finally {
      handles.write = write;
    }
    await expectNothing();
  });

  it("ends an upload on demand, at any step, even while its bytes come", async () => {
    const begun = await begin();
    const partial = await begin();
    await breakOff(partial, MIB);
    const whole = await begin();
    await node.ask("PUT", whole, { body: piece.payload });
    const coming = await begin();
    const socket = node.begin(
      `PUT ${coming} HTTP/1.1\nHost: x\nContent-Length: ${SIZE}\n\n`,
      piece.payload.subarray(0, MIB),
    );
    await until(async () => (await stat(fileOf(coming)).catch(() => undefined))?.size === MIB);
    for (const at of [begun, partial, whole, coming]) {
      expect((await node.ask("DELETE", at)).status).to.equal(204);
      expectText(await node.ask("DELETE", at), 404, /no upload/);
      expectText(await patch(at, 0, piece.payload), 404, /no upload/);
    }
    socket.destroy();
    await expectNothing();
    expect(node.store.uploads()).to.deep.equal([]);
  });

  it("takes one of two that go on at the same place at once, or both in turn, and ends up with the piece", async () => {
    const at = await begin();
    await breakOff(at, MIB);
    await offsetOf(at);
    const both = await Promise.allSettled([0, 1].map(() => patch(at, MIB, piece.payload.subarray(MIB))));
    const statuses = both.map((one) => (one.status === "fulfilled" ? one.value.status : 0));
    expect(statuses).to.satisfy((all: number[]) => all.every((one) => [0, 204, 400, 409].includes(one)));
    const { offset, complete } = await offsetOf(at);
    if (complete === "?0") expect((await patch(at, offset, piece.payload.subarray(offset))).status).to.equal(204);
    expect((await finish(at)).status).to.equal(200);
    await expectPiece();
  });
});
