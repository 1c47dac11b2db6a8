import { expect } from "chai";
import { getAddress, Interface, toUtf8Bytes } from "ethers";
import fc from "fast-check";
import { recordStruct } from "../../src/protocol/index.js";
import { recordFromData } from "../../src/provenance/record-data.js";
import { ProvenanceRegistry__factory } from "../../typechain-types/index.js";
import { runs } from "../support/effort.js";
import { anyRecord, freshHash } from "../support/provenance.js";

const registry = new Interface(ProvenanceRegistry__factory.abi);

/** A record, and the data of the event that it is registered with, as ethers encodes it. */
const encoded = anyRecord.map((record) => {
  const values = [freshHash(), record.registrant, record.contentHash, recordStruct(record)];
  return { record, data: registry.encodeEventLog("Registered", values).data };
});

describe("provenance: the data of a record", () => {
  it("is read as ethers has written it, whatever the record", () => {
    fc.assert(
      fc.property(encoded, fc.boolean(), ({ record, data }, capitals) => {
        const struct = recordStruct(record);
        expect(recordFromData(capitals ? `0x${data.slice(2).toUpperCase()}` : data)).to.deep.equal({
          ...struct,
          registrant: getAddress(record.registrant),
          license: `0x${Buffer.from(toUtf8Bytes(record.license)).toString("hex")}`,
        });
      }),
      { numRuns: runs(200) },
    );
  });

  it("is refused where it is cut short, or points beyond its end", () => {
    const withParents = encoded.filter(({ record }) => record.parents.length > 2);
    for (const { data } of fc.sample(withParents, { numRuns: runs(5), seed: 7 })) {
      const refused = (text: string) => expect(() => recordFromData(text)).to.throw(RangeError);
      // The last word may be padding that nobody reads.
      for (let bytes = 0; bytes <= data.length / 2 - 33; bytes += 31) refused(data.slice(0, 2 + 2 * bytes));
      // Where the record, its CID, its parents and its licence are.
      for (const place of [0, 5, 6, 8]) {
        for (const far of ["ff".repeat(32), `${"00".repeat(27)}ffffffffff`]) {
          refused(`${data.slice(0, 2 + 64 * place)}${far}${data.slice(2 + 64 * (place + 1))}`);
        }
      }
    }
  });
});
