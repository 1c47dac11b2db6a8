import { expect } from "chai";
import type { Wallet } from "ethers";
import type { ChainError } from "../../../src/chain/errors.js";
import { TransactionSender } from "../../../src/chain/sender.js";
import { DatabaseJournal } from "../../../src/store/database/journal.js";
import { describeDatabases } from "../../support/databases.js";
import { type DevChain, startDevChain, testLogger } from "../../support/dev-chain.js";
import { failure } from "../../support/failure.js";

const SINK = "0x52908400098527886E0F7030069857D2E4169EE7";

describeDatabases("What another process has mined", (databases) => {
  let chain: DevChain;
  let signer: Wallet;
  before(async () => {
    chain = await startDevChain();
    signer = await chain.account();
  });
  after(() => chain.stop());

  it("is done once, as it was, where a reorganisation took it back and nobody has noticed", async () => {
    const { provider, deployment } = chain;
    const database = await databases.empty();
    const senderOf = () => {
      const journal = new DatabaseJournal(database, deployment.chainId);
      return new TransactionSender({ provider, signer, journal, logger: testLogger(), pollMs: 5 });
    };
    const pay = { to: SINK, data: "0x", value: 1n };
    const before = await provider.getBalance(SINK);
    const sent = await senderOf().send(pay, "pay once", undefined, ["once"]);
    if (sent.status !== "mined") throw new Error(sent.status);
    await provider.send("anvil_reorg", [1, []]);
    await provider.send("anvil_dropAllTransactions", []);
    expect((await provider.getBalance(SINK)) - before).to.equal(0n);
    const other = senderOf();
    const again = await failure<ChainError>(other.send(pay, "pay again", undefined, ["once"]));
    expect(again).to.include({ code: "IN_FLIGHT", failure: "retry" });
    expect(again.message).to.include("pay once");
    expect((await provider.getTransactionReceipt(sent.receipt.hash))?.status).to.equal(1);
    expect((await provider.getBalance(SINK)) - before).to.equal(1n);
    expect((await other.send(pay, "pay again", undefined, ["once"])).status, "it is in its block").to.equal("mined");
  });
});
