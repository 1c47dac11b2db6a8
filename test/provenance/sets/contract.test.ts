import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { ZeroHash } from "ethers";
import { hashFile, hashFolder } from "../../../src/client/hash-folder-node.js";
import {
  anchorIdOf,
  anchorStruct,
  NO_HASH,
  type ProvenanceRecord,
  recordIdOf,
  recordStruct,
} from "../../../src/protocol/index.js";
import { openSetFile, writeSetFile } from "../../../src/provenance/sets/file-node.js";
import {
  buildSet,
  domainOf,
  formatMembership,
  type Membership,
  parseMembership,
  type SharedClaims,
} from "../../../src/provenance/sets/index.js";
import { pseudoRandom } from "../../piece/helpers.js";
import { deployMarket, ethers, networkHelpers } from "../../support/market.js";
import { removeFolders, tempFolder } from "../../support/pieces.js";
import { CHAIN_ID } from "../../support/requests.js";

/** A registry, and a parent that is registered there. */
async function deployRegistry() {
  const { lens, client } = await deployMarket();
  const contract = await ethers.deployContract("ProvenanceRegistry", [lens]);
  const registry = { chainId: CHAIN_ID, registry: await contract.getAddress() };
  const parent: ProvenanceRecord = {
    ...{ registrant: client.address, contentHash: `0x${"11".repeat(32)}`, size: 1n, pieceId: NO_HASH, cid: "0x" },
    ...{ parents: [], kind: "original", license: "", aiTraining: "unstated", manifestHash: NO_HASH },
  };
  await contract.connect(client).register(recordStruct(parent));
  const shared: SharedClaims = {
    kind: "derived",
    license: "CC-BY-4.0",
    aiTraining: "refused",
    parents: [{ parent: recordIdOf(domainOf(registry), parent), kind: "derivation" }],
    manifestHash: `0x${"5c".repeat(32)}`,
  };
  return { contract, client, registry, shared };
}

/** A folder with files that are alike, empty, and named in other scripts. */
async function makeFolder(files: number): Promise<string> {
  const folder = await tempFolder();
  await mkdir(join(folder, "sub/Ünïcode 日本語"), { recursive: true });
  for (let i = 0; i < files; i++) await writeFile(join(folder, `sub/${i}.bin`), pseudoRandom(10 + i, i));
  await writeFile(join(folder, "sub/Ünïcode 日本語/copy of 0.bin"), pseudoRandom(10, 0));
  await writeFile(join(folder, "empty"), "");
  await writeFile(join(folder, "sub/empty too"), "");
  return folder;
}

describe("sets: beside the contract", () => {
  after(removeFolders);

  async function anchoredFolder(files: number) {
    const world = await networkHelpers.loadFixture(deployRegistry);
    const { contract, client, registry, shared } = world;
    const folder = await makeFolder(files);
    const entries = await hashFolder(folder);
    const set = buildSet({ ...registry, registrant: client.address, shared, entries });
    await contract.connect(client).anchor(anchorStruct(set.set));
    const path = join(await tempFolder(), "folder.set");
    await writeSetFile(path, set);
    return { ...world, folder, entries, file: await openSetFile(path) };
  }

  const argsOf = ({ record, index, proof }: Membership) => [recordStruct(record), index, proof] as const;

  it("every file of a folder is anchored, each content once, by the proof of the set file", async () => {
    for (const files of [1, 2, 6, 13]) {
      const { contract, entries, file } = await anchoredFolder(files);
      expect(entries).to.have.length(files + 3);
      expect(file.set.count).to.equal(BigInt(files + 1));
      expect(await contract.anchorIdOf(anchorStruct(file.set))).to.equal(file.id);
      expect((await contract.stateOf(file.id)).form).to.equal(2n);
      for (const { sha256 } of entries) {
        const found = (await file.find(sha256)) as Membership;
        const [record, index, proof] = argsOf(found);
        expect(await contract.recordIdOf(record)).to.equal(found.id);
        expect(await contract.isAnchored(record, anchorStruct(file.set), index, proof)).to.equal(true);
        expect(await contract.isAnchored(record, anchorStruct(file.set), index + 1, proof)).to.equal(false);
      }
      await file.close();
    }
  });

  it("a file's own proof is enough to register its record, without the set", async () => {
    const { contract, folder, file } = await anchoredFolder(9);
    const found = (await file.find((await hashFile(join(folder, "sub/5.bin"))).sha256)) as Membership;
    const text = formatMembership(found, file);
    await file.close();
    const { membership, head } = parseMembership(text);
    expect(anchorIdOf(domainOf(head), head.set)).to.equal(head.id);
    const [record, index, proof] = argsOf(membership);
    await contract.registerAnchored(record, anchorStruct(head.set), index, proof);
    const [state, set] = [await contract.stateOf(membership.id), await contract.stateOf(head.id)];
    expect(state.form).to.equal(1n);
    expect(state.registeredAt).to.equal(set.registeredAt);
  });

  it("a file with one bit flipped is not in the set, and no proof makes it so", async () => {
    const { contract, folder, file } = await anchoredFolder(5);
    const path = join(folder, "sub/3.bin");
    const original = (await file.find((await hashFile(path)).sha256)) as Membership;
    const bytes = pseudoRandom(13, 3);
    await writeFile(path, bytes.with(7, (bytes[7] as number) ^ 4));
    const altered = await hashFile(path);
    expect(await file.find(altered.sha256)).to.equal(undefined);
    const record = recordStruct({ ...original.record, contentHash: altered.sha256 });
    const args = [anchorStruct(file.set), original.index, original.proof] as const;
    expect(await contract.isAnchored(recordStruct(original.record), ...args)).to.equal(true);
    expect(await contract.isAnchored(record, ...args)).to.equal(false);
    expect(
      await contract.isAnchored(recordStruct(original.record), { ...args[0], root: ZeroHash }, ...[args[1], args[2]]),
    ).to.equal(false);
    await file.close();
  });
});
