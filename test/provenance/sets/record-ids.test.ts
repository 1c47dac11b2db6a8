import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import fc from "fast-check";
import { provenanceDomain, recordIdOf } from "../../../src/protocol/index.js";
import { recordIds } from "../../../src/provenance/sets/index.js";
import { address, hex } from "../../protocol/arbitraries.js";
import { runs } from "../../support/effort.js";
import { claims, registries } from "./helpers.js";

const size = fc.oneof(fc.bigInt({ min: 0n, max: 5_000n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

describe("sets: ids of many records", () => {
  it("are those of the records one by one, whatever they claim and whichever came before", () => {
    const record = fc.record({ registrant: address, pieceId: hex(32), cid: hex(36) });
    const content = fc.record({ contentHash: hex(32), size });
    fc.assert(
      fc.property(
        registries,
        record,
        claims,
        fc.array(content, { minLength: 1, maxLength: 4 }),
        (at, own, shared, all) => {
          const domain = provenanceDomain(at.chainId, at.registry);
          const [first, ...rest] = all as [(typeof all)[0]];
          const idOf = recordIds(domain, { ...own, ...shared, ...first });
          for (const each of [...rest, first]) {
            const id = recordIdOf(domain, { ...own, ...shared, ...each });
            expect(hexlify(idOf(getBytes(each.contentHash), each.size))).to.equal(id);
          }
        },
      ),
      { numRuns: runs(100) },
    );
  });

  it("are made anew each time: one that is kept does not change", () => {
    const record = { registrant: `0x${"11".repeat(20)}`, contentHash: `0x${"22".repeat(32)}`, size: 1n };
    const shared = { pieceId: `0x${"33".repeat(32)}`, cid: "0x", parents: [], manifestHash: `0x${"44".repeat(32)}` };
    const terms = { kind: "original", license: "", aiTraining: "unstated" } as const;
    const idOf = recordIds(provenanceDomain(1, record.registrant), { ...record, ...shared, ...terms });
    const kept = idOf(getBytes(record.contentHash), 1n);
    const before = hexlify(kept);
    expect(hexlify(idOf(getBytes(record.contentHash), 2n))).to.not.equal(before);
    expect(hexlify(kept)).to.equal(before);
  });
});
