import { expect } from "chai";
import { makeError } from "ethers";
import { chainError } from "../../src/chain/errors.js";
import { EndpointFault } from "../../src/chain/rpc-http.js";
import { noAnswer } from "../../src/chain/rpc-provider.js";

/** As ethers has what a node refuses and it knows no name for. */
const refused = (message: string) =>
  makeError("could not coalesce error", "UNKNOWN_ERROR", { error: { code: -32_000, message } } as never);

describe("chainError", () => {
  const TOO_LARGE = [
    "oversized data: transaction size 131200, limit 131072",
    "oversized data",
    "exceeds block gas limit",
    "intrinsic gas: tx exceeds the transaction gas limit",
    "transaction gas limit too high (cap: 16777216, tx: 20000000)",
    "gas required exceeds allowance (30000000)",
    "message too large",
    "request body too large",
    "out of gas",
    "EVM error: OutOfGas",
  ];
  for (const message of TOO_LARGE) {
    it(`takes it for too large where a node says “${message}”`, () => {
      const error = chainError(refused(message), "prove 9 deals");
      expect(error).to.include({ code: "TOO_LARGE", failure: "hopeless" });
      expect(error.message).to.equal(`Failed to prove 9 deals: ${message}`);
    });
  }

  it("takes HTTP's 413 for too large, and no other status", () => {
    const said = (status: number) =>
      chainError(noAnswer("n", "eth_call", new EndpointFault("status", `HTTP status ${status}`, { status })), "prove");
    expect(said(413)).to.include({ code: "TOO_LARGE", failure: "hopeless" });
    expect(said(503)).to.include({ code: "SERVER_ERROR", failure: "retry" });
  });

  for (const message of [
    "txpool is full",
    "gas price too low",
    "already reserved",
    "max fee per gas less than base fee",
  ]) {
    it(`takes “${message}” for something that passes`, () => {
      expect(chainError(refused(message), "prove")).to.include({ code: "RPC_FAILED", failure: "retry" });
    });
  }

  it("takes too little coin for that", () => {
    const error = makeError("insufficient funds: gas required exceeds allowance", "INSUFFICIENT_FUNDS", {} as never);
    expect(chainError(error, "prove")).to.include({ code: "INSUFFICIENT_FUNDS", failure: "retry" });
  });

  /** As ethers has whatever a node says of `eth_call` and `eth_estimateGas`. */
  const called = (message: string, data: string | null = null) =>
    makeError("missing revert data", "CALL_EXCEPTION", {
      ...{ action: "estimateGas", data, reason: null, transaction: {}, invocation: null, revert: null },
      info: { error: { code: -32_603, message } },
    } as never);

  for (const message of [
    "Internal error",
    "header not found",
    "missing trie node 5a (path ) state is not available",
    "execution aborted (timeout = 5s)",
    "rate limit reached",
    "failed to load state tree",
  ]) {
    it(`does not take “${message}” for what the chain says of a call`, () => {
      const error = chainError(called(message), "prove");
      expect(error).to.include({ code: "RPC_FAILED", failure: "retry" });
      expect(error.message).to.equal(`Failed to prove: ${message}`);
    });
  }

  for (const message of [
    "execution reverted",
    "VM Exception while processing transaction: reverted without a reason string",
    "VM execution error.",
    "invalid opcode: INVALID",
    "message execution failed (exit=[33], revert reason=[none], vm error=[contract reverted])",
  ]) {
    it(`takes “${message}” for a refusal of the chain`, () => {
      expect(chainError(called(message), "prove")).to.include({ code: "REVERTED", failure: "hopeless" });
    });
  }

  it("takes revert data for a refusal, whatever is said beside it", () => {
    expect(chainError(called("Internal error", "0x"), "prove")).to.include({ code: "REVERTED", failure: "hopeless" });
    const receipt = makeError("transaction execution reverted", "CALL_EXCEPTION", { receipt: {} } as never);
    expect(chainError(receipt, "prove")).to.include({ code: "REVERTED", failure: "hopeless" });
  });
});
