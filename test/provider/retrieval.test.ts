import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { rm, truncate } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { pino } from "pino";
import { startNodeProcess } from "../../scripts/bench/node-process.js";
import { type RunningNode, startNode } from "../../src/provider/index.js";
import { FileBlobs } from "../../src/store/blobs/index.js";
import { BlobPieceStore, type PieceStore } from "../../src/store/index.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";

const MIB = 1 << 20;
const refuse = () => {
  throw new Error("no deals here");
};

describe("provider: retrieval", () => {
  let dir: string;
  let store: BlobPieceStore;
  let node: RunningNode;
  let logged: string[];
  let big: TestPiece;
  let small: TestPiece;

  const serve = (over: PieceStore) => {
    const logger = pino({ level: "error" }, { write: (line) => void logged.push(JSON.parse(line).msg) });
    return startNode({
      store: over,
      desk: { info: refuse, offers: refuse, accept: refuse },
      logger,
      maxPieceBytes: 1 << 30,
    });
  };
  const put = async ({ payload, cid }: TestPiece, into = store) => {
    const id = await into.beginUpload();
    await into.writeUpload(id, inChunks(payload), payload.length);
    await into.finishUpload(id, cid);
  };
  const url = ({ cid }: TestPiece, of = node) => `${of.url}/piece/${cid}`;
  const fileOf = ({ cid }: TestPiece) => join(dir, "pieces", `${cid}.piece`);
  const dial = (to = node) => {
    const socket = connect(Number(new URL(to.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    return socket;
  };
  const ask = (socket: Socket, { cid }: TestPiece, more = "") =>
    socket.write(`GET /piece/${cid} HTTP/1.1\r\nHost: x\r\n${more}\r\n`);

  before(async () => {
    big = await testPiece(24 * MIB + 11, 5);
    small = await testPiece(1_000, 6);
  });
  beforeEach(async () => {
    dir = await tempFolder();
    store = await BlobPieceStore.open(dir);
    logged = [];
    node = await serve(store);
    await put(big);
    await put(small);
  });
  afterEach(() => node.close());
  after(removeFolders);

  it("gives 50 peers at once what each asked for, some of whom hang up", async function () {
    this.timeout(60_000);
    const peers = Array.from({ length: 50 }, async (_, i) => {
      const start = i * 99_991;
      const end = i % 3 === 0 ? big.payload.length : start + 200_000 * (i % 7) + 1;
      const gone = new AbortController();
      const response = await fetch(url(big), {
        headers: { range: `bytes=${start}-${end - 1}` },
        signal: gone.signal,
      });
      if (i % 5 === 4) return gone.abort();
      expect(Buffer.from(await response.arrayBuffer()).equals(big.payload.subarray(start, end)), `${i}`).to.equal(true);
    });
    await Promise.all(peers);
    expect(logged).to.deep.equal([]);
  });

  it("answers requests that were sent before the one ahead was answered, in their order", async () => {
    const socket = dial();
    for (let i = 0; i < 40; i++) ask(socket, small, `Range: bytes=${i}-${i + 9}\r\n`);
    ask(socket, small, "Connection: close\r\n");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    await once(socket, "close");
    const bodies = Buffer.concat(chunks).toString("latin1").split("HTTP/1.1 2").slice(1);
    expect(bodies).to.have.length(41);
    for (const [i, body] of bodies.entries()) {
      const expected = i < 40 ? small.payload.subarray(i, i + 10) : small.payload;
      expect(body.slice(body.indexOf("\r\n\r\n") + 4)).to.equal(Buffer.from(expected).toString("latin1"));
    }
  });

  it("hangs up on a peer that sends more and more ahead of what is answered", async () => {
    const socket = dial().pause();
    for (let i = 0; i < 5_000; i++) ask(socket, big);
    await new Promise((closed) => socket.resume().once("close", closed));
    expect((await fetch(url(small))).status, "the others").to.equal(200);
  });

  it("leaves nothing open behind peers who ask for more than they read, and go away", async function () {
    if (process.platform !== "linux") this.skip();
    const sockets = Array.from({ length: 20 }, () => dial().pause());
    for (const socket of sockets) for (let i = 0; i < 8; i++) ask(socket, big);
    await new Promise((go) => setTimeout(go, 200));
    // One for each at most who is being answered: nothing is opened for the requests behind.
    expect(openIn(dir).length).to.be.within(1, sockets.length);
    for (const socket of sockets) socket.destroy();
    await until(() => openIn(dir).length === 0);
    expect(logged).to.deep.equal([]);
  });

  /** What a peer is answered that sends these lines and no more. */
  const answerTo = async (lines: string) => {
    const socket = dial();
    socket.write(lines);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    await once(socket, "close");
    return Buffer.concat(chunks).toString("latin1");
  };

  it("finds what a proxy asks for, or one who spells the URL out, and nothing beside it", async () => {
    const first = async (target: string, method = "GET") => {
      const answer = await answerTo(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      return answer.split("\r\n")[0];
    };
    expect(await first(`http://somewhere.example/piece/${small.cid}`)).to.equal("HTTP/1.1 200 OK");
    expect(await first(`/piece/${small.cid}?and=more#part`)).to.equal("HTTP/1.1 200 OK");
    expect(await first(`/pdp/../piece/${small.cid}`)).to.equal("HTTP/1.1 200 OK");
    expect(await first(`/piece/${small.cid}/`)).to.equal("HTTP/1.1 404 Not Found");
    expect(await first(`/piece/${small.cid}/more`)).to.equal("HTTP/1.1 404 Not Found");
    expect(await first(`/x/piece/${small.cid}`)).to.equal("HTTP/1.1 404 Not Found");
    expect(await first("/piece/..%2f..%2fetc%2fpasswd")).to.equal("HTTP/1.1 400 Bad Request");
    expect(await first(`/piece/${small.cid}`, "POST")).to.equal("HTTP/1.1 404 Not Found");
    expect(await first("//")).to.equal("HTTP/1.1 404 Not Found");
  });

  it("lets pages of any origin ask, and tells them what is wrong as well", async () => {
    const preflight = await fetch(url(small), {
      method: "OPTIONS",
      headers: { origin: "https://dapp.example", "access-control-request-method": "GET" },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).to.deep.equal([204, "*"]);
    for (const [path, headers] of [
      ["nonsense", {}],
      [small.cid, { range: "bytes=1000-" }],
      [small.cid, { "if-none-match": "*" }],
    ] as const) {
      const answer = await fetch(`${node.url}/piece/${path}`, { headers });
      expect(answer.status).to.be.oneOf([304, 400, 416]);
      expect(answer.headers.get("access-control-allow-origin")).to.equal("*");
      expect(answer.headers.get("access-control-expose-headers")).to.include("Content-Range");
    }
  });

  it("hangs up after a request that brings a body, where nobody knows what is the next one", async () => {
    const smuggled = `GET /piece/${big.cid} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const lines = `GET /piece/${small.cid} HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`;
    const answer = await answerTo(lines);
    expect(answer.match(/HTTP\/1\.1 200/g)).to.have.length(1);
    expect(answer).to.match(/\r\nConnection: close\r\n/);
  });

  it("misses a piece at once that is gone or shorter, though it was served just now", async () => {
    const status = async (piece: TestPiece) => {
      const response = await fetch(url(piece));
      await response.arrayBuffer();
      return response.status;
    };
    expect(await status(big)).to.equal(200);
    await truncate(fileOf(big), MIB);
    expect(await status(big)).to.equal(404);
    expect(await status(small)).to.equal(200);
    await rm(fileOf(small));
    expect(await status(small)).to.equal(404);
    await put(small);
    expect(await status(small)).to.equal(200);
    await store.remove(small.cid);
    expect(await status(small)).to.equal(404);
    if (process.platform === "linux") expect(openIn(dir).filter((path) => path.includes(small.cid))).to.deep.equal([]);
  });

  it("answers 500 where not even the first bytes can be read", async () => {
    store.chunks = () =>
      ({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("EIO at a secret path")) }),
      }) as unknown as AsyncGenerator<Uint8Array>;
    const response = await fetch(url(big));
    expect(response.status).to.equal(500);
    expect(await response.text()).to.equal("internal error");
  });

  describe("from a store that only has streams", () => {
    let other: RunningNode;

    beforeEach(async () => {
      // As a bucket is.
      const blobs = Object.assign(new FileBlobs(dir), { chunks: undefined });
      other = await serve(await BlobPieceStore.open(await tempFolder(), { blobs }));
    });
    afterEach(() => other.close());

    it("serves the whole, and ranges", async () => {
      const whole = await fetch(url(big, other));
      expect(Buffer.from(await whole.arrayBuffer()).equals(big.payload)).to.equal(true);
      const part = await fetch(url(big, other), { headers: { range: "bytes=5-2000000" } });
      expect(part.status).to.equal(206);
      expect(Buffer.from(await part.arrayBuffer()).equals(big.payload.subarray(5, 2_000_001))).to.equal(true);
      expect(part.headers.get("access-control-allow-origin")).to.equal("*");
    });

    it("breaks off where bytes are lost on the way", async () => {
      const socket = dial(other).pause();
      ask(socket, big);
      await new Promise((go) => setTimeout(go, 200));
      await truncate(fileOf(big), 0);
      let received = 0;
      socket.on("data", (chunk) => {
        received += chunk.length;
      });
      socket.resume();
      await once(socket, "close");
      expect(received).to.be.within(1, big.payload.length - 1);
      expect(logged).to.deep.equal(["piece can't be served"]);
    });

    it("lets go of the stream where the peer goes away", async function () {
      if (process.platform !== "linux") this.skip();
      const socket = dial(other).pause();
      ask(socket, big);
      await until(() => openIn(dir).length > 0);
      socket.destroy();
      await until(() => openIn(dir).length === 0);
    });
  });

  it("holds little for 200 peers who do not read", async function () {
    this.timeout(60_000);
    await store.close();
    const process = await startNodeProcess(dir);
    const other = { url: process.url, close: async () => undefined };
    const sockets: Socket[] = [];
    try {
      const before = rssMiB(process.pid);
      for (let i = 0; i < 200; i++) sockets.push(dial(other).pause());
      for (const socket of sockets) ask(socket, big);
      await Promise.all(sockets.map((socket) => once(socket, "readable")));
      await new Promise((go) => setTimeout(go, 500));
      // 32 MiB of large buffers, and 128 KiB for each of the others.
      expect(rssMiB(process.pid) - before).to.be.lessThan(96);
    } finally {
      for (const socket of sockets) socket.destroy();
      await process.end();
    }
  });
});

function rssMiB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

/** Files below a folder that this process has open. */
function openIn(dir: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(dir) ? [path] : [];
    } catch {
      return [];
    }
  });
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !holds(); await new Promise((go) => setTimeout(go, 10))) {
    if (Date.now() > end) expect.fail("it did not happen in time");
  }
}
