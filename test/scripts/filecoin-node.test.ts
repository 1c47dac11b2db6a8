import { expect } from "chai";
import { JsonRpcProvider, Network, type TransactionReceipt, toBeHex, toQuantity, Wallet } from "ethers";
import { isNullRound } from "../../scripts/profiles/null-rounds.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import { filecoinAddress } from "../../src/protocol/index.js";
import { DrandRandomness__factory } from "../../typechain-types/index.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";

describe("a local Filecoin", function () {
  this.timeout(60_000);

  let chain: DevChain;
  let account: Wallet;

  before(async () => {
    chain = await startDevChain({ profile: profileNamed("filecoin") });
    account = await chain.account();
  });
  after(() => chain.stop());

  const ask = (method: string, ...params: unknown[]) => chain.provider.send(method, params);
  const refusal = (method: string, ...params: unknown[]) =>
    ask(method, ...params).then(
      (result) => result,
      ({ error, info }) => error ?? info.error,
    );
  const send = async () => (await account.sendTransaction({ to: account, value: 1 })).wait();

  /** The next null round, past already, and the blocks beside it. */
  async function nullRound() {
    let at = await chain.provider.getBlockNumber();
    while (!isNullRound(++at));
    await chain.mine(at - (await chain.provider.getBlockNumber()));
    let [before, after] = [at - 1, at + 1];
    while (isNullRound(before)) before--;
    while (isNullRound(after)) after++;
    return { at, before, after };
  }

  it("has blocks half a minute apart, by the epochs between them", async () => {
    const { before, after } = await nullRound();
    const [first, second] = await Promise.all([chain.provider.getBlock(before), chain.provider.getBlock(after)]);
    expect(second!.timestamp - first!.timestamp).to.equal(30 * (after - before));
    expect(first!.gasLimit).to.equal(10_000_000_000n);
  });

  it("has no block at a null round, whichever way one asks, and blocks that are linked past it", async () => {
    const { at, before, after } = await nullRound();
    const message = `requested epoch was a null round (${at})`;
    for (const [method, ...more] of [
      ["eth_getBlockByNumber", false],
      ["eth_getBlockReceipts"],
      ["eth_getBlockTransactionCountByNumber"],
      ["eth_getTransactionByBlockNumberAndIndex", "0x0"],
    ] as const) {
      const said = await refusal(method, toQuantity(at), ...more);
      expect(said, method).to.deep.equal({ code: 12, message, data: at });
    }
    const [parent, child] = await Promise.all([chain.provider.getBlock(before), chain.provider.getBlock(after)]);
    expect(child!.parentHash).to.equal(parent!.hash);
    expect((await chain.provider.getBlock(child!.hash!))!.parentHash).to.equal(parent!.hash);
  });

  it("says of the state after a null round what it says of the block before", async () => {
    const receipt = (await send())!;
    const { at, before } = await nullRound();
    const number = { to: chain.deployment.lens, data: "0x" };
    for (const [method, ...params] of [
      ["eth_getTransactionCount", account.address],
      ["eth_getBalance", account.address],
      ["eth_getCode", chain.deployment.market],
      ["eth_getStorageAt", chain.deployment.market, "0x0"],
    ] as const) {
      const [there, then] = [
        await ask(method, ...params, toQuantity(at)),
        await ask(method, ...params, toQuantity(before)),
      ];
      expect(there, method).to.equal(then);
    }
    expect(receipt.blockNumber).to.be.at.most(before);
    // NUMBER, and return it.
    const seen = await ask("eth_call", { ...number, to: null, data: "0x4360005260206000f3" }, toQuantity(at));
    expect(Number(seen)).to.equal(before);
  });

  it("refuses blocks to come and the first one by its name, and has final ones far below the head", async () => {
    const head = await chain.mine(1_000);
    const future = await refusal("eth_getBlockByNumber", toQuantity(head + 1), false);
    expect(future).to.deep.equal({ code: 1, message: "requested a future epoch (beyond 'latest')" });
    expect((await refusal("eth_getBlockByNumber", "earliest", false)).code).to.equal(1);
    const { number } = (await chain.provider.getBlock("finalized"))!;
    expect(number).to.be.within(head - 903, head - 900);
  });

  it("puts no transaction into a null round, whoever mines, and its head is never one", async () => {
    const heights: number[] = [];
    for (let i = 0; i < 15; i++) heights.push((await send())!.blockNumber, await chain.provider.getBlockNumber());
    await chain.automine(false);
    for (let i = 0; i < 8; i++) {
      const sent = await account.sendTransaction({ to: account, value: 1 });
      heights.push(await chain.mine(), (await sent.wait())!.blockNumber);
    }
    await ask("evm_setIntervalMining", 1);
    for (let i = 0; i < 3; i++) heights.push((await send())!.blockNumber);
    await ask("evm_setIntervalMining", 0);
    await chain.automine(true);
    expect(heights.filter(isNullRound)).to.deep.equal([]);
    expect(new Set(heights).size).to.be.greaterThan(20);
    const logs = await chain.provider.getLogs({ fromBlock: 0, toBlock: "latest" });
    expect(logs.filter(({ blockNumber }) => isNullRound(blockNumber))).to.deep.equal([]);
  });

  it("estimates far more gas than is used", async () => {
    const receipt = (await send())!;
    const estimate = await account.estimateGas({ to: account, value: 1 });
    expect(receipt.gasUsed).to.equal(21_000n);
    expect(estimate).to.equal(125n * 21_000n);
  });

  it("estimates for nobody in particular, and for no account that never had coin", async () => {
    const { address: from } = Wallet.createRandom();
    const call = { to: account.address, data: "0x" };
    const name = filecoinAddress(from, 314_159);
    const said = await refusal("eth_estimateGas", { ...call, from });
    expect(said.code).to.equal(1);
    expect(said.message).to.include(`resolve address ${name}: actor not found`);
    expect(await ask("eth_estimateGas", call)).to.equal(toQuantity(125n * 21_000n));
    await (await account.sendTransaction({ to: from, value: 1 })).wait();
    expect(await ask("eth_estimateGas", { ...call, from })).to.equal(toQuantity(125n * 21_000n));
  });

  it("has drand's seed of every past epoch, null rounds too, and burns the gas of who asks for another", async () => {
    const { at, before } = await nullRound();
    const head = await chain.provider.getBlockNumber();
    const randomness = DrandRandomness__factory.connect(chain.deployment.randomness, chain.provider);
    expect(await randomness.seed(at)).to.not.equal(await randomness.seed(before));
    const read = async (epoch: number) => {
      const data = toBeHex(epoch, 32);
      const sent = await account.sendTransaction({ to: await randomness.PRECOMPILE(), data, gasLimit: 2_000_000 });
      return sent.wait().catch(({ receipt }) => receipt) as Promise<TransactionReceipt>;
    };
    const [near, far, future] = [await read(head - 1), await read(head - 1_001), await read(head + 100)];
    expect([near.status, far.status, future.status]).to.deep.equal([1, 1, 0]);
    expect(Number(far.gasUsed - near.gasUsed)).to.be.within(75_000, 77_000);
    expect(future.gasUsed).to.equal(2_000_000n);
  });

  it("keeps no old hashes", async () => {
    expect(await chain.provider.getCode("0x0000F90827F1C53a10cb7A02335B175320002935")).to.equal("0x");
  });

  it("answers several questions in one request", async () => {
    const batching = new JsonRpcProvider(chain.anvil.url, Network.from(31_415_926), { staticNetwork: true });
    const [id, head] = await Promise.all([batching.send("eth_chainId", []), batching.getBlockNumber()]);
    expect([Number(id), head]).to.deep.equal([31_415_926, await chain.provider.getBlockNumber()]);
    batching.destroy();
  });
});
