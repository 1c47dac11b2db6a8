import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { JsonRpcProvider } from "ethers";
import { type Anvil, anvilBinary, startAnvil } from "../../src/chain/anvil.js";
import { HoldfastError } from "../../src/errors.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} is still there`);
    await sleep(20);
  }
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: Error) => error,
  );
  if (outcome === undefined) throw new Error("expected a failure");
  return outcome;
}

describe("startAnvil", () => {
  const running: Anvil[] = [];
  const start = async (...args: Parameters<typeof startAnvil>) => {
    const anvil = await startAnvil(...args);
    running.push(anvil);
    return anvil;
  };

  afterEach(async () => {
    await Promise.all(running.splice(0).map((anvil) => anvil.stop()));
  });

  after(removeFolders);

  it("answers on a port of its own, with the chain id asked for", async () => {
    const [one, two] = await Promise.all([start({ chainId: 31337 }), start({ chainId: 777, accounts: 3 })]);
    expect(one.url)
      .to.match(/^http:\/\/127\.0\.0\.1:\d+$/)
      .and.not.equal(two.url);
    const [first, second] = [new JsonRpcProvider(one.url), new JsonRpcProvider(two.url)];
    expect((await first.getNetwork()).chainId).to.equal(31337n);
    expect((await second.getNetwork()).chainId).to.equal(777n);
    expect(await second.send("eth_accounts", [])).to.have.length(3);
    first.destroy();
    second.destroy();
  });

  it("mines by itself where a block time is given", async () => {
    const provider = new JsonRpcProvider((await start({ chainId: 1, blockTime: 1 })).url, undefined, {
      cacheTimeout: -1,
    });
    const before = await provider.getBlockNumber();
    await sleep(2_100);
    expect(await provider.getBlockNumber()).to.be.greaterThan(before);
    provider.destroy();
  });

  it("has ended once stop() resolves, however often it is called", async () => {
    const anvil = await startAnvil({ chainId: 1 });
    const pid = anvil.process.pid!;
    expect(isAlive(pid)).to.equal(true);
    await Promise.all([anvil.stop(), anvil.stop()]);
    expect(isAlive(pid)).to.equal(false);
    await anvil.stop();
  });

  it("ends with its signal", async () => {
    const controller = new AbortController();
    const anvil = await startAnvil({ chainId: 1, signal: controller.signal });
    controller.abort();
    await untilGone(anvil.process.pid!);
    await anvil.stop();
  });

  it("rejects with the reason of a signal aborted before or during the start", async () => {
    const reason = new Error("enough");
    expect(await failure(startAnvil({ chainId: 1, signal: AbortSignal.abort(reason) }))).to.equal(reason);
    const controller = new AbortController();
    const starting = failure(startAnvil({ chainId: 1, signal: controller.signal }));
    controller.abort(reason);
    expect(await starting).to.equal(reason);
  });

  it("dies with its parent, even by SIGKILL", async () => {
    const script = `
      import { startAnvil } from ${JSON.stringify(new URL("../../src/chain/anvil.ts", import.meta.url).href)};
      console.log((await startAnvil({ chainId: 1 })).process.pid);
      setInterval(() => {}, 1000);`;
    const parent: ChildProcess = spawn(
      process.execPath,
      ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", script],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [line] = (await once(parent.stdout!, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).to.equal(true);
    parent.kill("SIGKILL");
    await untilGone(pid);
  });

  it("takes what it wrote down along when it ends", async () => {
    const folder = await tempFolder();
    const { TMPDIR } = process.env;
    process.env.TMPDIR = folder;
    const anvil = await startAnvil({ chainId: 1 }).finally(() => {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
    });
    const provider = new JsonRpcProvider(anvil.url);
    // More than it keeps in memory.
    await provider.send("anvil_mine", ["0x400"]);
    const [states = ""] = await readdir(folder);
    expect(await readdir(join(folder, states), { recursive: true })).to.have.length.above(100);
    provider.destroy();
    await anvil.stop();
    for (const end = Date.now() + 5_000; (await readdir(folder)).length > 0; await sleep(20)) {
      if (Date.now() > end) expect.fail("its states are still there");
    }
  });

  it("ANVIL_EXIT: says why the node didn't start", async () => {
    const error = await failure(startAnvil({ chainId: 1, args: ["--no-such-option"] }));
    expect(error).to.be.instanceOf(HoldfastError).with.property("code", "ANVIL_EXIT");
    expect(error.message).to.contain("exited with 2").and.contain("--no-such-option");
  });

  it("ANVIL_TIMEOUT: gives up, and leaves nothing behind", async () => {
    expect(await failure(startAnvil({ chainId: 1, timeoutMs: 1 }))).to.have.property("code", "ANVIL_TIMEOUT");
  });

  it("ANVIL_MISSING: names the package that isn't there", () => {
    expect(anvilBinary()).to.match(/bin\/anvil$/);
    expect(() => anvilBinary("sunos", "x64")).to.throw(HoldfastError, "@foundry-rs/anvil-sunos-amd64");
  });
});
