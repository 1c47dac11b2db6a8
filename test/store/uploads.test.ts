import { readdir } from "node:fs/promises";
import { expect } from "chai";
import { HoldfastError } from "../../src/errors.js";
import { Uploads } from "../../src/store/uploads.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const MINUTE = 60_000;
const KIB64 = 1 << 16;

describe("Uploads where all places are taken", () => {
  let now: number;
  let dir: string;
  let uploads: Uploads;

  const open = async (maxUploads: number) => {
    now = 0;
    dir = await tempFolder();
    uploads = await Uploads.open(dir, { maxUploads, now: () => now });
  };
  /** Bytes that follow on what is here. */
  const send = (id: string, bytes: number, last = false, offset = uploads.progressOf(id).size) =>
    uploads.append(id, bodyOf(bytes), { offset, maxBytes: 1 << 20, last });
  const begin = async (owner: string, bytes = 1, last = false) => {
    const id = await uploads.begin(owner);
    await send(id, bytes, last);
    return id;
  };
  const here = () => uploads.list().map(({ id }) => id);
  const owners = () => uploads.list().map(({ owner }) => owner);

  afterEach(() => uploads.close());
  after(removeFolders);

  it("give up the one that has stood still longest, a minute at least, and all that it has", async () => {
    await open(2);
    const first = await begin("a");
    now = 1;
    const second = await begin("b");
    now = MINUTE - 1;
    await expectError("TOO_MANY_UPLOADS", () => uploads.begin("c"));
    now = MINUTE;
    const third = await uploads.begin("c");
    expect(here()).to.deep.equal([second, third]);
    await expectError("UNKNOWN_UPLOAD", () => send(first, 1, true, 1));
    expect((await readdir(dir)).filter((file) => file.startsWith(first))).to.deep.equal([]);
    await expectError("TOO_MANY_UPLOADS", () => uploads.begin("d"));
  });

  it("take it from whoever has the most, and from nobody for one that has as many", async () => {
    await open(5);
    const paused = await begin("honest", KIB64);
    now = 1;
    for (let i = 0; i < 3; i++) await begin("greedy");
    now = 2 * MINUTE;
    await begin("c");
    expect(owners()).to.have.members(["honest", "greedy", "greedy", "c"]);
    await begin("d");
    expect(owners()).to.have.members(["honest", "greedy", "c", "d"]);
    now = 4 * MINUTE;
    for (const owner of ["honest", "greedy", "c", "d"])
      await expectError("TOO_MANY_UPLOADS", () => uploads.begin(owner));
    expect(here()).to.include(paused);
  });

  it("keep one whose bytes are coming, and one that is on its way into the store", async () => {
    await open(3);
    const leaving = await begin("a", 1, true);
    const handover = uploads.take(leaving);
    const writing = await uploads.begin("a");
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow = async function* () {
      yield new Uint8Array(1);
      await held;
    };
    const written = uploads.write(writing, slow(), 10);
    const idle = await begin("b");
    now = 2 * MINUTE;
    await begin("c");
    expect(here()).to.not.include(idle);
    expect(here()).to.include.members([writing, leaving]);
    await expectError("TOO_MANY_UPLOADS", () => uploads.begin("d"));
    go();
    await written;
    await handover.remove();
  });

  it("take no byte now and then for going on", async () => {
    await open(2);
    const [drip, steady] = [await begin("a"), await begin("b")];
    now = MINUTE - 1;
    await send(drip, 1);
    await uploads.append(drip, bodyOf(1), { maxBytes: 10, last: false });
    await send(steady, KIB64);
    now = MINUTE;
    await begin("c");
    expect(here()).to.include(steady);
    expect(here()).to.not.include(drip);
  });

  it("keep what is here whole longer than what is not, and count from when its piece was named in vain", async () => {
    await open(4);
    const whole = await begin("a", 1, true);
    now = 1;
    const part = await begin("a");
    now = 2;
    const other = await begin("a", 1, true);
    now = 2 * MINUTE;
    uploads.take(whole).putBack();
    await uploads.begin("b");
    expect(here()).to.not.include(part);
    await uploads.begin("c");
    expect(here()).to.include(whole);
    expect(here()).to.not.include(other);
  });

  it("leave a quarter to those that belong to nobody, which the node fetches by itself", async () => {
    await open(8);
    const strangers = await Promise.all(["a", "b", "c", "d", "e", "f"].map((owner) => begin(owner)));
    await expectError("TOO_MANY_UPLOADS", () => uploads.begin("g"));
    const own = [await uploads.begin(), await uploads.begin()];
    await expectError("TOO_MANY_UPLOADS", () => uploads.begin());
    now = 2 * MINUTE;
    own.push(await uploads.begin());
    expect(here()).to.include.members(own);
    expect(here().filter((id) => strangers.includes(id))).to.have.length(5);
    await uploads.begin("g");
    expect(here(), "nobody's are not given up").to.include.members(own);
  });

  it("lose what was broken off like any other", async () => {
    await open(2);
    const breaks = async function* () {
      yield new Uint8Array(KIB64);
      throw new HoldfastError("UPLOAD_BROKEN", "the line is cut", "go on");
    };
    const broken = await uploads.begin("a");
    await expectError("UPLOAD_BROKEN", () => uploads.append(broken, breaks(), { maxBytes: 1 << 20, last: true }));
    const steady = await begin("b");
    now = MINUTE - 1;
    await send(steady, KIB64);
    await expectError("TOO_MANY_UPLOADS", () => uploads.begin("c"));
    expect(uploads.progressOf(broken)).to.deep.equal({ size: KIB64, complete: false });
    now = MINUTE;
    await uploads.begin("c");
    await expectError("UNKNOWN_UPLOAD", async () => uploads.progressOf(broken));
    expect((await readdir(dir)).filter((file) => file.startsWith(broken))).to.deep.equal([]);
  });
});

async function* bodyOf(bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  yield new Uint8Array(bytes);
}
