/** The same tests on stores of pieces over a folder and a bucket, with an index in memory and in real databases. */
import { type BlobStore, openBlobStore } from "../../src/store/blobs/index.js";
import { type Database, DatabasePieceIndex, openDatabase } from "../../src/store/database/index.js";
import { BlobPieceStore, MemoryPieceIndex, type PieceIndex, type PieceStoreOptions } from "../../src/store/index.js";
import { newDatabase } from "./databases.js";
import { removeFolders, tempFolder } from "./pieces.js";
import { postgresBin, startPostgres, type TestPostgres } from "./postgres.js";
import { startS3, type TestS3 } from "./s3.js";

/** Where a store keeps what. Another opened at the same place is the same after a restart. */
export interface StorePlace {
  readonly dir: string;
  readonly blobs: BlobStore;
  /** Undefined where it is in memory. */
  readonly database: Database | undefined;
}

export interface TestStores {
  /** An empty place. */
  create(): Promise<StorePlace>;
  /** A store at a place; it is closed when the test is over, or another one is opened there. */
  open(place: StorePlace, options?: PieceStoreOptions): Promise<BlobPieceStore>;
  /** An index of what is at a place. */
  index(place: StorePlace): PieceIndex;
  readonly s3: TestS3 | undefined;
}

/** Milliseconds of a lease in tests. */
export const LEASE_MS = 2_000;

const KINDS = [
  ["a folder", "memory"],
  ["a folder", "PGlite"],
  ["S3", "memory"],
  ["S3", "Postgres"],
] as const;

export function describeStores(title: string, tests: (stores: TestStores) => void): void {
  for (const [where, books] of KINDS) {
    describe(`${title}: ${where}, index in ${books}`, () => {
      let s3: TestS3 | undefined;
      let postgres: TestPostgres | undefined;
      const opened = new Map<string, BlobPieceStore>();
      const standing: (() => unknown)[] = [];

      before(async function () {
        if (books === "Postgres" && postgresBin() === undefined && !process.env.CI) this.skip();
        if (books === "Postgres") postgres = await startPostgres();
        if (where === "S3") s3 = await startS3();
      });
      afterEach(async () => {
        if (s3) s3.fault = undefined;
        await Promise.all([...opened.values()].map((store) => store.close()));
        opened.clear();
        await Promise.all(standing.splice(0).map((close) => close()));
      });
      after(async () => {
        await s3?.stop();
        await postgres?.stop();
        await removeFolders();
      });

      const databaseOf = async () => {
        if (books === "memory") return undefined;
        const database = postgres ? await openDatabase({ url: await postgres.database() }) : await newDatabase();
        standing.push(() => database.destroy());
        return database;
      };
      const index = ({ database }: StorePlace) =>
        database ? new DatabasePieceIndex(database, LEASE_MS) : new MemoryPieceIndex();
      tests({
        get s3() {
          return s3;
        },
        index,
        async create() {
          const dir = await tempFolder();
          const blobs = await openBlobStore(s3?.options() ?? { dir });
          standing.push(() => blobs.close());
          return { dir, blobs, database: await databaseOf() };
        },
        async open(place, options = {}) {
          await opened.get(place.dir)?.close();
          const store = await BlobPieceStore.open(place.dir, { blobs: place.blobs, index: index(place), ...options });
          opened.set(place.dir, store);
          return store;
        },
      });
    });
  }
}

/** Names of the blobs at a place, sorted. */
export async function blobsAt({ blobs }: StorePlace, folder = "pieces"): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of blobs.list(folder)) names.push(name);
  return names.sort();
}
