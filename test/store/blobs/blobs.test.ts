import { open, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type BlobStore, type BlobStoreOptions, openBlobStore } from "../../../src/store/blobs/index.js";
import { expectError, pseudoRandom } from "../../piece/helpers.js";
import { describeBlobs } from "../../support/blobs.js";
import { failure } from "../../support/failure.js";
import { bytesOf, removeFolders, tempFolder } from "../../support/pieces.js";
import { startS3, type TestS3 } from "../../support/s3.js";

const MIB = 1 << 20;
const NAME = "pieces/one.piece";

const names = async (blobs: BlobStore, folder = "pieces") => {
  const found = [];
  for await (const { name, size } of blobs.list(folder)) found.push([name, size]);
  return found.sort();
};
const file = async (bytes: Uint8Array) => {
  const path = join(await tempFolder(), "file");
  await writeFile(path, bytes);
  return path;
};
const part = async (blobs: BlobStore, start: number, end: number) => {
  const opened = await blobs.open(NAME, start, end);
  return opened && { size: opened.size, bytes: Buffer.from(await bytesOf(opened.bytes)) };
};

describeBlobs("Blobs", ({ empty }) => {
  it("stores a few bytes, tells their size, reads any part of them, deletes them", async () => {
    const blobs = await empty();
    const bytes = Buffer.from(pseudoRandom(1_000));
    await blobs.put(NAME, bytes);
    expect(await blobs.size(NAME)).to.equal(1_000);
    for (const [start, end] of [
      [0, 1_000],
      [0, 1],
      [999, 1_000],
      [10, 700],
      [990, 2_000],
      [1_000, 2_000],
      [5, 5],
    ] as const) {
      expect(await part(blobs, start, end), `${start} to ${end}`).to.deep.equal({
        size: 1_000,
        bytes: bytes.subarray(start, end),
      });
      expect(Buffer.from((await blobs.read(NAME, start, end - start))!)).to.deep.equal(bytes.subarray(start, end));
    }
    await blobs.put(NAME, bytes.subarray(1));
    expect(await blobs.size(NAME)).to.equal(999);
    await blobs.delete(NAME);
    await blobs.delete(NAME);
    expect(await names(blobs)).to.deep.equal([]);
  });

  it("knows what is not there", async () => {
    const blobs = await empty();
    expect(await blobs.size(NAME)).to.equal(undefined);
    expect(await blobs.open(NAME, 0, 10)).to.equal(undefined);
    expect(await blobs.open(NAME, 0, 0)).to.equal(undefined);
    expect(await blobs.read(NAME, 0, 10)).to.equal(undefined);
    expect(await names(blobs)).to.deep.equal([]);
  });

  it("takes files, small and in parts, and the file is gone", async function () {
    this.timeout(60_000);
    const blobs = await empty();
    for (const size of [1, 21 * MIB + 5]) {
      const bytes = Buffer.from(pseudoRandom(size));
      const path = await file(bytes);
      await blobs.take(NAME, path);
      await expectMissing(path);
      expect(await blobs.size(NAME)).to.equal(size);
      expect((await part(blobs, 0, size))?.bytes.equals(bytes)).to.equal(true);
      expect((await part(blobs, size >> 1, size))?.bytes.equals(bytes.subarray(size >> 1))).to.equal(true);
    }
    expect(await names(blobs)).to.deep.equal([[NAME, 21 * MIB + 5]]);
  });

  it("lists one folder, however many are in it", async function () {
    this.timeout(60_000);
    const blobs = await empty();
    const many = Array.from({ length: 1_100 }, (_, i) => `blocks/${i}.blocks`);
    for (let at = 0; at < many.length; at += 50) {
      await Promise.all(many.slice(at, at + 50).map((name) => blobs.put(name, new Uint8Array(3))));
    }
    await blobs.put(NAME, new Uint8Array(1));
    expect(await names(blobs)).to.deep.equal([[NAME, 1]]);
    expect(await names(blobs, "blocks")).to.deep.equal(many.map((name) => [name, 3]).sort());
  });

  it("takes no name that leads elsewhere", async () => {
    const blobs = await empty();
    for (const name of [
      "../x",
      "pieces/../../x",
      "/etc/passwd",
      "pieces/.x",
      "pieces",
      "pieces/",
      "a/b/c",
      "pieces/a\0",
    ]) {
      expect(await failure(blobs.size(name)), name).to.be.instanceOf(TypeError);
      expect(await failure(blobs.put(name, new Uint8Array(1))), name).to.be.instanceOf(TypeError);
      expect(await failure(blobs.delete(name)), name).to.be.instanceOf(TypeError);
    }
  });

  it("stops where it is told to, and keeps the file that it did not take", async () => {
    const blobs = await empty();
    await blobs.put(NAME, pseudoRandom(3 * MIB));
    const stop = new AbortController();
    const opened = await blobs.open(NAME, 0, 3 * MIB, stop.signal);
    const reader = opened!.bytes.getReader();
    await reader.read();
    stop.abort(new Error("enough"));
    const rest = (async () => {
      for (;;) if ((await reader.read()).done) return;
    })();
    // What was under way may still come; the next request does not.
    const outcome = await rest.then(
      () => "to its end",
      (error: Error) => error.message,
    );
    expect(outcome).to.match(/^to its end$|enough|abort/);
    expect((await failure(blobs.open(NAME, 0, 1, stop.signal))).message).to.equal("enough");
    const missing = await failure(blobs.take("pieces/two.piece", "/nowhere/at-all"));
    expect(missing).to.include({ code: "ENOENT" });
    expect(await blobs.size("pieces/two.piece")).to.equal(undefined);
  });
});

