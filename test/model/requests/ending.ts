/** The end of a history: everything is brought home by calls that anybody may send, and nothing is lost. */
import { expect } from "chai";
import { claimOf, type Deal, stakeOf, sumOf } from "../model.js";
import { latestBlock, networkHelpers } from "../world.js";
import type { History } from "./history.js";
import type { Deed } from "./model.js";
import { holders, type RequestsWorld, stakeKeys } from "./world.js";

type Sender = (deed: Deed) => Promise<void>;

/** Everybody leaves. What is left is the contract's claims alone: bounties that nobody claimed. */
export async function leave(world: RequestsWorld, history: History): Promise<void> {
  await history.outlast();
  const next: Sender = async (deed) => history.run(deed, (await latestBlock()) + 1);
  await bringHome(world, history, next);
  const expired = latestExpiry(history) + 1n;
  if (BigInt(await networkHelpers.time.latest()) < expired) await networkHelpers.time.increaseTo(expired);
  await refundAll(world, history, next);
  await withdrawAll(world, history, next);
  const { money, escrows, stakes } = await history.compare();
  const { state } = history.books;
  expect(escrows, "nothing waits").to.deep.equal(world.tokens.map(() => 0n));
  expect(stakes, "no stake is stuck").to.deep.equal(stakes.map(() => ({ free: 0n, locked: 0n })));
  for (const [t, token] of world.tokens.entries()) {
    const left = claimOf(state, token, world.requestsAddress);
    expect(money[t]?.held, "only what is nobody's is left").to.equal(left);
    const gains = holders(world).map((at) => state.gains.get(`${token}|${at}`) ?? 0n);
    expect(
      gains.reduce((sum, gain) => sum + gain, left),
      "nothing came from nowhere",
    ).to.equal(0n);
    const deals = [...state.deals.values()].filter(({ terms }) => terms.token === token);
    const bounties = deals.reduce((sum, deal) => sum + sumOf(deal, ["bounty"]), 0n);
    expect(left <= bounties, "nothing but bounties is nobody's").to.equal(true);
  }
}

/** Every deal is settled, shared out or collected, and the stake behind it is free. */
async function bringHome({ accounts }: RequestsWorld, history: History, next: Sender): Promise<void> {
  const by = accounts.keeper.address;
  // How a deal ended is known when it is settled.
  const ids = [...history.books.state.deals.keys()];
  await next({ kind: "market", by, action: { kind: "settle", by, ids, bountyTo: by } });
  for (const [id, { request, replicas }] of history.books.postings) {
    for (const provider of replicas.keys()) {
      const { dealId, closed, locked } = history.books.postings.get(id)!.replicas.get(provider)!;
      const { end } = history.books.state.deals.get(dealId) as Deal;
      const kind = end === "Defaulted" ? "repair" : "collect";
      if (request.repair && !closed) await next({ kind, by, id, request, provider });
      if (locked > 0n) await next({ kind: "unlock", by, id, request, provider });
    }
  }
}

/** When nothing can be filled any more. */
function latestExpiry({ books }: History): bigint {
  const all = [...books.postings.values()].flatMap(({ request, slots }) => [request, ...slots.values()]);
  return all.map(({ expires }) => expires).sort((a, b) => Number(b - a))[0] ?? 0n;
}

async function refundAll({ accounts }: RequestsWorld, history: History, next: Sender): Promise<void> {
  const by = accounts.keeper.address;
  for (const [id, { request, unfilled, slots }] of history.books.postings) {
    if (unfilled > 0) await next({ kind: "refund", by, id, request });
    for (const slot of slots.keys()) await next({ kind: "refundSlot", by, id, request, slot });
  }
}

async function withdrawAll(world: RequestsWorld, history: History, next: Sender): Promise<void> {
  for (const [token, by] of stakeKeys(world)) {
    const { free } = history.books.stakes.get(`${token}|${by}`)!;
    if (free > 0n) await next({ kind: "unprovision", by, token, amount: free });
    const amount = stakeOf(history.books.state, token, by).free;
    if (amount > 0n) await next({ kind: "market", by, action: { kind: "unprovision", by, token, amount } });
  }
  for (const { address: by } of Object.values(world.accounts)) {
    for (const token of world.tokens) {
      const amount = claimOf(history.books.state, token, by);
      if (amount > 0n) await next({ kind: "market", by, action: { kind: "withdraw", by, token, amount } });
    }
  }
}
