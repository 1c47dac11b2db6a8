/** Requests to a server that cost the one who makes them as little as can be: it shares the machine with the server. */
import { connect, type Socket } from "node:net";

const BUFFER_BYTES = 1 << 20;
const HEAD_END = Buffer.from("\r\n\r\n");

export interface Request {
  readonly path: string;
  /** Bytes `start` up to and without `end`; without it, all. */
  readonly range?: readonly [start: number, end: number];
  /** Bytes that have to come. */
  readonly length: number;
}

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly requests: readonly Request[];
}

/**
 * Makes requests over so many connections at once, one after another at each. What comes is counted and discarded.
 *
 * @returns seconds that all of them took, from the first request to the last byte
 * @throws Error where an answer is another than it has to be, or a connection breaks off
 */
export async function run({ port, connections, requests }: Load): Promise<number> {
  const lines = await Promise.all(Array.from({ length: connections }, () => Line.to(port)));
  const left = requests.values();
  const start = performance.now();
  await Promise.all(
    lines.map(async (line) => {
      for (const request of left) await line.ask(request);
    }),
  );
  const seconds = (performance.now() - start) / 1e3;
  for (const line of lines) line.close();
  return seconds;
}

/** One connection, which is kept open. */
class Line {
  readonly #socket: Socket;
  /** Bytes that have to come yet; undefined while the head is being read. */
  #left: number | undefined;
  #head = Buffer.alloc(0);
  #asked: { request: Request; resolve: () => void; reject: (error: Error) => void } | undefined;

  private constructor(port: number) {
    // The same memory for every read: nothing is left for the garbage collector.
    const onread = {
      buffer: Buffer.allocUnsafe(BUFFER_BYTES),
      callback: (n: number, buf: Uint8Array) => this.#take(n, buf),
    };
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true, onread });
    this.#socket.on("error", (error) => this.#asked?.reject(error));
    this.#socket.on("close", () => this.#asked?.reject(new Error("the server has broken off")));
  }

  static to(port: number): Promise<Line> {
    const line = new Line(port);
    return new Promise((resolve, reject) => {
      line.#socket.once("connect", () => resolve(line));
      line.#socket.once("error", reject);
    });
  }

  ask(request: Request): Promise<void> {
    const range = request.range ? `Range: bytes=${request.range[0]}-${request.range[1] - 1}\r\n` : "";
    this.#left = undefined;
    this.#head = Buffer.alloc(0);
    return new Promise((resolve, reject) => {
      this.#asked = { request, resolve, reject };
      this.#socket.write(`GET ${request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${range}\r\n`);
    });
  }

  close(): void {
    this.#asked = undefined;
    this.#socket.destroy();
  }

  #take(count: number, bytes: Uint8Array): boolean {
    const body = this.#left === undefined ? this.#takeHead(Buffer.from(bytes.subarray(0, count))) : count;
    if (this.#left === undefined || this.#asked === undefined) return true;
    this.#left -= body;
    if (this.#left > 0) return true;
    const { resolve, reject } = this.#asked;
    if (this.#left === 0) resolve();
    else reject(new Error("more bytes came than were asked for"));
    return true;
  }

  /** How many of the bytes are the body's. */
  #takeHead(bytes: Buffer): number {
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0 || this.#asked === undefined) return 0;
    const { request, reject } = this.#asked;
    const head = this.#head.toString("latin1", 0, end);
    const expected = `HTTP/1.1 ${request.range ? 206 : 200} `;
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
    if (!head.startsWith(expected) || Number(length) !== request.length)
      reject(new Error(`the server answers ${head}`));
    this.#left = request.length;
    return this.#head.length - end - HEAD_END.length;
  }
}
