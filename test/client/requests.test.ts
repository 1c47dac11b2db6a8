import { expect } from "chai";
import { hexlify, type Wallet } from "ethers";
import type { ChainError } from "../../src/chain/errors.js";
import {
  actOnReplica,
  type ChainAccess,
  cancelRequest,
  dealIdText,
  findRequests,
  type HoldfastClient,
  type PostedRequest,
  postRequest,
  type RequestWishes,
  readDeal,
  refundRequest,
  requestIdFrom,
  requestStatus,
} from "../../src/client/index.js";
import { postingCost, Status } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { failure } from "../support/failure.js";
import { fillByHand } from "../support/filling.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const PRICE = 1_000n;
const PERIODS = 6;

describe("client: requests", () => {
  let net: StorageNet;
  let owner: Wallet;
  let access: ChainAccess;
  let client: HoldfastClient;
  let providers: Wallet[];
  let piece: TestPiece;
  let wishes: RequestWishes;

  const accessOf = (wallet: Wallet): ChainAccess => ({
    address: wallet.address,
    sender: net.senderOf(wallet),
    deployment: net.deployment,
    contracts: net.contracts,
  });
  const inVault = () => client.balance(net.token);
  const fill = (posted: PostedRequest, by: Wallet, price: bigint, slot = 0n, periods = PERIODS) =>
    fillByHand(net, posted, piece.payload, by, price, { slot, periods });

  before(async () => {
    net = await startStorageNet();
    piece = await testPiece(40_000);
    providers = [];
    for (let i = 0; i < 3; i++) {
      const wallet = await net.rich();
      await net.register(wallet, `http://127.0.0.1:${i + 1}`);
      providers.push(wallet);
    }
  });
  beforeEach(async () => {
    owner = await net.rich();
    access = accessOf(owner);
    client = net.clientOf(owner);
    wishes = {
      tier: 0,
      periods: PERIODS,
      maxPeriods: 20,
      replicas: 2,
      startPrice: PRICE / 2n,
      maxPrice: PRICE,
      rampEpochs: 10_000,
      token: net.token,
      dataUri: "https://example.org/data",
    };
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("posts a payload with the most that it can cost locked, and reads it back", async () => {
    const posted = await client.request(new Blob([piece.payload]), { ...wishes, regions: ["DE", "US-CA"] });
    const { id, request, pieceCid } = posted;
    expect(pieceCid).to.equal(piece.cid);
    expect(request).to.include({ client: owner.address, root: hexlify(piece.commitment.root), collateral: PRICE });
    expect(request.regions).to.deep.equal(["0x444500000000", "0x55532d434100"]);
    const { vault } = net.contracts;
    expect(await vault.escrowOf(net.deployment.requests, net.token)).to.equal(postingCost(request));
    expect(await inVault()).to.equal(0n);
    const status = await requestStatus(access, id);
    expect(status.request).to.deep.equal(request);
    expect(status).to.include({ unfilled: 2, open: true, locked: 2n * PRICE * 6n, replicasFilled: 0, repaired: 0 });
    expect(status.priceNow).to.equal(PRICE / 2n);
    expect(status.replicas).to.deep.equal([]);
    expect(await findRequests(access, owner.address)).to.deep.equal([id]);
    expect(await findRequests(access)).to.include(id);
    expect(await requestIdFrom(access, dealIdText(id).slice(0, 14))).to.equal(id);
    await expectError("UNKNOWN_REQUEST", () => requestStatus(access, 1n));
    await expectError("UNKNOWN_REQUEST", () => requestIdFrom(access, "0x00000000000000"));
    await expectError("INVALID_REQUEST_ID", () => requestIdFrom(access, "x"));
  });

  it("posts a commitment as well, with defaults for the rest", async () => {
    const { tier, periods, token, maxPrice, dataUri } = wishes;
    const posted = await postRequest(access, piece.commitment, { tier, periods, token: token!, maxPrice, dataUri });
    const { timestamp } = (await net.provider.getBlock("latest"))!;
    const { period } = net.deployment.tiers[0]!;
    expect(posted.request).to.include({ replicas: 1, startPrice: 0n, rampEpochs: period, minStake: 0n, repair: false });
    expect(Number(posted.request.expires) - timestamp).to.be.within(86_300, 86_500);
    expect(posted.request.maxPeriods).to.equal(periods);
  });

  it("refuses what the contract would refuse, before any money moves", async () => {
    const wrong: Partial<RequestWishes>[] = [
      { replicas: 0 },
      { replicas: 33 },
      { replicas: 1.5 },
      { periods: 5 },
      { maxPeriods: 5 },
      { startPrice: PRICE + 1n },
      { startPrice: -1n },
      { rampEpochs: 0 },
      { expires: 1n },
      { regions: new Array<string>(17).fill("DE") },
      { dataUri: "" },
      { dataUri: "ü".repeat(257) },
    ];
    const wealth = await net.tokensOf(owner.address);
    for (const changes of wrong) {
      await expectError("INVALID_REQUEST", () => postRequest(access, piece.commitment, { ...wishes, ...changes }));
    }
    await expectError("UNKNOWN_TIER", () => postRequest(access, piece.commitment, { ...wishes, tier: 9 }));
    await expectError("INVALID_REGION", () =>
      postRequest(access, piece.commitment, { ...wishes, regions: ["Germany"] }),
    );
    expect(await net.tokensOf(owner.address)).to.equal(wealth);
  });

  it("counts the replicas that are filled and proven, and gives the difference in price back", async () => {
    const posted = await postRequest(access, piece.commitment, wishes);
    const deals = [await fill(posted, providers[0]!, PRICE / 2n), await fill(posted, providers[1]!, PRICE / 2n - 1n)];
    const status = await requestStatus(access, posted.id);
    expect(status).to.include({ unfilled: 0, open: false, locked: 0n, replicasFilled: 2, replicasProven: 0 });
    expect(status.priceNow).to.equal(undefined);
    expect(status.replicas.map(({ deal }) => deal.id)).to.deep.equal(deals);
    expect(status.replicas.map(({ deal }) => deal.owner)).to.deep.equal([owner.address, owner.address]);
    expect(await inVault()).to.equal(postingCost(posted.request) - BigInt(PERIODS) * (PRICE - 1n));
  });

  it("is not over before its last replica is counted, whatever comes between its reads", async () => {
    const posted = await postRequest(access, piece.commitment, { ...wishes, replicas: 1 });
    const getLogs = net.provider.getLogs.bind(net.provider);
    net.provider.getLogs = async (filter) => {
      const logs = await getLogs(filter);
      net.provider.getLogs = getLogs;
      await fill(posted, providers[0]!, PRICE / 2n);
      return logs;
    };
    const { open, replicasFilled } = await requestStatus(access, posted.id);
    expect({ open, replicasFilled }).to.deep.equal({ open: true, replicasFilled: 0 });
    expect(await requestStatus(access, posted.id)).to.include({ open: false, replicasFilled: 1 });
  });

  it("cancels with notice, then gets back what nobody filled", async () => {
    const posted = await postRequest(access, piece.commitment, wishes);
    await fill(posted, providers[0]!, PRICE / 2n);
    const notMine = await failure<ChainError>(cancelRequest(accessOf(providers[0]!), posted.id));
    expect(notMine.revert?.name).to.equal("NotClient");
    const early = await failure<ChainError>(refundRequest(access, posted.id));
    expect(early.revert?.name).to.equal("NotOverYet");
    const lastEpoch = await cancelRequest(access, posted.id);
    expect(lastEpoch).to.equal((await net.provider.getBlockNumber()) + net.deployment.challengeFinality);
    expect(await requestStatus(access, posted.id)).to.include({ lastEpoch, open: true });
    // Once more changes nothing: the notice does not begin again.
    expect(await cancelRequest(access, posted.id)).to.equal(lastEpoch);
    await net.mine(net.deployment.challengeFinality);
    expect(await requestStatus(access, posted.id)).to.include({ unfilled: 1, open: false, locked: 6n * PRICE });
    const before = await inVault();
    // Anybody may do it; the money is the client's.
    expect(await refundRequest(accessOf(providers[1]!), posted.id)).to.equal(6n * PRICE);
    expect((await inVault()) - before).to.equal(6n * PRICE);
    expect(await refundRequest(access, posted.id)).to.equal(0n);
    await expectError("UNKNOWN_REQUEST", () => cancelRequest(access, 1n));
  });

  describe("with repair", () => {
    let posted: PostedRequest;
    let deal: bigint;

    beforeEach(async () => {
      posted = await postRequest(access, piece.commitment, { ...wishes, replicas: 1, repair: true });
      deal = await fill(posted, providers[0]!, PRICE / 2n);
    });
    const toDefault = async () => {
      const { maxMisses } = net.deployment.tiers[0]!;
      const [, lastBlock] = await net.contracts.lens.windowOf(deal, maxMisses);
      await net.mine(Number(lastBlock) + 1 - (await net.provider.getBlockNumber()));
    };

    it("follows a replica to the provider that repaired it", async () => {
      // Extended, so that enough is left after the default.
      await client.extend(deal, 10, 10n * PRICE);
      const extended = (await readDeal(access, deal)).periods;
      const live = await failure<ChainError>(actOnReplica(access, "repair", posted.id, providers[0]!.address));
      expect(live.revert?.name).to.equal("WrongReplicaStatus");
      await toDefault();
      await actOnReplica(accessOf(providers[2]!), "repair", posted.id, providers[0]!.address);
      const waiting = await requestStatus(access, posted.id);
      expect(waiting).to.include({ replicasFilled: 0, repaired: 0, open: false });
      expect(waiting.replicas[0]).to.include({ waiting: true, repairs: 0 });
      const slot = await net.contracts.requests.slotOf(posted.id, deal);
      expect(waiting.locked).to.equal(slot.maxPrice * slot.periods);
      const { maxMisses } = net.deployment.tiers[0]!;
      expect(Number(slot.periods)).to.equal(extended - maxMisses);
      const next = await fill(posted, providers[1]!, 1n, deal, Number(slot.periods));
      const status = await requestStatus(access, posted.id);
      expect(status).to.include({ replicasFilled: 1, repaired: 1, locked: 0n });
      expect(status.replicas[0]?.deal).to.include({ id: next, provider: providers[1]!.address });
      expect(status.replicas[0]).to.include({ waiting: false, repairs: 1 });
    });

    it("refunds a replica that was posted again and that nobody took", async () => {
      await client.extend(deal, 10, 10n * PRICE);
      await toDefault();
      await actOnReplica(access, "repair", posted.id, providers[0]!.address);
      const { locked } = await requestStatus(access, posted.id);
      expect(locked > 0n).to.equal(true);
      await cancelRequest(access, posted.id);
      await net.mine(net.deployment.challengeFinality + 1);
      expect(await refundRequest(access, posted.id)).to.equal(locked);
      expect(await requestStatus(access, posted.id)).to.include({ locked: 0n });
    });

    it("ends a replica, and passes on what that gives back", async () => {
      const before = await inVault();
      const provider = providers[0]!.address.toLowerCase();
      const notMine = await failure<ChainError>(
        actOnReplica(accessOf(providers[0]!), "terminate", posted.id, provider),
      );
      expect(notMine.revert?.name).to.equal("NotClient");
      const back = await actOnReplica(access, "terminate", posted.id, provider);
      expect(back > 0n).to.equal(true);
      expect((await inVault()) - before).to.equal(back);
      expect((await readDeal(access, deal)).status).to.equal(Status.Ending);
    });

    it("collects what a miss gave back", async () => {
      const [, lastBlock] = await net.contracts.lens.windowOf(deal, 1);
      await net.mine(Number(lastBlock) + 1 - (await net.provider.getBlockNumber()));
      const before = await inVault();
      const back = await actOnReplica(accessOf(providers[1]!), "collect", posted.id, providers[0]!.address);
      expect(back > 0n).to.equal(true);
      expect((await inVault()) - before).to.equal(back);
    });

    it("hands the deal over to the client", async () => {
      await actOnReplica(access, "release", posted.id, providers[0]!.address);
      expect((await readDeal(access, deal)).owner).to.equal(owner.address);
      expect(await actOnReplica(access, "collect", posted.id, providers[0]!.address)).to.equal(0n);
      const nobody = await failure<ChainError>(actOnReplica(access, "release", posted.id, providers[2]!.address));
      expect(nobody.revert?.name).to.equal("UnknownReplica");
    });
  });
});
