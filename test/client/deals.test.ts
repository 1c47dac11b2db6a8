import { expect } from "chai";
import { toBeHex, type Wallet } from "ethers";
import type { ChainError } from "../../src/chain/errors.js";
import {
  type ChainAccess,
  dealIdFrom,
  dealIdText,
  extendDeal,
  findDeals,
  readDeal,
  readDeals,
  readState,
  statusName,
  terminateDeal,
  transferDeal,
} from "../../src/client/index.js";
import { Status, windowOf } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { removeFolders, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const SIZE = 5_000;

describe("client: deals", () => {
  let net: StorageNet;
  let node: TestProvider;
  let owner: Wallet;
  let other: Wallet;
  let deals: bigint[];

  const accessOf = (wallet: Wallet): ChainAccess => ({
    address: wallet.address,
    sender: net.senderOf(wallet),
    deployment: net.deployment,
    contracts: net.contracts,
  });
  const store = async (wallet: Wallet, seed: number, periods = 6) => {
    const { payload } = await testPiece(SIZE, seed);
    const stored = await net.clientOf(wallet).store(new Blob([payload]), {
      tier: 0,
      periods,
      maxPeriods: 20,
      token: net.token,
      maxPricePerPeriod: BigInt(SIZE),
      urls: [node.url],
    });
    return stored.deals[0]?.id as bigint;
  };

  before(async () => {
    net = await startStorageNet();
    node = await net.addProvider();
    [owner, other] = [await net.rich(), await net.rich()];
    deals = [await store(owner, 1), await store(owner, 2), await store(other, 3)];
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("finds deals by owner, by provider, by both, and all", async () => {
    const reader = { deployment: net.deployment, contracts: net.contracts };
    const provider = node.wallet.address.toLowerCase();
    expect(await findDeals(reader)).to.deep.equal(deals);
    expect(await findDeals(reader, { owner: owner.address.toLowerCase() })).to.deep.equal(deals.slice(0, 2));
    expect(await findDeals(reader, { provider })).to.deep.equal(deals);
    expect(await findDeals(reader, { owner: other.address, provider })).to.deep.equal([deals[2]]);
    expect(await findDeals(reader, { owner: other.address, provider: owner.address })).to.deep.equal([]);
    expect(await findDeals(reader, { provider: owner.address })).to.deep.equal([]);
  });

  it("reads deals as the market has them, and says which do not exist", async () => {
    const access = accessOf(owner);
    const [deal, ...none] = await readDeals(access, [deals[0] as bigint, 1n]);
    expect(none).to.deep.equal([]);
    const view = await net.contracts.lens.dealOf(deals[0] as bigint);
    const { lastBlock } = windowOf(Number(view.firstEpoch), net.deployment.tiers[0]!, 6);
    expect(deal).to.deep.include({
      id: deals[0],
      owner: owner.address,
      provider: node.wallet.address,
      root: view.root,
      pricePerPeriod: BigInt(SIZE),
      collateral: 10n * BigInt(SIZE),
      periods: 6,
      maxPeriods: 20,
      status: Status.Open,
      proven: Number(view.proven),
      missed: Number(view.standing.missed),
      allowance: net.deployment.tiers[0]!.maxMisses,
      paidUntil: lastBlock,
    });
    const { funded, escrow, paid, fee, refunded } = deal!.totals;
    expect(funded).to.equal(6n * BigInt(SIZE));
    expect(escrow).to.equal(funded - paid - fee - refunded);
    const unknown = await expectError("UNKNOWN_DEAL", () => readDeal(access, 1n));
    expect(unknown.message).to.contain(toBeHex(1n, 32));
  });

  it("takes the first digits of an id where they name one deal", async () => {
    const access = accessOf(owner);
    const text = dealIdText(deals[1] as bigint);
    expect(await dealIdFrom(access, text)).to.equal(deals[1]);
    expect(await dealIdFrom(access, text.slice(0, 12).toUpperCase().replace("0X", "0x"))).to.equal(deals[1]);
    // A whole id is taken at its word: the market says whether it is one.
    expect(await dealIdFrom(access, toBeHex(5n, 32))).to.equal(5n);
    await expectError("UNKNOWN_DEAL", () => dealIdFrom(access, `0x${"0".repeat(20)}`));
    for (const wrong of ["", "0x", "0x123", "17", "0xzzzz", `0x${"1".repeat(65)}`]) {
      await expectError("INVALID_DEAL_ID", () => dealIdFrom(access, wrong));
    }
  });

  it("names the deals that a short id could be", async () => {
    const { contracts } = net;
    // Ids are digests, so two that begin alike are made by hand: the same logs, once more under a neighbour's id.
    const [id] = deals as [bigint];
    const provider = {
      getBlockNumber: () => net.provider.getBlockNumber(),
      getLogs: async (filter: object) => {
        const logs = await net.provider.getLogs(filter);
        return logs.flatMap((log) => {
          const twin = { ...log, topics: [log.topics[0], dealIdText(BigInt(log.topics[1] as string) ^ 1n)] };
          return [log, twin];
        });
      },
    };
    const market = { ...contracts.market, interface: contracts.market.interface, runner: { provider } };
    const reader = { deployment: net.deployment, contracts: { ...contracts, market } } as unknown as ChainAccess;
    const error = await expectError("AMBIGUOUS_DEAL", () => dealIdFrom(reader, dealIdText(id).slice(0, 20)));
    expect(error.message)
      .to.contain(dealIdText(id))
      .and.to.contain(dealIdText(id ^ 1n));
  });

  it("extends a deal of somebody else, and deposits what that takes", async () => {
    const access = accessOf(other);
    const id = deals[0] as bigint;
    await extendDeal(access, id, 2, 2n * BigInt(SIZE));
    expect((await readDeal(access, id)).periods).to.equal(8);
    expect(await net.contracts.vault.balanceOf(other.address, BigInt(net.token))).to.equal(0n);
    const dear = await expectError("COST_TOO_HIGH", () => extendDeal(access, id, 2, 2n * BigInt(SIZE) - 1n));
    expect(dear.message).to.contain("2 periods cost 10000 base units, over 9999");
    const wealth = await net.tokensOf(other.address);
    const beyond = await failure<ChainError>(extendDeal(access, id, 13, 10n ** 9n));
    expect(beyond.revert?.name).to.equal("BeyondMaxPeriods");
    expect(await net.tokensOf(other.address)).to.equal(wealth);
    await expectError("UNKNOWN_DEAL", () => extendDeal(access, 1n, 1, 1n));
    await expectError("UNKNOWN_DEAL", () => readState(access, 1n));
  });

  it("hands a deal over as it was looked at, and not otherwise", async () => {
    const access = accessOf(owner);
    const id = deals[1] as bigint;
    const { deal, stateHash } = await readState(access, id);
    expect(deal.periods).to.equal(6);
    await extendDeal(access, id, 1, BigInt(SIZE));
    const changed = await failure<ChainError>(transferDeal(access, id, other.address, stateHash));
    expect(changed.revert?.name).to.equal("StateChanged");
    const now = await readState(access, id);
    const notOwner = await failure<ChainError>(transferDeal(accessOf(other), id, other.address, now.stateHash));
    expect(notOwner.revert?.name).to.equal("ERC721InsufficientApproval");
    await transferDeal(access, id, other.address.toLowerCase(), now.stateHash);
    expect((await readDeal(access, id)).owner).to.equal(other.address);
    expect(await findDeals(access, { owner: owner.address })).to.deep.equal([deals[0]]);
    expect(await findDeals(access, { owner: other.address })).to.have.members([deals[2], id]);
  });

  it("ends a deal of its owner, of nobody else", async () => {
    const id = deals[2] as bigint;
    const refused = await failure<ChainError>(terminateDeal(accessOf(owner), id));
    expect(refused.revert?.name).to.equal("NotOwner");
    await terminateDeal(accessOf(other), id);
    const { status } = await readDeal(accessOf(owner), id);
    expect(["Ending", "Completed"]).to.include(statusName(status));
  });

  it("names every status", () => {
    expect(Object.values(Status).map((status) => statusName(status))).to.deep.equal(Object.keys(Status));
  });
});
