import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type Database, DatabasePieceIndex } from "../../../src/store/database/index.js";
import { withLease } from "../../../src/store/pieces/leases.js";
import { expectError } from "../../piece/helpers.js";
import { describeDatabases } from "../../support/databases.js";
import { testPiece } from "../../support/pieces.js";

describeDatabases("Leases", (databases) => {
  let database: Database;
  /** As nodes have them, each its own. */
  const leases = (leaseMs?: number) => new DatabasePieceIndex(database, leaseMs);

  beforeEach(async () => {
    database = await databases.empty();
  });

  it("are had by one at a time, and by the next when they are given back", async () => {
    const [a, b] = [leases(), leases()];
    const held = await a.lease("x");
    expect(await b.lease("x")).to.equal(undefined);
    expect(await a.lease("x")).to.equal(undefined);
    const other = await b.lease("y");
    held!.check();
    await held!.release();
    await held!.release();
    const next = await b.lease("x");
    expect(next).to.not.equal(undefined);
    await held!.release();
    expect(await a.lease("x"), "who had it before gives back nothing").to.equal(undefined);
    await Promise.all([next, other].map((one) => one!.release()));
  });

  it("are had by one of many who ask at once", async () => {
    for (let round = 0; round < 5; round++) {
      const asked = await Promise.all(Array.from({ length: 8 }, () => leases().lease("x")));
      const held = asked.filter((one) => one !== undefined);
      expect(held).to.have.length(1);
      await held[0]?.release();
    }
  });

  it("last as long as they are renewed", async () => {
    const held = await leases(600).lease("x");
    await sleep(1_500);
    held!.check();
    expect(held!.signal.aborted).to.equal(false);
    expect(await leases(600).lease("x")).to.equal(undefined);
    await held!.release();
  });

  it("are lost by one that stood still, who is told before he does anything and can note nothing", async () => {
    const piece = await testPiece(100);
    const slow = leases(400);
    const held = await slow.lease("x");
    // Nothing else runs in this process for longer than the lease.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    await expectError("LEASE_LOST", async () => held!.check());
    const next = await leases().lease("x");
    expect(next, "it ran out").to.not.equal(undefined);
    await expectError("LEASE_LOST", () => slow.put({ pieceCid: piece.cid, layer: undefined }, held!));
    await expectError("LEASE_LOST", () => slow.drop(piece.cid, held!));
    expect(await slow.list()).to.deep.equal([]);
    await sleep(200);
    expect(held!.signal.aborted).to.equal(true);
    expect(held!.signal.reason).to.include({ code: "LEASE_LOST" });
    await held!.release();
    await leases().put({ pieceCid: piece.cid, layer: undefined }, next!);
    await next!.release();
  });

  it("are waited for, and given back whatever happens", async () => {
    const order: string[] = [];
    const work = (name: string) =>
      withLease(leases(), "x", async () => {
        order.push(`${name} begins`);
        await sleep(30);
        order.push(`${name} ends`);
        if (name === "a") throw new Error("no");
      }).catch(() => undefined);
    await Promise.all(["a", "b", "c"].map(work));
    for (let i = 0; i < 6; i += 2) expect(order[i]?.replace("begins", "ends")).to.equal(order[i + 1]);
    expect(order).to.have.length(6);
    const held = await leases().lease("x");
    const stop = new AbortController();
    const waiting = withLease(leases(), "x", async () => undefined, stop.signal).catch((error: Error) => error.name);
    stop.abort();
    expect(await waiting).to.equal("AbortError");
    await held!.release();
  });
});
