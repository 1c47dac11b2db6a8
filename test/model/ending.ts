/** What must hold at the end of a history: everybody leaves with what is theirs, and nobody with more. */
import { expect } from "chai";
import type { History } from "./history.js";
import { liveDeals } from "./intents.js";
import type { Deal } from "./model.js";
import { latestBlock, mineTo, type World } from "./world.js";

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

/** Invariant 11: after the last window each party settles, takes its stake back and withdraws; nothing is left. */
export async function leave(world: World, history: History): Promise<void> {
  const ends = [...history.state.deals.values()].flatMap(({ windows }) => windows.map(({ last }) => last));
  const quiet = Math.max(await latestBlock(), ...ends) + 1;
  await serveToTheEnd(history, quiet);
  for (const { address } of Object.values(world.accounts)) {
    for (const token of world.tokens) await leaveWith(world, history, address, token);
  }
  const { money: left } = await history.compareAll();
  for (const money of left) {
    expect(sum([money.held, money.marketEscrow, money.registryEscrow]), "invariant 11: nothing is left").to.equal(0n);
  }
}

/** Time passes until every window has closed; the honest provider goes on proving. */
async function serveToTheEnd(history: History, quiet: number): Promise<void> {
  await history.serveHonest(quiet);
  await mineTo(quiet);
  expect(liveDeals(history.stateAt(quiet + 1)).length, "every deal has ended").to.equal(0);
}

async function leaveWith(_world: World, history: History, by: string, token: string): Promise<void> {
  const mine = ([, { owner, terms, owners }]: [bigint, Deal]): boolean =>
    terms.token === token && [owner, terms.provider, ...owners].includes(by);
  const ids = [...history.state.deals].filter(mine).map(([id]) => id);
  const next = async (): Promise<number> => (await latestBlock()) + 1;
  let calls = 0;
  if (ids.length > 0) {
    await history.run({ kind: "settle", by, ids, bountyTo: by }, await next());
    calls++;
  }
  const { free } = history.state.stakes.get(`${token}|${by}`) ?? { free: 0n };
  if (free > 0n) {
    await history.run({ kind: "unprovision", by, token, amount: free }, await next());
    calls++;
  }
  const amount = history.state.claims.get(`${token}|${by}`) ?? 0n;
  if (amount > 0n) {
    await history.run({ kind: "withdraw", by, token, amount }, await next());
    calls++;
  }
  expect(calls).to.be.at.most(3);
  expect(history.state.stakes.get(`${token}|${by}`)?.locked ?? 0n, "invariant 11: no stake is stuck").to.equal(0n);
}

/**
 * Invariant 16: whatever set of accounts works together, what it has gained over its deposits is at most what others
 * paid into deals, plus what was slashed of others.
 */
export function checkColluders(world: World, history: History): void {
  const accounts = Object.values(world.accounts).map(({ address }) => address);
  const bit = (account: string): number => 1 << accounts.indexOf(account);
  for (const token of world.tokens) {
    const gains = accounts.map((account) => history.state.gains.get(`${token}|${account}`) ?? 0n);
    const stood = standing(history, token, bit);
    for (let set = 1; set < 1 << accounts.length; set++) {
      const gain = sum(gains.filter((_, a) => set & (1 << a)));
      if (gain <= 0n) continue;
      const bound = sum(accounts.map((account, a) => (set & (1 << a) ? 0n : (stood.get(bit(account)) ?? 0n))));
      expect(gain <= bound, `invariant 16: a set gained ${gain}, others stood for ${bound}`).to.equal(true);
    }
  }
}

/** By account: what it has paid into deals, and what was slashed of it. */
function standing(history: History, token: string, bit: (account: string) => number): Map<number, bigint> {
  const stood = new Map<number, bigint>();
  const add = (account: string, amount: bigint): void => {
    stood.set(bit(account), (stood.get(bit(account)) ?? 0n) + amount);
  };
  for (const { terms, fundedBy, entries } of history.state.deals.values()) {
    if (terms.token !== token) continue;
    for (const [payer, amount] of fundedBy) add(payer, amount);
    for (const { kind, amount } of entries) {
      if (kind === "bounty" || kind === "compensation") add(terms.provider, amount);
    }
  }
  return stood;
}
