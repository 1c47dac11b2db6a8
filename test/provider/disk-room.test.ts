import { expect } from "chai";
import { DiskRoom } from "../../src/provider/disk-room.js";
import { freeBytesOf } from "../../src/provider/free-bytes.js";
import { FileBlobs } from "../../src/store/index.js";
import { expectError } from "../piece/helpers.js";
import { inChunks } from "../support/pieces.js";

const MIB = 1 << 20;

describe("provider: room on the disk", () => {
  let free: number;
  let room: DiskRoom;
  const read = async (body: AsyncIterable<Uint8Array>) => {
    let bytes = 0;
    for await (const chunk of body) bytes += chunk.length;
    return bytes;
  };
  /** Bytes that fill the disk while they are written. */
  const filling = async function* (size: number) {
    for await (const chunk of inChunks(new Uint8Array(size))) {
      yield chunk;
      free -= chunk.length;
    }
  };

  beforeEach(() => {
    free = 100 * MIB;
    room = new DiskRoom({ freeBytes: async () => free, minFreeBytes: 20 * MIB });
  });

  it("is taken by what is announced until that is here, or over", async () => {
    await room.during(60 * MIB, async (meter) => {
      await room.check(20 * MIB);
      await expectError("DISK_FULL", () => room.check(20 * MIB + 1));
      await expectError("DISK_FULL", () => room.during(20 * MIB + 1, async () => expect.fail("it began")));
      await read(meter(filling(30 * MIB)));
      await room.check(20 * MIB);
      await expectError("DISK_FULL", () => room.check(20 * MIB + 1));
    });
    expect(free).to.equal(70 * MIB);
    await room.check(50 * MIB);
  });

  it("has no two in one place that ask at once", async () => {
    const taking = () => room.during(50 * MIB, async () => "in").catch(({ code }) => code);
    expect(await Promise.all([taking(), taking()])).to.deep.equal(["in", "DISK_FULL"]);
    expect(await taking()).to.equal("in");
  });

  it("ends for what was not announced before what was, all of them counted together", async () => {
    await room.during(60 * MIB, async (announced) => {
      const small = () => room.during(0, async (meter) => read(meter(filling(20 * MIB))));
      expect(await small()).to.equal(20 * MIB);
      await expectError("DISK_FULL", small);
      free = 70 * MIB;
      expect(await read(announced(filling(48 * MIB)))).to.equal(48 * MIB);
    });
  });

  it("is looked at on the way, whatever was announced", async () => {
    await room.during(60 * MIB, async (meter) => {
      free = 30 * MIB;
      await expectError("DISK_FULL", () => read(meter(filling(60 * MIB))));
      expect(free).to.be.within(10 * MIB, 20 * MIB);
    });
  });

  it("is one for all who keep other numbers of bytes free", async () => {
    const other = room.keeping(50 * MIB);
    await room.during(30 * MIB, async () => {
      await other.check(20 * MIB);
      await expectError("DISK_FULL", () => other.check(20 * MIB + 1));
    });
    free = 49 * MIB;
    await room.checkFree();
    await expectError("DISK_FULL", () => other.checkFree());
  });

  it("is that of the disk with less, where pieces lie on another than uploads", async () => {
    const disks: Record<string, number> = { "/data": 7, "/mnt": 5 };
    const at = async (folder: string) => {
      if (disks[folder] !== undefined) return disks[folder];
      throw Object.assign(new Error("no such folder"), { code: "ENOENT" });
    };
    expect(await freeBytesOf("/data", undefined, at)).to.equal(7);
    expect(await freeBytesOf("/data", new FileBlobs("/mnt/not/yet"), at)).to.equal(5);
    disks["/mnt"] = 9;
    expect(await freeBytesOf("/data", new FileBlobs("/mnt"), at)).to.equal(7);
    const failing = async () => {
      throw Object.assign(new Error("no"), { code: "EIO" });
    };
    expect(await freeBytesOf("/data", undefined, failing).catch(({ code }) => code)).to.equal("EIO");
    expect(await freeBytesOf(process.cwd(), undefined)).to.be.greaterThan(0);
  });
});
