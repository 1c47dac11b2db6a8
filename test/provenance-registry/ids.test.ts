import { expect } from "chai";
import { TypedDataEncoder } from "ethers";
import fc from "fast-check";
import { anchorIdOf, anchorStruct, recordIdOf, recordStruct } from "../../src/protocol/index.js";
import { runs } from "../support/effort.js";
import { ethers, networkHelpers } from "../support/market.js";
import { anyRecord, anySet, CHAIN_ID, deployProvenance, recordFor, setOf } from "../support/provenance.js";

describe("ProvenanceRegistry: ids", () => {
  const fixture = () => networkHelpers.loadFixture(deployProvenance);

  it("of records are the mirror's, whatever they say", async () => {
    const { provenance, recordDomain } = await fixture();
    const agree = fc.asyncProperty(anyRecord, async (record) => {
      expect(await provenance.recordIdOf(recordStruct(record))).to.equal(recordIdOf(recordDomain, record));
    });
    await fc.assert(agree, { numRuns: runs(200) });
  });

  it("of sets are the mirror's, whatever they say", async () => {
    const { provenance, recordDomain } = await fixture();
    const agree = fc.asyncProperty(anySet, async (set) => {
      expect(await provenance.anchorIdOf(anchorStruct(set))).to.equal(anchorIdOf(recordDomain, set));
    });
    await fc.assert(agree, { numRuns: runs(200) });
  });

  it("are those of one registry: the next has others for the same claims", async () => {
    const world = await fixture();
    const other = await ethers.deployContract("ProvenanceRegistry", [world.lens]);
    const [record, set] = [recordStruct(recordFor(world)), setOf(world, [recordFor(world)]).call];
    expect(await other.recordIdOf(record)).to.not.equal(await world.provenance.recordIdOf(record));
    expect(await other.anchorIdOf(set)).to.not.equal(await world.provenance.anchorIdOf(set));
  });

  it("and signatures are in the domain that the registry tells", async () => {
    const { provenance, provenanceAddress, recordDomain } = await fixture();
    expect(await provenance.DOMAIN_SEPARATOR()).to.equal(TypedDataEncoder.hashDomain(recordDomain));
    const { fields, name, version, chainId, verifyingContract } = await provenance.eip712Domain();
    expect([fields, name, version, chainId, verifyingContract]).to.deep.equal([
      "0x0f",
      "Holdfast Provenance",
      "1",
      BigInt(CHAIN_ID),
      provenanceAddress,
    ]);
  });

  it("are of a registry that believes one market, through a lens of that market", async () => {
    const { provenance, market, lens, treasury } = await fixture();
    expect(await provenance.market()).to.equal(await market.getAddress());
    expect(await provenance.lens()).to.equal(await lens.getAddress());
    await expect(ethers.deployContract("ProvenanceRegistry", [treasury])).to.be.revert(ethers);
  });
});
