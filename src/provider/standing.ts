/** How a provider stands: stake, deals, what comes next, what was earned, what is at risk. */
import type { Chain } from "../chain/chain.js";
import { ask } from "../client/funds.js";
import { type Deal, DealBook, hasEnded } from "../keeper/index.js";
import { openAt, share, startedAt, windowOf } from "../protocol/index.js";

/** A window that is open, or the next one. Blocks by number. */
export interface NextWindow {
  readonly window: number;
  readonly state: "open" | "proven" | "ahead";
  /** Its challenge. */
  readonly epoch: number;
  readonly lastBlock: number;
}

/** A deal that lives. Amounts in base units of its token. */
export interface DealStanding {
  readonly deal: Deal;
  /** Undefined where it has no window left. */
  readonly next: NextWindow | undefined;
  /** Misses that it survives from here on. */
  readonly missesLeft: number;
  /** What the next miss costs. */
  readonly missCosts: bigint;
}

/** Money in one token, in base units. */
export interface TokenStanding {
  readonly token: string;
  readonly freeStake: bigint;
  readonly lockedStake: bigint;
  /** Of all deals ever: paid, and taken from its stake. */
  readonly earned: bigint;
  readonly slashed: bigint;
  /** What the windows that are open and not proven would cost if they stayed so. */
  readonly atRisk: bigint;
}

export interface ProviderStanding {
  readonly provider: string;
  readonly head: number;
  readonly registered: boolean;
  readonly signer: string;
  readonly payee: string;
  /** Those that live: whose window closes soonest first. */
  readonly deals: readonly DealStanding[];
  /** Deals that are over. */
  readonly ended: number;
  readonly tokens: readonly TokenStanding[];
}

/** Calls that are under way at a time. */
const ASKED_AT_ONCE = 32;

/**
 * Reads how a provider stands at the head. Money is told in the token that the market asks stake in, in those of deals, and in those
 * that are named besides.
 *
 * @param tokens - that it stakes, also where no deal is in them yet
 * @throws ChainError where the chain can't be asked
 * @example
 * const { deals } = await providerStanding(chain, provider, signal);
 */
export async function providerStanding(
  chain: Chain,
  provider: string,
  signal: AbortSignal,
  tokens: readonly string[] = [],
): Promise<ProviderStanding> {
  const { registry } = chain.contracts;
  const block = await ask("read the head", chain.provider.getBlock("latest"));
  const { number, hash, timestamp, gasLimit } = block!;
  const book = new DealBook(chain, provider);
  await book.sync({ head: { number, hash: hash!, timestamp, gasLimit } }, signal);
  const deals = await book.read([...book.ids], signal);
  const live = deals.filter((deal) => !hasEnded(deal)).map((deal) => standingOf(chain, deal, number));
  const [registered, signer, payee] = await ask(
    "read the registry",
    Promise.all([registry.isRegistered(provider), registry.signerOf(provider), registry.payeeOf(provider)]),
  );
  return {
    ...{ provider, head: number, registered, signer, payee },
    deals: live.sort((a, b) => urgency(a) - urgency(b)),
    ended: deals.length - live.length,
    tokens: await tokensOf(chain, provider, { deals, live, tokens }, signal),
  };
}

/** How a deal that lives stands at a head. */
export function standingOf({ deployment }: Pick<Chain, "deployment">, deal: Deal, head: number): DealStanding {
  const { standing } = deal;
  const tier = deployment.tiers[deal.tier]!;
  const missesLeft = Math.max(0, standing.allowance - standing.missed - 1);
  return { deal, next: nextWindow(deal, tier, head), missesLeft, missCosts: share(deal, tier) };
}

function nextWindow(deal: Deal, tier: Parameters<typeof windowOf>[1], head: number): NextWindow | undefined {
  const { firstEpoch, periods, lastProven } = deal;
  const open = openAt(firstEpoch, tier, periods, head + 1);
  if (open !== 0) {
    const { epoch, lastBlock } = windowOf(firstEpoch, tier, open);
    return { window: open, state: open === lastProven ? "proven" : "open", epoch, lastBlock };
  }
  const window = startedAt(firstEpoch, tier.period, head + 1) + 1;
  if (window > periods) return undefined;
  const { epoch, lastBlock } = windowOf(firstEpoch, tier, window);
  return { window, state: "ahead", epoch, lastBlock };
}

function urgency({ next }: DealStanding): number {
  if (next === undefined) return Number.POSITIVE_INFINITY;
  // What is proven waits for the window after.
  return next.state === "proven" ? next.lastBlock + 1 : next.lastBlock;
}

interface Known {
  readonly deals: readonly Deal[];
  readonly live: readonly DealStanding[];
  readonly tokens: readonly string[];
}

async function tokensOf(
  { contracts, deployment }: Chain,
  provider: string,
  { deals, live, tokens }: Known,
  signal: AbortSignal,
): Promise<TokenStanding[]> {
  const nothing = { earned: 0n, slashed: 0n };
  const sums = new Map([deployment.stakeToken, ...tokens].map((token) => [token, nothing]));
  for (let at = 0; at < deals.length; at += ASKED_AT_ONCE) {
    signal.throwIfAborted();
    const asked = deals.slice(at, at + ASKED_AT_ONCE).map(async ({ id, token }) => {
      const { paid, slashed } = await ask("read a deal's totals", contracts.lens.totalsNow(id));
      const sum = sums.get(token) ?? nothing;
      sums.set(token, { earned: sum.earned + paid, slashed: sum.slashed + slashed });
    });
    await Promise.all(asked);
  }
  const read = [...sums].map(async ([token, sum]) => {
    const { free, locked } = await contracts.registry.provisionOf(provider, deployment.market, token);
    const open = live.filter(({ deal, next }) => deal.token === token && next?.state === "open");
    const atRisk = open.reduce((all, { missCosts }) => all + missCosts, 0n);
    return { token, freeStake: free, lockedStake: locked, ...sum, atRisk };
  });
  return ask("read the stake", Promise.all(read));
}
