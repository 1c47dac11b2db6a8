import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { upload } from "../../src/client/index.js";
import { streamOf } from "../../src/piece/index.js";
import { type RunningNode, startNode } from "../../src/provider/index.js";
import { BlobPieceStore } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { testLogger } from "../support/dev-chain.js";
import { inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";

const MIB = 1 << 20;
const refuse = () => {
  throw new Error("no deals here");
};

describe("client: uploads over a line that breaks", () => {
  let dir: string;
  let node: RunningNode;
  let line: Server;
  let url: string;
  let piece: TestPiece;
  /** Bytes after which each next connection that sends so much is cut. */
  let cuts: number[];
  let carried: number;
  let onCut: () => Promise<void>;
  const sockets = new Set<Socket>();

  const start = async (port = 0) => {
    const store = await BlobPieceStore.open(dir);
    const desk = { info: refuse, offers: refuse, accept: refuse };
    const started = await startNode({ store, desk, logger: testLogger(), maxPieceBytes: 64 * MIB, port });
    return { url: started.url, close: () => started.close().then(() => store.close()) };
  };
  const held = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    return socket;
  };
  const carry = (from: Socket) => {
    const to = held(connect(Number(new URL(node.url).port), "127.0.0.1"));
    let sent = 0;
    from.on("data", (bytes: Buffer) => {
      sent += bytes.length;
      carried += bytes.length;
      const [cut] = cuts;
      if (cut === undefined || sent < cut) {
        if (!to.write(bytes)) from.pause();
        return;
      }
      cuts.shift();
      from.destroy();
      to.end(bytes, () => to.destroy());
      void onCut();
    });
    to.on("drain", () => from.resume()).on("data", (bytes: Buffer) => from.write(bytes));
    to.on("close", () => from.destroy());
    from.on("close", () => to.destroy());
  };

  before(async () => {
    piece = await testPiece(12 * MIB + 5);
  });
  beforeEach(async () => {
    dir = await tempFolder();
    cuts = [];
    carried = 0;
    onCut = async () => undefined;
    node = await start();
    line = createServer((socket) => carry(held(socket))).listen(0, "127.0.0.1");
    await once(line, "listening");
    url = `http://127.0.0.1:${(line.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    line.close();
    for (const socket of sockets) socket.destroy();
    await node.close();
  });
  after(removeFolders);

  const expectPiece = async () => {
    const response = await fetch(`${node.url}/piece/${piece.cid}`);
    expect(new Uint8Array(await response.arrayBuffer())).to.deep.equal(piece.payload);
  };

  it("goes on from the last byte that arrived, with a Blob", async () => {
    cuts = [3 * MIB, 4 * MIB, MIB];
    await upload(url, piece.cid, new Blob([piece.payload]));
    expect(cuts).to.deep.equal([]);
    // Sent anew each time, it would be 20 MiB.
    expect(carried).to.be.within(piece.payload.length, piece.payload.length + 2 * MIB);
    await expectPiece();
  });

  it("goes on with a stream that is read again up to there", async () => {
    cuts = [5 * MIB];
    const stream = () => streamOf(inChunks(piece.payload, 70_001));
    await upload(url, piece.cid, { size: piece.payload.length, stream });
    expect(cuts).to.deep.equal([]);
    expect(carried).to.be.lessThan(piece.payload.length + 2 * MIB);
    await expectPiece();
  });

  it("goes on after the node has restarted", async () => {
    cuts = [6 * MIB];
    let kept = 0;
    onCut = async () => {
      const { port } = new URL(node.url);
      const sizes = async () => {
        const names = (await readdir(join(dir, "uploads"))).filter((name) => name.endsWith(".piece"));
        return Promise.all(names.map(async (name) => (await stat(join(dir, "uploads", name))).size));
      };
      // What is still on the line when a node ends is lost with it.
      while (Math.max(0, ...(await sizes())) < 5 * MIB) await new Promise((go) => setTimeout(go, 10));
      await node.close();
      kept = Math.max(...(await sizes()));
      node = await start(Number(port));
    };
    await upload(url, piece.cid, new Blob([piece.payload]));
    // 5 MiB were there before: without them, it would be the whole again. What was on its way to the old node is sent twice.
    expect(carried).to.be.lessThan(6 * MIB + piece.payload.length);
    expect(kept).to.be.at.least(5 * MIB);
    await expectPiece();
  });

  it("gives up on a line that always breaks", async function () {
    this.timeout(30_000);
    cuts = Array.from({ length: 100 }, () => 50_000);
    await expectError("PROVIDER_UNREACHABLE", () => upload(url, piece.cid, new Blob([piece.payload])));
    expect(100 - cuts.length).to.equal(9);
  });

  it("is not led on by a node that has more bytes than there are", async () => {
    const liar = createServer((socket) => {
      held(socket).on("data", (bytes: Buffer) => {
        const [method] = bytes.toString("latin1").split(" ");
        if (method === "POST") socket.write("HTTP/1.1 201 Created\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
        else if (method === "GET") socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        else if (method === "HEAD") socket.write("HTTP/1.1 204 No Content\r\nUpload-Offset: 99999999\r\n\r\n");
        else socket.destroy();
      });
    }).listen(0, "127.0.0.1");
    await once(liar, "listening");
    const lying = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    await expectError("PROVIDER_UNREACHABLE", () => upload(lying, piece.cid, new Blob([piece.payload])));
    liar.close();
  });
});
