import { expect } from "chai";
import { WalkRoom } from "../../../src/provider/gateway/walk-room.js";
import { expectError } from "../../piece/helpers.js";

describe("gateway: what walks may hold together", () => {
  it("is all of it for one alone, and no more", async () => {
    const walk = new WalkRoom(100).enter();
    walk.hold(100);
    await expectError("NODE_BUSY", () => walk.hold(101));
    // Less is always right.
    walk.hold(50);
    walk.hold(100);
  });

  it("is half of what is left for who comes when it is full, and all again when others have left", async () => {
    const room = new WalkRoom(100);
    const large = room.enter();
    large.hold(100);
    const small = room.enter();
    small.hold(50);
    await expectError("NODE_BUSY", () => small.hold(51));
    await expectError("NODE_BUSY", () => large.hold(101));
    large.leave();
    small.hold(100);
    small.leave();
    small.leave();
    room.enter().hold(100);
  });

  it("is never twice as much, however many do not read", () => {
    const room = new WalkRoom(1_000);
    let held = 0;
    for (let i = 0; i < 200; i++) {
      const walk = room.enter();
      try {
        for (let cids = 1; cids <= 1_000; cids++) {
          walk.hold(cids);
          held++;
        }
      } catch {
        // It stays where it is: its peer does not read.
      }
    }
    expect(held).to.be.within(1_900, 2_000);
  });
});
