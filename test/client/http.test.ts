import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { request } from "../../src/client/http.js";
import { expectError } from "../piece/helpers.js";

describe("client: nodes that are busy", () => {
  let server: Server;
  let url: string;
  let asked: string[];
  let answers: { readonly status: number; readonly after?: string }[];

  beforeEach(async () => {
    [asked, answers] = [[], []];
    server = createServer(async (incoming, outgoing) => {
      const parts: Buffer[] = [];
      for await (const part of incoming) parts.push(part);
      asked.push(Buffer.concat(parts).toString());
      const { status, after } = answers.shift() ?? { status: 200 };
      outgoing.writeHead(status, after === undefined ? {} : { "retry-after": after }).end("in its words");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const post = (body: BodyInit, signal = AbortSignal.timeout(10_000)) =>
    request(url, "deals", { method: "POST", body, signal });

  it("are asked again, with the same words, when the moment is over", async () => {
    answers = [
      { status: 429, after: "1" },
      { status: 503, after: "0" },
    ];
    const began = Date.now();
    expect((await post("terms")).status).to.equal(200);
    expect(asked).to.deep.equal(["terms", "terms", "terms"]);
    expect(Date.now() - began).to.be.within(950, 5_000);
  });

  it("are not where they are for long, for good, or do not say it", async () => {
    for (const answer of [
      { status: 429, after: "30" },
      { status: 429 },
      { status: 503, after: "soon" },
      { status: 422, after: "1" },
    ]) {
      answers = [answer];
      const { message } = await expectError("PROVIDER_REFUSED", () => post("terms"));
      expect(message).to.contain(`${answer.status} in its words`);
    }
    expect(asked).to.have.length(4);
    // What is no text may be gone when it is to be sent again.
    answers = [{ status: 429, after: "1" }];
    await expectError("PROVIDER_REFUSED", () => post(new Blob(["bytes"])));
  });

  it("are given up where they are so without end, or the time is over", async () => {
    answers = Array.from({ length: 100 }, () => ({ status: 429, after: "0" }));
    await expectError("PROVIDER_REFUSED", () => post("terms"));
    expect(asked.length).to.be.within(2, 30);
    answers = Array.from({ length: 100 }, () => ({ status: 429, after: "2" }));
    const began = Date.now();
    await expectError("PROVIDER_UNREACHABLE", () => post("terms", AbortSignal.timeout(300)));
    expect(Date.now() - began).to.be.lessThan(1_500);
  });
});
