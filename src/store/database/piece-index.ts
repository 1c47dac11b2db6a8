/**
 * The index of pieces in a database.
 *
 * @packageDocumentation
 */
import type { Selectable } from "kysely";
import { decodePieceCid } from "../../piece/index.js";
import type { Lease } from "../pieces/leases.js";
import type { IndexedPiece, PieceIndex, PieceTree, PlacedPiece } from "../pieces/types.js";
import { DatabaseLeases, holdLease } from "./leases.js";
import type { Database } from "./open-node.js";
import type { PieceTable } from "./schema.js";

/**
 * An index that outlives its process, and that processes on one Postgres share: the row of a piece is locked while it is
 * promised or struck out, so that none deletes what another has promised.
 *
 * @example
 * const index = new DatabasePieceIndex(await openDatabase({ dir: "data/index" }));
 * const store = await BlobPieceStore.open("data", { blobs, index });
 */
export class DatabasePieceIndex extends DatabaseLeases implements PieceIndex {
  readonly #db: Database;

  /** @param leaseMs - milliseconds that a lease lasts without being renewed; 45,000 by default */
  constructor(db: Database, leaseMs?: number) {
    super(db, leaseMs);
    this.#db = db;
  }

  async get(pieceCid: string): Promise<IndexedPiece | undefined> {
    const row = await this.#pieces().where("piece_cid", "=", pieceCid).executeTakeFirst();
    return row && indexed(row);
  }

  async ofTree(tree: PieceTree): Promise<IndexedPiece[]> {
    const { root, leaf_count } = treeRow(tree);
    const rows = await this.#pieces()
      .where("root", "=", root)
      .where("leaf_count", "=", leaf_count)
      .orderBy("place")
      .execute();
    return rows.map(indexed);
  }

  put({ pieceCid, ...piece }: IndexedPiece, lease: Lease): Promise<void> {
    const commitment = decodePieceCid(pieceCid);
    const layer = piece.layer ?? null;
    const row = { piece_cid: pieceCid, ...treeRow(commitment), payload_size: String(commitment.payloadSize), layer };
    return this.#db.transaction().execute(async (trx) => {
      await holdLease(trx, lease);
      await trx
        .insertInto("pieces")
        .values(row)
        .onConflict((conflict) => conflict.column("piece_cid").doUpdateSet({ layer }))
        .execute();
    });
  }

  drop(pieceCid: string, lease: Lease, freeAt?: number): Promise<boolean> {
    return this.#db.transaction().execute(async (trx) => {
      await holdLease(trx, lease);
      const known = await trx
        .selectFrom("pieces")
        .select("promised_until")
        .where("piece_cid", "=", pieceCid)
        .forUpdate()
        .executeTakeFirst();
      if (freeAt !== undefined && BigInt(known?.promised_until ?? -1) >= BigInt(freeAt)) return false;
      await trx.deleteFrom("pieces").where("piece_cid", "=", pieceCid).execute();
      return true;
    });
  }

  async keepLayer({ pieceCid, layer }: IndexedPiece): Promise<void> {
    await this.#db
      .updateTable("pieces")
      .set({ layer: layer ?? null })
      .where("piece_cid", "=", pieceCid)
      .execute();
  }

  promise(tree: PieceTree, until: bigint): Promise<IndexedPiece[]> {
    const { root, leaf_count } = treeRow(tree);
    return this.#db.transaction().execute(async (trx) => {
      const rows = await trx
        .selectFrom("pieces")
        .select(["piece_cid", "layer", "promised_until"])
        .where("root", "=", root)
        .where("leaf_count", "=", leaf_count)
        // In one order for everybody: otherwise two could wait for each other.
        .orderBy("place")
        .forUpdate()
        .execute();
      for (const { piece_cid, promised_until } of rows) {
        if (BigInt(promised_until ?? -1) >= until) continue;
        const promised = { promised_until: String(until) };
        await trx.updateTable("pieces").set(promised).where("piece_cid", "=", piece_cid).execute();
      }
      return rows.map(indexed);
    });
  }

  async list(after = -1): Promise<PlacedPiece[]> {
    const rows = await this.#db
      .selectFrom("pieces")
      .select(["piece_cid", "place"])
      .where("place", ">", after)
      .orderBy("place")
      .execute();
    return rows.map(({ piece_cid, place }) => ({ pieceCid: piece_cid, place }));
  }

  #pieces() {
    return this.#db.selectFrom("pieces").select(["piece_cid", "layer"]);
  }
}

function treeRow({ root, leafCount }: PieceTree): Pick<Selectable<PieceTable>, "root" | "leaf_count"> {
  return { root: Buffer.from(root).toString("hex"), leaf_count: String(leafCount) };
}

function indexed({ piece_cid, layer }: Pick<Selectable<PieceTable>, "piece_cid" | "layer">): IndexedPiece {
  return { pieceCid: piece_cid, layer: layer === null ? undefined : new Uint8Array(layer) };
}
