import type { RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import type { ConnectionLimits } from "../../src/provider/connections.js";
import { type RunningNode, startServer } from "../../src/provider/server.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { MIB, startLoneNode, until } from "./pdp/node.js";

describe("provider: connections", () => {
  const sockets: Socket[] = [];
  let node: RunningNode;

  /** One that stays, and says whether it may. */
  const dial = async (localAddress = "127.0.0.1") => {
    const socket = connect({ port: Number(new URL(node.url).port), host: "127.0.0.1", localAddress });
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const answered = new Promise<boolean>((go) => socket.once("data", () => go(true)));
    const closed = new Promise<boolean>((go) => socket.once("close", () => go(false)));
    return { socket, isServed: await Promise.race([answered, closed]) };
  };
  const start = async (limits: ConnectionLimits) => {
    node = await startServer((_, response) => void response.end("well"), limits);
  };

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await node.close();
  });
  after(removeFolders);

  it("are bounded for one network, and leaves the others theirs", async function () {
    if (process.platform !== "linux") this.skip();
    await start({ maxPeerConnections: 3 });
    const own = await Promise.all(Array.from({ length: 6 }, () => dial()));
    expect(own.filter(({ isServed }) => isServed)).to.have.length(3);
    expect((await dial("127.0.0.2")).isServed).to.equal(true);
    own.find(({ isServed }) => isServed)?.socket.destroy();
    await until(async () => (await dial()).isServed);
  });

  it("are bounded all together, and a proxy of one's own is no network", async function () {
    if (process.platform !== "linux") this.skip();
    await start({ maxPeerConnections: 2, maxConnections: 5, trustedProxies: ["::ffff:127.0.0.2"] });
    const proxied = [];
    for (let i = 0; i < 5; i++) proxied.push((await dial("127.0.0.2")).isServed);
    expect(proxied).to.deep.equal([true, true, true, true, true]);
    expect((await dial()).isServed).to.equal(false);
  });

  it("are answered one request at a time, in the order of asking", async () => {
    let [running, most] = [0, 0];
    const listener: RequestListener = async (request, response) => {
      most = Math.max(most, ++running);
      await new Promise((go) => setTimeout(go, 5));
      running--;
      response.end(`<${request.url}>`);
    };
    node = await startServer(listener, {});
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    sockets.push(socket);
    for (let i = 0; i < 20; i++) socket.write(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`);
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
    });
    await until(() => text.includes("</19>"));
    expect(text.match(/<\/\d+>/g)).to.deep.equal(Array.from({ length: 20 }, (_, i) => `</${i}>`));
    expect(most).to.equal(1);
  });

  it("end where a peer takes its bytes too slowly, and not where it takes its time steadily", async function () {
    this.timeout(30_000);
    const lone = await startLoneNode({ stallMs: 400, maxPieceBytes: 64 * MIB });
    node = lone;
    const piece = await testPiece(48 * MIB, 1);
    const id = await lone.store.beginUpload();
    const bytes = async function* () {
      yield piece.payload;
    };
    await lone.store.writeUpload(id, bytes(), piece.payload.length);
    await lone.store.finishUpload(id, piece.cid);
    const read = async (pauseMs: number, bytes: number) => {
      const socket = connect(Number(new URL(node.url).port), "127.0.0.1").pause();
      sockets.push(socket);
      socket.on("error", () => undefined);
      socket.write(`GET /piece/${piece.cid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      let received = 0;
      const closed = new Promise((go) => socket.once("close", go));
      for (let i = 0; i < 8; i++) {
        await new Promise((go) => setTimeout(go, pauseMs));
        for (let left = bytes, chunk: Buffer | null; left > 0; left -= chunk.length) {
          chunk = socket.read() as Buffer | null;
          if (chunk === null) break;
          received += chunk.length;
        }
      }
      socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      socket.resume();
      await closed;
      return received;
    };
    // Large buffers have as long as so many small ones: 16 times 400 ms for a mebibyte.
    expect(await read(1_000, 1)).to.be.within(1, piece.payload.length - 1);
    expect(await read(100, 4 * MIB)).to.be.greaterThan(piece.payload.length);
  });
});
