import { expect } from "chai";
import type { Block, JsonRpcProvider } from "ethers";
import { isNullRound } from "../../scripts/profiles/null-rounds.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import { measureBlockSeconds } from "../../src/chain/block-time.js";
import { blockAt, blockFrom, blockUpTo, epochKey } from "../../src/chain/blocks.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";

/** How nodes answer who asks for the block of a null round. */
const NODES = {
  "Lotus, by an error": undefined,
  "Lotus 1.31, by null": () => null,
  "Forest, by the block before": (chain: DevChain, at: number) => chain.provider.getBlock(at - 1),
} as const;

describe("Blocks by their numbers", () => {
  let chain: DevChain;
  /** A null round by itself, below the head. */
  let empty: number;

  before(async () => {
    chain = await startDevChain({ profile: profileNamed("filecoin") });
    await chain.mine(250);
    empty = (await chain.provider.getBlockNumber()) - 20;
    while (!isNullRound(empty) || isNullRound(empty - 1) || isNullRound(empty + 1)) empty--;
  });
  after(() => chain.stop());

  /** The chain's provider, with other answers to null rounds, and what else is changed. */
  function node(
    answer: ((chain: DevChain, at: number) => unknown) | undefined,
    more: (at: number) => unknown = () => undefined,
  ): JsonRpcProvider {
    return new Proxy(chain.provider, {
      get(target, name) {
        if (name === "getBlock") {
          return async (tag: string | number) => {
            const changed = typeof tag === "number" ? more(tag) : undefined;
            if (changed !== undefined) return changed;
            return typeof tag === "number" && answer && isNullRound(tag) ? answer(chain, tag) : target.getBlock(tag);
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  for (const [name, answer] of Object.entries(NODES)) {
    describe(name, () => {
      it("says that there is none, which the one before and the next one are", async () => {
        const provider = node(answer);
        expect(await blockAt(provider, empty)).to.equal(null);
        expect((await blockAt(provider, empty - 1))?.number).to.equal(empty - 1);
        expect((await blockUpTo(provider, empty))?.number).to.equal(empty - 1);
        expect((await blockFrom(provider, empty, empty + 9))?.number).to.equal(empty + 1);
        expect(await blockFrom(provider, empty, empty)).to.equal(null);
      });

      it("has a key for each epoch, and the same as other nodes", async () => {
        const provider = node(answer);
        const keys = await Promise.all([-1, 0, 1].map((by) => epochKey(provider, empty + by)));
        expect(keys[0]).to.equal((await chain.provider.getBlock(empty - 1))!.hash);
        expect(new Set(keys).size).to.equal(3);
        for (const key of keys) expect(key).to.match(/^0x[0-9a-f]{64}$/);
        expect(keys[1]).to.equal(await epochKey(chain.provider, empty));
      });

      it("does not keep anybody from measuring how fast blocks come", async () => {
        const head = await chain.provider.getBlockNumber();
        for (let extra = 0; extra < 7; extra++) {
          if (isNullRound(head + extra - 200)) await chain.mine(extra);
        }
        expect(await measureBlockSeconds(node(answer))).to.equal(30);
      });
    });
  }

  it("has none that is to come", async () => {
    const head = await chain.provider.getBlockNumber();
    expect(await blockAt(chain.provider, head + 50)).to.equal(null);
    expect(await epochKey(chain.provider, head + 50)).to.equal(undefined);
  });

  it("takes a node that has lost a block, or is behind, for no null round", async () => {
    const gone = (at: number) => (at === empty + 1 ? null : undefined);
    expect(await epochKey(node(NODES["Lotus 1.31, by null"], gone), empty + 1)).to.equal(undefined);
  });

  it("has another key on another branch", async () => {
    const { hash, number } = (await chain.provider.getBlock(empty - 1)) as Block;
    const other = (at: number) => (at === number ? { number, hash: `0x${"12".repeat(32)}` } : undefined);
    expect(hash).to.match(/^0x/);
    expect(await epochKey(node(undefined, other), empty)).to.not.equal(await epochKey(chain.provider, empty));
  });

  it("passes on what else goes wrong", async () => {
    const broken = (at: number) => (at === empty ? Promise.reject(new Error("503")) : undefined);
    for (const read of [blockAt, blockUpTo, epochKey]) {
      expect(await failure(read(node(undefined, broken), empty))).to.have.property("message", "503");
    }
  });
});
