import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { pino } from "pino";
import { upload } from "../../src/client/index.js";
import { commit, encodePieceCid, prove, verifyProof } from "../../src/piece/index.js";
import { UnpaidPieces } from "../../src/provider/index.js";
import {
  type Database,
  DatabasePieceIndex,
  DatabaseUnpaidNotes,
  openDatabase,
} from "../../src/store/database/index.js";
import { BlobPieceStore, type BlobStore, BlockReader, FileBlockIndex, openBlobStore } from "../../src/store/index.js";
import { type Block, carOf, rawBlock } from "../piece/car/helpers.js";
import { expectError, pseudoRandom } from "../piece/helpers.js";
import { until } from "../provider/pdp/node.js";
import { runs } from "../support/effort.js";
import { bytesOf, inChunks, removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { postgresBin, startPostgres, type TestPostgres } from "../support/postgres.js";
import { startS3, type TestS3 } from "../support/s3.js";
import { DELETING, INDEXING, type StoringRequest, type StoringTask, TAKING } from "../support/storing.js";

const CHILD = [
  "--import",
  fileURLToPath(import.meta.resolve("tsx/esm")),
  fileURLToPath(new URL("../support/storing-child.ts", import.meta.url)),
];
const LEASE_MS = 1_500;
const MIB = 1 << 20;

/** A node in a process of its own. */
interface OtherNode {
  readonly url: string;
  ask(request: StoringRequest): Promise<unknown>;
  /** Resolves with the signal that ended it. */
  readonly ended: Promise<string | null>;
  kill(): void;
}

/** This process as a node, with connections of its own. */
interface OwnNode {
  readonly store: BlobPieceStore;
  readonly blobs: BlobStore;
  readonly database: Database;
  readonly unpaid: UnpaidPieces;
  readonly index: FileBlockIndex;
  readonly blocks: BlockReader;
}

describe("Nodes that share a Postgres and a bucket", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let s3: TestS3;
  let task: StoringTask;
  let seed = 500;
  const others: ChildProcess[] = [];
  const closing: (() => Promise<unknown>)[] = [];

  before(async function () {
    if (postgresBin() === undefined && !process.env.CI) this.skip();
    postgres = await startPostgres();
    s3 = await startS3();
  });
  beforeEach(async () => {
    const database = { url: await postgres.database() };
    task = { dir: await tempFolder(), database, blobs: s3.options(), leaseMs: LEASE_MS };
    s3.requests.length = 0;
  });
  afterEach(async () => {
    if (s3) s3.fault = undefined;
    for (const child of others.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    }
    for (const close of closing.splice(0).reverse()) await close();
  });
  after(async () => {
    await s3?.stop();
    await postgres?.stop();
    await removeFolders();
  });

  /** Another process on the same database and bucket. */
  async function other(changes: Partial<StoringTask> = {}): Promise<OtherNode> {
    const told = JSON.stringify({ ...task, ...changes });
    const child = spawn(process.execPath, [...CHILD, told], { stdio: ["pipe", "pipe", "inherit"] });
    others.push(child);
    child.stdin.on("error", () => undefined);
    const ended = once(child, "exit").then(([, signal]) => signal as string | null);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value as string) as unknown;
    const { url } = (await next()) as { url: string };
    return {
      url,
      ended,
      kill: () => void child.kill("SIGKILL"),
      ask(request) {
        child.stdin.write(`${JSON.stringify(request)}\n`);
        return next();
      },
    };
  }

  /** This process; with `dir`, in the folder of another one that ended. */
  async function own(dir?: string): Promise<OwnNode> {
    const logger = pino({ level: "silent" });
    const folder = dir ?? (await tempFolder());
    const [blobs, database] = [
      await openBlobStore(task.blobs),
      await openDatabase({ ...task.database, connections: 4 }),
    ];
    const pieces = new DatabasePieceIndex(database, LEASE_MS);
    const store = await BlobPieceStore.open(folder, { blobs, index: pieces });
    const unpaid = await UnpaidPieces.open({ notes: new DatabaseUnpaidNotes(database), store });
    const sharing = { blobs, index: pieces };
    const index = await FileBlockIndex.open(join(folder, "blocks"), { store, logger, sharing, pollMs: 50 });
    closing.push(async () => {
      await index.close();
      await store.close();
      await database.destroy();
      blobs.close();
    });
    return { store, blobs, database, unpaid, index, blocks: new BlockReader({ store, index, logger }) };
  }

  const fresh = () => testPiece(300_000, seed++);
  const put = async (store: BlobPieceStore, { payload, cid }: TestPiece) => {
    const id = await store.beginUpload();
    await store.writeUpload(id, inChunks(payload), payload.length);
    await store.finishUpload(id, cid);
  };
  const bring = (node: OwnNode, piece: TestPiece) =>
    node.unpaid.during(piece.cid, "here", () => put(node.store, piece));
  const names = async (blobs: BlobStore) => {
    const found: string[] = [];
    for (const folder of ["pieces", "blocks"]) for await (const { name } of blobs.list(folder)) found.push(name);
    return found;
  };
  const expectServed = async ({ store }: OwnNode, { cid, payload, commitment }: TestPiece) => {
    expect(Buffer.from(await bytesOf(await store.read(cid, 0, payload.length))).equals(payload)).to.equal(true);
    const opened = await store.open(commitment.root, commitment.leafCount);
    const proof = await prove(opened!.layer, opened!.read, [0n, commitment.leafCount - 1n]);
    expect(verifyProof(commitment, [0n, commitment.leafCount - 1n], proof)).to.equal(true);
  };
  /** Deletes a piece, and looks whether anything is left of it anywhere. */
  const expectNoRest = async (node: OwnNode, { cid }: TestPiece, dir?: string) => {
    await node.index.settled();
    await node.store.remove(cid);
    await node.unpaid.forget(cid);
    // An index of blocks that was being built may still come, and go.
    await until(async () => (await names(node.blobs)).length === 0);
    expect(await node.store.list()).to.deep.equal([]);
    expect(await s3.unfinished()).to.deep.equal([]);
    const notes = await node.database.selectFrom("unpaid_pieces").selectAll().execute();
    expect(notes).to.deep.equal([]);
    if (dir !== undefined) expect(await readdir(join(dir, "uploads"))).to.deep.equal([]);
  };

  it("serve, prove and delete what the other has taken, without a restart", async () => {
    const [here, there] = [await own(), await other()];
    const piece = await fresh();
    await upload(there.url, piece.cid, new Blob([piece.payload]));
    expect(await here.store.find(piece.cid)).to.deep.equal(piece.found);
    await expectServed(here, piece);
    await here.unpaid.refresh();
    expect(here.unpaid.list().map(({ pieceCid }) => pieceCid)).to.deep.equal([piece.cid]);
    await until(() => s3.requests.some((request) => /^PUT .*\/blocks\//.test(request)));
    await expectNoRest(here, piece);
    expect(await there.ask({ act: "find", pieceCid: piece.cid })).to.equal(false);
    expect((await fetch(`${there.url}/piece/${piece.cid}`)).status).to.equal(404);
  });

  it("index each piece once, and both find its blocks", async () => {
    const [a, b]: Block[] = [await rawBlock(pseudoRandom(3_000)), await rawBlock(pseudoRandom(MIB, 9))];
    const car = carOf(a!, a!, b!, await rawBlock(pseudoRandom(2 * MIB, 10)));
    const pieceCid = encodePieceCid(await commit(car.stream())).toString();
    const [here, there] = [await own(), await other()];
    await upload(there.url, pieceCid, car);
    await until(() => here.blocks.has(b!.cid));
    for (const { cid, bytes } of [a!, b!]) {
      expect(Buffer.from((await here.blocks.get(cid))!).equals(bytes)).to.equal(true);
      const ask = () => fetch(`${there.url}/ipfs/${cid}?format=raw`);
      await until(async () => (await ask()).status === 200);
      const served = await ask();
      expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).to.equal(true);
    }
    expect(s3.requests.filter((request) => /^PUT .*\/blocks\//.test(request))).to.have.length(1);
    // Where the bucket is away, nobody is told that a block is not there.
    s3.fault = () => 500;
    await expectError("BLOBS_UNREACHABLE", () => here.blocks.get(b!.cid));
    expect((await fetch(`${there.url}/ipfs/${b!.cid}?format=raw`)).status).to.equal(503);
  });

  it("keep what has arrived while the bucket is away, and go on when it is named again", async () => {
    const there = await other();
    const piece = await fresh();
    const begun = await fetch(`${there.url}/pdp/piece/uploads`, { method: "POST", body: "{}" });
    const at = there.url + begun.headers.get("location");
    expect((await fetch(at, { method: "PUT", body: piece.payload })).status).to.equal(204);
    const name = () => fetch(at, { method: "POST", body: JSON.stringify({ pieceCid: piece.cid }) });
    s3.fault = (request) => (request.startsWith("PUT") ? 500 : undefined);
    const refused = await name();
    expect(refused.status).to.equal(503);
    expect(refused.headers.get("retry-after")).to.equal("10");
    expect(await there.ask({ act: "find", pieceCid: piece.cid })).to.equal(false);
    s3.fault = undefined;
    expect((await name()).status).to.equal(200);
    expect(await there.ask({ act: "find", pieceCid: piece.cid })).to.equal(true);
    await expectNoRest(await own(), piece, task.dir);
  });

  for (const step of TAKING) {
    for (const when of ["before", "after"] as const) {
      it(`have a piece whole or not at all where one dies ${when} "${step}", and take it again`, async () => {
        const piece = await fresh();
        const there = await other({ dies: { step, when } });
        const broken = upload(there.url, piece.cid, new Blob([piece.payload]));
        await broken.catch(() => undefined);
        expect(await there.ended).to.equal("SIGKILL");
        const here = await own();
        if (await here.store.find(piece.cid)) await expectServed(here, piece);
        const begun = performance.now();
        await bring(here, piece);
        expect(performance.now() - begun, "the dead one's lease runs out").to.be.lessThan(LEASE_MS + 2_000);
        await expectServed(here, piece);
        const again = await own(task.dir);
        // What had arrived whole can be named once more; it need not be sent again. Nothing else is left of it.
        const left = again.store.uploads();
        expect(left.length).to.be.at.most(1);
        for (const { id } of left) await again.store.finishUpload(id, piece.cid);
        await expectServed(again, piece);
        await expectNoRest(again, piece, task.dir);
      });
    }
  }

  it("clear away what one left that died between blob and row, whoever starts next", async () => {
    const piece = await fresh();
    const there = await other({ dies: { step: "put", when: "before" } });
    await upload(there.url, piece.cid, new Blob([piece.payload])).catch(() => undefined);
    await there.ended;
    const here = await own();
    // It was noted before it was there, and is found once nobody is busy with it any more.
    await until(async () => (await here.store.find(piece.cid)) !== undefined, LEASE_MS + 3_000);
    expect(here.unpaid.list().map(({ pieceCid }) => pieceCid)).to.deep.equal([piece.cid]);
    await expectNoRest(here, piece);
  });

  for (const step of DELETING) {
    for (const when of ["before", "after"] as const) {
      it(`go on with a deletion where one dies ${when} "${step}"`, async () => {
        const piece = await fresh();
        const there = await other({ dies: { step, when } });
        const here = await own();
        await bring(here, piece);
        await here.index.settled();
        await until(async () => (await names(here.blobs)).length === 2);
        await there.ask({ act: "remove", pieceCid: piece.cid }).catch(() => undefined);
        expect(await there.ended).to.equal("SIGKILL");
        // A piece that can be found can be proven.
        if (await here.store.find(piece.cid)) await expectServed(here, piece);
        else
          expect(await here.store.promise(piece.commitment.root, piece.commitment.leafCount, 1n)).to.equal(undefined);
        await bring(here, piece);
        await expectServed(here, piece);
        await expectNoRest(here, piece);
      });
    }
  }

  for (const step of INDEXING) {
    for (const when of ["before", "after"] as const) {
      it(`take over the indexing where one dies ${when} "${step}"`, async () => {
        const block = await rawBlock(pseudoRandom(5_000, seed++));
        const car = carOf(block, block);
        const pieceCid = encodePieceCid(await commit(car.stream())).toString();
        const there = await other({ dies: { step, when } });
        // It may be dead before it has answered that the piece is here.
        await upload(there.url, pieceCid, car).catch(() => undefined);
        expect(await there.ended).to.equal("SIGKILL");
        const here = await own();
        await until(() => here.blocks.has(block.cid), LEASE_MS + 5_000);
        expect(await s3.unfinished()).to.deep.equal([]);
      });
    }
  }

  it("never delete what the other has promised", async () => {
    const [a, b] = [await own(), await own()];
    const piece = await fresh();
    const { root, leafCount } = piece.commitment;
    const outcomes = { promised: 0, deleted: 0 };
    for (let round = 0; round < runs(40); round++) {
      const time = 1_000 * (round + 1);
      if (!(await a.store.find(piece.cid))) await put(a.store, piece);
      const jitter = () => sleep(Math.random() * 8);
      const [word, removed] = await Promise.all([
        jitter().then(() => a.store.promise(root, leafCount, BigInt(time))),
        jitter().then(() => b.store.remove(piece.cid, time)),
      ]);
      expect(removed, `round ${round}`).to.equal(word === undefined);
      if (word) await expectServed(b, piece);
      outcomes[word ? "promised" : "deleted"]++;
    }
    expect(outcomes.promised).to.be.greaterThan(0);
    expect(outcomes.deleted).to.be.greaterThan(0);
  });

  it("keep what comes again at one while the other deletes it", async () => {
    const [a, b] = [await own(), await own()];
    const piece = await fresh();
    for (let round = 0; round < runs(8); round++) {
      await bring(a, piece);
      await Promise.all([b.store.remove(piece.cid), sleep(Math.random() * 30).then(() => bring(a, piece))]);
      const here = await b.store.find(piece.cid);
      // It was there when its sender was told so, or was deleted afterwards as a whole.
      if (here) await expectServed(b, piece);
      else expect((await names(b.blobs)).filter((name) => name.startsWith("pieces/"))).to.deep.equal([]);
    }
  });
});
