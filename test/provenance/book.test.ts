import { expect } from "chai";
import { encodeBytes32String, hexlify, type Log, toBeHex, toUtf8Bytes } from "ethers";
import fc from "fast-check";
import { ChainError } from "../../src/chain/errors.js";
import { anchorStruct, NO_HASH, recordStruct } from "../../src/protocol/index.js";
import { knownFrom, ProvenanceBook } from "../../src/provenance/book.js";
import { type ProvenanceEvent, provenanceEvent } from "../../src/provenance/events.js";
import type { KnownRecord, KnownSet } from "../../src/provenance/known.js";
import { runs } from "../support/effort.js";
import { failure } from "../support/failure.js";
import { ethers, networkHelpers, openDeal } from "../support/market.js";
import {
  anchor,
  deployProvenance,
  freshHash,
  idOf,
  type ProvenanceWorld,
  pieceIdOf,
  recordFor,
  register,
  registerMany,
  setOf,
  Verdict,
} from "../support/provenance.js";
import { overheard, readerOf } from "../support/provenance-reader.js";

const ORIGIN = encodeBytes32String("origin");
/** Blocks from which on no reorganisation is looked for. */
const DEEP = 70;

/** What a book says that has read everything anew. */
const fresh = async (world: ProvenanceWorld) => (await ProvenanceBook.open(await readerOf(world))).known;

