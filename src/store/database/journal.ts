/**
 * The journal of sent transactions in a database.
 *
 * @packageDocumentation
 */
import { randomUUID } from "node:crypto";
import type { Insertable, Selectable, Transaction } from "kysely";
import type { Journal, JournalEntry, Recorded, SignedAttempt } from "../../chain/journal.js";
import type { Database } from "./open-node.js";
import type { AttemptTable, Schema, TransactionTable } from "./schema.js";

/** Blocks before the last that an account was mined in, in which what was mined may have been taken back. */
const RECENT_BLOCKS = 64;

type Statements = Database | Transaction<Schema>;
type End = Pick<TransactionTable, "state" | "block">;

const DROPPED: End = { state: "dropped", block: null };

/**
 * A journal that outlives its process, and that processes on one Postgres share: the row of an account is locked while
 * one of them gives a nonce, and what is signed is on disk before it is sent.
 *
 * @example
 * const journal = new DatabaseJournal(await openDatabase({ dir: "data/index" }), deployment.chainId);
 * const sender = new TransactionSender({ provider, signer, logger, journal });
 * await sender.recover();
 * await sender.goOn(signal);
 */
export class DatabaseJournal implements Journal {
  readonly #db: Database;
  readonly #chainId: number;
  /** What this process has seen in its block, by id: senders look there again before they do the same. */
  readonly #seen = new Set<string>();

  constructor(db: Database, chainId: number) {
    this.#db = db;
    this.#chainId = chainId;
  }

  async record(...[intent, nonceAt, sign]: Parameters<Journal["record"]>): Promise<Recorded> {
    try {
      return await this.#db.transaction().execute(async (trx) => {
        await this.#lock(trx, intent.from);
        const guardedBy = (await this.#guardedBy(trx, intent.guards)) ?? (await this.#unseen(trx, intent));
        if (guardedBy !== undefined) return { guardedBy };
        const nonce = nonceAt(await this.#nextAfterLive(trx, intent.from));
        const entry: JournalEntry = { ...intent, id: randomUUID(), nonce, attempts: [await sign(nonce)] };
        await this.#insert(trx, entry);
        return { entry };
      });
    } catch (error) {
      // Another account has begun the same since: its lock is not ours.
      const guardedBy = isDuplicate(error) ? await this.#guardedBy(this.#db, intent.guards) : undefined;
      if (guardedBy === undefined) throw error;
      return { guardedBy };
    }
  }

  async add(id: string, attempt: SignedAttempt): Promise<void> {
    await this.#db
      .insertInto("transaction_attempts")
      .values(attemptRow(id, attempt))
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  }

  async mined(id: string, block: number): Promise<void> {
    await this.#end(id, { state: "mined", block });
    this.#seen.add(id);
  }

  drop(id: string): Promise<void> {
    return this.#end(id, DROPPED);
  }

