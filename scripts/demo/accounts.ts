import type { HDNodeWallet } from "ethers";
import type { DemoReport, Holding } from "./report.js";
import { done, type World } from "./world.js";

/** Everybody who can hold money in the demo. */
function actors(world: World): readonly { readonly name: string; readonly wallet: HDNodeWallet }[] {
  return [
    { name: "client", wallet: world.client },
    ...world.providers.map(({ name, owner }) => ({ name, wallet: owner })),
    { name: "watcher", wallet: world.watcher },
    { name: "treasury", wallet: world.treasury },
  ];
}

/** What everybody has in hand. */
export async function holdings(world: World): Promise<Map<string, bigint>> {
  const entries = actors(world).map(async ({ name, wallet }) => [name, await world.token.balanceOf(wallet)] as const);
  return new Map(await Promise.all(entries));
}

/** Everybody takes out all that is theirs: stake first, then claims. */
export async function withdrawAll(world: World): Promise<void> {
  const { contracts, deployment, tokenAddress } = world;
  for (const { owner } of world.providers) {
    const { free } = await contracts.registry.provisionOf(owner, deployment.market, tokenAddress);
    if (free > 0n) await done(contracts.registry.connect(owner).unprovision(deployment.market, tokenAddress, free));
  }
  for (const { wallet } of actors(world)) {
    const claims = await contracts.vault.balanceOf(wallet, BigInt(tokenAddress));
    if (claims > 0n) await done(contracts.vault.connect(wallet).withdraw(tokenAddress, wallet, claims));
  }
}

/** What everybody had and has. */
export function compare(before: ReadonlyMap<string, bigint>, after: ReadonlyMap<string, bigint>): Holding[] {
  return [...before].map(([name, amount]) => ({ name, before: amount, after: after.get(name) ?? 0n }));
}

type Sums = Pick<
  DemoReport,
  "proofs" | "misses" | "slashed" | "compensation" | "bounty" | "paidToProviders" | "refunded"
> & { readonly balanced: boolean };

/** The totals of all deals, and whether each deal's books add up. */
export async function sumDeals(world: World, ids: readonly bigint[]): Promise<Sums> {
  const sum = { proofs: 0, misses: 0, slashed: 0n, compensation: 0n, bounty: 0n, paid: 0n, refunded: 0n };
  let balanced = true;
  for (const id of ids) {
    const [view, t] = await Promise.all([world.contracts.lens.dealOf(id), world.contracts.lens.totalsOf(id)]);
    sum.proofs += Number(view.proven);
    sum.misses += Number(view.standing.missed);
    sum.slashed += t.slashed;
    sum.compensation += t.compensation;
    sum.bounty += t.bounty;
    sum.paid += t.paid;
    sum.refunded += t.refunded;
    balanced &&= t.paid + t.fee + t.refunded + t.escrow === t.funded && t.escrow === 0n;
    balanced &&= t.bounty + t.compensation + t.returned + t.stake === t.bonded && t.stake === 0n;
  }
  return {
    proofs: sum.proofs,
    misses: sum.misses,
    slashed: `${sum.slashed}`,
    compensation: `${sum.compensation}`,
    bounty: `${sum.bounty}`,
    paidToProviders: `${sum.paid}`,
    refunded: `${sum.refunded}`,
    balanced,
  };
}

/** Whether nothing was lost, made, or left behind: all that was there is in hand again, and the vault is empty. */
export async function isConserved(world: World, accounts: readonly Holding[]): Promise<boolean> {
  const { contracts, deployment, token, tokenAddress } = world;
  const total = (pick: (holding: Holding) => bigint) => accounts.reduce((all, each) => all + pick(each), 0n);
  const supply = await token.totalSupply();
  const left = await Promise.all([
    token.balanceOf(deployment.vault),
    contracts.vault.escrowOf(deployment.market, tokenAddress),
    contracts.vault.escrowOf(deployment.registry, tokenAddress),
    contracts.vault.escrowOf(deployment.requests, tokenAddress),
    contracts.vault.balanceOf(deployment.requests, BigInt(tokenAddress)),
  ]);
  return (
    total((each) => each.before) === supply && total((each) => each.after) === supply && left.every((n) => n === 0n)
  );
}
