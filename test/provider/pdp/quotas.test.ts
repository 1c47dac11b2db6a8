import { expect } from "chai";
import { inChunks, removeFolders, type TestPiece, testPiece } from "../../support/pieces.js";
import { expectText, type LoneNode, type LoneOptions, MIB, startLoneNode, until } from "./node.js";

/** So that one machine can be many peers. */
const PROXIES = ["127.0.0.1"];

describe("provider: what strangers may leave", () => {
  let node: LoneNode;
  let pieces: TestPiece[];

  const as = (peer: string) => ({ "x-forwarded-for": peer });
  const begin = (peer: string) => node.ask("POST", "/pdp/piece/uploads", { headers: as(peer) });
  const name = (piece: TestPiece, peer: string) =>
    node.ask("POST", "/pdp/piece", { body: JSON.stringify({ pieceCid: piece.cid }), headers: as(peer) });
  const put = async (piece: TestPiece, peer: string) => {
    const begun = await name(piece, peer);
    expect(begun.status, begun.text).to.equal(201);
    return node.ask("PUT", begun.headers.location as string, { body: piece.payload, headers: as(peer) });
  };
  const start = async (options: LoneOptions, before?: LoneNode) => {
    await node?.close();
    node = await startLoneNode({ trustedProxies: PROXIES, ...options }, before);
  };

  before(async () => {
    pieces = await Promise.all([1, 2, 3, 4].map((seed) => testPiece(MIB, seed)));
  });
  afterEach(() => node.close());
  after(removeFolders);

  it("bounds the uploads of one network, of both kinds, and leaves the others alone", async () => {
    await start({ maxPeerUploads: 3 });
    expect((await begin("203.0.113.9")).status).to.equal(201);
    expect((await name(pieces[0]!, "203.0.113.9")).status).to.equal(201);
    const third = (await begin("203.0.113.9")).headers.location as string;
    for (const refused of [await begin("203.0.113.9"), await name(pieces[1]!, "203.0.113.9")]) {
      expectText(refused, 429, /3 uploads from your network are under way/);
      expect(refused.headers["retry-after"]).to.match(/^[1-9]\d*$/);
    }
    expect((await begin("203.0.113.10")).status).to.equal(201);
    await node.ask("DELETE", third);
    expect((await begin("203.0.113.9")).status).to.equal(201);
  });

  it("counts addresses of one /64 as one, and begins that come at once one by one", async () => {
    await start({ maxPeerUploads: 3 });
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => begin(`2001:db8:1:2::${i.toString(16)}`)));
    expect(all.filter(({ status }) => status === 201)).to.have.length(3);
    expect(all.filter(({ status }) => status === 429)).to.have.length(17);
    expect((await begin("2001:db8:1:3::1")).status).to.equal(201);
  });

  it("lets no few networks keep all the others out, with a byte each", async () => {
    let now = 0;
    await start({ uploads: { now: () => now } });
    const networks = ["2001:db8:1", "2001:db8:2", "2001:db8:3", "2001:db8:4"].map((prefix) => `${prefix}::1`);
    const parts = { "upload-complete": "?0" };
    for (let i = 0; i < 16; i++) {
      for (const peer of networks) {
        const { headers } = await begin(peer);
        if (headers.location) await node.ask("PUT", headers.location, { body: "x", headers: parts });
      }
    }
    expect(node.store.uploads()).to.have.length(48);
    expectText(await begin("203.0.113.9"), 503, /48 uploads are under way/);
    const own = await node.store.beginUpload();
    await node.store.writeUpload(own, inChunks(pieces[1]!.payload), MIB);
    now = 60_000;
    const paused = (await begin("203.0.113.9")).headers.location as string;
    await node.ask("PUT", paused, { body: pieces[0]!.payload.subarray(0, MIB / 2), headers: parts });
    now = 180_000;
    for (let i = 10; i < 20; i++) expect((await begin(`203.0.113.${i}`)).status).to.equal(201);
    const rest = { body: pieces[0]!.payload.subarray(MIB / 2), headers: { "upload-offset": String(MIB / 2) } };
    expect((await node.ask("PATCH", paused, rest)).status, "whoever has one goes on").to.equal(204);
    await node.store.finishUpload(own, pieces[1]!.cid);
  });

  it("bounds the bytes that a network has here without a deal, and frees them with the piece", async () => {
    await start({ maxPeerBytes: 2 * MIB + 10 });
    expect((await put(pieces[0]!, "203.0.113.9")).status).to.equal(204);
    expect((await put(pieces[1]!, "203.0.113.9")).status).to.equal(204);
    expectText(await name(pieces[2]!, "203.0.113.9"), 429, /2097152 bytes from your network are here without a deal/);
    expect((await put(pieces[2]!, "203.0.113.10")).status).to.equal(204);
    // The same bytes again are no more bytes.
    expect((await name(pieces[0]!, "203.0.113.9")).status).to.equal(200);
    await node.unpaid.forget(pieces[0]!.cid);
    expect((await put(pieces[3]!, "203.0.113.9")).status).to.equal(204);
  });

  it("remembers after a restart whose bytes they are", async () => {
    await start({ maxPeerBytes: 2 * MIB + 10 });
    expect((await put(pieces[0]!, "203.0.113.9")).status).to.equal(204);
    const at = (await begin("203.0.113.9")).headers.location as string;
    await node.ask("PUT", at, { body: pieces[1]!.payload, headers: { "upload-complete": "?0" } });
    await start({ maxPeerBytes: 2 * MIB + 10 }, node);
    expectText(await name(pieces[2]!, "203.0.113.9"), 429, /2097152 bytes/);
    expect((await name(pieces[2]!, "203.0.113.10")).status).to.equal(201);
  });

  it("bounds all of them together", async () => {
    await start({ maxUnpaidBytes: 2 * MIB + 10 });
    for (const i of [0, 1]) expect((await put(pieces[i]!, `203.0.113.${i}`)).status).to.equal(204);
    expectText(await name(pieces[2]!, "203.0.113.9"), 429, /bytes are here without a deal/);
  });

  it("ends an upload without a length where it goes beyond, whoever sends the bytes", async () => {
    await start({ maxPeerBytes: 20 * MIB, maxPieceBytes: 64 * MIB });
    const at = (await begin("203.0.113.9")).headers.location as string;
    const body = inChunks(new Uint8Array(40 * MIB));
    // The node answers before it has read everything; some clients see the answer, some a closed connection.
    const answer = await node.ask("PUT", at, { body, headers: as("203.0.113.77") }).catch(() => undefined);
    if (answer) expectText(answer, 429, /from your network/);
    await until(async () => (await node.files("uploads")).length === 0);
    expect((await node.ask("HEAD", at)).status).to.equal(404);
  });

  it("counts what is announced before it comes", async () => {
    await start({ maxPeerBytes: 5 * MIB });
    const [first, second] = [
      (await begin("203.0.113.9")).headers.location,
      (await begin("203.0.113.9")).headers.location,
    ];
    const socket = node.begin(`PUT ${first} HTTP/1.1\nHost: x\nContent-Length: ${4 * MIB}\n\n`, new Uint8Array(10));
    await until(() => node.store.uploads().some(({ bytes }) => bytes === 4 * MIB));
    const more = await node.ask("PUT", second as string, { body: new Uint8Array(2 * MIB) });
    expectText(more, 429, /4194304 bytes from your network/);
    socket.destroy();
  });

  it("leaves so much of the disk alone, at the beginning and on the way", async () => {
    let free = 64 * MIB;
    await start({ minFreeBytes: 40 * MIB, maxPieceBytes: 64 * MIB, freeBytes: async () => free });
    const large = await testPiece(24 * MIB + 1, 5);
    expectText(await name(large, "203.0.113.9"), 507, /no space/);
    const at = (await begin("203.0.113.9")).headers.location as string;
    const body = async function* () {
      for await (const chunk of inChunks(new Uint8Array(60 * MIB))) {
        free -= chunk.length;
        yield chunk;
      }
    };
    const answer = await node.ask("PUT", at, { body: body() }).catch(() => undefined);
    if (answer) expectText(answer, 507, /no space/);
    await until(async () => (await node.files("uploads")).length === 0);
    expectText(await node.ask("GET", "/pdp/ping"), 503, /not well/);
    expectText(await begin("203.0.113.9"), 507, /no space/);
    expectText(
      await node.ask("POST", "/pdp/piece/pull", {
        body: JSON.stringify({
          extraData: "0x",
          recordKeeper: `0x${"11".repeat(20)}`,
          pieces: [{ pieceCid: pieces[0]!.cid, sourceUrl: `http://192.0.2.1/piece/${pieces[0]!.cid}` }],
        }),
      }),
      507,
      /no space/,
    );
  });

  describe("on a disk that fills", () => {
    let [large, other]: TestPiece[] = [];
    let free: number;

    /** An upload whose bytes are announced, and do not come. */
    const announce = async (piece: TestPiece, peer: string, size = piece.payload.length) => {
      const { headers } = await name(piece, peer);
      const at = headers.location as string;
      return { at, socket: node.begin(`PUT ${at} HTTP/1.1\nHost: x\nContent-Length: ${size}\n\n`) };
    };
    const put = (at: string, body: AsyncIterable<Uint8Array>, size: number) =>
      node.ask("PUT", at, { body, headers: { "content-length": String(size) } });

    before(async () => {
      [large, other] = [await testPiece(40 * MIB, 6), await testPiece(40 * MIB, 7)];
    });
    beforeEach(async () => {
      free = 64 * MIB;
      await start({ minFreeBytes: 16 * MIB, maxPieceBytes: 64 * MIB, freeBytes: async () => free });
    });

    it("has room for what is announced once, and again when that is over", async () => {
      const { socket } = await announce(large as TestPiece, "203.0.113.9");
      await until(async () => (await node.files("uploads")).length > 0);
      expectText(await name(other as TestPiece, "203.0.113.10"), 507, /no space/);
      const begun = (await begin("203.0.113.10")).headers.location as string;
      const announced = { "content-length": String(40 * MIB) };
      expectText(await node.ask("PUT", begun, { body: [] as never, headers: announced }), 507, /no space/);
      // As little as there is room for beside it.
      expect((await node.ask("PUT", begun, { body: new Uint8Array(5 * MIB) })).status).to.equal(204);
      socket.destroy();
      await until(async () => (await name(other as TestPiece, "203.0.113.10")).status === 201);
    });

    it("has room for one of two that come at once", async () => {
      const both = await Promise.all([large, other].map((piece, i) => name(piece as TestPiece, `203.0.113.${i}`)));
      expect(both.map(({ status }) => status)).to.deep.equal([201, 201]);
      const ends = await Promise.all(
        both.map(({ headers }, i) => {
          const { payload } = [large, other][i] as TestPiece;
          return put(headers.location as string, inChunks(payload), payload.length).catch(() => ({ status: 507 }));
        }),
      );
      expect(ends.map(({ status }) => status).sort()).to.deep.equal([204, 507]);
    });

    it("ends what was announced as well, where others have filled it meanwhile", async () => {
      const { at, socket } = await announce(large as TestPiece, "203.0.113.9");
      await until(async () => (await node.files("uploads")).length > 0);
      free = 15 * MIB;
      const closed = new Promise((go) => socket.resume().once("close", go));
      socket.write((large as TestPiece).payload.subarray(0, 17 * MIB));
      await closed;
      await until(async () => (await node.files("uploads")).length === 0);
      expect((await node.ask("PUT", at)).status).to.equal(404);
    });

    it("counts for a network what it announces, in both kinds of uploads", async () => {
      await start({ maxPeerBytes: 50 * MIB, maxPieceBytes: 64 * MIB });
      const both = await Promise.all([large, other].map((piece) => name(piece as TestPiece, "203.0.113.9")));
      const [first, second] = both.map(({ headers }) => headers.location as string);
      const size = 40 * MIB;
      const socket = node.begin(`PUT ${first} HTTP/1.1\nHost: x\nContent-Length: ${size}\n\n`);
      await until(async () => (await node.files("uploads")).length > 0);
      expectText(await put(second as string, inChunks(new Uint8Array(0)), size), 429, /bytes from your network/);
      socket.destroy();
    });
  });

  it("outlives many that send a byte now and then", async () => {
    await start({ stallMs: 1_500 });
    const sockets = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const at = (await begin("203.0.113.9")).headers.location as string;
        return node.begin(`PUT ${at} HTTP/1.1\nHost: x\nContent-Length: 1000000\n\n`);
      }),
    );
    // Not `once` of node:events, which would take a reset for a failure: that is how they are cut off.
    const closed = sockets.map((socket) => new Promise((go) => socket.resume().once("close", go)));
    const drip = setInterval(() => {
      for (const socket of sockets) socket.write("x");
    }, 20);
    try {
      expect((await put(pieces[0]!, "203.0.113.10")).status).to.equal(204);
      await Promise.all(closed);
    } finally {
      clearInterval(drip);
    }
  });
});