  /**
   * Drops all that is live of an account that sends no more, so that what it guards is anybody's again: only a sender with its key would
   * bring that to an end. What a node still has of it may get into a block all the same.
   *
   * @returns what was dropped, by nonce
   * @example
   * const dropped = await journal.abandon(stolen);
   */
  abandon(from: string): Promise<JournalEntry[]> {
    return this.#db.transaction().execute(async (trx) => {
      await this.#lock(trx, from);
      const live = await this.#of(trx, from, "live");
      for (const { id } of live) await end(trx, id, DROPPED);
      return live;
    });
  }

  find(id: string): Promise<JournalEntry | undefined> {
    return this.#find(this.#db, id);
  }

  async #find(db: Statements, id: string): Promise<JournalEntry | undefined> {
    const rows = await db
      .selectFrom("transactions")
      .selectAll()
      .where("id", "=", id)
      .where("state", "<>", "dropped")
      .execute();
    return (await withParts(db, rows))[0];
  }

  async nonces(from: string, least: number): Promise<number[]> {
    const rows = await this.#db
      .selectFrom("transactions")
      .select("nonce")
      .where("chain_id", "=", this.#chainId)
      .where("sender", "=", from)
      .where("state", "<>", "dropped")
      .where("nonce", ">=", least)
      .orderBy("nonce")
      .execute();
    return rows.map(({ nonce }) => nonce);
  }

  live(from: string): Promise<JournalEntry[]> {
    return this.#of(this.#db, from, "live");
  }

  minedAfter(from: string, block: number): Promise<JournalEntry[]> {
    return this.#of(this.#db, from, "mined", block);
  }

  reopen(from: string, ancestor: number): Promise<JournalEntry[]> {
    return this.#db.transaction().execute(async (trx) => {
      await this.#lock(trx, from);
      const used = new Set((await this.#of(trx, from, "live")).map(({ nonce }) => nonce));
      // Where a later one has the nonce, it can be mined no more.
      const gone = (await this.#of(trx, from, "mined", ancestor)).filter(({ nonce }) => !used.has(nonce));
      for (const { id, guards } of gone) {
        this.#seen.delete(id);
        const back = { state: "live", block: null } as const;
        await trx.updateTable("transactions").set(back).where("id", "=", id).execute();
        // What somebody has begun anew since is guarded by that.
        const guarded = (await this.#guardedBy(trx, guards)) !== undefined;
        if (!guarded) await setLive(trx, id, true);
      }
      return gone;
    });
  }

  async forget(from: string, block: number): Promise<void> {
    const forgotten = await this.#db
      .deleteFrom("transactions")
      .where("chain_id", "=", this.#chainId)
      .where("sender", "=", from)
      .where((is) =>
        is.or([is("state", "=", "dropped"), is.and([is("state", "=", "mined"), is("block", "<=", block)])]),
      )
      .returning("id")
      .execute();
    for (const { id } of forgotten) this.#seen.delete(id);
  }

  /** Until the statements of this transaction are done, nobody else gives a nonce of the account. */
  async #lock(trx: Transaction<Schema>, address: string): Promise<void> {
    await trx
      .insertInto("accounts")
      .values({ chain_id: this.#chainId, address })
      .onConflict((conflict) => conflict.columns(["chain_id", "address"]).doNothing())
      .execute();
    await trx
      .selectFrom("accounts")
      .select("address")
      .where("chain_id", "=", this.#chainId)
      .where("address", "=", address)
      .forUpdate()
      .execute();
  }

  async #nextAfterLive(trx: Transaction<Schema>, from: string): Promise<number | undefined> {
    const last = await trx
      .selectFrom("transactions")
      .select(({ fn }) => fn.max("nonce").as("nonce"))
      .where("chain_id", "=", this.#chainId)
      .where("sender", "=", from)
      .where("state", "=", "live")
      .executeTakeFirst();
    return last?.nonce == null ? undefined : last.nonce + 1;
  }

  async #guardedBy(db: Statements, guards: readonly string[]): Promise<JournalEntry | undefined> {
    if (guards.length === 0) return undefined;
    const found = await db
      .selectFrom("transaction_guards")
      .select("transaction_id")
      .where("chain_id", "=", this.#chainId)
      .where("live", "=", true)
      .where("guard", "in", [...guards])
      .limit(1)
      .executeTakeFirst();
    if (found === undefined) return undefined;
    const rows = await db.selectFrom("transactions").selectAll().where("id", "=", found.transaction_id).execute();
    return (await withParts(db, rows))[0];
  }

  /** What does some of the same, by the same account, and was mined lately, as another process says that may not have noticed more. */
  async #unseen(
    db: Statements,
    { from, guards }: Pick<JournalEntry, "from" | "guards">,
  ): Promise<JournalEntry | undefined> {
    if (guards.length === 0) return undefined;
    const mined = await db
      .selectFrom("transactions")
      .innerJoin("transaction_guards", "transaction_guards.transaction_id", "transactions.id")
      .select(["transactions.id", "transactions.block"])
      .where("transaction_guards.chain_id", "=", this.#chainId)
      .where("transaction_guards.guard", "in", [...guards])
      .where("transactions.sender", "=", from)
      .where("transactions.state", "=", "mined")
      .execute();
    const strange = mined.filter(({ id }) => !this.#seen.has(id));
    if (strange.length === 0) return undefined;
    const { last } = await db
      .selectFrom("transactions")
      .select(({ fn }) => fn.max("block").as("last"))
      .where("chain_id", "=", this.#chainId)
      .where("sender", "=", from)
      .where("state", "=", "mined")
      .executeTakeFirstOrThrow();
    const recent = strange.find(({ block }) => (block ?? 0) > (last ?? 0) - RECENT_BLOCKS);
    return recent && this.#find(db, recent.id);
  }

  /** @param after - block that they were mined after */
  async #of(db: Statements, from: string, state: "live" | "mined", after?: number): Promise<JournalEntry[]> {
    let query = db
      .selectFrom("transactions")
      .selectAll()
      .where("chain_id", "=", this.#chainId)
      .where("sender", "=", from)
      .where("state", "=", state)
      .orderBy("nonce");
    if (after !== undefined) query = query.where("block", ">", after);
    return withParts(db, await query.execute());
  }

  async #insert(trx: Transaction<Schema>, { id, from, call, attempts, guards, ...entry }: JournalEntry): Promise<void> {
    const row: Insertable<TransactionTable> = {
      ...{ id, chain_id: this.#chainId, sender: from, nonce: entry.nonce, recipient: call.to, data: call.data },
      ...{ value: String(call.value ?? 0n), gas_limit: String(entry.gasLimit), doing: entry.doing },
      max_fee: call.maxFeePerGas === undefined ? null : String(call.maxFeePerGas),
      state: "live",
      block: null,
    };
    await trx.insertInto("transactions").values(row).execute();
    for (const attempt of attempts) {
      await forgetDropped(trx, attempt);
      await trx.insertInto("transaction_attempts").values(attemptRow(id, attempt)).execute();
    }
    if (guards.length === 0) return;
    const guarded = guards.map((guard) => ({ chain_id: this.#chainId, guard, transaction_id: id, live: true }));
    await trx.insertInto("transaction_guards").values(guarded).execute();
  }

  #end(id: string, to: End): Promise<void> {
    return this.#db.transaction().execute((trx) => end(trx, id, to));
  }
}

async function end(trx: Transaction<Schema>, id: string, to: End): Promise<void> {
  await trx.updateTable("transactions").set(to).where("id", "=", id).execute();
  await setLive(trx, id, false);
}

/**
 * The very bytes that were dropped before, since nonce and fees are the same again, are another entry's from now on. Those of an entry that was
 * mined stay its own, though its block is gone: it is that one which is sent again.
 */
async function forgetDropped(trx: Transaction<Schema>, { hash }: SignedAttempt): Promise<void> {
  const dropped = trx.selectFrom("transactions").select("id").where("state", "=", "dropped");
  await trx
    .deleteFrom("transaction_attempts")
    .where("hash", "=", hash)
    .where("transaction_id", "in", dropped)
    .execute();
}

async function setLive(trx: Transaction<Schema>, id: string, live: boolean): Promise<void> {
  await trx.updateTable("transaction_guards").set({ live }).where("transaction_id", "=", id).execute();
}

/** Rows with the attempts and guards that are theirs, in the order of the rows. */
async function withParts(db: Statements, rows: readonly Selectable<TransactionTable>[]): Promise<JournalEntry[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const attempts = await db
    .selectFrom("transaction_attempts")
    .selectAll()
    .where("transaction_id", "in", ids)
    .orderBy("place")
    .execute();
  const guards = await db.selectFrom("transaction_guards").selectAll().where("transaction_id", "in", ids).execute();
  return rows.map((row) => ({
    id: row.id,
    from: row.sender,
    nonce: row.nonce,
    ...(row.block !== null && { block: row.block }),
    call: {
      ...{ to: row.recipient, data: row.data, value: BigInt(row.value) },
      ...(row.max_fee !== null && { maxFeePerGas: BigInt(row.max_fee) }),
    },
    doing: row.doing,
    gasLimit: BigInt(row.gas_limit),
    guards: guards.filter((each) => each.transaction_id === row.id).map(({ guard }) => guard),
    attempts: attempts.filter((each) => each.transaction_id === row.id).map(attemptOf),
  }));
}

function attemptRow(id: string, { hash, raw, fees }: SignedAttempt) {
  const { maxFeePerGas, maxPriorityFeePerGas } = fees;
  return {
    hash,
    transaction_id: id,
    raw,
    max_fee: String(maxFeePerGas),
    max_priority_fee: String(maxPriorityFeePerGas),
  };
}

function attemptOf({ hash, raw, max_fee, max_priority_fee }: Selectable<AttemptTable>): SignedAttempt {
  return { hash, raw, fees: { maxFeePerGas: BigInt(max_fee), maxPriorityFeePerGas: BigInt(max_priority_fee) } };
}

/** Postgres's code for what a unique index refuses. */
function isDuplicate(error: unknown): boolean {
  return (error as { code?: unknown }).code === "23505";
}
