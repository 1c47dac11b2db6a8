/**
 * Duties in a database, which keepers on several machines share.
 *
 * @packageDocumentation
 */
import { randomUUID } from "node:crypto";
import { type RawBuilder, sql } from "kysely";
import {
  type Claim,
  DEFAULT_LEASE_MS,
  type Duties,
  type DutyRef,
  type FinishedDuty,
  type PlannedDuty,
  type Wanted,
} from "../duties.js";
import type { Database } from "./open-node.js";

export interface DatabaseDutiesOptions {
  readonly chainId: number;
  /** Address of the market, and of the provider whose duties they are. */
  readonly market: string;
  readonly provider: string;
  /** Milliseconds; 30,000 by default. The same for all workers. */
  readonly leaseMs?: number;
}

/** Rows in one statement, which are one text for the driver. */
const ROWS = 2_000;
/** Workers that nobody has heard of for so long are forgotten. */
const FORGET_WORKERS = "1 day";
/** What was done may be seen later than what was done after it: statements end in another order than they began. */
const OVERLAP_MS = 5_000;

/**
 * One worker's view of the duties of a provider. Claims are row locks that outlive their statement: a row names its owner, and
 * counts as free once that is not heard of for `leaseMs`, by the clock of the database.
 *
 * @example
 * const { chainId, market } = chain.deployment;
 * const duties = new DatabaseDuties(await openDatabase({ url }), { chainId, market, provider: wallet.address });
 * const keeper = new ProvingKeeper({ chain, sender, pieces, provider: wallet.address, duties, logger });
 */
export class DatabaseDuties implements Duties {
  readonly lasting = true;
  readonly leaseMs: number;
  /** Of this worker: a UUID, another one at each start. */
  readonly worker: string = randomUUID();
  readonly #db: Database;
  readonly #scope: RawBuilder<unknown>;
  readonly #columns: RawBuilder<unknown>;
  /** What others had done by then, by epoch. */
  readonly #seen = new Map<number, Date>();

  constructor(db: Database, { chainId, market, provider, leaseMs = DEFAULT_LEASE_MS }: DatabaseDutiesOptions) {
    this.#db = db;
    this.leaseMs = leaseMs;
    this.#columns = sql`${chainId}::integer, ${market}::text, ${provider}::text`;
    this.#scope = sql`chain_id = ${chainId}::integer and market = ${market}::text and provider = ${provider}::text`;
  }

