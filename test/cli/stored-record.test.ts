import { expect } from "chai";
import { CID } from "multiformats/cid";
import type { Chain } from "../../src/chain/chain.js";
import { registerStored, type StoredClaimFlags, storedClaims } from "../../src/cli/stored-record.js";
import type { ChainAccess } from "../../src/client/index.js";
import { contentOf } from "../../src/provenance/content.js";
import { expectError } from "../piece/helpers.js";
import { makePiece, networkHelpers, openDeal, openTerms, termsFor } from "../support/market.js";
import { deployProvenance, freshHash, links, type ProvenanceWorld, register, stateOf } from "../support/provenance.js";
import { accessOf, readerOf } from "../support/provenance-reader.js";

const FLAGS: StoredClaimFlags = { kind: "original", provenance: true };
/** What `openDeal` stores. */
const BYTES = new Uint8Array(1_000).map((_, i) => (i * 31 + 97 + (i >> 8)) & 0xff);

describe("cli: what storing registers", () => {
  let world: ProvenanceWorld;
  let access: ChainAccess;
  let told: string[];
  const log = console.error;

  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployProvenance);
    access = await accessOf(world, world.client);
    told = [];
    console.error = (text: string) => void told.push(text);
  });
  afterEach(() => {
    console.error = log;
  });

  it("checks what is claimed before anything is paid for", async () => {
    const chain = (await readerOf(world)) as unknown as Chain;
    const claims = (flags: Partial<StoredClaimFlags>) => storedClaims({ chain }, { ...FLAGS, ...flags });
    expect(await claims({ provenance: false, license: "no licence at all" })).to.equal(undefined);
    const { id } = await register(world);
    const parents = [{ parent: id, kind: "derivation" }];
    expect(await claims({ parent: [id], license: "MIT" })).to.deep.include({ parents, license: "MIT" });
    expect(await claims({ parent: [id.slice(0, 12)] })).to.deep.include({ parents });
    await expectError("UNKNOWN_RECORD", () => claims({ parent: [freshHash()] }));
    await expectError("INVALID_LICENSE", () => claims({ license: "no licence at all" }));
    await expectError("INVALID_EDGE", () => claims({ parent: [`${id}:uncle`] }));
  });

  it("registers it, a folder with its CID, and links it to its deals", async () => {
    const deal = await openDeal(world);
    const root = CID.parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi");
    for (const payload of [new Blob([BYTES]), await contentOf(new Blob([BYTES]))]) {
      const id = (await registerStored({ access }, payload, { license: "MIT" }, [deal], root)) as string;
      expect((await stateOf(world, id)).registrant).to.equal(access.address);
      expect(await links(world, id)).to.deep.equal([deal.id]);
      expect(told.at(-1)).to.equal(`record ${id} says where it came from`);
    }
    expect(await registerStored({ access }, new Blob([BYTES]), undefined, [deal])).to.equal(undefined);
    expect(told).to.have.length(2);
  });

  it("tells what went wrong, and what did not", async () => {
    const blob = new Blob([BYTES]);
    const parents = [{ parent: freshHash(), kind: "input" as const }];
    expect(await registerStored({ access }, blob, { parents }, [])).to.equal(undefined);
    expect(told.at(-1)).to.match(
      /^it is stored, and not registered: .*UnknownParent.* `holdfast provenance register`$/,
    );
    const other = await openTerms(world, termsFor(world, await makePiece(2_000, 2)));
    const id = (await registerStored({ access }, blob, {}, [{ id: other }])) as string;
    expect((await stateOf(world, id)).registrant).to.equal(access.address);
    expect(told.at(-1)).to.match(
      /^it is registered, and not linked to its deals: .*PieceMismatch.* `holdfast provenance link`$/,
    );
  });
});
