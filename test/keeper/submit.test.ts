import { expect } from "chai";
import type { ChainError } from "../../src/chain/errors.js";
import { TransactionSender } from "../../src/chain/sender.js";
import { ProofSubmitter, type Submission } from "../../src/keeper/submit.js";
import { type Commitment, prove } from "../../src/piece/index.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";
import { bytesOf, Parties, serviceChain } from "../support/keeping.js";

describe("ProofSubmitter", () => {
  let dev: DevChain;
  let parties: Parties;
  let submitter: ProofSubmitter;
  let rival: ProofSubmitter;
  let close: () => void;
  const signal = new AbortController().signal;

  beforeEach(async () => {
    dev = await startDevChain();
    parties = await Parties.on(dev);
    const chain = await serviceChain(dev);
    close = () => chain.provider.destroy();
    const newSubmitter = async () => {
      const signer = (await dev.account()).connect(chain.provider);
      return new ProofSubmitter(chain, new TransactionSender({ ...chain, signer, logger: testLogger(), pollMs: 5 }));
    };
    [submitter, rival] = [await newSubmitter(), await newSubmitter()];
  });
  afterEach(async () => {
    close();
    await dev.stop();
  });

  /** Opens deals and proves their first window. */
  async function proofs(count: number): Promise<Submission[]> {
    const pieces: Commitment[] = [];
    for (let i = 0; i < count; i++) pieces.push(await parties.pieces.add(bytesOf(i, 4_000)));
    const ids = await parties.open(pieces.map((piece) => parties.terms(piece)));
    const { firstEpoch } = await dev.contracts.lens.dealOf(ids[0]!);
    await dev.mine(Number(firstEpoch) + 1 - (await dev.provider.getBlockNumber()));
    await dev.automine(true);
    const proven = ids.map(async (id, i) => {
      const { leaves } = await dev.contracts.lens.challengeOf(id);
      const { layer, read } = (await parties.pieces.open(pieces[i]!.root, pieces[i]!.leafCount))!;
      return { id, window: 1, proof: await prove(layer, read, leaves) };
    });
    return Promise.all(proven);
  }

  it("leaves out what the market would refuse, and says why", async () => {
    const [good, flipped, again] = await proofs(3);
    await submitter.submit([again!], signal);
    flipped!.proof[40]! ^= 1;
    const unknown = { id: 12n, window: 1, proof: good!.proof };
    const { outcomes, batch } = await submitter.submit([good!, flipped!, again!, unknown], signal);
    expect(outcomes.get(good!.id)).to.include({ kind: "proven", hash: batch?.hash });
    expect(outcomes.get(flipped!.id)).to.include({ kind: "refused", reason: "InvalidProof" });
    expect(outcomes.get(again!.id)).to.deep.equal({ kind: "already" });
    expect(outcomes.get(12n)).to.deep.equal({ kind: "refused", reason: "UnknownDeal", message: "UnknownDeal(12)" });
    expect(batch).to.include({ size: 1, proven: 1 });
  });

  it("sends nothing where nothing is left", async () => {
    const [one] = await proofs(1);
    await submitter.submit([one!], signal);
    const block = await dev.provider.getBlockNumber();
    const { outcomes, batch } = await submitter.submit([one!], signal);
    expect(outcomes.get(one!.id)).to.deep.equal({ kind: "already" });
    expect(batch).to.equal(undefined);
    expect(await dev.provider.getBlockNumber()).to.equal(block);
  });

  it("reads from the receipt what was skipped in the block itself", async () => {
    const items = await proofs(2);
    await dev.automine(false);
    const first = submitter.submit(items, signal);
    const second = rival.submit(items, signal);
    for (;;) {
      const { pending } = await dev.provider.send("txpool_status", []);
      if (BigInt(pending) === 2n) break;
    }
    await dev.mine();
    const kinds = [await first, await second].map(({ outcomes }) => items.map(({ id }) => outcomes.get(id)?.kind));
    expect(kinds.sort()).to.deep.equal([
      ["already", "already"],
      ["proven", "proven"],
    ]);
  });

  it("has no two proofs of a window on their way, and sends the others", async () => {
    const items = await proofs(2);
    await dev.automine(false);
    const first = submitter.submit(items.slice(0, 1), signal);
    while (BigInt((await dev.provider.send("txpool_status", [])).pending) === 0n);
    // The chain it is simulated on does not have it yet.
    const both = await failure<ChainError>(submitter.submit(items, signal));
    expect(both).to.include({ code: "IN_FLIGHT", failure: "retry" });
    const other = submitter.submit(items.slice(1), signal);
    while (BigInt((await dev.provider.send("txpool_status", [])).pending) < 2n);
    await dev.mine();
    for (const { outcomes, batch } of [await first, await other]) {
      expect([...outcomes.values()].map(({ kind }) => kind)).to.deep.equal(["proven"]);
      expect(batch).to.include({ size: 1, proven: 1 });
    }
  });

  it("reads other reasons from the receipt too: a window that closed while the batch waited", async () => {
    const items = await proofs(1);
    await dev.automine(false);
    const waiting = submitter.submit(items, signal);
    for (;;) {
      const { pending } = await dev.provider.send("txpool_content", []);
      const [account] = Object.keys(pending);
      if (account === undefined) continue;
      const [transaction] = Object.values(pending[account] as Record<string, { hash: string; raw?: string }>);
      const raw = await dev.provider.send("eth_getRawTransactionByHash", [transaction!.hash]);
      await dev.provider.send("anvil_dropTransaction", [transaction!.hash]);
      await dev.mine(10);
      await dev.provider.send("eth_sendRawTransaction", [raw]);
      break;
    }
    await dev.mine();
    const { outcomes, batch } = await waiting;
    expect(outcomes.get(items[0]!.id)).to.include({ kind: "refused", reason: "NoOpenWindow" });
    expect(batch).to.include({ size: 1, proven: 0 });
  });
});
