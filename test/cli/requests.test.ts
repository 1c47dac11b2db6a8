import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { readDeal, requestStatus } from "../../src/client/index.js";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { fillByHand } from "../support/filling.js";
import { addFiller } from "../support/open-market.js";
import { removeFolders, type TestPiece, tempFolder, testPiece } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

describe("cli: requests", () => {
  let net: StorageNet;
  let owner: Wallet;
  let providers: Wallet[];
  let piece: TestPiece;
  let file: string;
  let restore: () => void;

  const wishes = ["--periods", "6", "--max-price", "0.001 TUSD", "--ramp", "100000", "--start-price", "500"];
  const post = async (...more: string[]) =>
    jsonOf(await holdfast(["request", "post", file, ...wishes, "--token", net.token, ...more, "--json"]));
  const fill = (id: string, by: number) => fillByHand(net, { id: BigInt(id) }, piece.payload, providers[by]!, 500n);

  before(async () => {
    net = await startStorageNet();
    owner = await net.rich();
    providers = [await net.rich(), await net.rich()];
    for (const [i, wallet] of providers.entries()) await net.register(wallet, `http://127.0.0.1:${i + 1}`);
    restore = await commandsOn(net);
    piece = await testPiece(30_000, 4);
    file = join(await tempFolder(), "data.bin");
    await writeFile(file, piece.payload);
  });
  beforeEach(() => actAs(owner));
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  it("posts, shows, lists, cancels and refunds", async () => {
    const { id, pieceCid } = await post("--data-uri", "https://example.org/x", "--replicas", "2", "--region", "DE");
    expect(pieceCid).to.equal(piece.cid);
    const shown = await holdfast(["request", "show", id.slice(0, 12)]);
    expect(shown.stdout, shown.stderr).to.contain("state     open\n");
    expect(shown.stdout).to.contain("price     0.0005 TUSD to 0.001 TUSD over 100000 blocks\n");
    expect(shown.stdout).to.contain("regions   DE\ndata      https://example.org/x\n");
    expect(shown.stdout).to.contain("locked    0.012 TUSD\nreplicas  0 of 2 filled, 0 proven, 0 repaired\n");
    const listed = await holdfast(["request", "list", "--client", owner.address]);
    expect(listed.stdout).to.match(/^request +state +piece +filled +proven +repaired +price now +locked\n/);
    expect(listed.stdout).to.match(/\n0x\w{10} +open +0x\w{10} +0 of 2 +0 +0 +0.0005 TUSD +0.012 TUSD\n$/);
    expect((await holdfast(["request", "list", "--client", providers[0]!.address])).stdout).to.equal("no requests\n");
    const early = await holdfast(["request", "refund", id]);
    expect(early.status).to.equal(1);
    expect(early.stderr).to.contain("NotOverYet");
    const { lastEpoch } = jsonOf(await holdfast(["request", "cancel", id, "--json"]));
    await net.mine(lastEpoch + 1 - (await net.provider.getBlockNumber()));
    const refunded = await holdfast(["request", "refund", id]);
    expect(refunded.stdout).to.equal(`0.012 TUSD went to ${owner.address}'s account in the vault\n`);
    const { locked, unfilled } = jsonOf(await holdfast(["request", "show", id, "--json"]));
    expect({ locked, unfilled }).to.deep.equal({ locked: "0", unfilled: 0 });
  });

  it("serves the file until all replicas are filled", async () => {
    let filling: Promise<bigint> | undefined;
    const args = ["request", "post", file, ...wishes, "--token", net.token, "--serve", "--json"];
    const outcome = await holdfast(args, (said) => {
      const [, url, id] = /serving at (\S+)\n[\s\S]*request (0x\w{64}) is posted\n/.exec(said) ?? [];
      if (url === undefined || id === undefined || filling !== undefined) return;
      filling = (async () => {
        const whole = await fetch(url);
        expect(new Uint8Array(await whole.arrayBuffer())).to.deep.equal(piece.payload);
        const part = await fetch(url, { headers: { range: "bytes=10-19" } });
        expect(part.status).to.equal(206);
        expect(new Uint8Array(await part.arrayBuffer())).to.deep.equal(piece.payload.slice(10, 20));
        expect((await fetch(new URL("/etc/passwd", url))).status).to.equal(404);
        return fill(id, 0);
      })();
    });
    const { id, dataUri } = jsonOf(outcome);
    const deal = await filling;
    const status = await requestStatus(net, BigInt(id));
    expect(status).to.include({ replicasFilled: 1, open: false });
    expect(status.replicas[0]?.deal.id).to.equal(deal);
    expect(status.request.dataUri).to.equal(dataUri);
    expect(outcome.stderr).to.contain("only this machine reaches that").and.to.contain("1 of 1 replicas filled");
    expect(dataUri).to.match(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    await fetch(dataUri).then(
      () => expect.fail("it still answers"),
      () => undefined,
    );
  });

  it("is filled by providers that fetch the file from here", async () => {
    const fillers = [await addFiller(net), await addFiller(net)];
    // Providers know the piece's leaves, and reckon with the largest payload under them.
    const price = String(piece.payload.length + 32);
    const asked = ["--periods", "6", "--start-price", price, "--max-price", price, "--replicas", "2"];
    const stop = new AbortController();
    let mining: Promise<void> | undefined;
    const mine = async () => {
      while (!stop.signal.aborted) {
        await net.mine();
        await sleep(30);
      }
    };
    const command = ["request", "post", file, ...asked, "--token", net.token, "--serve"];
    const outcome = await holdfast(command, (said) => {
      if (/is posted/.test(said)) mining ??= mine();
    }).finally(() => stop.abort());
    await mining;
    expect(outcome.status, outcome.stderr).to.equal(0);
    expect(outcome.stderr).to.contain("2 of 2 replicas filled");
    const id = BigInt(/request +(0x\w{64})/.exec(outcome.stdout)?.[1] as string);
    const { replicas } = await requestStatus(net, id);
    expect(replicas.map(({ deal }) => deal.provider)).to.have.members(fillers.map(({ wallet }) => wallet.address));
    for (const { url } of fillers) {
      const served = await fetch(`${url}/piece/${piece.cid}`);
      expect(new Uint8Array(await served.arrayBuffer())).to.deep.equal(piece.payload);
    }
  });

  it("ends, and takes over, replicas that the contract owns", async () => {
    const { id } = await post("--data-uri", "https://example.org/x", "--replicas", "2", "--repair");
    const deals = [await fill(id, 0), await fill(id, 1)];
    const ended = await holdfast(["request", "terminate", id, providers[0]!.address]);
    expect(ended.stdout, ended.stderr).to.match(/^0.00\d+ TUSD went to 0x\w{40}'s account in the vault\n$/);
    expect((await readDeal(net, deals[0]!)).status).to.equal(2);
    const released = jsonOf(await holdfast(["request", "release", id, providers[1]!.address, "--json"]));
    expect(released).to.include({ id, provider: providers[1]!.address });
    expect((await readDeal(net, deals[1]!)).owner).to.equal(owner.address);
    actAs(providers[0]!);
    const notMine = await holdfast(["request", "terminate", id, providers[0]!.address]);
    expect(notMine.stderr).to.contain("NotClient");
  });

  it("says what is wrong with what was asked", async () => {
    const nowhere = await holdfast(["request", "post", file, ...wishes]);
    expect(nowhere.status).to.equal(1);
    expect(nowhere.stderr).to.match(/^error: one place has to be named.+\nhint: give --data-uri/);
    const both = await holdfast(["request", "post", file, ...wishes, "--serve", "--data-uri", "https://x.org"]);
    expect(both.stderr).to.match(/^error: one place has to be named/);
    const elsewhere = ["--token", net.token, "--data-uri", "https://x.org"];
    const many = await holdfast(["request", "post", file, ...wishes, ...elsewhere, "--replicas", "33"]);
    expect(many.stderr).to.contain("1 to 32 replicas");
    for (const bind of ["8080", "host:99999", "a:b:1", ":80"]) {
      const wrong = await holdfast(["request", "post", file, ...wishes, "--serve", "--bind", bind]);
      expect(wrong.stderr, bind).to.contain("HOST:PORT");
    }
    const unknown = await holdfast(["request", "show", `0x${"ab".repeat(32)}`]);
    expect(unknown.stderr).to.contain("there is no request 0xabab");
  });
});
