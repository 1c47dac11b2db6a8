import { expect } from "chai";
import { type RunningNode, startSource } from "../../src/provider/index.js";
import { testLogger } from "../support/dev-chain.js";

describe("provider: a source of a client's own", () => {
  const bytes = new Uint8Array(70_000).map((_, i) => i * 7 + (i >> 8));
  let source: RunningNode;

  beforeEach(async () => {
    source = await startSource(new Blob([bytes]), testLogger());
  });
  afterEach(() => source.close());

  const get = async (headers: Record<string, string> = {}) => {
    const response = await fetch(source.url, { headers });
    return { status: response.status, headers: response.headers, body: new Uint8Array(await response.arrayBuffer()) };
  };

  it("serves all of it, and says how long it is", async () => {
    const { status, headers, body } = await get();
    expect([status, headers.get("content-length")]).to.deep.equal([200, "70000"]);
    expect(body).to.deep.equal(bytes);
    const head = await fetch(source.url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).to.deep.equal([200, "70000", ""]);
  });

  it("goes on where a download broke off, while it is the same payload", async () => {
    const etag = (await get()).headers.get("etag") as string;
    const rest = await get({ range: "bytes=69990-", "if-range": etag });
    expect([rest.status, rest.headers.get("content-range")]).to.deep.equal([206, "bytes 69990-69999/70000"]);
    expect(rest.body).to.deep.equal(bytes.slice(69_990));
    expect((await get({ range: "bytes=69990-", "if-range": '"another"' })).status).to.equal(200);
    expect((await get({ range: "bytes=70000-" })).status).to.equal(416);
  });

  it("has nothing else, and stops", async () => {
    expect((await fetch(`${source.url}/other`)).status).to.equal(404);
    expect((await fetch(source.url, { method: "POST", body: "more" })).status).to.equal(404);
    await source.close();
    await fetch(source.url).then(
      () => expect.fail("it still serves"),
      (error: Error) => expect(error).to.be.instanceOf(TypeError),
    );
  });
});
