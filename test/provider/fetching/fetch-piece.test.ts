import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { pino } from "pino";
import { encodePieceCidV1 } from "../../../src/piece/index.js";
import {
  type FetchOptions,
  fetchPiece,
  isPublicAddress,
  payloadBounds,
  sourcesOf,
} from "../../../src/provider/fetching/index.js";
import { startNode } from "../../../src/provider/index.js";
import { BlobPieceStore, FileBlobs } from "../../../src/store/index.js";
import { expectError } from "../../piece/helpers.js";
import { failure } from "../../support/failure.js";
import { bytesOf, filesIn, removeFolders, type TestPiece, tempFolder, testPiece } from "../../support/pieces.js";

const MIB = 1 << 20;
const LOCAL: FetchOptions = { allowAddress: () => true, stallMs: 300, resumeAfterMs: 5 };

describe("provider: fetching a piece", () => {
  let dir: string;
  let store: BlobPieceStore;
  let piece: TestPiece;
  const servers: Server[] = [];

  const serve = async (listener: RequestListener, host = "127.0.0.1"): Promise<string> => {
    const server = createServer(listener).listen(0, host);
    servers.push(server);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  };
  const identity = () => piece.commitment;
  const fetch = (source: string, options: FetchOptions = {}) =>
    fetchPiece(store, identity(), [source], { ...LOCAL, ...options });
  /** What the only source did wrong, in the words of the error; and nothing of it is left. */
  const expectFailure = async (source: string, reason: RegExp, options: FetchOptions = {}) => {
    const error = await expectError("PIECE_UNAVAILABLE", () => fetch(source, options));
    expect(error.message).to.match(reason);
    await expectNothing();
  };
  const expectNothing = async () => {
    for (const folder of ["uploads", "pieces"]) expect(await filesIn(join(dir, folder))).to.deep.equal([]);
  };
  const expectPiece = async () =>
    expect(Buffer.compare(await bytesOf(await store.read(piece.cid, 0, piece.payload.length)), piece.payload)).to.equal(
      0,
    );
  const whole: RequestListener = (_, response) => response.end(piece.payload);
  /** Answers ranges as a web server does, and hands each answer's bytes to `send`. */
  const ranged =
    (send: (response: ServerResponse, bytes: Uint8Array, start: number) => void): RequestListener =>
    (request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const bytes = piece.payload.subarray(start);
      const total = piece.payload.length;
      const range = start === 0 ? {} : { "content-range": `bytes ${start}-${total - 1}/${total}` };
      response.writeHead(start === 0 ? 200 : 206, { "content-length": bytes.length, etag: '"v1"', ...range });
      send(response, bytes, start);
    };
  /** Ends the connection, not the response: no more than `bytes` arrive. */
  const cutAfter = (response: ServerResponse, bytes: Uint8Array) => response.write(bytes, () => response.socket?.end());

  before(async () => {
    piece = await testPiece(3 * MIB + 17);
  });
  beforeEach(async () => {
    dir = await tempFolder();
    store = await BlobPieceStore.open(dir);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });
  after(removeFolders);

  it("takes the piece into the store, and fetches nothing twice", async () => {
    let asked = 0;
    const source = await serve((request, response) => {
      asked++;
      expect(request.headers["accept-encoding"]).to.equal("identity");
      whole(request, response);
    });
    const expected = { pieceCid: piece.cid, payloadSize: BigInt(piece.payload.length) };
    expect(await fetch(source)).to.deep.equal({ ...expected, source });
    expect(await fetch(source)).to.deep.equal({ ...expected, source: undefined });
    expect(asked).to.equal(1);
    await expectPiece();
  });

  it("goes on where a connection broke, as often as it may", async () => {
    const starts: number[] = [];
    const matches: unknown[] = [];
    const source = await serve((request, response) => {
      matches.push(request.headers["if-range"]);
      ranged((_, bytes, start) => {
        starts.push(start);
        if (starts.length === 4) response.end(bytes);
        else cutAfter(response, bytes.subarray(0, MIB));
      })(request, response);
    });
    await fetch(source);
    // What was on its way when a connection ended may be lost.
    const parts = starts.slice(1).map((start, i) => start - (starts[i] ?? 0));
    expect(starts).to.have.length(4);
    for (const part of parts) expect(part).to.be.within(1, MIB);
    expect(matches).to.deep.equal([undefined, '"v1"', '"v1"', '"v1"']);
    await expectPiece();
  });

  it("survives a source that is restarted half-way", async () => {
    let first = true;
    const source = await serve(
      ranged((response, bytes) => {
        if (!first) return response.end(bytes);
        first = false;
        const server = servers[0] as Server;
        const { port } = server.address() as AddressInfo;
        response.write(bytes.subarray(0, MIB), () => {
          server.closeAllConnections();
          server.close(() => setTimeout(() => server.listen(port, "127.0.0.1"), 30));
        });
      }),
    );
    await fetch(source, { resumeAfterMs: 60 });
    await expectPiece();
  });

  it("takes an end without a length for a break where it comes too early", async () => {
    // HTTP/1.0: the end of the connection is the end of the bytes, whatever ended it.
    const total = piece.payload.length;
    const source = await serve(({ headers }, { socket }) => {
      const resumed = headers.range === `bytes=${MIB}-`;
      const range = `content-range: bytes ${MIB}-${total - 1}/${total}`;
      socket?.write(resumed ? `HTTP/1.0 206 Partial Content\r\n${range}\r\n\r\n` : "HTTP/1.0 200 OK\r\n\r\n");
      socket?.end(resumed ? piece.payload.subarray(MIB) : piece.payload.subarray(0, MIB));
    });
    await fetch(source);
    await expectPiece();
  });

  it("gives up a source that dies half-way for good", async () => {
    let asked = 0;
    const source = await serve(
      ranged((response, bytes) => {
        asked++;
        cutAfter(response, bytes.subarray(0, 100_000));
      }),
    );
    await expectFailure(source, /the connection to .* broke/, { connections: 3 });
    expect(asked).to.equal(3);
  });

  it("gives up a source that can't resume, or resumes elsewhere", async () => {
    const half = (response: ServerResponse) => {
      response.writeHead(200, { "content-length": piece.payload.length });
      cutAfter(response, piece.payload.subarray(0, MIB));
    };
    await expectFailure(await serve((_, response) => half(response)), /can't go on after \d+ bytes/);
    const elsewhere = await serve((request, response) => {
      if (request.headers.range === undefined) return half(response);
      response.writeHead(206, { "content-range": `bytes 7-99/${piece.payload.length}` });
      response.end(piece.payload.subarray(7));
    });
    await expectFailure(elsewhere, /can't go on/);
  });

  it("keeps nothing of other bytes", async () => {
    const other = piece.payload.map((byte, i) => (i === MIB ? byte ^ 1 : byte));
    await expectFailure(await serve((_, response) => response.end(other)), /serves another piece, bafk/);
  });

  it("reads nothing of a source that announces another size", async () => {
    for (const length of [piece.payload.length - 40, piece.payload.length + 40]) {
      const source = await serve((_, response) => {
        response.writeHead(200, { "content-length": length });
        response.end(new Uint8Array(length));
      });
      await expectFailure(source, new RegExp(`announces ${length} bytes; the piece has \\d+ to \\d+ bytes`));
    }
  });

  it("stops a source that serves forever at the size of the piece", async () => {
    let sent = 0;
    const source = await serve((_, response) => {
      const more = () => {
        while (!response.destroyed) {
          sent += 65_536;
          if (!response.write(new Uint8Array(65_536))) return void response.once("drain", more);
        }
      };
      more();
    });
    await expectFailure(source, /sends more bytes/);
    expect(sent).to.be.below(piece.payload.length + 16 * MIB);
  });

  it("does not take less for the whole", async () => {
    const short = piece.payload.subarray(0, -64);
    const chunked = await serve((_, response) => {
      response.write(short);
      response.end();
    });
    await expectFailure(chunked, new RegExp(`sent ${short.length} bytes`));
    await expectFailure(await serve((_, response) => response.end()), /announces 0 bytes/);
  });

  it("gives up a source that is too slow: at connecting, at first, half-way, or all in all", async () => {
    await expectFailure(await serve(() => undefined), /takes too long/);
    const trickle = await serve((_, response) => {
      const timer = setInterval(() => response.write(new Uint8Array(10)), 20);
      response.once("close", () => clearInterval(timer));
    });
    await expectFailure(trickle, /takes too long/);
    const stops = await serve(ranged((response, bytes) => void response.write(bytes.subarray(0, MIB))));
    await expectFailure(stops, /takes too long/);
    const never = { resolve: () => new Promise<never>(() => undefined) };
    await expectFailure("http://slow.example/", /takes too long/, never);
  });

  it("measures the whole by its size, on top of a grace", async () => {
    const steady = await serve((_, response) => {
      const timer = setInterval(() => response.write(new Uint8Array(70_000)), 20);
      response.once("close", () => clearInterval(timer));
    });
    await expectFailure(steady, /takes too long/, { graceMs: 100, minBytesPerSecond: 100 * MIB });
  });

  it("refuses encodings, statuses and schemes that it can't use", async () => {
    const gzip = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(piece.payload);
    });
    await expectFailure(gzip, /encodes the bytes/);
    await expectFailure(await serve((_, response) => response.writeHead(404).end()), /it answers 404/);
    await expectFailure(await serve((_, response) => response.writeHead(302).end()), /it answers 302/);
    for (const uri of ["file:///etc/passwd", "ftp://example.com/", "data:,x", "nonsense", "piece:gopher://x"]) {
      const [source = ""] = sourcesOf(identity(), uri, []);
      await expectFailure(source, /is no http: or https: URL/);
    }
    await expectFailure("http://user:secret@127.0.0.1/", /carries credentials/);
    const gone = await serve(whole);
    servers.pop()?.close();
    await expectFailure(gone, /does not answer/);
  });

  it("follows five redirects, not a sixth, and not in a circle", async () => {
    let left = 5;
    const source = await serve((request, response) => {
      if (left-- === 0) whole(request, response);
      else response.writeHead(307, { location: `/${left}` }).end();
    });
    left = 6;
    await expectFailure(source, /redirects more than 5 times/);
    left = 5;
    await fetch(source);
    await expectPiece();
    await store.remove(piece.cid);
    const circle = await serve((_, response) => response.writeHead(301, { location: "/" }).end());
    await expectFailure(circle, /redirects more than 5 times/);
  });

  it("follows no redirect to another scheme, or to no URL", async () => {
    for (const location of ["file:///etc/passwd", "ftp://example.com/piece", "javascript:1"]) {
      const source = await serve((_, response) => response.writeHead(302, { location }).end());
      await expectFailure(source, /is no http: or https: URL/);
    }
    const nowhere = await serve((_, response) => response.writeHead(302, { location: "http://[x/" }).end());
    await expectFailure(nowhere, /redirects to no URL/);
  });

  describe("where private addresses are forbidden, as they are by default", () => {
    const strict = { allowAddress: isPublicAddress };
    /** 127.0.0.2 stands for the internet, and every name is there. */
    const stage = {
      allowAddress: (address: string) => address === "127.0.0.2",
      resolve: async () => [{ address: "127.0.0.2", family: 4 } as const],
    };

    it("asks nothing of this machine", async () => {
      let asked = 0;
      const source = await serve((request, response) => {
        asked++;
        whole(request, response);
      });
      const { port } = new URL(source);
      for (const host of ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"]) {
        await expectFailure(`http://${host}:${port}/`, /no address of the public internet/, strict);
      }
      expect(asked).to.equal(0);
    });

    it("checks each hop of a redirect, and asks nothing of a forbidden one", async () => {
      let asked = 0;
      const inner = await serve((request, response) => {
        asked++;
        whole(request, response);
      });
      const outer = await serve((_, response) => response.writeHead(302, { location: inner }).end(), "127.0.0.2");
      const source = `http://public.invalid:${new URL(outer).port}/`;
      await expectFailure(source, /127\.0\.0\.1 is at 127\.0\.0\.1, which is no address/, stage);
      expect(asked).to.equal(0);
    });

    it("connects to the address that it checked, and asks for it once: rebinding gains nothing", async () => {
      let asked = 0;
      const hosts: unknown[] = [];
      const source = await serve((request, response) => {
        hosts.push(request.headers.host);
        whole(request, response);
      });
      const { port } = new URL(source);
      const resolve = async () => {
        asked++;
        return [{ address: asked === 1 ? "127.0.0.1" : "10.0.0.1", family: 4 } as const];
      };
      await fetch(`http://rebind.invalid:${port}/`, { resolve });
      expect(asked).to.equal(1);
      expect(hosts).to.deep.equal([`rebind.invalid:${port}`]);
    });

    it("takes a name's new address for what it is when it resumes", async () => {
      const half = ranged((response, bytes) => cutAfter(response, bytes.subarray(0, MIB)));
      const { port } = new URL(await serve(half, "127.0.0.2"));
      let asked = 0;
      const resolve = async () => (asked++ === 0 ? stage.resolve() : [{ address: "10.0.0.1", family: 4 } as const]);
      await expectFailure(`http://rebind.invalid:${port}/`, /is at 10\.0\.0\.1/, { ...stage, resolve });
      expect(asked).to.equal(2);
    });
  });

  it("stops with its signal, and leaves nothing", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const source = await serve(ranged((response, bytes) => void response.write(bytes.subarray(0, MIB))));
    const fetching = fetch(source, { signal: stop.signal, stallMs: 60_000 }).catch((error) => error);
    setTimeout(() => stop.abort(reason), 100);
    expect(await fetching).to.equal(reason);
    await expectNothing();
    expect(await fetch(source, { signal: AbortSignal.abort(reason) }).catch((error) => error)).to.equal(reason);
  });

  it("tries the sources in turn, and says of each what was wrong", async () => {
    const bad = await serve((_, response) => response.writeHead(500).end());
    const good = await serve(whole);
    const { source } = await fetchPiece(store, identity(), ["ftp://x/", bad, good], LOCAL);
    expect(source).to.equal(good);
    await store.remove(piece.cid);
    await expectNothing();
    const error = await expectError("PIECE_UNAVAILABLE", () => fetchPiece(store, identity(), ["ftp://x/", bad], LOCAL));
    expect(error.message).to.match(/ftp:.*; .*answers 500/);
    const none = await expectError("PIECE_UNAVAILABLE", () => fetchPiece(store, identity(), [], LOCAL));
    expect(none.message).to.match(/none is named/);
  });

  it("does not blame a source for a disk or a store that is full", async () => {
    const source = await serve(whole);
    const full = await BlobPieceStore.open(await tempFolder(), { maxUploads: 0 });
    await expectError("TOO_MANY_UPLOADS", () => fetchPiece(full, identity(), [source, source], LOCAL));
    const blobs = new FileBlobs(await tempFolder());
    blobs.take = () => Promise.reject(new Error("away"));
    const away = await BlobPieceStore.open(await tempFolder(), { blobs });
    expect((await failure(fetchPiece(away, identity(), [source], LOCAL))).message).to.equal("away");
    expect(away.uploads(), "nobody would name it again").to.deep.equal([]);
  });

  it("fetches from another provider, by root and leafCount or by the CID that the client named", async () => {
    const other = await BlobPieceStore.open(await tempFolder());
    const fail = () => expect.fail("not asked");
    const desk = { info: fail, offers: fail, accept: fail };
    const node = await startNode({ store: other, desk, logger: pino({ level: "silent" }), maxPieceBytes: 8 * MIB });
    try {
      await fetchPiece(other, identity(), [await serve(whole)], LOCAL);
      const [byTree = ""] = sourcesOf(identity(), `piece:${node.url}/`, []);
      const tree = encodePieceCidV1(piece.commitment.root);
      expect(byTree).to.equal(`${node.url}/piece/${tree}?leafCount=${piece.commitment.leafCount}`);
      expect((await fetch(byTree)).pieceCid).to.equal(piece.cid);
      await store.remove(piece.cid);
      const [, byCid = ""] = sourcesOf(identity(), `http://gone.invalid/piece/${piece.cid}`, [node.url]);
      expect(byCid).to.equal(`${node.url}/piece/${piece.cid}`);
      expect((await fetch(byCid)).pieceCid).to.equal(piece.cid);
      const cases = { "?leafCount=7": 404, "?leafCount=0": 400, "?leafCount=-1": 400, "": 400 };
      for (const [query, status] of Object.entries(cases)) {
        expect((await globalThis.fetch(`${node.url}/piece/${tree}${query}`)).status, query).to.equal(status);
      }
    } finally {
      await node.close();
    }
  });

  it("wants the very payload that a URL names, zeros at its end included", async () => {
    const zeros = new Uint8Array(piece.payload.length + 1);
    zeros.set(piece.payload);
    const longer = await serve((_, response) => response.end(zeros));
    const named = `${longer}/piece/${piece.cid}`;
    await expectFailure(
      named,
      new RegExp(`announces ${zeros.length} bytes; the piece has ${piece.payload.length} bytes`),
    );
    // Without the name, both are the piece: one root, one leafCount.
    expect((await fetch(longer)).payloadSize).to.equal(BigInt(zeros.length));
  });

  it("knows the sizes that a leafCount allows", async () => {
    for (const size of [1, 31, 32, 127, 128, 1_000, 1_016]) {
      const { commitment } = await testPiece(size);
      const { least, most } = payloadBounds(commitment.leafCount);
      expect(least <= BigInt(size) && BigInt(size) <= most, `${size}`).to.equal(true);
      expect([31n, 32n]).to.include(most - least + 1n);
    }
    expect(payloadBounds(1n)).to.deep.equal({ least: 1n, most: 31n });
    expect(payloadBounds(1n << 40n).most).to.equal(127n << 38n);
  });

  it("holds little of a piece in memory, however slow the disk", async () => {
    let buffered = 0;
    const source = await serve((_: IncomingMessage, response) => {
      let left = 64 * MIB;
      const more = () => {
        while (left > 0) {
          left -= 65_536;
          if (!response.write(new Uint8Array(65_536))) return void response.once("drain", more);
        }
      };
      more();
      response.once("close", () => {
        buffered = 64 * MIB - left;
      });
    });
    const slow = await testPiece(64);
    const first = { ...slow.commitment, leafCount: 1n << 22n };
    const reading = new AbortController();
    // A store that takes one chunk and then stands still.
    const stuck = Object.assign(Object.create(store), {
      findTree: async () => undefined,
      beginUpload: async () => "id",
      writeUpload: async (_id: string, body: AsyncIterable<Uint8Array>) => {
        for await (const _chunk of body) await new Promise((go) => setTimeout(go, 300));
      },
    }) as BlobPieceStore;
    const fetching = fetchPiece(stuck, first, [source], { ...LOCAL, stallMs: 60_000, signal: reading.signal });
    setTimeout(() => reading.abort(new Error("seen")), 400);
    await fetching.catch(() => undefined);
    await new Promise((go) => setTimeout(go, 50));
    expect(buffered).to.be.within(1, 32 * MIB);
  });
});