  async beat(): Promise<number> {
    const { rows } = await sql<{ alive: number }>`
      with me as (
        insert into workers (id, seen_at) values (${this.worker}, now())
        on conflict (id) do update set seen_at = excluded.seen_at returning id
      ), gone as (
        delete from workers where seen_at < now() - ${FORGET_WORKERS}::interval and id <> ${this.worker}
      )
      select 1 + count(*)::integer as alive from (${this.#living()}) as living where id <> (select id from me)
    `.execute(this.#db);
    return rows[0]?.alive ?? 1;
  }

  async plan(duties: readonly PlannedDuty[]): Promise<void> {
    // In one order, so that workers that plan the same wait for each other, and never in a circle.
    const sorted = duties
      .map(({ id, window, epoch, lastBlock }) => ({ deal: String(id), nth: window, epoch, last_block: lastBlock }))
      .sort((a, b) => a.epoch - b.epoch || (a.deal < b.deal ? -1 : 1));
    for (let at = 0; at < sorted.length; at += ROWS) {
      await sql`
        insert into duties (chain_id, market, provider, epoch, deal, nth, last_block)
        select ${this.#columns}, epoch, deal, nth, last_block
        from json_to_recordset(${JSON.stringify(sorted.slice(at, at + ROWS))}::json)
          as planned (epoch integer, deal text, nth integer, last_block integer)
        on conflict do nothing
      `.execute(this.#db);
    }
  }

  async draw(epoch: number, key: string): Promise<void> {
    const other = sql`epoch_hash is distinct from ${key}::text`;
    // What was claimed before the block was there stays claimed.
    const first = sql`case when epoch_hash is null then`;
    await this.#update(
      epoch,
      other,
      sql`epoch_hash = ${key}, owner = ${first} owner end, done_at = ${first} done_at end, block = ${first} block end,
        retry_at = ${first} retry_at else 0 end`,
    );
  }

  async claim({ epoch, key, head, limit }: Wanted): Promise<Claim[]> {
    const free = sql`epoch = ${epoch} and epoch_hash = ${key} and done_at is null and retry_at <= ${head}
      and last_block > ${head}
      and (owner is null or (owner <> ${this.worker} and owner not in (${this.#living()})))`;
    // An array, not a join: a planner would have to guess how many are chosen.
    const { rows } = await sql<{ deal: string; before: string | null }>`
      with chosen as materialized (
        select deal as chosen_deal, owner as before from duties where ${this.#scope} and ${free}
        order by deal limit ${limit} for update skip locked
      )
      update duties set owner = ${this.worker}
      where ${this.#scope} and epoch = ${epoch} and deal = any(array(select chosen_deal from chosen))
      returning deal, (select before from chosen where chosen_deal = deal)
    `.execute(this.#db);
    return rows.map(({ deal, before }) => ({ id: BigInt(deal), takenOver: before !== null }));
  }

  async resume(epoch: number, ids: readonly bigint[]): Promise<void> {
    const mine = sql`owner = ${this.worker} and ${among(ids)}`;
    await this.#update(epoch, mine, sql`owner = null, done_at = null, block = null`);
  }

  async cared(epoch: number, key: string, ids: readonly bigint[]): Promise<bigint[]> {
    const { rows } = await sql<{ deal: string }>`
      select deal from duties where ${this.#scope} and epoch = ${epoch} and owner <> ${this.worker} and ${among(ids)}
        and (done_at is not null or (epoch_hash = ${key} and owner in (${this.#living()})))
    `.execute(this.#db);
    return rows.map(({ deal }) => BigInt(deal));
  }

  async held(epoch: number, key: string, ids: readonly bigint[]): Promise<bigint[]> {
    await this.beat();
    const { rows } = await sql<{ deal: string }>`
      select deal from duties where ${this.#scope} and epoch = ${epoch} and epoch_hash = ${key}
        and owner = ${this.worker} and done_at is null and ${among(ids)}
    `.execute(this.#db);
    return rows.map(({ deal }) => BigInt(deal));
  }

  async done(epoch: number, ids: readonly bigint[], block?: number): Promise<void> {
    await this.#update(
      epoch,
      among(ids),
      sql`owner = ${this.worker}, done_at = now(), block = ${block ?? null}::integer`,
    );
  }

  async release(epoch: number, ids: readonly bigint[], retryAt: number): Promise<void> {
    const mine = sql`owner = ${this.worker} and done_at is null and ${among(ids)}`;
    await this.#update(epoch, mine, sql`owner = null, retry_at = ${retryAt}`);
  }

  async reopen(epoch: number, ids: readonly bigint[]): Promise<void> {
    const done = sql`done_at is not null and ${among(ids)}`;
    await this.#update(epoch, done, sql`owner = null, done_at = null, block = null, retry_at = 0`);
  }

  async finished(epoch: number): Promise<FinishedDuty[]> {
    const since = this.#seen.get(epoch);
    const later = since === undefined ? sql`` : sql`and done_at > ${new Date(since.getTime() - OVERLAP_MS)}`;
    const { rows } = await sql<{ deal: string; block: number | null; done_at: Date }>`
      select deal, block, done_at from duties where ${this.#scope} and epoch = ${epoch}
        and done_at is not null and owner <> ${this.worker} ${later}
    `.execute(this.#db);
    const latest = Math.max(since?.getTime() ?? 0, ...rows.map(({ done_at }) => done_at.getTime()));
    if (latest > 0) this.#seen.set(epoch, new Date(latest));
    return rows.map(({ deal, block }) => ({ id: BigInt(deal), block: block ?? undefined }));
  }

  async tellMisses(misses: readonly DutyRef[]): Promise<DutyRef[]> {
    const sorted = misses
      .map(({ id, window }) => ({ deal: String(id), nth: window }))
      .sort((a, b) => (a.deal < b.deal ? -1 : a.deal > b.deal ? 1 : a.nth - b.nth));
    const told: DutyRef[] = [];
    for (let at = 0; at < sorted.length; at += ROWS) {
      const { rows } = await sql<{ deal: string; nth: number }>`
        insert into misses (chain_id, market, provider, deal, nth)
        select ${this.#columns}, deal, nth
        from json_to_recordset(${JSON.stringify(sorted.slice(at, at + ROWS))}::json) as missed (deal text, nth integer)
        on conflict do nothing returning deal, nth
      `.execute(this.#db);
      told.push(...rows.map(({ deal, nth }) => ({ id: BigInt(deal), window: nth })));
    }
    return told;
  }

  async missesTold(): Promise<Map<bigint, number>> {
    const { rows } = await sql<{ deal: string; told: number }>`
      select deal, count(*)::integer as told from misses where ${this.#scope} group by deal
    `.execute(this.#db);
    return new Map(rows.map(({ deal, told }) => [BigInt(deal), told]));
  }

  async forget(before: number): Promise<void> {
    await sql`delete from duties where ${this.#scope} and last_block < ${before}`.execute(this.#db);
    for (const epoch of this.#seen.keys()) if (epoch < before) this.#seen.delete(epoch);
  }

  async leave(): Promise<void> {
    const mine = sql`owner = ${this.worker} and done_at is null`;
    await sql`update duties set owner = null where ${this.#scope} and ${mine}`.execute(this.#db);
    await sql`delete from workers where id = ${this.worker}`.execute(this.#db);
  }

  /** Workers that have been heard of lately. */
  #living(): RawBuilder<unknown> {
    return sql`select id from workers where seen_at > now() - ${this.leaseMs}::integer * interval '1 millisecond'`;
  }

  /**
   * Changes rows of an epoch, which are locked in one order first, so that no two statements wait for each other. They are named by
   * their keys: the place of a row that somebody has changed meanwhile is another.
   */
  async #update(epoch: number, which: RawBuilder<unknown>, to: RawBuilder<unknown>): Promise<void> {
    await sql`
      update duties set ${to} where ${this.#scope} and epoch = ${epoch} and deal = any(array(
        select deal from duties where ${this.#scope} and epoch = ${epoch} and ${which} order by deal for update
      ))
    `.execute(this.#db);
  }
}

function among(ids: readonly bigint[]): RawBuilder<unknown> {
  return sql`deal = any(${`{${ids.join()}}`}::text[])`;
}
