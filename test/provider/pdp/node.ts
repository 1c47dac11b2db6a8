/** A node alone, without a chain, and raw requests to it. */
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { roomOf } from "../../../src/provider/http.js";
import {
  PieceFetches,
  type PieceFetchesOptions,
  type RunningNode,
  type StartOptions,
  startNode,
  UnpaidPieces,
} from "../../../src/provider/index.js";
import { BlobPieceStore, MemoryUnpaidNotes, type UnpaidNotes, type UploadsOptions } from "../../../src/store/index.js";
import { testLogger } from "../../support/dev-chain.js";
import { filesIn, tempFolder } from "../../support/pieces.js";

export const MIB = 1 << 20;
export const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

const refuse = () => {
  throw new Error("no deals here");
};

export interface LoneNode extends RunningNode {
  readonly dir: string;
  readonly store: BlobPieceStore;
  readonly unpaid: UnpaidPieces;
  readonly notes: UnpaidNotes;
  /** Sends a request as it is, without a client's own mind; gives back status, headers and text. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
  /** A connection on which the head of a request and some of its body were written. */
  begin(head: string, body?: Uint8Array): Socket;
  files(sub: string): Promise<string[]>;
}

export interface AskOptions {
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | undefined>;
  readonly text: string;
  readonly bytes: Uint8Array;
}

export interface LoneOptions extends Partial<StartOptions> {
  /** How pieces are pulled, where it is not as by default. */
  readonly pulling?: Partial<PieceFetchesOptions>;
  readonly uploads?: UploadsOptions;
}

/** @param before - a node that was closed, which this is after a restart */
export async function startLoneNode(
  { pulling, uploads, ...options }: LoneOptions = {},
  before?: LoneNode,
): Promise<LoneNode> {
  const dir = before?.dir ?? (await tempFolder());
  const notes = before?.notes ?? new MemoryUnpaidNotes();
  const store = await BlobPieceStore.open(dir, uploads);
  const unpaid = await UnpaidPieces.open({ notes, store });
  const desk = { info: refuse, offers: refuse, accept: refuse };
  const logger = testLogger();
  const room = roomOf(options);
  const fetching = { ...pulling?.fetching, room };
  const fetches = pulling && new PieceFetches({ store, unpaid, logger, ...pulling, fetching });
  const own = fetches && { fetches };
  const node = await startNode({ store, unpaid, desk, logger, maxPieceBytes: 8 * MIB, room, ...own, ...options });
  return {
    url: node.url,
    async close() {
      await Promise.all([node.close(), fetches?.close()]);
      await store.close();
    },
    dir,
    store,
    unpaid,
    notes,
    ask: (method, path, asked) => ask(node.url, method, path, asked),
    files: (sub) => filesIn(join(dir, sub)),
    begin(head, body = new Uint8Array(0)) {
      const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(head.replaceAll("\n", "\r\n"));
      socket.write(body);
      return socket;
    },
  };
}

function ask(url: string, method: string, path: string, { headers = {}, body = "" }: AskOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const framed = typeof body === "string" || body instanceof Uint8Array;
    const length = framed ? { "content-length": String(Buffer.from(body).length) } : {};
    // The path goes out as it is: a URL would tidy it up.
    const sent = request(
      { hostname, port, method, path, headers: { ...length, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const plain = Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
          );
          resolve({ status: response.statusCode ?? 0, headers: plain, text: bytes.toString(), bytes });
        });
      },
    );
    sent.on("error", reject);
    void (async () => {
      if (framed) sent.end(body);
      else {
        for await (const chunk of body) sent.write(chunk);
        sent.end();
      }
    })().catch(reject);
  });
}

/** Errors are plain text that says something. */
export function expectText(answer: Answer, status: number, text: RegExp): void {
  expect(answer.status, answer.text).to.equal(status);
  expect(answer.headers["content-type"]).to.match(/^text\/plain/);
  expect(answer.text).to.match(text);
}

/** Waits until something holds. */
export async function until(holds: () => Promise<boolean> | boolean, ms = 5_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) expect.fail("it did not happen in time");
    await new Promise((go) => setTimeout(go, 10));
  }
}
