import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect } from "chai";
import { JsonRpcProvider, Network, type TransactionRequest, toBeHex, type Wallet, ZeroAddress } from "ethers";
import { connect } from "../../src/chain/contracts.js";
import { ChainError } from "../../src/chain/errors.js";
import {
  type ChainAccess,
  type ChainSender,
  fund,
  HoldfastClient,
  isSignedBy,
  type TooFewProvidersError,
  walletSender,
} from "../../src/client/index.js";
import { TestToken__factory, Wallet1271__factory } from "../../typechain-types/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

describe("client: money, senders, signatures", () => {
  let net: StorageNet;
  let wallet: Wallet;
  let access: ChainAccess;
  let client: HoldfastClient;
  let sent: string[];

  const inVault = (token = net.token) => client.balance(token);

  before(async () => {
    net = await startStorageNet();
  });
  beforeEach(async () => {
    wallet = await net.rich();
    sent = [];
    const sender = net.senderOf(wallet);
    const counting = {
      address: () => sender.address(),
      send: (...args: Parameters<typeof sender.send>) => {
        sent.push(args[1]);
        return sender.send(...args);
      },
    };
    access = { address: wallet.address, sender: counting, deployment: net.deployment, contracts: net.contracts };
    client = new HoldfastClient(access);
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("deposits what is missing and no more, and asks for nothing twice", async () => {
    await fund(access, net.token, 1_000n);
    expect(sent).to.deep.equal(["let the vault take 1000 base units", "deposit 1000 base units"]);
    await fund(access, net.token, 1_000n);
    expect(sent).to.have.length(2);
    await fund(access, net.token, 1_500n);
    expect(sent.slice(2)).to.deep.equal(["let the vault take 500 base units", "deposit 500 base units"]);
    expect(await inVault()).to.equal(1_500n);
    const { vault, market } = net.deployment;
    expect(await net.contracts.vault.isOperator(wallet.address, market)).to.equal(true);
    expect(await TestToken__factory.connect(net.token, net.provider).allowance(wallet.address, vault)).to.equal(0n);
  });

  it("lets the market take what is there already", async () => {
    await (await net.contracts.vault.connect(wallet).deposit(ZeroAddress, wallet.address, 10n, { value: 10n })).wait();
    await fund(access, ZeroAddress, 10n);
    expect(sent).to.deep.equal(["let the market take escrow"]);
  });

  it("deposits the coin, and takes all of it back", async () => {
    await fund(access, ZeroAddress, 77n);
    expect(sent).to.deep.equal(["deposit 77 base units"]);
    expect(await client.withdrawAll(ZeroAddress)).to.equal(77n);
    expect(await client.withdrawAll(ZeroAddress)).to.equal(0n);
    expect(sent).to.have.length(2);
  });

  it("goes through zero where an allowance is there, as USDT wants it", async () => {
    const token = TestToken__factory.connect(net.token, wallet);
    await (await token.approve(net.deployment.vault, 5n)).wait();
    await fund(access, net.token, 9n);
    expect(sent[0]).to.equal("reset an allowance");
    await (await token.approve(net.deployment.vault, 50n)).wait();
    sent.length = 0;
    await fund(access, net.token, 20n);
    expect(sent).to.deep.equal(["deposit 11 base units"]);
  });

  it("says what it could not do when the wallet has too little, or a token is none", async () => {
    const poor = await expectError("REVERTED", () => fund(access, net.token, 1n << 100n));
    expect(poor.message).to.match(/Failed to deposit/);
    const { address } = await net.account();
    expect((await expectError("BAD_DATA", () => fund(access, address, 1n))).message).to.match(/read an allowance/);
  });

  it("stores, extends, ends and withdraws through a wallet, with nothing lost on the way", async () => {
    const node = await net.addProvider();
    const browser = new HoldfastClient({ ...access, sender: walletSender(wallet) });
    const { payload } = await testPiece(2_000);
    const wealth = await net.tokensOf(wallet.address);
    const { deals } = await browser.store(new Blob([payload]), {
      tier: 0,
      periods: 6,
      maxPeriods: 9,
      token: net.token,
      maxPricePerPeriod: 2_000n,
      urls: [node.url],
    });
    const id = deals[0]?.id as bigint;
    await fund(access, net.token, 3n * 2_000n);
    await browser.extend(id, 3, 6_000n);
    expect((await net.contracts.lens.dealOf(id)).periods).to.equal(9n);
    const error = await browser.extend(id, 1, 6_000n).catch((thrown: ChainError) => thrown);
    expect(error).to.be.instanceOf(ChainError).with.nested.property("revert.name", "BeyondMaxPeriods");
    await browser.terminate(id);
    // One window may have begun, by the provider's phase: two periods are owed at most.
    const back = await browser.withdrawAll(net.token);
    expect(back).to.be.within(7n * 2_000n, 9n * 2_000n);
    expect(await net.tokensOf(wallet.address)).to.equal(wealth - 9n * 2_000n + back);
  });

  /** A wallet whose owner does something else with the nonce before the transaction is in a block. */
  const meddled = (change: (call: TransactionRequest) => TransactionRequest) =>
    walletSender(
      new Proxy(wallet, {
        get(target, name) {
          const value = Reflect.get(target, name, target);
          if (name !== "sendTransaction") return typeof value === "function" ? value.bind(target) : value;
          return async (call: TransactionRequest) => {
            await net.automine(false);
            try {
              const first = await target.sendTransaction(call);
              const { nonce, gasLimit } = first;
              const raised = { nonce, gasLimit, maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n };
              await target.sendTransaction({ ...change(call), ...raised });
              await net.mine();
              return first;
            } finally {
              await net.automine(true);
            }
          };
        },
      }),
    );

  it("takes a transaction that was sped up in the wallet for done", async () => {
    const sender = meddled((call) => call);
    await fund({ ...access, sender }, ZeroAddress, 78n);
    expect(await inVault(ZeroAddress)).to.equal(78n);
  });

  it("says so when a transaction was cancelled in the wallet", async () => {
    const sender = meddled(() => ({ to: wallet.address }));
    const error = await expectError("TRANSACTION_REPLACED", () => fund({ ...access, sender }, ZeroAddress, 79n));
    expect(error.message).to.match(/Failed to deposit/);
    expect(await inVault(ZeroAddress)).to.equal(0n);
  });

  it("says which deals are open where the chain fails at a later one", async () => {
    const nodes = [await net.addProvider(), await net.addProvider()];
    const { payload } = await testPiece(2_000);
    const broken = new ChainError("TX_STUCK", "nothing goes through", "wait", "retry", undefined);
    let opens = 0;
    const sender = {
      ...access.sender,
      send: (...args: Parameters<ChainSender["send"]>) => {
        if (args[1] === "open a deal" && ++opens === 2) return Promise.reject(broken);
        return access.sender.send(...args);
      },
    };
    const two = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 2_000n, urls: nodes.map(({ url }) => url) };
    const stuck = new HoldfastClient({ ...access, sender });
    const storing = () => stuck.store(new Blob([payload]), { ...two, copies: 2 });
    const error = (await expectError("TOO_FEW_PROVIDERS", storing)) as TooFewProvidersError;
    expect(error.message).to.match(/^1 of 2 copies were placed: nothing goes through$/);
    expect(error.cause).to.equal(broken);
    expect(await net.contracts.market.ownerOf(error.deals[0]?.id as bigint)).to.equal(wallet.address);
    opens = 1;
    expect(await stuck.store(new Blob([payload]), two).catch((thrown) => thrown)).to.equal(broken);
  });

  it("stores for two callers at once without counting on the same money", async () => {
    const node = await net.addProvider();
    const pieces = await Promise.all([testPiece(3_000, 1), testPiece(3_000, 2)]);
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 3_000n, urls: [node.url] };
    const stored = await Promise.all(pieces.map(({ payload }) => client.store(new Blob([payload]), wishes)));
    expect(new Set(stored.map(({ deals }) => deals[0]?.id)).size).to.equal(2);
    expect(await inVault()).to.equal(0n);
  });

  it("opens no second deal where the provider's free stake is for one", async () => {
    const node = await net.addProvider({}, 30_000n);
    const pieces = await Promise.all([testPiece(3_000, 1), testPiece(3_000, 2)]);
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 3_000n, urls: [node.url] };
    const outcomes = await Promise.allSettled(pieces.map(({ payload }) => client.store(new Blob([payload]), wishes)));
    expect(outcomes.map(({ status }) => status).sort()).to.deep.equal(["fulfilled", "rejected"]);
    const { locked } = await net.contracts.registry.provisionOf(node.wallet, net.deployment.market, net.token);
    expect(locked).to.equal(30_000n);
  });

  it("refuses wishes that no market fulfils, before anything is asked", async () => {
    const good = { tier: 0, periods: 6, maxPricePerPeriod: 1n, urls: ["http://127.0.0.1:1"] };
    const store =
      (changes: object, payload = "x") =>
      () =>
        client.store(new Blob([payload]), { ...good, ...changes });
    await expectError("UNKNOWN_TIER", store({ tier: 9 }));
    for (const copies of [0, -1, 1.5, Number.NaN]) await expectError("INVALID_COPIES", store({ copies }));
    for (const periods of [5, 6.5, Number.NaN]) await expectError("INVALID_PERIODS", store({ periods }));
    await expectError("INVALID_PERIODS", store({ maxPeriods: 5 }));
    await expectError("EMPTY_PIECE", store({}, ""));
    const { market } = net.contracts;
    const deaf = { ...net.contracts, market: market.connect(null) as typeof market };
    await expectError("NO_PROVIDER", () => new HoldfastClient({ ...access, contracts: deaf }));
  });

  it("says so when the chain can't be asked", async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    const provider = new JsonRpcProvider(`http://127.0.0.1:${port}`, Network.from(31_337), { staticNetwork: true });
    const cut = new HoldfastClient({ ...access, contracts: connect(provider, net.deployment) });
    const error = await cut.balance(net.token).catch((thrown: ChainError) => thrown);
    expect(error).to.be.instanceOf(ChainError).with.property("failure", "retry");
    provider.destroy();
  });

  it("checks signatures as the market does: by key, by ERC-1271, and never for zero", async () => {
    const digest = toBeHex(7, 32);
    const signature = wallet.signingKey.sign(digest).serialized;
    const check = (account: string, what = signature) => isSignedBy(net.provider, account, digest, what);
    expect(await check(wallet.address)).to.equal(true);
    expect(await check((await net.account()).address)).to.equal(false);
    expect(await check(ZeroAddress)).to.equal(false);
    expect(await check(wallet.address, "0x")).to.equal(false);
    expect(await check(wallet.address, `${signature}00`)).to.equal(false);
    const contract = await (await new Wallet1271__factory(wallet).deploy(wallet.address)).waitForDeployment();
    const address = await contract.getAddress();
    expect(await check(address)).to.equal(true);
    expect(await check(address, `${signature.slice(0, -4)}0000`)).to.equal(false);
    await (await contract.setRejects(true)).wait();
    expect(await check(address)).to.equal(false);
    // A contract that knows no ERC-1271.
    expect(await check(net.deployment.registry)).to.equal(false);
  });
});
