/**
 * An S3 server for tests: s3rver, over a folder, behind a front that can be made to fail. s3rver has no list of unfinished
 * uploads and does not end them; the front adds both, over the same folder.
 */
import crypto from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import S3rver from "s3rver";
import type { S3Options } from "../../src/store/blobs/index.js";
import { tempFolder } from "./pieces.js";

/** What becomes of a request: a status instead of an answer, no answer at all, or one that is cut off after so many bytes. */
export type S3Fault = number | "drop" | "never" | { readonly cutAfter: number };

export interface TestS3 {
  readonly endpoint: string;
  /** What the server keeps, on disk. */
  readonly dir: string;
  /** Options for a part of the bucket that nothing is in yet. */
  options(): S3Options;
  /** Asked for each request, as in "GET /bucket/key?query"; undefined for none. */
  fault: ((request: string) => S3Fault | undefined) | undefined;
  /** Requests so far, as "GET /bucket/key?query". */
  readonly requests: string[];
  /** Uploads in parts that are not finished. */
  unfinished(): Promise<string[]>;
  stop(): Promise<void>;
}

const BUCKET = "holdfast";
const KEYS = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

/** It makes the tokens of its lists with DES, which OpenSSL has no more; three times with one key, Triple DES is the same. */
for (const method of ["createCipheriv", "createDecipheriv"] as const) {
  const make = crypto[method] as (name: string, key: Buffer, iv: Buffer) => unknown;
  const tripled = (name: string, key: Buffer, iv: Buffer) =>
    name === "des" ? make("des-ede3-cbc", Buffer.concat([key, key, key]), iv) : make(name, key, iv);
  Object.assign(crypto, { [method]: tripled });
}

export async function startS3(): Promise<TestS3> {
  const dir = await tempFolder();
  const s3rver = new S3rver({ directory: dir, silent: true, configureBuckets: [{ name: BUCKET }] });
  await s3rver.configureBuckets();
  const answer = s3rver.callback();
  const uploads = join(dir, BUCKET, "._S3rver_uploads");
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    s3.requests.push(what);
    const fault = s3.fault?.(what);
    if (fault !== undefined && !(typeof fault === "object")) return fail(fault, request, response);
    if (fault !== undefined) cutOff(response, fault.cutAfter);
    const { searchParams } = new URL(request.url ?? "/", "http://s3");
    const id = searchParams.get("uploadId");
    if (request.method === "DELETE" && id !== null) return void endUpload(join(uploads, id), response);
    if (request.method === "GET" && searchParams.has("uploads")) return void listUploads(uploads, response);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  let prefixes = 0;
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const s3: TestS3 = {
    endpoint,
    dir,
    options: () => ({ url: `s3://${BUCKET}/test${prefixes++}`, endpoint, credentials: KEYS }),
    fault: undefined,
    requests: [],
    unfinished: () => readdir(uploads).catch(() => []),
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return s3;
}

function fail(fault: number | "drop" | "never", request: IncomingMessage, response: ServerResponse): void {
  if (fault === "drop") return void request.destroy();
  request.resume();
  if (fault === "never") return;
  const body =
    "<Error><Code>Fault</Code><Message>StringToSign sesame</Message><AWSAccessKeyId>sesame</AWSAccessKeyId></Error>";
  response.writeHead(fault, { "Content-Type": "application/xml" }).end(body);
}

function cutOff(response: ServerResponse, after: number): void {
  let sent = 0;
  const { write } = response;
  response.write = function (this: ServerResponse, ...args: Parameters<ServerResponse["write"]>) {
    const chunk = args[0] as Buffer;
    if (sent + chunk.length > after) {
      write.call(this, chunk.subarray(0, after - sent), "binary", () => this.destroy());
      return false;
    }
    sent += chunk.length;
    return write.apply(this, args);
  } as ServerResponse["write"];
}

async function endUpload(folder: string, response: ServerResponse): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  response.writeHead(204).end();
}

async function listUploads(folder: string, response: ServerResponse): Promise<void> {
  const ids = await readdir(folder).catch(() => []);
  const parts = await Promise.all(
    ids.map(async (id) => {
      const key = await readFile(join(folder, id, "key"), "utf8");
      const { mtime } = await stat(join(folder, id, "key"));
      return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${mtime.toISOString()}</Initiated></Upload>`;
    }),
  );
  const body = `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${parts.join("")}</ListMultipartUploadsResult>`;
  response.writeHead(200, { "Content-Type": "application/xml" }).end(body);
}
