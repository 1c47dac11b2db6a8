import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { getBytes, hexlify, sha256, type Wallet } from "ethers";
import { CID } from "multiformats/cid";
import {
  type ChainAccess,
  fetchContent,
  type HoldfastClient,
  ProvenanceBook,
  recordOf,
  registerRecord,
} from "../../src/client/index.js";
import { packFolder } from "../../src/piece/car/index.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { NO_HASH, rawCidOf } from "../../src/protocol/index.js";
import { type Content, contentOf } from "../../src/provenance/content.js";
import { entriesOf } from "../piece/car/helpers.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, type TestPiece, testPiece } from "../support/pieces.js";
import { STAKE, type StorageNet, startStorageNet, type TestProvider } from "../support/storage-net.js";

const cidText = (bytes: string) => CID.decode(getBytes(bytes)).toString();
/** A dag-pb CID of some bytes, as if they had been split into blocks. */
const dagPbCid = (digest: string) => `0x01701220${digest.slice(2)}`;

describe("client: fetching what a CID names", () => {
  let net: StorageNet;
  let owner: Wallet;
  let client: HoldfastClient;
  let access: ChainAccess;
  let nodes: [TestProvider, TestProvider];
  let piece: TestPiece;
  let content: Content;
  let servers: Server[];

  before(async () => {
    net = await startStorageNet();
    // Nothing else sends for them: tests change their profiles.
    const node = () => net.addProvider({}, STAKE, { proving: false });
    nodes = [await node(), await node()];
    owner = await net.rich();
    client = net.clientOf(owner);
    const { deployment, contracts } = net;
    access = { address: owner.address, sender: net.senderOf(owner), deployment, contracts };
    piece = await testPiece(7_000, 3);
    content = await contentOf(new Blob([piece.payload]));
    await store(
      piece,
      nodes.map(({ url }) => url),
      2,
    );
  });
  beforeEach(() => {
    servers = [];
  });
  afterEach(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  const store = (of: TestPiece, urls: readonly string[], copies = 1) => {
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 10n * BigInt(of.payload.length) };
    return client.store(new Blob([of.payload]), { ...wishes, urls, copies });
  };
  const fetchIt = async (cid: string) => fetchContent(net, await ProvenanceBook.open(net), cid);
  const register = async (of: Content, claims: Parameters<typeof recordOf>[2] = {}, changes: Partial<Content> = {}) =>
    registerRecord(access, recordOf(owner.address, { ...of, ...changes }, claims));
  const profile = async ({ wallet }: TestProvider, url: string) => {
    const registry = net.contracts.registry.connect(wallet);
    const { name, peerId, region, tiers, offerUri } = await registry.profileOf(wallet);
    await (await registry.updateProfile({ name, url, peerId, region, tiers, offerUri })).wait();
  };
  /** A node that answers everything with these bytes. */
  const serve = async (bytes: Uint8Array) => {
    const server = createServer((_, response) => response.end(bytes)).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it("fetches a PieceCID from its holders, whoever has registered it", async () => {
    const fetched = await fetchIt(piece.cid);
    expect(fetched.content).to.deep.equal(content);
    expect(nodes.map(({ url }) => url)).to.include(fetched.url);
    expect(fetched.records).to.deep.equal([]);
    const { id } = await register(content);
    expect((await fetchIt(piece.cid)).records.map((record) => record.id)).to.deep.equal([id]);
  });

  it("fetches a raw CID by the records of these bytes, and of no others that name it", async () => {
    const raw = rawCidOf(content.contentHash);
    await register(await contentOf(new Blob(["others"])), { cid: raw });
    const { id } = await register(content);
    const fetched = await fetchIt(cidText(raw));
    expect(fetched.content).to.deep.equal(content);
    expect(fetched.records.map((record) => record.id)).to.deep.equal([id]);
  });

  it("fetches any other CID by the records that name it, in either version", async () => {
    const digest = sha256("0x1234");
    const { id } = await register(content, { cid: dagPbCid(digest) });
    const version0 = CID.decode(getBytes(`0x1220${digest.slice(2)}`));
    for (const cid of [cidText(dagPbCid(digest)), version0.toString()]) {
      const fetched = await fetchIt(cid);
      expect(fetched.content).to.deep.equal(content);
      expect(fetched.records.map((record) => record.id)).to.deep.equal([id]);
    }
    const other = sha256("0x5678");
    await register(content, { cid: `0x1220${other.slice(2)}` });
    expect((await fetchIt(cidText(dagPbCid(other)))).content).to.deep.equal(content);
  });

  it("computes the CID of a folder from its blocks, and believes nobody's word for it", async () => {
    const tree = { "a.txt": new Uint8Array(3_000).fill(1), "sub/b.bin": new Uint8Array(2_000).fill(2) };
    const { root, car } = await packFolder(entriesOf(tree));
    const payload = new Uint8Array(await car.arrayBuffer());
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 100_000n };
    await client.store(car, { ...wishes, urls: [nodes[0].url] });
    const folder = { cid: hexlify(root.bytes) };
    const { id } = await register(await contentOf(new Blob([payload])), folder);
    const fetched = await fetchIt(root.toString());
    expect(fetched).to.deep.include({ folder, checked: true });
    expect(fetched.records.map((record) => record.id)).to.deep.equal([id]);
    // The same by its PieceCID, since a record says that it is a folder.
    expect((await fetchIt(encodePieceCid(await commit(payload)).toString())).folder).to.deep.equal(folder);
    // Somebody's bytes, under the CID of a folder that is another's.
    const { root: victim } = await packFolder(entriesOf({ "a.txt": new Uint8Array(9) }));
    await register(await contentOf(new Blob([payload])), { cid: hexlify(victim.bytes) });
    expect(await fetchIt(victim.toString())).to.deep.include({ folder, checked: false });
    // And bytes that are no folder at all.
    const { root: another } = await packFolder(entriesOf({ "a.txt": new Uint8Array(8) }));
    await register(content, { cid: hexlify(another.bytes) });
    expect(await fetchIt(another.toString()))
      .to.include({ checked: false })
      .and.not.to.have.property("folder");
  });

  it("goes on to the next provider where one is gone, serves other bytes, or has no URL", async () => {
    const raw = cidText(rawCidOf(content.contentHash));
    await register(content);
    const [first, second] = nodes;
    const wrong = new Uint8Array(piece.payload.length).fill(7);
    const failing = ["http://127.0.0.1:1", await serve(wrong), await serve(new Uint8Array()), "", "no url"];
    for (const [bad, good] of [
      [first, second],
      [second, first],
    ] as const) {
      for (const url of failing) {
        await profile(bad, url);
        expect((await fetchIt(raw)).url, url).to.equal(good.url);
      }
      await profile(bad, bad.url);
    }
  });

  it("PIECE_UNAVAILABLE where nobody serves it, and says why of each", async () => {
    await register(content);
    const lying = await serve(new Uint8Array(piece.payload.length).fill(7));
    await profile(nodes[0], lying);
    await profile(nodes[1], "http://127.0.0.1:1");
    for (const cid of [cidText(rawCidOf(content.contentHash)), piece.cid]) {
      const { message } = await expectError("PIECE_UNAVAILABLE", () => fetchIt(cid));
      expect(message)
        .to.include("127.0.0.1:1")
        .and.to.match(/sent other bytes/);
    }
    for (const node of nodes) await profile(node, node.url);
  });

  it("goes on to the next record where the piece of one is not to be had", async () => {
    const cid = dagPbCid(sha256("0x9abc"));
    const nowhere = await testPiece(3_000, 9);
    await register(await contentOf(new Blob([nowhere.payload])), { cid });
    await register(content, { cid, license: "MIT" }, { pieceId: NO_HASH });
    // Of a size that the piece can't have.
    await register(content, { cid }, { size: content.size * 4n });
    await expectError("NOT_HELD", () => fetchIt(cidText(cid)));
    await register(content, { cid });
    expect((await fetchIt(cidText(cid))).content).to.deep.equal(content);
  });

  it("gets as many bytes as the record says, though a piece with more zeros at its end has the same tree", async () => {
    const padded = new Uint8Array(piece.payload.length + 1);
    padded.set(piece.payload);
    const { root } = piece.commitment;
    expect(encodePieceCid({ root, payloadSize: BigInt(padded.length) }).toString()).to.not.equal(piece.cid);
    await register(content);
    await profile(nodes[0], await serve(padded));
    expect((await fetchIt(cidText(rawCidOf(content.contentHash)))).content.contentHash).to.equal(content.contentHash);
    await profile(nodes[0], nodes[0].url);
  });

  it("INVALID_CID, UNKNOWN_CID", async () => {
    for (const text of ["", "photo.jpg", "bafy", piece.cid.slice(0, -1)]) {
      await expectError("INVALID_CID", () => fetchIt(text));
    }
    await expectError("UNKNOWN_CID", () => fetchIt(cidText(rawCidOf(sha256("0xff")))));
    await expectError("UNKNOWN_CID", () => fetchIt(cidText(hexlify(dagPbCid(sha256("0xff"))))));
  });
});
