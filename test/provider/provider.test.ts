import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { pino } from "pino";
import { upload } from "../../src/client/index.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { packFolder } from "../../src/piece/car/index.js";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { type ProviderOptions, peerIdOf, startProvider } from "../../src/provider/index.js";
import { expectError } from "../piece/helpers.js";
import { newDatabase } from "../support/databases.js";
import { removeFolders, tempFolder, testPiece } from "../support/pieces.js";
import { ownAccess, type StorageNet, startStorageNet, testPolicy } from "../support/storage-net.js";

describe("provider: the whole node", () => {
  let net: StorageNet;
  let options: ProviderOptions;

  before(async () => {
    net = await startStorageNet();
  });
  beforeEach(async () => {
    options = {
      dataDir: await tempFolder(),
      database: await newDatabase(),
      ...(await ownAccess(net, await net.account())),
      policy: testPolicy(net.token.toLowerCase()),
      logger: pino({ level: "silent" }),
    };
  });
  afterEach(async () => {
    options.chain.provider.destroy();
    await options.database.destroy();
  });
  after(async () => {
    await net.stop();
    await removeFolders();
  });

  it("serves what it is configured to, and keeps pieces over a restart", async () => {
    const piece = await testPiece(70_000);
    const node = await startProvider(options);
    const info = (await (await fetch(`${node.url}/info`)).json()) as Record<string, unknown>;
    expect(info.token).to.equal(net.token);
    expect(info.market).to.equal(net.deployment.market);
    await upload(node.url, piece.cid, new Blob([piece.payload]));
    await node.close();
    await writeFile(join(options.dataDir, "uploads", "left.piece"), "half");
    const again = await startProvider({ ...options, port: Number(new URL(node.url).port), host: "127.0.0.1" });
    expect(again.url).to.equal(node.url);
    expect((await fetch(`${again.url}/pdp/piece?pieceCid=${piece.cid}`)).status).to.equal(200);
    expect(await readdir(join(options.dataDir, "uploads"))).to.deep.equal([]);
    await Promise.all([again.close(), again.close()]);
    await expectError("PROVIDER_UNREACHABLE", () => upload(again.url, piece.cid, new Blob([piece.payload])));
  });

  it("is a gateway for the folders that it stores, over a restart", async () => {
    const { root, car } = await packFolder([{ path: "docs/a.txt", content: () => new TextEncoder().encode("a") }]);
    const pieceCid = encodePieceCid(await commit(car.stream())).toString();
    const node = await startProvider({ ...options, proving: false });
    await upload(node.url, pieceCid, car);
    const held = async ({ url }: { url: string }) => {
      const response = await fetch(`${url}/routing/v1/providers/${root}`);
      return ((await response.json()) as { Providers: { ID: string; Addrs: string[] }[] }).Providers;
    };
    // It is indexed in the background.
    while ((await held(node)).length === 0) await new Promise((go) => setTimeout(go, 10));
    const [self] = await held(node);
    expect(self?.ID).to.equal(peerIdOf((options.signer as Wallet).signingKey.publicKey));
    await node.close();
    expect(await readdir(join(options.dataDir, "blocks"))).to.deep.equal([`${pieceCid}.blocks`]);
    const again = await startProvider({ ...options, proving: false, publicUrl: "https://node.example" });
    expect((await held(again))[0]?.Addrs).to.deep.equal(["/dns/node.example/tcp/443/https"]);
    const response = await fetch(`${again.url}/ipfs/${root}/docs/a.txt?format=car&dag-scope=entity`);
    expect(response.status).to.equal(200);
    expect(
      Buffer.from(await response.arrayBuffer())
        .subarray(-1)
        .toString(),
    ).to.equal("a");
    await again.close();
  });

  it("speaks for the provider whose signer's key it has", async () => {
    const provider = (await net.account()).address;
    const node = await startProvider({ ...options, provider: provider.toLowerCase(), proving: false });
    const info = (await (await fetch(`${node.url}/info`)).json()) as Record<string, unknown>;
    expect(info.provider).to.equal(provider);
    expect(node.keeper).to.equal(undefined);
    await node.close();
  });

  it("proves the deals that it signed, until it is closed", async () => {
    const provider = await net.addProvider();
    const client = net.clientOf(await net.rich());
    const { payload } = await testPiece(300_000);
    const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 300_000n, urls: [provider.url] };
    const { deals } = await client.store(new Blob([payload]), wishes);
    const proven = once(provider.keeper as ProvingKeeper, "proven");
    const { firstEpoch } = await net.contracts.lens.dealOf(deals[0]?.id as bigint);
    await net.mine(Number(firstEpoch) + 3 - (await net.provider.getBlockNumber()));
    const [{ id, window, own }] = await proven;
    expect({ id, window, own }).to.deep.equal({ id: deals[0]?.id, window: 1, own: true });
    await provider.close();
  });

  it("stops with its signal, before, while and after it starts", async () => {
    const reason = new Error("enough");
    const failure = async (signal: AbortSignal) => startProvider({ ...options, signal }).catch((error) => error);
    expect(await failure(AbortSignal.abort(reason))).to.equal(reason);
    const starting = new AbortController();
    const started = failure(starting.signal);
    starting.abort(reason);
    expect(await started).to.equal(reason);
    const running = new AbortController();
    const node = await startProvider({ ...options, signal: running.signal });
    running.abort(reason);
    await node.close();
    await fetch(node.url).then(
      () => expect.fail("it still answers"),
      () => undefined,
    );
  });

  it("does not start at a taken port, nor with a URL that is none", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    await expectError("LISTEN_FAILED", () => startProvider({ ...options, port }));
    await expectError("INVALID_PUBLIC_URL", () => startProvider({ ...options, publicUrl: "node.example" }));
    taken.close();
    await once(taken, "close");
  });
});
