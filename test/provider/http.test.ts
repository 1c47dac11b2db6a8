import { once } from "node:events";
import { readdir, readlink, stat, truncate } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { type Level, pino } from "pino";
import { HoldfastError } from "../../src/errors.js";
import type { DealTerms, OfferPageJson, ProviderInfo } from "../../src/protocol/index.js";
import { type RunningNode, startNode } from "../../src/provider/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { filesIn, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";

const MIB = 1 << 20;
const MOST = 8 * MIB;
const STALL_MS = 400;
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

const INFO: ProviderInfo = {
  provider: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  chainId: 1,
  market: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  token: "0x0000000000000000000000000000000000000000",
  minPieceBytes: 1,
  maxPieceBytes: MOST,
  minPeriods: 1,
  maxPeriods: 10,
  regions: ["DE"],
  tiers: [],
};
const OFFERS: OfferPageJson = { chainId: 1, market: INFO.market, offers: [] };

describe("provider: HTTP", () => {
  let dir: string;
  let store: BlobPieceStore;
  let node: RunningNode;
  let piece: TestPiece;
  let logged: { level: number; msg: string }[];
  let accept: (terms: DealTerms) => Promise<{ dealId: string; providerSignature: string }>;

  const files = (sub: string) => filesIn(join(dir, sub));
  const at = (path: string) => `${node.url}${path}`;
  const begin = async () => {
    const response = await fetch(at("/pdp/piece/uploads"), { method: "POST" });
    expect(response.status).to.equal(201);
    return response.headers.get("location") as string;
  };
  const send = (place: string, body: BodyInit, headers: HeadersInit = {}) =>
    fetch(at(place), { method: "PUT", body, headers, duplex: "half" } as RequestInit);
  const finish = (place: string, body: unknown) =>
    fetch(at(place), { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
  const put = async ({ payload, cid }: TestPiece) => {
    const place = await begin();
    expect((await send(place, payload)).status).to.equal(204);
    expect((await finish(place, { pieceCid: cid })).status).to.equal(200);
  };
  /** Errors are plain text that says something. */
  const expectText = async (response: Response, status: number, text: RegExp) => {
    expect(response.status).to.equal(status);
    expect(response.headers.get("content-type")).to.match(/^text\/plain/);
    expect(await response.text()).to.match(text);
  };
  const expectEmpty = async () => {
    const deadline = Date.now() + 3_000;
    while ((await files("uploads")).length > 0 && Date.now() < deadline) await new Promise((go) => setTimeout(go, 10));
    expect(await files("uploads")).to.deep.equal([]);
    expect(await files("pieces")).to.deep.equal([]);
  };

  before(async () => {
    piece = await testPiece(3 * MIB + 17);
  });
  beforeEach(async () => {
    dir = await tempFolder();
    store = await BlobPieceStore.open(dir, { maxUploads: 5 });
    logged = [];
    const logger = pino({ level: "debug" satisfies Level }, { write: (line) => void logged.push(JSON.parse(line)) });
    const desk = { info: () => INFO, offers: async () => OFFERS, accept: (terms: DealTerms) => accept(terms) };
    node = await startNode({ store, desk, logger, maxPieceBytes: MOST, stallMs: STALL_MS, jsonMs: STALL_MS });
  });
  afterEach(() => node.close());
  after(removeFolders);

  describe("uploads", () => {
    it("takes a piece with and without a length, and finds it", async () => {
      const place = await begin();
      expect(place).to.match(new RegExp(`^/pdp/piece/uploads/${UUID}$`));
      expect((await send(place, new Blob([piece.payload]).stream())).status).to.equal(204);
      await expectText(await fetch(at(`/pdp/piece?pieceCid=${piece.cid}`)), 404, /is not here/);
      expect((await finish(place, { pieceCid: piece.cid })).status).to.equal(200);
      const found = await fetch(at(`/pdp/piece?pieceCid=${piece.cid}`));
      expect(found.status).to.equal(200);
      expect(await found.json()).to.deep.equal({ pieceCid: piece.cid });
      await put(await testPiece(1, 2));
      expect(await store.list()).to.have.length(2);
    });

    it("answers a ping", async () => {
      expect((await fetch(at("/pdp/ping"))).status).to.equal(200);
    });

    it("refuses bytes that are another piece, and keeps none of them", async () => {
      const place = await begin();
      await send(
        place,
        piece.payload.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
      );
      await expectText(await finish(place, { pieceCid: piece.cid }), 400, /the uploaded bytes are bafk/);
      await expectEmpty();
      await expectText(await finish(place, { pieceCid: piece.cid }), 404, /no upload/);
    });

    it("refuses an upload that is too long, announced or not, or empty", async () => {
      const long = new Uint8Array(MOST + 1);
      await expectText(await send(await begin(), long), 413, /more than 8388608 bytes/);
      const chunked = await send(await begin(), new Blob([long]).stream()).catch((error) => error as Error);
      // The node answers before it has read everything; some clients see the answer, some a closed connection.
      if (chunked instanceof Response) await expectText(chunked, 413, /more than 8388608 bytes/);
      await expectText(await send(await begin(), new Uint8Array(0)), 400, /no bytes/);
      await expectEmpty();
    });

    it("keeps what came of an upload whose peer hangs up half-way, until it is ended", async () => {
      for (const framing of [`Content-Length: ${piece.payload.length}`, "Transfer-Encoding: chunked"]) {
        const place = await begin();
        const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
        socket.write(`PUT ${place} HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`);
        if (framing.startsWith("T")) socket.write(`${MIB.toString(16)}\r\n`);
        socket.write(piece.payload.subarray(0, MIB));
        await until(async () => (await files("uploads")).length > 0);
        await until(async () => (await stat(join(dir, "uploads", `${place.split("/").at(-1)}.piece`))).size === MIB);
        socket.destroy();
        const kept = await fetch(at(place), { method: "HEAD" });
        expect(kept.status).to.equal(204);
        expect(kept.headers.get("upload-offset")).to.equal(String(MIB));
        expect((await fetch(at(place), { method: "DELETE" })).status).to.equal(204);
        await expectEmpty();
        await expectText(await send(place, piece.payload), 404, /no upload/);
      }
      expect(logged.filter(({ level }) => level >= 50)).to.deep.equal([]);
    });

    it("cuts off a peer that sends a byte now and then", async () => {
      const place = await begin();
      const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(`PUT ${place} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`);
      const drip = setInterval(() => socket.write("x"), 30);
      const started = Date.now();
      await once(socket.resume(), "close");
      clearInterval(drip);
      expect(Date.now() - started).to.be.within(STALL_MS - 50, STALL_MS * 8);
      // What dripped in is a part of an upload like any other; sent without an offset, the upload begins anew.
      expect((await send(place, piece.payload)).status).to.equal(204);
      expect((await finish(place, { pieceCid: piece.cid })).status).to.equal(200);
      expect(await files("uploads")).to.deep.equal([]);
    });

    for (const framing of ["Content-Length: 1000", "Transfer-Encoding: chunked"]) {
      it(`cuts off a peer that sends its JSON a byte now and then (${framing})`, async () => {
        const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
        socket.on("error", () => undefined);
        socket.write(`POST /deals HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`);
        const drip = setInterval(() => socket.write(framing.startsWith("T") ? "1\r\n \r\n" : " "), 30);
        const started = Date.now();
        // It may be reset as well: there is more to read than anybody does.
        await new Promise((closed) => socket.resume().once("close", closed));
        clearInterval(drip);
        expect(Date.now() - started).to.be.within(STALL_MS - 50, STALL_MS * 8);
      });
    }

    it("cuts off nobody whose deal takes the chain longer than a body may take", async () => {
      accept = async () => {
        await new Promise((go) => setTimeout(go, 2 * STALL_MS));
        return { dealId: `0x${"11".repeat(32)}`, providerSignature: "0x22" };
      };
      const { provider, token } = INFO;
      const rest = { root: `0x${"33".repeat(32)}`, salt: `0x${"44".repeat(32)}`, leafCount: "4", validUntil: 9 };
      const amounts = { pricePerPeriod: "1", collateral: "1", egressPricePerGiB: "0" };
      const terms = { client: provider, provider, token, tier: 0, periods: 6, maxPeriods: 6, ...rest, ...amounts };
      const response = await fetch(at("/deals"), { method: "POST", body: JSON.stringify({ terms }) });
      expect(response.status).to.equal(200);
    });

    it("is not impatient with itself, nor with a steady peer", async () => {
      const place = await begin();
      let left = 10;
      const slow = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise((go) => setTimeout(go, STALL_MS / 4));
          if (left-- > 0) controller.enqueue(piece.payload.subarray(0, 80 * 1024));
          else controller.close();
        },
      });
      expect((await send(place, slow)).status).to.equal(204);
    });

    it("refuses steps out of order, ids and CIDs that are none", async () => {
      const place = await begin();
      await expectText(await finish(place, { pieceCid: piece.cid }), 400, /not got all its bytes/);
      await send(place, piece.payload);
      await expectText(await send(place, piece.payload), 409, /has its bytes already/);
      await expectText(await finish(place, { pieceCid: "../../etc/passwd" }), 400, /not the CID of a piece/);
      for (const body of [{}, { pieceCid: 7 }, "[]", "null", "not json", ""]) {
        await expectText(await finish(place, body), 400, /no pieceCid|not a JSON object/);
      }
      await expectText(await finish(place, "x".repeat(65_537)), 413, /at most 65536 bytes/);
      expect((await finish(place, { pieceCid: piece.cid })).status).to.equal(200);
      await expectText(await finish(place, { pieceCid: piece.cid }), 404, /no upload/);
      for (const id of [crypto.randomUUID(), "x", "..%2f..%2fpieces%2fx", "%00"]) {
        await expectText(await send(`/pdp/piece/uploads/${id}`, "bytes"), 404, /no upload/);
        await expectText(await finish(`/pdp/piece/uploads/${id}`, { pieceCid: piece.cid }), 404, /no upload/);
      }
      expect(await files("pieces")).to.have.length(1);
    });

    it("takes the same piece from four peers at once", async () => {
      const places = await Promise.all([begin(), begin(), begin(), begin()]);
      await expectText(await fetch(at("/pdp/piece/uploads"), { method: "POST" }), 503, /4 uploads are under way/);
      await Promise.all(places.map((place) => send(place, piece.payload)));
      const ends = await Promise.all(places.map((place) => finish(place, { pieceCid: piece.cid })));
      expect(ends.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
      expect(await files("uploads")).to.deep.equal([]);
      expect(await store.list()).to.deep.equal([piece.cid]);
    });

    it("refuses what it can't read, and says nothing of its own trouble", async () => {
      store.finishUpload = async () => {
        throw new Error("secret path");
      };
      const place = await begin();
      const response = await finish(place, { pieceCid: piece.cid });
      expect(response.status).to.equal(500);
      expect(await response.text()).to.equal("internal error");
      expect(logged.filter(({ level }) => level === 50)).to.have.length(1);
      store.beginUpload = async () => {
        throw new HoldfastError("DISK_FULL", "there is no space for this piece", "free some space");
      };
      await expectText(await fetch(at("/pdp/piece/uploads"), { method: "POST" }), 507, /no space/);
    });
  });

  it("leaves the process's own Request and Response as they are", async () => {
    await fetch(at("/info"));
    expect(await new Response(new Blob(["x"])).bytes()).to.deep.equal(Uint8Array.of(0x78));
    expect(await new Request("http://x", { method: "POST", body: "x" }).bytes()).to.deep.equal(Uint8Array.of(0x78));
  });

  describe("retrieval", () => {
    const get = (headers: HeadersInit = {}, method = "GET") => fetch(at(`/piece/${piece.cid}`), { headers, method });

    it("serves the whole, with what caches need", async () => {
      await put(piece);
      const response = await get();
      expect(response.status).to.equal(200);
      expect(new Uint8Array(await response.arrayBuffer())).to.deep.equal(piece.payload);
      const { headers } = response;
      expect(headers.get("content-length")).to.equal(String(piece.payload.length));
      expect(headers.get("etag")).to.equal(`"${piece.cid}"`);
      expect(headers.get("cache-control")).to.equal("public, max-age=29030400, immutable");
      expect(headers.get("accept-ranges")).to.equal("bytes");
      expect(headers.get("access-control-allow-origin")).to.equal("*");
    });

    it("answers HEAD with the size and without the bytes, whatever the range", async () => {
      await put(piece);
      const response = await get({ range: "bytes=0-9" }, "HEAD");
      expect(response.status).to.equal(200);
      expect(response.headers.get("content-length")).to.equal(String(piece.payload.length));
      expect((await response.arrayBuffer()).byteLength).to.equal(0);
      const missing = await fetch(at(`/piece/${(await testPiece(99)).cid}`), { method: "HEAD" });
      expect(missing.status).to.equal(404);
    });

    it("serves ranges, and says which can't be", async () => {
      await put(piece);
      const size = piece.payload.length;
      for (const [range, start, end] of [
        ["bytes=0-0", 0, 1],
        [`bytes=${MIB - 3}-${2 * MIB}`, MIB - 3, 2 * MIB + 1],
        ["bytes=-5", size - 5, size],
        [`bytes=${size - 1}-`, size - 1, size],
      ] as const) {
        const response = await get({ range });
        expect(response.status).to.equal(206);
        expect(response.headers.get("content-range")).to.equal(`bytes ${start}-${end - 1}/${size}`);
        expect(response.headers.get("content-length")).to.equal(String(end - start));
        expect(new Uint8Array(await response.arrayBuffer())).to.deep.equal(piece.payload.subarray(start, end));
      }
      const beyond = await get({ range: `bytes=${size}-` });
      expect(beyond.headers.get("content-range")).to.equal(`bytes */${size}`);
      await expectText(beyond, 416, /has 3145745 bytes/);
      for (const range of ["bytes=0-1,5-6", "items=1-2", "bytes=5-1"]) {
        const whole = await get({ range });
        expect(whole.status).to.equal(200);
        expect((await whole.arrayBuffer()).byteLength).to.equal(size);
      }
    });

    it("honours If-None-Match and If-Range", async () => {
      await put(piece);
      const tag = `"${piece.cid}"`;
      for (const value of [tag, `W/${tag}`, `"x", ${tag}`, "*"]) {
        const same = await get({ "if-none-match": value });
        expect(same.status).to.equal(304);
        expect(same.headers.get("etag")).to.equal(tag);
        expect(await same.text()).to.equal("");
      }
      const other = await get({ "if-none-match": '"x"', range: "bytes=0-1" });
      expect(other.status).to.equal(206);
      await other.arrayBuffer();
      for (const [value, status] of [
        [tag, 206],
        ['"x"', 200],
        [`W/${tag}`, 200],
      ] as const) {
        const response = await get({ "if-range": value, range: "bytes=0-1" });
        expect(response.status).to.equal(status);
        await response.arrayBuffer();
      }
    });

    it("knows nothing of CIDs that are none, nor of paths", async () => {
      await put(piece);
      for (const path of ["..%2f..%2fetc%2fpasswd", "x", `${piece.cid}x`, "%00", "bafkqaaa"]) {
        await expectText(await fetch(at(`/piece/${path}`)), 400, /not the CID of a piece/);
      }
      for (const path of ["/", "/piece", "/piece/", `/piece/${piece.cid}/x`, "/pdp/piece/x/y", "/pdp"]) {
        await expectText(await fetch(at(path)), 404, /no such route/);
      }
      await expectText(await fetch(at("/pdp/piece?pieceCid=x")), 400, /not the CID of a piece/);
      await expectText(await fetch(at("/pdp/piece")), 400, /not the CID of a piece/);
      await expectText(await fetch(at(`/piece/${(await testPiece(5)).cid}`)), 404, /is not here/);
      await expectText(await fetch(at(`/piece/${piece.cid}`), { method: "DELETE" }), 404, /no such route/);
    });

    it("breaks off, and does not hang, when the disk loses bytes on the way", async () => {
      const big = await testPiece(MOST, 3);
      await put(big);
      const { status, headers, received } = await readSlowly(at(`/piece/${big.cid}`), () =>
        truncate(join(dir, "pieces", `${big.cid}.piece`), MIB),
      );
      expect(status).to.equal(200);
      expect(headers["content-length"]).to.equal(String(MOST));
      expect(received).to.be.lessThan(MOST);
      expect(logged.filter(({ level }) => level === 50).map(({ msg }) => msg)).to.deep.equal(["piece can't be served"]);
    });

    it("closes the file of a peer that goes away", async function () {
      if (process.platform !== "linux") this.skip();
      const big = await testPiece(MOST, 3);
      await put(big);
      for (let i = 0; i < 5; i++) {
        const gone = new AbortController();
        const response = await fetch(at(`/piece/${big.cid}`), { signal: gone.signal });
        await response.body?.getReader().read();
        gone.abort();
      }
      await until(async () => !(await openFiles()).some((path) => path.includes(dir)));
    });
  });

  describe("offers and deals", () => {
    const terms = {
      client: INFO.provider,
      provider: INFO.provider,
      root: `0x${"11".repeat(32)}`,
      leafCount: "4",
      tier: 0,
      periods: 6,
      maxPeriods: 6,
      token: INFO.token,
      pricePerPeriod: "340282366920938463463374607431768211455",
      collateral: "0",
      egressPricePerGiB: "0",
      validUntil: 4_000_000_000,
      salt: `0x${"22".repeat(32)}`,
    };
    const deal = (body: unknown) => fetch(at("/deals"), { method: "POST", body: JSON.stringify(body) });

    it("says what it offers", async () => {
      expect(await (await fetch(at("/info"))).json()).to.deep.equal(INFO);
      expect(await (await fetch(at("/offers"))).json()).to.deep.equal(OFFERS);
    });

    it("hands terms to the desk as they were written, and its answer back", async () => {
      let seen: DealTerms | undefined;
      accept = async (value) => {
        seen = value;
        return { dealId: "0x01", providerSignature: "0x02" };
      };
      const response = await deal({ terms: { ...terms, client: INFO.provider.toLowerCase() } });
      expect(await response.json()).to.deep.equal({ dealId: "0x01", providerSignature: "0x02" });
      expect(seen).to.deep.equal({
        ...terms,
        leafCount: 4n,
        pricePerPeriod: 2n ** 128n - 1n,
        collateral: 0n,
        egressPricePerGiB: 0n,
        validUntil: 4_000_000_000n,
      });
    });

    it("passes a refusal on, in plain text", async () => {
      accept = async () => {
        throw new HoldfastError("DEAL_REFUSED", "too cheap", "ask GET /info");
      };
      await expectText(await deal({ terms }), 422, /^too cheap; ask GET \/info$/);
    });

    const wrong: Record<string, unknown> = {
      client: "0x70997970c51812dc3A010C7d01b50e0d17dc79C8",
      provider: "70997970C51812dc3A010C7d01b50e0d17dc79C8",
      root: "0x11",
      leafCount: 4,
      tier: 256,
      periods: 1.5,
      maxPeriods: -1,
      token: null,
      pricePerPeriod: "-1",
      collateral: "1e9",
      egressPricePerGiB: "01",
      validUntil: 2 ** 53,
      salt: "0x",
      extra: 1,
    };
    for (const [field, value] of Object.entries(wrong)) {
      it(`names the field that is wrong: ${field}`, async () => {
        accept = () => expect.fail("the desk was asked");
        const response = await deal({ terms: { ...terms, [field]: value } });
        await expectText(response, 400, field === "extra" ? /extra/ : new RegExp(`^terms\\.${field}: `));
      });
    }

    it("refuses bodies that hold no terms", async () => {
      for (const body of [{}, [], 7, null, { terms: [] }]) expect((await deal(body)).status).to.equal(400);
      await expectText(await deal({ terms, padding: "x".repeat(70_000) }), 413, /at most 65536 bytes/);
    });
  });

  it("says so when the port is taken", async () => {
    const port = Number(new URL(node.url).port);
    const desk = { info: () => INFO, offers: async () => OFFERS, accept };
    const options = { store, desk, logger: pino({ level: "silent" }), maxPieceBytes: MOST, port };
    await expectError("LISTEN_FAILED", () => startNode(options));
  });

  it("closes with requests under way, as often as it is told to", async () => {
    const place = await begin();
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`PUT ${place} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`);
    await until(async () => (await files("uploads")).length > 0);
    await Promise.all([node.close(), node.close()]);
    await expectEmpty();
    await node.close();
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await holds())) {
    if (Date.now() > deadline) expect.fail("it did not happen in time");
    await new Promise((go) => setTimeout(go, 10));
  }
}

async function openFiles(): Promise<string[]> {
  const links = (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ""));
  return Promise.all(links);
}

/** Reads a response to its end or its breaking off; `meanwhile` runs after the first chunk. */
async function readSlowly(url: string, meanwhile: () => Promise<void>) {
  const asked = request(url).end();
  const [response] = (await once(asked, "response")) as [import("node:http").IncomingMessage];
  let received = 0;
  response.on("error", () => undefined);
  const ended = new Promise((resolve) => response.once("close", resolve));
  response.once("data", (chunk: Buffer) => {
    received += chunk.length;
    response.pause();
    void meanwhile().then(() => {
      response.on("data", (next: Buffer) => {
        received += next.length;
      });
      response.resume();
    });
  });
  await ended;
  return { status: response.statusCode, headers: response.headers as IncomingHttpHeaders, received };
}