describe("provenance: the book", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);
  const open = async (world: ProvenanceWorld) => ProvenanceBook.open(await readerOf(world));
  const recordIn = ({ known }: ProvenanceBook, id: string) => known.get(id) as KnownRecord;

  it("puts together what was registered, and what was said and done since", async () => {
    const world = await fixture();
    const { client, keeper, provenance } = world;
    const deal = await openDeal(world);
    const first = await register(world, { pieceId: pieceIdOf(deal) });
    const parents = [{ parent: first.id, kind: "revision" }] as const;
    const second = await register(world, { parents, kind: "edited", license: "MIT", aiTraining: "refused" });
    const own = provenance.connect(client);
    await own.link(first.call, [deal.id]);
    await own.supersede(first.id, second.id);
    await own.withdraw(second.id, "wrong picture");
    await provenance.connect(keeper).attest(first.id, ORIGIN, Verdict.Vouches, 4_000_000_000n, "seen it");
    const book = await open(world);
    expect([...book.known.keys()]).to.deep.equal([first.id, second.id]);
    const { block, said, ...rest } = recordIn(book, first.id);
    expect(rest).to.deep.equal({
      ...{ form: "record", id: first.id, registrant: client.address, record: first.record },
      ...{ deals: [deal.id], supersededBy: second.id },
    });
    expect(said).to.deep.equal([
      {
        ...{ attester: keeper.address, topic: ORIGIN, verdict: "vouches", expires: 4_000_000_000n },
        ...{ reason: "seen it", block: await ethers.provider.getBlockNumber() },
      },
    ]);
    expect(block).to.be.lessThan(recordIn(book, second.id).block);
    expect(recordIn(book, second.id)).to.deep.include({ record: second.record, withdrawn: "wrong picture" });
    expect(book.ofContent(first.record.contentHash.toUpperCase().replace("0X", "0x"))).to.deep.equal([
      recordIn(book, first.id),
    ]);
    expect(book.ofContent(freshHash())).to.deep.equal([]);
    expect(book.records(({ record }) => record.license === "MIT").map(({ id }) => id)).to.deep.equal([second.id]);
  });

  it("has the last word of each attester on each topic, the latest last", async () => {
    const world = await fixture();
    const { keeper, stranger, provenance } = world;
    const { id } = await register(world);
    const [a, b] = [provenance.connect(keeper), provenance.connect(stranger)];
    await a.attest(id, NO_HASH, Verdict.Vouches, 0, "fine");
    await a.attest(id, ORIGIN, Verdict.Vouches, 0, "ours");
    await b.attest(id, NO_HASH, Verdict.Disputes, 0, "staged");
    await a.attest(id, NO_HASH, Verdict.Disputes, 0, "staged indeed");
    await b.revoke(id, NO_HASH, "mistaken");
    const book = await open(world);
    expect(recordIn(book, id).said.map(({ reason, revoked }) => [reason, revoked])).to.deep.equal([
      ["ours", undefined],
      ["staged", "mistaken"],
      ["staged indeed", undefined],
    ]);
    await b.attest(id, NO_HASH, Verdict.Vouches, 0, "now I see");
    await book.refresh();
    const { verdict, revoked } = recordIn(book, id).said[2]!;
    expect([verdict, revoked]).to.deep.equal(["vouches", undefined]);
  });

  it("knows sets, and which of them a record was anchored in", async () => {
    const world = await fixture();
    const records = [recordFor(world), recordFor(world)];
    const { set, id, proofOf } = await anchor(world, records);
    const [record] = records as [(typeof records)[0], (typeof records)[0]];
    await world.provenance.registerAnchored(recordStruct(record), anchorStruct(set), 0, proofOf(0));
    const book = await open(world);
    expect((book.known.get(id) as KnownSet).set).to.deep.equal(set);
    expect(recordIn(book, idOf(world, record))).to.deep.include({ anchoredIn: id, record });
    expect(book.known.size).to.equal(2);
  });

  it("keeps the order of the chain within a block", async () => {
    const world = await fixture();
    const ids = await registerMany(world, 20);
    const known = [...(await open(world)).known.values()];
    expect(known.map(({ id }) => id)).to.deep.equal(ids);
    expect(new Set(known.map(({ block }) => block)).size).to.equal(1);
  });

  it("passes over logs that it does not know", async () => {
    const world = await fixture();
    await openDeal(world);
    const logs = await ethers.provider.getLogs({ address: world.marketAddress, fromBlock: 0 });
    expect(logs).to.not.have.length(0);
    for (const log of logs) expect(provenanceEvent(log as unknown as Log)).to.equal(undefined);
    expect(provenanceEvent({ topics: [], data: "0x", blockNumber: 1 } as unknown as Log)).to.equal(undefined);
  });

  it("reads on where a stranger's text is no UTF-8", async () => {
    const world = await fixture();
    const { client, keeper, stranger, provenance } = world;
    const { id } = await register(world);
    const marker = "~~~~";
    const hostile = async (by: typeof keeper, data: string) => {
      const broken = data.replaceAll(hexlify(toUtf8Bytes(marker)).slice(2), "ff80fe41");
      expect(broken).to.not.equal(data);
      await by.sendTransaction({ to: provenance, data: broken });
    };
    const encode = provenance.interface;
    const mine = recordFor(world, { registrant: keeper.address, license: marker });
    await hostile(keeper, encode.encodeFunctionData("register", [recordStruct(mine)]));
    const set = setOf(world, [mine], { registrant: keeper.address, license: marker });
    await hostile(keeper, encode.encodeFunctionData("anchor", [set.call]));
    await hostile(stranger, encode.encodeFunctionData("attest", [id, NO_HASH, Verdict.Disputes, 0, marker]));
    await hostile(stranger, encode.encodeFunctionData("revoke", [id, NO_HASH, marker]));
    await hostile(client, encode.encodeFunctionData("withdraw", [id, marker]));
    const { known } = await open(world);
    const [own, record, anchored] = [...known.values()] as [KnownRecord, KnownRecord, KnownSet];
    expect(own).to.deep.include({ id, withdrawn: "\ufffd\ufffd\ufffdA" });
    expect(own.said[0]).to.include({ reason: "\ufffd\ufffd\ufffdA", revoked: "\ufffd\ufffd\ufffdA" });
    expect(record.record).to.deep.equal({ ...mine, license: "\ufffd\ufffd\ufffdA" });
    expect(anchored.set).to.deep.equal({ ...set.set, license: "\ufffd\ufffd\ufffdA" });
  });

  it("forgets what a reorganisation took away, and has what came instead", async () => {
    const world = await fixture();
    const stays = await register(world);
    const before = await networkHelpers.takeSnapshot();
    const goes = await register(world);
    await world.provenance.connect(world.keeper).attest(stays.id, NO_HASH, Verdict.Disputes, 0, "");
    const book = await open(world);
    expect(recordIn(book, stays.id).said).to.have.length(1);
    await before.restore();
    await networkHelpers.mine();
    const comes = await register(world);
    await book.refresh();
    expect([...book.known.keys()]).to.deep.equal([stays.id, comes.id]);
    expect(recordIn(book, stays.id).said).to.deep.equal([]);
    expect(book.ofContent(goes.record.contentHash)).to.deep.equal([]);
  });

  it("has nothing twice and nothing less where a node has fallen behind, and comes back", async () => {
    const world = await fixture();
    const old = await register(world);
    await networkHelpers.mine(DEEP);
    const snapshot = await networkHelpers.takeSnapshot();
    const recent = await register(world);
    const book = await open(world);
    await snapshot.restore();
    await book.refresh();
    expect([...book.known.keys()]).to.deep.equal([old.id]);
    await world.provenance.connect(world.client).register(recent.call);
    await book.refresh();
    expect([...book.known.keys()]).to.deep.equal([old.id, recent.id]);
  });

  it("is the same, read bit by bit, as read at once: over random histories, with reorganisations", async () => {
    const world = await fixture();
    const accounts = [world.client, world.keeper, world.stranger];
    const actions = ["register", "child", "attest", "dispute", "revoke", "withdraw", "supersede", "link"] as const;
    const chain = ["mine", "mine deep", "refresh", "mark", "reorganise"] as const;
    const met = new Map<string, number>();
    const step = fc.record({
      what: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...actions) }, fc.constantFrom(...chain)),
      by: fc.nat(2),
      on: fc.nat(20),
    });
    const piece = await openDeal(world);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const start = await networkHelpers.takeSnapshot();
        let mark: Awaited<ReturnType<typeof networkHelpers.takeSnapshot>> | undefined;
        const book = await open(world);
        const records: Awaited<ReturnType<typeof register>>[] = [];
        for (const { what, by, on } of steps) {
          const account = accounts[by]!;
          const contract = world.provenance.connect(account);
          const [one, other] = [records[on % records.length], records[(on + 1) % records.length]];
          const parents = one && what === "child" ? [{ parent: one.id, kind: "input" as const }] : [];
          const act: Record<(typeof step extends fc.Arbitrary<infer S> ? S : never)["what"], () => unknown> = {
            register: async () => records.push(await register(world, { pieceId: pieceIdOf(piece) }, account)),
            child: async () => records.push(await register(world, { parents }, account)),
            attest: () => one && contract.attest(one.id, NO_HASH, Verdict.Vouches, 0, `${on}`),
            dispute: () => one && contract.attest(one.id, toBeHex(on % 2, 32), Verdict.Disputes, 0, ""),
            revoke: () => one && contract.revoke(one.id, toBeHex(on % 2, 32), "no"),
            withdraw: () => one && contract.withdraw(one.id, "no"),
            supersede: () => one && other && contract.supersede(one.id, other.id),
            link: () => one && contract.link(one.call, [piece.id]),
            mine: () => networkHelpers.mine(),
            "mine deep": () => networkHelpers.mine(DEEP),
            refresh: () => book.refresh(),
            mark: async () => {
              if (mark === undefined) mark = await networkHelpers.takeSnapshot();
            },
            reorganise: async () => {
              await mark?.restore();
              mark = undefined;
            },
          };
          // What the contract refuses, as it does much that is drawn, leaves no event.
          const done = await Promise.resolve(act[what]()).then(
            () => true,
            () => false,
          );
          if (done) met.set(what, (met.get(what) ?? 0) + 1);
          // Deeper than any book looks back, nothing is reorganised.
          if (what === "mine deep") mark = undefined;
        }
        await book.refresh();
        expect([...book.known]).to.deep.equal([...(await fresh(world))]);
        await start.restore();
      }),
      { numRuns: runs(12), seed: 4, endOnFailure: true },
    );
    expect([...met.keys()]).to.have.members([...actions, ...chain]);
  });

  it("does not let an answer of long ago take the place of a later one", async () => {
    const world = await fixture();
    let asked = () => {};
    let answer = () => {};
    const first = new Promise<void>((resolve) => {
      asked = resolve;
    });
    let held: Promise<void> | undefined;
    const book = await ProvenanceBook.open(
      await readerOf(
        world,
        overheard("getLogs", () => {
          const waits = held;
          held = undefined;
          if (waits) asked();
          return waits;
        }),
      ),
    );
    held = new Promise((resolve) => {
      answer = resolve;
    });
    const slow = book.refresh();
    await first;
    const { id } = await register(world);
    const quick = book.refresh();
    // Time for the quick one to overtake, if it could.
    await Promise.race([quick, networkHelpers.mine(3)]);
    answer();
    await Promise.all([slow, quick]);
    expect(book.known.has(id)).to.equal(true);
  });

  it("says so where the chain can't be asked, and stays as it was", async () => {
    const world = await fixture();
    let broken = false;
    const runner = overheard("getLogs", () => {
      if (broken) throw new Error("503");
    });
    const { id } = await register(world);
    const book = await ProvenanceBook.open(await readerOf(world, runner));
    broken = true;
    const error = await failure(book.refresh());
    expect(error).to.be.instanceOf(ChainError);
    expect(error.message).to.equal("Failed to read the provenance registry: 503");
    expect([...book.known.keys()]).to.deep.equal([id]);
    broken = false;
    await book.refresh();
    expect([...book.known.keys()]).to.deep.equal([id]);
  });

  it("takes time that grows with the number of events, however many are about one record", () => {
    const id = toBeHex(1, 32);
    const record = { ...BLANK, contentHash: id };
    const events: ProvenanceEvent[] = [{ id, block: 1, name: "registered", record }];
    for (let i = 0; i < 100_000; i++) {
      const said = { attester: toBeHex(i, 20), topic: NO_HASH, verdict: "disputes", expires: 0n, reason: "" } as const;
      events.push({ id, block: i, name: "attested", said: { ...said, block: i } });
    }
    const start = performance.now();
    const known = knownFrom(events).get(id);
    expect(known?.said).to.have.length(100_000);
    // A tenth of a second; the square of it would be an hour.
    expect(performance.now() - start).to.be.lessThan(5_000);
  });

  it("passes over what is said of nothing that it knows", () => {
    const stray = toBeHex(7, 32);
    const events: ProvenanceEvent[] = [
      { id: stray, block: 1, name: "withdrawn", reason: "" },
      { id: stray, block: 1, name: "revoked", attester: stray, topic: stray, reason: "" },
    ];
    expect([...knownFrom(events)]).to.deep.equal([]);
  });
});

const BLANK = {
  registrant: toBeHex(2, 20),
  size: 1n,
  pieceId: NO_HASH,
  cid: "0x",
  parents: [],
  kind: "original",
  license: "",
  aiTraining: "unstated",
  manifestHash: NO_HASH,
} as const;
