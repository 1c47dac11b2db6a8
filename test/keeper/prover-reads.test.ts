import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { PieceReads } from "../../src/keeper/prover-reads.js";
import { failure } from "../support/failure.js";

const LIMIT_MS = 400;

describe("PieceReads", () => {
  const late = (id: bigint, ms: number) => new Error(`${id} after ${ms}`);
  const never = () => new Promise<never>(() => undefined);
  const reads = (readers: number) => new PieceReads({ readers, limitMs: LIMIT_MS, late });
  const at = () => performance.now();

  it("takes the place of a read that hangs, and says so of that one in the end", async () => {
    const pool = reads(2);
    const hung = [await pool.begin(1n, never), await pool.begin(2n, never)];
    const ends = hung.map(({ result }) => failure(result));
    const began = at();
    const third = await pool.begin(3n, async () => "read");
    expect(await third.result).to.equal("read");
    expect(at() - began).to.be.lessThan(LIMIT_MS / 2);
    await Promise.all(hung.map(({ setAside }) => setAside));
    expect((await Promise.all(ends)).map(({ message }) => message)).to.deep.equal(["1 after 400", "2 after 400"]);
  });

  it("has what was slow wait among the slow, until it is fast again", async () => {
    const pool = reads(1);
    const slow = (await pool.begin(1n, () => sleep(60, "late"))).result;
    expect(await slow).to.equal("late");
    let began = 0;
    const read = async () => {
      began++;
      return "fast";
    };
    // A slow one that hangs has the only place of those.
    await (await pool.begin(2n, () => sleep(60))).result;
    const hung = failure((await pool.begin(2n, never)).result);
    const waits = await pool.begin(1n, read);
    await waits.setAside;
    expect(began, "it has no place yet, and nobody waits").to.equal(0);
    expect(await waits.result).to.equal("fast");
    const again = await pool.begin(1n, read);
    expect(began, "it is one of the others again").to.equal(2);
    await again.result;
    await hung;
  });

  it("lets no more than so many stand aside: others keep their places until they are given up", async () => {
    const pool = reads(1);
    const ends: Promise<Error>[] = [];
    const began = at();
    for (let id = 0n; id < 9n; id++) ends.push(failure((await pool.begin(id, never)).result));
    expect(at() - began).to.be.lessThan(LIMIT_MS);
    const ninth = at();
    const next = await pool.begin(9n, async () => "read");
    expect(at() - ninth).to.be.greaterThan(LIMIT_MS * 0.9);
    expect(await next.result).to.equal("read");
    await Promise.all(ends);
  });

  it("gives the place on where a read fails", async () => {
    const pool = reads(1);
    const failed = failure((await pool.begin(1n, () => Promise.reject(new Error("no disk")))).result);
    expect(await (await pool.begin(2n, async () => 2)).result).to.equal(2);
    expect((await failed).message).to.equal("no disk");
  });
});
