import { expect } from "chai";
import { isDefiniteRefusal, isKnown, isNonceTakenBy, weightiestRefusal } from "../../src/chain/refusals.js";

describe("refusals", () => {
  for (const [node, text] of [
    ["geth", "transaction underpriced: gas tip cap 1, minimum needed 1000000"],
    ["geth", "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000"],
    ["geth", "tx fee (2.10 ether) exceeds the configured cap (1.00 ether)"],
    ["geth", "txpool is full"],
    ["Erigon", "underpriced"],
    ["Erigon", "baseFee sub-pool is full"],
    ["Nethermind", "FeeTooLow, EffectivePriorityFeePerGas too low 1 < 2"],
    ["Nethermind", "Invalid, InvalidTxSignature: Signature is invalid."],
    ["Lotus", "mpool push: failed to push message: gas fee cap too low: 1 < 100"],
    ["Lotus", "not enough funds (required: 2, balance: 1): not enough funds to execute transaction"],
    ["anvil", "max fee per gas less than block base fee"],
    ["any", "the method eth_sendRawTransaction does not exist/is not available"],
  ] as const) {
    it(`of ${node} is definite: ${text}`, () => expect(isDefiniteRefusal(text)).to.equal(true));
  }

  for (const text of ["Internal error", "", "timeout", "Invalid response from upstream", "mined", "header not found"]) {
    it(`leaves open whether it was taken: “${text}”`, () => expect(isDefiniteRefusal(text)).to.equal(false));
  }

  it("knows a nonce that is another's", () => {
    for (const text of [
      "nonce too low: next nonce 5, tx nonce 4",
      "minimum expected nonce is 5: message nonce too low",
      "OldNonce, Current nonce: 5, nonce of rejected tx: 4",
      "replacement transaction underpriced",
      "could not replace existing tx",
      "message from f4… with nonce 4 already in mpool, increase GasPremium to 2 from 1 to trigger replace by fee: replace by fee has too low GasPremium",
    ]) {
      expect(isNonceTakenBy(text), text).to.equal(true);
      expect(isKnown(text), text).to.equal(false);
    }
  });

  it("knows bytes that are there already", () => {
    for (const text of [
      "already known",
      "AlreadyKnown",
      "transaction already imported",
      "message from f4… with nonce 4 already in mpool: message with nonce already exists",
    ])
      expect(isKnown(text), text).to.equal(true);
  });

  it("of several gives that which leaves most open", () => {
    const of = (...texts: string[]) => weightiestRefusal(texts.map((message) => ({ code: -32_000, message })))?.message;
    expect(of("txpool is full", "nonce too low", "Internal error")).to.equal("Internal error");
    expect(of("txpool is full", "nonce too low")).to.equal("nonce too low");
    expect(of("txpool is full", "transaction underpriced")).to.equal("txpool is full");
    expect(of()).to.equal(undefined);
  });
});
