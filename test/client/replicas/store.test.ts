import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { toBeHex, type Wallet } from "ethers";
import {
  type ChainSender,
  FileKey,
  fetchUnique,
  fetchUniqueRange,
  HoldfastClient,
  type Manifest,
  ManifestBook,
  memorySink,
  type ReplicaSession,
  retrieve,
  type StoreUniqueOptions,
  storeUnique,
  type TooFewProvidersError,
} from "../../../src/client/index.js";
import { placeReplica, resumeReplica } from "../../../src/client/replicas/store.js";
import { commitWithLayer, decodePieceCid, prove, verifyProof } from "../../../src/piece/index.js";
import { Stage } from "../../../src/protocol/index.js";
import { newReplicaId, replicaOf } from "../../../src/replica/index.js";
import { expectError, pseudoRandom } from "../../piece/helpers.js";
import { failure } from "../../support/failure.js";
import { removeFolders } from "../../support/pieces.js";
import { priced, type StorageNet, startStorageNet, type TestProvider } from "../../support/storage-net.js";

const PAYLOAD = pseudoRandom(300_003, 9);

describe("replicas: storing and fetching", () => {
  let net: StorageNet;
  let nodes: TestProvider[];
  let wallet: Wallet;
  let session: ReplicaSession;
  let key: FileKey;
  let saved: Manifest[];
  const servers: Server[] = [];

  const sessionOf = (sender: ChainSender = net.senderOf(wallet)): ReplicaSession => {
    const { deployment, contracts } = net;
    const access = { address: wallet.address, sender, deployment, contracts };
    return { access, client: new HoldfastClient(access) };
  };
  const store = (changes: Partial<StoreUniqueOptions> = {}, using = session) =>
    storeUnique(using, new Blob([PAYLOAD]), key, {
      tier: 0,
      periods: 6,
      token: net.token,
      copies: 2,
      maxPricePerPeriod: 10n * BigInt(PAYLOAD.length),
      save: (manifest) => void saved.push(manifest),
      ...changes,
    });
  const stageOf = async (deal: string) => Number((await net.contracts.lens.dealsOf([deal]))[0]!.stage);

  before(async () => {
    net = await startStorageNet();
    nodes = [];
    for (const price of [1n, 2n, 3n]) nodes.push(await net.addProvider(priced(net.token, price)));
  });
  after(async () => {
    for (const server of servers) server.close();
    await net.stop();
    await removeFolders();
  });
  beforeEach(async () => {
    wallet = await net.rich();
    session = sessionOf();
    ({ key } = await FileKey.generate());
    saved = [];
  });

  it("gives each provider bytes and a deal of its own, and gets the file back from any of them", async () => {
    const manifest = await store({ copies: 3, name: "a.bin" });
    expect(manifest.replicas.map(({ provider }) => provider)).to.deep.equal(nodes.map((node) => node.wallet.address));
    expect(new Set(manifest.replicas.map(({ pieceCid }) => pieceCid)).size).to.equal(3);
    for (const replica of manifest.replicas) {
      const view = await net.contracts.lens.dealOf(replica.deal);
      const { root, leafCount } = decodePieceCid(replica.pieceCid);
      expect([view.owner, view.provider]).to.deep.equal([wallet.address, replica.provider]);
      expect([view.root, view.leafCount]).to.deep.equal([`0x${Buffer.from(root).toString("hex")}`, leafCount]);
      expect(replica.cost).to.equal(String(6n * view.price));
      const only = { ...manifest, replicas: [replica] };
      const { value, url } = await fetchUnique(only, key, memorySink);
      expect(value).to.deep.equal(PAYLOAD);
      expect(url).to.equal(replica.url);
    }
    expect(manifest).to.deep.include({ copies: 3, key: key.id });
    expect(manifest.file).to.include({ name: "a.bin", size: PAYLOAD.length });
  });

  it("keeps what is about to be paid for before it is paid for", async () => {
    const stages: [string, number][][] = [];
    await store({
      save: async ({ replicas }) => {
        const states = replicas.map(async ({ state, deal }): Promise<[string, number]> => [state, await stageOf(deal)]);
        stages.push(await Promise.all(states));
      },
    });
    const open: [string, number] = ["open", Stage.Open];
    expect(stages).to.deep.equal([
      [],
      [["opening", Stage.None]],
      [open],
      [open, ["opening", Stage.None]],
      [open, open],
    ]);
  });

  it("spends nothing where the manifest can't be kept", async () => {
    const before = await net.tokensOf(wallet.address);
    let saves = 0;
    const save = () => {
      if (++saves === 2) throw new Error("disk full");
    };
    expect((await failure(store({ save }))).message).to.include("disk full");
    expect(await net.tokensOf(wallet.address)).to.equal(before);
    expect(await net.provider.getTransactionCount(wallet.address)).to.equal(0);
  });

  it("leaves nothing behind in the manifest where no provider takes a replica", async () => {
    const error = await failure<TooFewProvidersError>(store({ copies: 4 }));
    expect(error.code).to.equal("TOO_FEW_PROVIDERS");
    expect(saved.at(-1)?.replicas.map(({ state }) => state)).to.deep.equal(["open", "open", "open"]);
    await expectError("INVALID_COPIES", () => store({ copies: 0 }));
  });

  it("makes a provider's bytes useless to another", async () => {
    const [first, second] = (await store()).replicas;
    const [own, wanted] = [decodePieceCid(first!.pieceCid), decodePieceCid(second!.pieceCid)];
    expect((await fetch(`${nodes[0]!.url}/piece/${second!.pieceCid}`)).status).to.equal(404);
    const bytes = (await retrieve(first!.pieceCid, [first!.url], memorySink)).value;
    const { layer } = await commitWithLayer(bytes);
    const leaves = [0n, 77n, 5_000n];
    const proof = await prove(layer, (offset, length) => bytes.slice(offset, offset + length), leaves);
    expect(verifyProof(own, leaves, proof)).to.equal(true);
    // All that the first provider has answers none of the second one's challenges.
    expect(verifyProof(wanted, leaves, proof)).to.equal(false);
  });

  describe("fetching", () => {
    let manifest: Manifest;

    beforeEach(async () => {
      manifest = await store({ copies: 3 });
    });

    const serving = async (answer: (bytes: Buffer) => Buffer | undefined, honest = manifest.replicas[0]!.url) => {
      const server = createServer(async (request, response) => {
        const range = request.headers.range;
        const from = await fetch(honest + request.url, { headers: range ? { range } : {} });
        const changed = answer(Buffer.from(await from.arrayBuffer()));
        if (changed === undefined) return response.destroy();
        response.writeHead(from.status).end(changed);
      });
      servers.push(server.listen(0, "127.0.0.1"));
      await once(server, "listening");
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    /** The manifest with its first replica at another URL. */
    const via = (url: string): Manifest => {
      const [first, ...others] = manifest.replicas;
      return { ...manifest, replicas: [{ ...first!, url }, ...others] };
    };
    const SEALED = 65_536 + 16;
    const liars: Record<string, (bytes: Buffer) => Buffer | undefined> = {
      "changes a byte": (bytes) => bytes.fill(bytes[200_000]! ^ 1, 200_000, 200_001),
      "changes the header": (bytes) => bytes.fill(9, 4, 5),
      "swaps two chunks": (bytes) => {
        const [head, one, two, rest] = [[0, 48], [48, 48 + SEALED], [48 + SEALED, 48 + 2 * SEALED], [48 + 2 * SEALED]];
        return Buffer.concat([head, two, one, rest].map((range) => bytes.subarray(...(range as [number, number]))));
      },
      "sends less": (bytes) => bytes.subarray(0, bytes.length - 1),
      "sends nothing": () => Buffer.alloc(0),
      "sends more": (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
      "sends something else": () => Buffer.from("<html>".repeat(60_000)),
      "is gone": () => undefined,
    };
    for (const [what, answer] of Object.entries(liars)) {
      it(`falls over to the next replica where a provider ${what}`, async () => {
        const { value, url, failures } = await fetchUnique(via(await serving(answer)), key, memorySink);
        expect(value).to.deep.equal(PAYLOAD);
        expect(url).to.equal(manifest.replicas[1]!.url);
        expect(failures).to.have.length(1);
      });
    }

    it("falls over where a provider serves another replica, rightly encrypted", async () => {
      const [first, second] = manifest.replicas;
      const swapped = via(second!.url);
      swapped.replicas[0] = { ...swapped.replicas[0]!, pieceCid: second!.pieceCid };
      expect((await fetchUnique(swapped, key, memorySink)).failures[0]?.error.message).to.include(
        "another replica's id",
      );
      expect(first!.pieceCid).to.not.equal(second!.pieceCid);
    });

    it("asks where a provider is now", async () => {
      const nowhere = {
        ...via("http://127.0.0.1:9"),
        replicas: [{ ...manifest.replicas[0]!, url: "http://127.0.0.1:9" }],
      };
      await expectError("FILE_UNAVAILABLE", () => fetchUnique(nowhere, key, memorySink));
      const locate = async (provider: string) => (await net.contracts.registry.profileOf(provider)).url;
      expect((await fetchUnique(nowhere, key, memorySink, { locate })).url).to.equal(nodes[0]!.url);
    });

    it("goes to lost replicas last", async () => {
      const [first, ...others] = manifest.replicas;
      const lost: Manifest = { ...manifest, replicas: [{ ...first!, state: "lost" }, ...others] };
      expect((await fetchUnique(lost, key, memorySink)).url).to.equal(others[0]!.url);
      expect(
        (await fetchUnique({ ...lost, replicas: lost.replicas.slice(0, 1) }, key, memorySink)).value,
      ).to.deep.equal(PAYLOAD);
    });

    it("refuses another key before it asks anybody, and another file's manifest after", async () => {
      const other = await FileKey.generate();
      await expectError("WRONG_KEY", () => fetchUnique(manifest, other.key, memorySink));
      const error = await expectError("FILE_UNAVAILABLE", () =>
        fetchUnique({ ...manifest, file: { ...manifest.file, sha256: "0".repeat(64) } }, key, memorySink),
      );
      expect(error.message).to.include("holds another file");
      await expectError("FILE_UNAVAILABLE", () => fetchUnique({ ...manifest, replicas: [] }, key, memorySink));
    });

    it("passes on what is nobody's fault but its own", async () => {
      const broken = { ...memorySink(), write: () => Promise.reject(new Error("disk full")) };
      expect((await failure(fetchUnique(manifest, key, () => broken))).message).to.equal("disk full");
    });

    it("reads a range, from the next replica where one lies", async () => {
      const wanted = PAYLOAD.slice(65_000, 132_000);
      const { value, url } = await fetchUniqueRange(manifest, key, 65_000, 67_000);
      expect(value).to.deep.equal(wanted);
      expect(url).to.equal(manifest.replicas[0]!.url);
      for (const what of ["changes a byte", "sends less", "is gone"]) {
        const answer = what === "changes a byte" ? (bytes: Buffer) => bytes.fill(bytes[3]! ^ 1, 3, 4) : liars[what]!;
        const failing = via(await serving(answer));
        const fallen = await fetchUniqueRange(failing, key, 65_000, 67_000);
        expect(fallen.value, what).to.deep.equal(wanted);
        expect(fallen.url).to.equal(manifest.replicas[1]!.url);
      }
      const whole = createServer((_, response) => void response.writeHead(200).end("everything"));
      servers.push(whole.listen(0, "127.0.0.1"));
      await once(whole, "listening");
      const unranged = via(`http://127.0.0.1:${(whole.address() as AddressInfo).port}`);
      const { failures } = await fetchUniqueRange(unranged, key, 0, 1);
      expect(failures[0]?.error.message).to.include("serves no ranges");
    });
  });

  describe("an opening that was cut off", () => {
    /** What is left of a program that stopped right before, or right after, its transaction. */
    const cutOff = async (when: "before" | "after"): Promise<ManifestBook> => {
      const real = net.senderOf(wallet);
      const sender: ChainSender = {
        address: () => real.address(),
        async send(call, doing) {
          if (doing !== "open a deal") return real.send(call, doing);
          if (when === "after") await real.send(call, doing);
          throw new Error("killed");
        },
      };
      const failed = await failure(store({ copies: 1 }, sessionOf(sender)));
      expect(String(failed)).to.include("killed");
      const last = saved.at(-1)!;
      expect(last.replicas.map(({ state }) => state)).to.deep.equal(["opening"]);
      return new ManifestBook(JSON.parse(JSON.stringify(last)), (manifest) => void saved.push(manifest));
    };
    const resume = (book: ManifestBook, using = sessionOf()) => resumeReplica(using, book, book.manifest.replicas[0]!);
    const spent = async () =>
      (await net.contracts.market.queryFilter(net.contracts.market.filters.Opened(undefined, wallet.address))).length;

    for (const when of ["before", "after"] as const) {
      it(`is finished, and paid for once, where it was cut off ${when} the transaction`, async () => {
        const book = await cutOff(when);
        const replica = await resume(book);
        expect(replica).to.include({ state: "open" });
        expect(replica).to.not.have.property("opening");
        expect(await stageOf(replica!.deal)).to.equal(Stage.Open);
        expect(await spent()).to.equal(1);
        expect((await fetchUnique(book.manifest, key, memorySink)).value).to.deep.equal(PAYLOAD);
        // Again, as after one more crash before the manifest was kept.
        expect(
          await resume(new ManifestBook(saved.findLast(({ replicas }) => replicas[0]?.opening)!, () => undefined)),
        ).to.include({ state: "open" });
        expect(await spent()).to.equal(1);
      });
    }

    it("is given up once the terms have expired", async () => {
      const book = await cutOff("before");
      const { validUntil } = book.manifest.replicas[0]!.opening!.terms;
      const snapshot = await net.provider.send("evm_snapshot", []);
      await net.provider.send("evm_setNextBlockTimestamp", [toBeHex(validUntil + 1)]);
      await net.mine();
      expect(await resume(book)).to.equal(undefined);
      expect(book.manifest.replicas).to.deep.equal([]);
      expect(await spent()).to.equal(0);
      await net.provider.send("evm_revert", [snapshot]);
    });

    it("is given up, its terms voided first, where the provider has no stake any more", async () => {
      const snapshot = await net.provider.send("evm_snapshot", []);
      const book = await cutOff("before");
      const { registry } = net.contracts;
      const { market } = net.deployment;
      const owner = nodes[0]!.wallet;
      const { free } = await registry.provisionOf(owner.address, market, net.token);
      await (await registry.connect(owner).unprovision(market, net.token, free)).wait();
      expect(await resume(book)).to.equal(undefined);
      expect(book.manifest.replicas).to.deep.equal([]);
      const cancelled = await net.contracts.market.queryFilter(net.contracts.market.filters.Cancelled());
      expect(cancelled.at(-1)?.args.by).to.equal(wallet.address);
      await net.provider.send("evm_revert", [snapshot]);
    });

    it("stays where the owner's money is missing", async () => {
      const book = await cutOff("before");
      const token = net.token;
      const erc20 = new (await import("ethers")).Contract(token, ["function transfer(address,uint256)"], wallet);
      await (await erc20.getFunction("transfer")(nodes[0]!.wallet.address, await net.tokensOf(wallet.address))).wait();
      const { vault } = net.contracts;
      await (
        await vault
          .connect(wallet)
          .withdraw(token, nodes[0]!.wallet.address, await vault.balanceOf(wallet.address, token))
      ).wait();
      await failure(resume(book));
      expect(book.manifest.replicas[0]).to.include({ state: "opening" });
    });
  });

  it("places no second replica with a provider that has one, or lost one", async () => {
    const manifest = await store({ copies: 2 });
    const [first, second] = manifest.replicas;
    const book = new ManifestBook({ ...manifest, replicas: [{ ...first!, state: "lost" }, second!] }, () => undefined);
    const id = newReplicaId();
    const payload = replicaOf(new Blob([PAYLOAD]), key, id);
    const placement = { id, payload, periods: 6, maxPricePerPeriod: 10n * BigInt(payload.size), repair: true };
    const placed = await placeReplica(session, book, placement);
    expect(placed).to.include({ provider: nodes[2]!.wallet.address, state: "open", repair: true });
    await expectError("TOO_FEW_PROVIDERS", () => placeReplica(session, book, { ...placement, id: newReplicaId() }));
  });
});
