/**
 * Leases as rows. The database's clock is the one that counts: those of the nodes may differ.
 *
 * @packageDocumentation
 */
import { randomUUID } from "node:crypto";
import { sql, type Transaction } from "kysely";
import { type Lease, type Leases, leaseLost } from "../pieces/leases.js";
import type { Database } from "./open-node.js";
import type { Schema } from "./schema.js";

/** Milliseconds after which the lease of a process that died is anybody's. */
const LEASE_MS = 45_000;
/** Of that, milliseconds in which nothing is begun any more: what a request and two clocks may take. */
const MARGIN_MS = 5_000;

/**
 * Leases that processes on one database take from each other. One that dies loses its own within a minute.
 *
 * @example
 * const leases = new DatabaseLeases(database);
 * await withLease(leases, "piece baf…", async (lease) => { lease.check(); … });
 */
export class DatabaseLeases implements Leases {
  readonly #db: Database;
  readonly #leaseMs: number;

  /** @param leaseMs - milliseconds that one lasts without being renewed; 45,000 by default */
  constructor(db: Database, leaseMs = LEASE_MS) {
    this.#db = db;
    this.#leaseMs = leaseMs;
  }

  async lease(name: string): Promise<Lease | undefined> {
    const holder = randomUUID();
    const asked = performance.now();
    const { rows } = await sql`
      insert into leases (name, holder, until) values (${name}, ${holder}, ${this.#end()})
      on conflict (name) do update set holder = excluded.holder, until = excluded.until
      where leases.until < clock_timestamp()
      returning name`.execute(this.#db);
    return rows.length === 0 ? undefined : this.#held(name, holder, asked);
  }

  #held(name: string, holder: string, asked: number): Lease {
    const lost = new AbortController();
    const lasts = this.#leaseMs - Math.min(MARGIN_MS, this.#leaseMs / 4);
    const lose = () => lost.abort(leaseLost(name));
    let deadline: number;
    let ending: NodeJS.Timeout | undefined;
    const endAt = (time: number) => {
      deadline = time;
      clearTimeout(ending);
      ending = setTimeout(lose, Math.max(0, time - performance.now())).unref();
    };
    endAt(asked + lasts);
    const renew = async () => {
      const at = performance.now();
      const renewed = await this.#renew(name, holder).catch(() => undefined);
      if (renewed) endAt(at + lasts);
      else if (renewed === false) lose();
    };
    const renewing = setInterval(() => void renew(), this.#leaseMs / 5).unref();
    return {
      name,
      holder,
      signal: lost.signal,
      check: () => {
        lost.signal.throwIfAborted();
        if (performance.now() >= deadline) throw leaseLost(name);
      },
      release: async () => {
        clearInterval(renewing);
        clearTimeout(ending);
        // One that can't be given back runs out.
        await this.#giveBack(name, holder).catch(() => undefined);
      },
    };
  }

  /** Undefined where the database doesn't say. */
  async #renew(name: string, holder: string): Promise<boolean> {
    const { rows } = await sql`
      update leases set until = ${this.#end()}
      where name = ${name} and holder = ${holder} and until >= clock_timestamp()
      returning name`.execute(this.#db);
    return rows.length > 0;
  }

  async #giveBack(name: string, holder: string): Promise<void> {
    // Those of the dead, whom nobody followed, go as well.
    await sql`
      delete from leases
      where (name = ${name} and holder = ${holder}) or until < clock_timestamp() - interval '1 day'`.execute(this.#db);
  }

  #end() {
    return sql`clock_timestamp() + ${this.#leaseMs}::int * interval '1 millisecond'`;
  }
}

/** Holds a lease's row until the transaction is over, so that nobody takes it meanwhile. @throws HoldfastError `LEASE_LOST` */
export async function holdLease(trx: Transaction<Schema>, { name, holder }: Lease): Promise<void> {
  const held = await trx
    .selectFrom("leases")
    .select("name")
    .where("name", "=", name)
    .where("holder", "=", holder)
    .where("until", ">=", sql<Date>`clock_timestamp()`)
    .forUpdate()
    .executeTakeFirst();
  if (!held) throw leaseLost(name);
}
