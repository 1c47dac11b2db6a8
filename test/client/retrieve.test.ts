import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { fileBlob, fileSink } from "../../src/client/file-node.js";
import { memorySink, retrieve, type Sink } from "../../src/client/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";

const STALL_MS = 300;

describe("client: retrieval", () => {
  let piece: TestPiece;
  let servers: Server[];

  /** A provider, honest or not. */
  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const sends = (bytes: Uint8Array) => serve((_, response) => response.end(bytes));
  const fetchFrom = (...urls: string[]) => retrieve(piece.cid, urls, memorySink, { stallMs: STALL_MS });

  const liars: Record<string, () => Promise<string>> = {
    "serves other bytes": () => sends(piece.payload.map((byte, i) => (i === 500_000 ? byte ^ 1 : byte))),
    "serves too few": () => sends(piece.payload.subarray(1)),
    "serves nothing": () => sends(new Uint8Array(0)),
    "serves one too many": () => sends(new Uint8Array([...piece.payload, 0])),
    "serves without end": () =>
      serve((_, response) => {
        endlessly(response);
      }),
    "serves a bomb of compressed zeros": () =>
      serve((_, response) => {
        response.setHeader("content-encoding", "gzip").end(gzipSync(Buffer.alloc(64 << 20)));
      }),
    "serves another CID's error page": () => serve((_, response) => void response.end("<html>")),
    "does not have it": () => serve((_, response) => void response.writeHead(404).end("piece is not here")),
    "answers an endless error": () =>
      serve((_, response) => {
        response.writeHead(500);
        endlessly(response);
      }),
    "sends elsewhere": async () => {
      const honest = await sends(piece.payload);
      return serve((_, response) => void response.writeHead(302, { location: honest }).end());
    },
    "hangs before the headers": () => serve(() => undefined),
    "hangs half-way": () => serve((_, response) => void response.write(piece.payload.subarray(0, 300_000))),
    "drips a byte now and then": () =>
      serve((_, response) => {
        const drip = setInterval(() => response.write("x"), 20);
        response.on("close", () => clearInterval(drip));
      }),
    "breaks off": () =>
      serve((_, response) => {
        response.writeHead(200, { "content-length": piece.payload.length });
        response.write(piece.payload.subarray(0, 300_000), () => response.destroy());
      }),
    "is down": async () => {
      const url = await sends(piece.payload);
      await closeAll(servers.splice(-1));
      return url;
    },
    "is no URL": async () => "not a url",
    "is a file": async () => "file:///etc/hostname",
  };

  before(async () => {
    piece = await testPiece(1_000_003);
  });
  beforeEach(() => {
    servers = [];
  });
  afterEach(() => closeAll(servers));
  after(removeFolders);

  it("takes the bytes that hash to the CID", async () => {
    const url = await sends(piece.payload);
    expect(await fetchFrom(url)).to.deep.equal({ value: piece.payload, url, failures: [] });
  });

  for (const [what, liar] of Object.entries(liars)) {
    it(`goes on to the next when a provider ${what}, and hands out nothing of it`, async () => {
      const [bad, good] = [await liar(), await sends(piece.payload)];
      const handedOut: string[] = [];
      const makeSink = (): Sink<Uint8Array> => {
        const sink = memorySink();
        const name = handedOut.push("open") - 1;
        return {
          write: sink.write,
          done() {
            handedOut[name] = "done";
            return sink.done();
          },
          discard() {
            handedOut[name] = "discarded";
            return sink.discard();
          },
        };
      };
      const started = Date.now();
      const { value, url, failures } = await retrieve(piece.cid, [bad, good], makeSink, { stallMs: STALL_MS });
      expect(value).to.deep.equal(piece.payload);
      expect(url).to.equal(good);
      expect(failures.map((failure) => failure.url)).to.deep.equal([bad]);
      expect(handedOut).to.deep.equal(["discarded", "done"]);
      expect(Date.now() - started).to.be.lessThan(20 * STALL_MS);
    });
  }

  it("says what was wrong with each when none serves it", async () => {
    const urls = [await sends(piece.payload.subarray(1)), await serve((_, r) => void r.writeHead(410).end("it burnt"))];
    const error = await expectError("PIECE_UNAVAILABLE", () => fetchFrom(...urls));
    expect(error.message).to.match(/sent 1000002 of 1000003 bytes; .* refused: 410 it burnt/);
    expect((await expectError("PIECE_UNAVAILABLE", () => fetchFrom())).message).to.match(/no provider was named/);
    await expectError("INVALID_PIECE_CID", () => retrieve("bafkqaaa", urls, memorySink));
  });

  it("is patient with itself", async () => {
    const url = await sends(piece.payload);
    const sink = memorySink();
    let slept = false;
    const slow: Sink<Uint8Array> = {
      ...sink,
      async write(chunk) {
        if (!slept) await new Promise((go) => setTimeout(go, 3 * STALL_MS));
        slept = true;
        await sink.write(chunk);
      },
    };
    expect((await retrieve(piece.cid, [url], () => slow, { stallMs: STALL_MS })).value).to.deep.equal(piece.payload);
  });

  it("asks no other provider when it is the sink that fails", async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked++;
      response.end(piece.payload);
    });
    let discarded = 0;
    const full: Sink<never> = {
      write: () => Promise.reject(new Error("disk full")),
      done: () => expect.fail("it was handed out"),
      discard: () => void discarded++,
    };
    const error = await retrieve(piece.cid, [url, url], () => full).catch((thrown) => thrown);
    expect(error).to.have.property("message", "disk full");
    expect([asked, discarded]).to.deep.equal([1, 1]);
  });

  describe("files", () => {
    it("writes a file only when it is whole, and leaves no part of one behind", async () => {
      const folder = await tempFolder();
      const path = join(folder, "video.mp4");
      const liar = await (liars["hangs half-way"] as () => Promise<string>)();
      await expectError("PIECE_UNAVAILABLE", () =>
        retrieve(piece.cid, [liar], () => fileSink(path), { stallMs: STALL_MS }),
      );
      expect(await readdir(folder)).to.deep.equal([]);
      const good = await sends(piece.payload);
      const { value } = await retrieve(piece.cid, [liar, good], () => fileSink(path), { stallMs: STALL_MS });
      expect(value).to.equal(path);
      expect(new Uint8Array(await readFile(path))).to.deep.equal(piece.payload);
      expect(await readdir(folder)).to.deep.equal(["video.mp4"]);
    });

    it("keeps the file that is there until the new one is whole, also with two at once", async () => {
      const folder = await tempFolder();
      const path = join(folder, "a");
      await writeFile(path, "old");
      await expectError("PIECE_UNAVAILABLE", async () =>
        retrieve(piece.cid, [await sends(new Uint8Array(9))], () => fileSink(path)),
      );
      expect(await readFile(path, "utf8")).to.equal("old");
      const url = await sends(piece.payload);
      await Promise.all([1, 2].map(() => retrieve(piece.cid, [url], () => fileSink(path))));
      expect(new Uint8Array(await readFile(path))).to.deep.equal(piece.payload);
      expect(await readdir(folder)).to.deep.equal(["a"]);
    });

    it("says that a file can't be written, and cleans up where it can't be put in place", async () => {
      const folder = await tempFolder();
      await expectError("FILE_UNWRITABLE", () => fileSink(join(folder, "missing", "a")));
      const path = join(folder, "a");
      await mkdir(path);
      await writeFile(join(path, "inside"), "x");
      const url = await sends(piece.payload);
      const error = await retrieve(piece.cid, [url], () => fileSink(path)).catch((thrown) => thrown);
      expect(error).to.have.property("syscall", "rename");
      expect(await readdir(folder)).to.deep.equal(["a"]);
    });

    it("reads a file as a Blob, and says when it can't", async () => {
      const folder = await tempFolder();
      const path = join(folder, "a");
      await writeFile(path, piece.payload);
      expect(new Uint8Array(await (await fileBlob(path)).arrayBuffer())).to.deep.equal(piece.payload);
      await expectError("FILE_UNREADABLE", () => fileBlob(join(folder, "b")));
      await expectError("FILE_UNREADABLE", () => fileBlob(folder));
      await writeFile(path, "");
      await expectError("EMPTY_PIECE", () => fileBlob(path));
    });

    it("knows a file that may not be read before anything is made of it", async () => {
      const folder = await tempFolder();
      const path = join(folder, "secret");
      await writeFile(path, "x", { mode: 0o000 });
      await chmod(folder, 0o755);
      const isRoot = process.geteuid?.() === 0;
      if (isRoot) process.seteuid?.(65_534); // Root may read everything.
      try {
        const error = await expectError("FILE_UNREADABLE", () => fileBlob(path));
        expect(error.cause).to.have.property("syscall", "open");
      } finally {
        if (isRoot) process.seteuid?.(0);
      }
    });
  });
});

function endlessly(response: ServerResponse): void {
  const more = () => {
    if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(more));
  };
  more();
}

async function closeAll(servers: Server[]): Promise<void> {
  for (const server of servers) {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}
