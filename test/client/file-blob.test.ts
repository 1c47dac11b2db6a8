import { once } from "node:events";
import { appendFile, open, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { fileBlob } from "../../src/client/file-node.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const GIB = 2 ** 30;

describe("client: files as Blobs", () => {
  const bytes = new Uint8Array(1_500_000).map((_, i) => (i * 7) ^ (i >> 9));
  let path: string;

  beforeEach(async () => {
    path = join(await tempFolder(), "payload");
    await writeFile(path, bytes);
  });
  after(removeFolders);

  it("knows more than 4 GiB of a file, and reads behind them", async () => {
    const size = 6 * GIB + 100;
    const file = await open(path, "w");
    await file.truncate(size);
    await file.write("before", 4 * GIB - 3);
    await file.write("the end", size - 7);
    await file.close();
    const blob = await fileBlob(path);
    expect(blob.size).to.equal(size);
    expect(await blob.slice(-7).text()).to.equal("the end");
    expect(await blob.slice(4 * GIB - 3, 4 * GIB + 3).text()).to.equal("before");
    const rest = blob.slice(5 * GIB).slice(GIB);
    expect([rest.size, (await rest.bytes()).length]).to.deep.equal([100, 100]);
  });

  it("property: is cut as any other Blob", async () => {
    const short = bytes.slice(0, 40);
    await writeFile(path, short);
    const [ours, theirs] = [await fileBlob(path), new Blob([short])];
    const place = fc.option(fc.integer({ min: -60, max: 60 }), { nil: undefined });
    const cuts = fc.array(fc.tuple(place, place), { maxLength: 3 });
    const property = fc.asyncProperty(cuts, async (all) => {
      const cut = (blob: Blob) => all.reduce((rest, [start, end]) => rest.slice(start, end), blob);
      const [mine, other] = [cut(ours), cut(theirs)];
      expect(mine.size).to.equal(other.size);
      expect(new Uint8Array(await mine.arrayBuffer())).to.deep.equal(new Uint8Array(await other.arrayBuffer()));
    });
    await fc.assert(property);
  });

  it("is a Blob wherever one is sent: with its length, again and again", async () => {
    const blob = await fileBlob(path);
    expect(blob).to.be.instanceOf(Blob);
    const server = createServer(async (request, response) => {
      let received = 0;
      for await (const chunk of request) received += chunk.length;
      response.end(`${request.headers["content-length"]} ${received}`);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const part of [blob, blob, blob.slice(10)]) {
        const answer = await fetch(url, { method: "PUT", body: part });
        expect(await answer.text()).to.equal(`${part.size} ${part.size}`);
      }
    } finally {
      server.close();
      server.closeAllConnections();
    }
    expect(new Uint8Array(await new Response(blob).arrayBuffer())).to.deep.equal(bytes);
    expect(await blob.slice(0, 3, "text/plain").text()).to.equal(new TextDecoder().decode(bytes.subarray(0, 3)));
    expect(blob.slice(0, 3, "text/plain").type).to.equal("text/plain");
  });

  it("refuses to be made part of another, which would be empty", async () => {
    const blob = await fileBlob(path);
    expect(() => new Blob([blob])).to.throw(TypeError, "part of another Blob");
    expect(() => new File([blob], "copy")).to.throw(TypeError, "part of another Blob");
    expect(() => new Blob([blob.slice(1, 5)])).to.throw(TypeError, "part of another Blob");
  });

  it("FILE_CHANGED: where the file is longer, shorter, another, newer, or gone", async () => {
    const changes = {
      longer: () => appendFile(path, "more"),
      shorter: () => writeFile(path, "less"),
      rewritten: () => utimes(path, new Date(), new Date(Date.now() + 60_000)),
      gone: () => rm(path),
    };
    for (const [what, change] of Object.entries(changes)) {
      await writeFile(path, bytes);
      const blob = await fileBlob(path);
      await blob.slice(0, 10).bytes();
      await change();
      await expectError("FILE_CHANGED", () => blob.bytes()).catch((error) => expect.fail(`${what}: ${error}`));
    }
    await writeFile(path, bytes);
    const reader = (await fileBlob(path)).stream().getReader();
    await reader.read();
    await appendFile(path, "more");
    await expectError("FILE_CHANGED", async () => {
      while (!(await reader.read()).done);
    });
  });
});
