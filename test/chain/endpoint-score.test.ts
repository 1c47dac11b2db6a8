import { expect } from "chai";
import { EndpointScore } from "../../src/chain/endpoint-score.js";
import { retryAfter } from "../../src/chain/rpc-http.js";
import { blockAskedFor, blockShown, isEndpointsOwn, methodKind } from "../../src/chain/rpc-methods.js";

describe("EndpointScore", () => {
  it("falls with latency, failures and lag, each as its formula says", () => {
    const score = new EndpointScore();
    score.succeeded(500, 0);
    expectNear(score.value(0, 0), 1 / 2);
    expectNear(score.value(0, 2), 1 / 4);
    score.failed(0);
    expectNear(score.errorRate(0), 0.25);
    expectNear(score.value(0, 0), 0.75 ** 2 / 2);
    score.succeeded(1_000, 0);
    expect(score.latencyMs).to.equal(600);
  });

  it("forgives with time, or nobody who failed would ever be asked again", () => {
    const score = new EndpointScore();
    for (let i = 0; i < 50; i++) score.failed(0);
    expect(score.errorRate(0)).to.be.greaterThan(0.99);
    expectNear(score.errorRate(30_000), score.errorRate(0) / 2);
    expect(score.value(300_000, 0)).to.be.greaterThan(0.49);
  });

  it("rests for as long as it was told, not for less where it is told again", () => {
    const score = new EndpointScore();
    score.failed(0, 10_000);
    score.failed(0, 1_000);
    expect(score.restMs(4_000)).to.equal(6_000);
    expect(score.restMs(10_000)).to.equal(0);
  });
});

describe("RPC methods", () => {
  it("are asked again only where that changes nothing", () => {
    for (const method of ["eth_call", "eth_getLogs", "eth_chainId", "eth_estimateGas", "net_version", "web3_sha3"])
      expect(methodKind(method), method).to.equal("read");
    const once = ["eth_sendTransaction", "eth_sign", "eth_signTransaction", "eth_newFilter", "eth_getFilterChanges"];
    for (const method of [...once, "evm_mine", "anvil_reorg", "eth_subscribe", "eth_sendUserOperation", "eth_accounts"])
      expect(methodKind(method), method).to.equal("once");
    expect(methodKind("eth_sendRawTransaction")).to.equal("broadcast");
    for (const method of ["eth_getTransactionCount", "eth_maxPriorityFeePerGas"])
      expect(methodKind(method), method).to.equal("several");
  });

  it("show blocks, and what is no block shows none", () => {
    const latest = { method: "eth_getBlockByNumber", params: ["latest", false] };
    expect(blockShown(latest, { number: "0x10" })).to.equal(16);
    expect(blockShown({ ...latest, params: ["pending", false] }, { number: "0x10" })).to.equal(undefined);
    for (const strange of [
      null,
      {},
      { number: null },
      { number: 16 },
      { number: "16" },
      { number: `0x${"f".repeat(14)}` },
    ])
      expect(blockShown(latest, strange)).to.equal(undefined);
    expect(blockShown({ method: "eth_call", params: [] }, "0x10")).to.equal(undefined);
    expect(blockAskedFor(latest)).to.equal(undefined);
    expect(blockAskedFor({ ...latest, params: ["0x5", false] })).to.equal(5);
  });

  it("are refused by a contract, a node or a limit: only the last two are asked elsewhere", () => {
    const call = { method: "eth_call", params: [] };
    const logs = { method: "eth_getLogs", params: [] };
    expect(isEndpointsOwn(call, { code: 3, message: "execution reverted: rate limit", data: "0x" })).to.equal(
      undefined,
    );
    expect(isEndpointsOwn(call, { code: -32_000, message: "nonce too low" })).to.equal(undefined);
    expect(isEndpointsOwn(call, { code: -32_005, message: "daily request count exceeded" })).to.equal("limited");
    expect(isEndpointsOwn(call, { code: -32_000, message: "header not found" })).to.equal("lacking");
    const future = { code: 1, message: "requested a future epoch (beyond 'latest')" };
    expect(isEndpointsOwn(call, future), "of Lotus").to.equal("lacking");
    const none = { code: 12, message: "requested epoch was a null round (5)", data: 5 };
    expect(isEndpointsOwn(call, none), "what the chain is like").to.equal(undefined);
    expect(isEndpointsOwn(call, { code: -32_601, message: "the method does not exist" })).to.equal("lacking");
    expect(isEndpointsOwn(logs, { code: -32_005, message: "query returned more than 10000 results" })).to.equal(
      undefined,
    );
    expect(isEndpointsOwn(logs, { code: -32_005, message: "too many requests" })).to.equal("limited");
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  it("is a number of seconds or a date, and ten minutes at most", () => {
    expect(retryAfter("7", now)).to.equal(7_000);
    expect(retryAfter("Thu, 01 Jan 2026 00:00:09 GMT", now)).to.equal(9_000);
    expect(retryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).to.equal(0);
    expect(retryAfter("99999999999", now)).to.equal(600_000);
    for (const nothing of [null, "", "soon", "-"]) expect(retryAfter(nothing, now)).to.equal(undefined);
  });
});

/** Chai's own `closeTo` is another one where contracts are tested in the same process, and takes whole numbers only. */
function expectNear(actual: number, expected: number): void {
  expect(Math.abs(actual - expected), `${actual} is not ${expected}`).to.be.lessThan(1e-9);
}