describe("Blobs in a folder", () => {
  after(removeFolders);

  it("have no name before they are whole, and clear away what is a day old", async () => {
    const dir = await tempFolder();
    const blobs = await openBlobStore({ dir });
    await blobs.put(NAME, new Uint8Array(3));
    const [old, fresh] = ["a", "b"].map((name) => join(dir, "pieces", `${name}.part`)) as [string, string];
    for (const path of [old, fresh]) await writeFile(path, "half");
    const before = (Date.now() - 25 * 3_600_000) / 1_000;
    await utimes(old, before, before);
    expect(await names(blobs)).to.deep.equal([[NAME, 3]]);
    await blobs.sweep();
    await expectMissing(old);
    expect(await readFile(fresh, "utf8")).to.equal("half");
  });

  it("fail, and do not fall short, when bytes go missing while they are read", async () => {
    const dir = await tempFolder();
    const blobs = await openBlobStore({ dir });
    await blobs.put(NAME, pseudoRandom(3 * MIB));
    const opened = await blobs.open(NAME, 0, 3 * MIB);
    const handle = await open(join(dir, NAME), "r+");
    await handle.truncate(MIB);
    await handle.close();
    await expectError("BLOB_DAMAGED", () => bytesOf(opened!.bytes));
  });
});

describe("Blobs in a bucket", function () {
  this.timeout(60_000);
  let s3: TestS3;
  let blobs: BlobStore;
  const opened: BlobStore[] = [];

  before(async () => {
    s3 = await startS3();
  });
  beforeEach(async () => {
    blobs = await openBlobStore(s3.options());
    opened.push(blobs);
    s3.requests.length = 0;
  });
  afterEach(() => {
    s3.fault = undefined;
  });
  after(async () => {
    for (const one of opened) one.close();
    await s3.stop();
    await removeFolders();
  });

  it("go on where a connection breaks, and fail where it always does", async () => {
    const bytes = Buffer.from(pseudoRandom(3 * MIB));
    await blobs.put(NAME, bytes);
    let left = 4;
    s3.fault = (request) => (request.startsWith("GET") && left-- > 0 ? { cutAfter: 500_000 } : undefined);
    expect((await part(blobs, 0, bytes.length))?.bytes.equals(bytes)).to.equal(true);
    expect(s3.requests.filter((request) => request.startsWith("GET"))).to.have.length(5);
    s3.fault = (request) => (request.startsWith("GET") ? { cutAfter: 0 } : undefined);
    await expectError("BLOBS_UNREACHABLE", () => part(blobs, 0, bytes.length));
  });

  it("fail where nobody answers", async () => {
    const impatient = await openBlobStore({ ...s3.options(), answerMs: 300 } as BlobStoreOptions);
    opened.push(impatient);
    await impatient.put(NAME, pseudoRandom(MIB));
    s3.fault = (request) => (request.startsWith("HEAD") ? "never" : undefined);
    await expectError("BLOBS_UNREACHABLE", () => impatient.size(NAME));
    s3.fault = undefined;
    expect(await impatient.size(NAME)).to.equal(MIB);
  });

  it("give those who ask for little what they ask for, however many streams nobody reads", async () => {
    const few = await openBlobStore({ ...s3.options(), readers: 2 } as BlobStoreOptions);
    opened.push(few);
    await few.put(NAME, pseudoRandom(8 * MIB));
    const streams = await Promise.all([few.open(NAME, 0, 8 * MIB), few.open(NAME, 0, 8 * MIB)]);
    const third = few.open(NAME, 0, 10);
    expect((await few.read(NAME, 5, 10))?.length).to.equal(10);
    expect(await few.size(NAME)).to.equal(8 * MIB);
    const isWaiting = await Promise.race([third.then(() => false), new Promise((go) => setTimeout(go, 200, true))]);
    expect(isWaiting, "streams wait for streams").to.equal(true);
    for (const stream of streams) await stream!.bytes.cancel();
    await (await third)!.bytes.cancel();
  });

  it("let go of a connection whose reader turns away", async () => {
    const few = await openBlobStore({ ...s3.options(), readers: 2 } as BlobStoreOptions);
    opened.push(few);
    await few.put(NAME, pseudoRandom(8 * MIB));
    // With one that is not let go, the third would wait for ever.
    for (let i = 0; i < 10; i++) await (await few.open(NAME, 0, 8 * MIB))!.bytes.cancel();
  });

  it("are tried again where the service is busy", async () => {
    let left = 2;
    s3.fault = () => (left-- > 0 ? 503 : undefined);
    await blobs.put(NAME, new Uint8Array(5));
    expect(await blobs.size(NAME)).to.equal(5);
  });

  it("leave no parts of a file that could not be sent, and keep the file", async () => {
    const path = await file(pseudoRandom(20 * MIB));
    s3.fault = (request) => (/partNumber=2/.test(request) ? 500 : undefined);
    await expectError("BLOBS_UNREACHABLE", () => blobs.take(NAME, path));
    expect(await s3.unfinished()).to.deep.equal([]);
    expect(await blobs.size(NAME)).to.equal(undefined);
    s3.fault = undefined;
    await blobs.take(NAME, path);
    expect(await blobs.size(NAME)).to.equal(20 * MIB);
  });

  it("leave no parts of a file that nobody wants any more", async () => {
    const path = await file(pseudoRandom(40 * MIB));
    const stop = new AbortController();
    s3.fault = (request) => {
      if (/partNumber=2/.test(request)) stop.abort(new Error("enough"));
      return undefined;
    };
    expect((await failure(blobs.take(NAME, path, stop.signal))).message).to.equal("enough");
    for (let i = 0; (await s3.unfinished()).length > 0 && i < 100; i++) await new Promise((go) => setTimeout(go, 20));
    expect(await s3.unfinished()).to.deep.equal([]);
    expect((await stat(path)).size).to.equal(40 * MIB);
  });

  it("clear away parts that a process left which died, once they are a day old", async () => {
    const { S3Client, CreateMultipartUploadCommand } = await import("@aws-sdk/client-s3");
    const { endpoint, credentials, url } = s3.options() as {
      endpoint: string;
      credentials: { accessKeyId: string; secretAccessKey: string };
      url: string;
    };
    const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
    const ids = [];
    for (const Key of ["x/pieces/a.piece", "x/pieces/b.piece"]) {
      ids.push((await client.send(new CreateMultipartUploadCommand({ Bucket: new URL(url).hostname, Key }))).UploadId!);
    }
    client.destroy();
    const before = (Date.now() - 25 * 3_600_000) / 1_000;
    await utimes(join(s3.dir, "holdfast", "._S3rver_uploads", ids[0]!, "key"), before, before);
    await blobs.sweep();
    expect(await s3.unfinished()).to.deep.equal([ids[1]]);
  });

  it("say who could not be reached or let nobody in, and nothing that is secret", async () => {
    const { endpoint } = s3;
    const credentials = { accessKeyId: "sesame", secretAccessKey: "open-sesame" };
    const refused = await failure(openBlobStore({ url: "s3://holdfast/x", endpoint, credentials }));
    expect(refused).to.include({ code: "BLOBS_REFUSED" });
    const known = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
    const none = await failure(openBlobStore({ url: "s3://other/x", endpoint, credentials: known }));
    expect(none).to.include({ code: "BLOBS_UNREACHABLE" });
    expect(none.message).to.match(/NoSuchBucket/);
    s3.fault = () => 400;
    const strange = await failure(blobs.size(NAME));
    s3.fault = () => "drop";
    const away = await failure(blobs.size(NAME));
    expect(away).to.include({ code: "BLOBS_UNREACHABLE" });
    for (const error of [refused, none, strange, away]) {
      const { inspect } = await import("node:util");
      expect(inspect(error, { depth: 9 })).to.not.match(/sesame|S3RVER\b|StringToSign/);
    }
    await expectError("INVALID_BLOBS_URL", () => openBlobStore({ url: "https://holdfast/x" }));
    await expectError("INVALID_BLOBS_URL", () => openBlobStore({ url: "s3://user:word@holdfast/x" }));
  });
});

async function expectMissing(path: string): Promise<void> {
  expect(await failure(stat(path))).to.include({ code: "ENOENT" });
}
