/** Several nodes and keepers of one provider, in processes of their own, on a chain of each kind. */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import type { ChainProfile } from "../../scripts/profiles/profiles.js";
import { holdfast } from "./cli.js";
import { actAs, commandsOn, jsonOf } from "./cli-net.js";
import { removeFolders, tempFolder, testPiece } from "./pieces.js";
import { postgresBin, startPostgres, type TestPostgres } from "./postgres.js";
import { type RunningCommand, startCommand, until, useFreePorts } from "./running.js";
import { startS3, type TestS3 } from "./s3.js";
import { STAKE, type StorageNet, startStorageNet } from "./storage-net.js";

const DEALS = 6;
/** Windows that are longer than a dead keeper's claims last, at a block a second; and periods that are longer than any finality. */
const TIERS = [{ period: 320, window: 160, challenges: 3, maxMisses: 3 }];

/** Declares the tests of a provider that has outgrown one machine: several nodes and keepers, one database, one bucket. */
export function testOutgrownOn(profile: ChainProfile): void {
  let net: StorageNet;
  let postgres: TestPostgres;
  let s3: TestS3;
  let restore: () => void;
  let env: Record<string, string>;
  let owner: Wallet;
  const running: RunningCommand[] = [];

  before(async function () {
    if (postgresBin() === undefined && !process.env.CI) this.skip();
    [net, postgres, s3] = await Promise.all([startStorageNet({ profile, tiers: TIERS }), startPostgres(), startS3()]);
    const [terms, proving] = [await net.account(), await net.account()];
    owner = await net.rich();
    restore = await commandsOn(net);
    actAs(owner);
    env = {
      DATABASE_URL: await postgres.database(),
      HOLDFAST_TERMS_PRIVATE_KEY: terms.privateKey,
      HOLDFAST_PROVING_PRIVATE_KEY: proving.privateKey,
      HOLDFAST_PRIVATE_KEY: "",
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
      SIGNER: terms.address,
    };
  });
  after(async () => {
    await Promise.all(running.map((one) => one.stop("SIGKILL")));
    restore?.();
    await Promise.all([net?.stop(), postgres?.stop(), s3?.stop()]);
    await removeFolders();
  });

  it("serves from several nodes what one of them took, and proves it by several keepers, one of which dies", async () => {
    const dir = join(await tempFolder(), "node");
    const options = [
      "--url",
      "http://127.0.0.1:8080",
      "--price",
      "30 TUSD",
      "--stake",
      `${STAKE}`,
      "--token",
      net.token,
    ];
    jsonOf(await holdfast(["provider", "init", "--dir", dir, "--signer", env.SIGNER!, ...options, "--json"]));
    const { url, endpoint } = s3.options() as { url: string; endpoint: string };
    const blobs = `\nblobs: { url: "${url}", endpoint: "${endpoint}" }\n`;

    /** Another machine: a copy of the folder. */
    const start = async (name: string, what: readonly string[]) => {
      const copy = join(await tempFolder(), name);
      await mkdir(copy, { recursive: true });
      for (const file of ["node.yaml", "policy.yaml", "deployment.json"]) await cp(join(dir, file), join(copy, file));
      const port = await useFreePorts(copy, blobs);
      const command = await startCommand([...what, "--dir", copy], env, /"(provider|keeper) runs"/);
      running.push(command);
      return { command, url: `http://127.0.0.1:${port}` };
    };
    const nodes = [
      await start("a", ["provider", "run", "--no-proving"]),
      await start("b", ["provider", "run", "--no-proving"]),
    ] as const;
    const keepers = [await start("c", ["keeper", "run"]), await start("d", ["keeper", "run"])] as const;

    const client = net.clientOf(await net.rich());
    const deals: bigint[] = [];
    for (let i = 0; i < DEALS; i++) {
      const piece = await testPiece(20_000 + i, i);
      const wishes = { tier: 0, periods: 6, token: net.token, maxPricePerPeriod: 300_000n, urls: [nodes[i % 2]!.url] };
      const stored = await client.store(new Blob([piece.payload]), wishes);
      deals.push(stored.deals[0]!.id);
      const elsewhere = await fetch(`${nodes[(i + 1) % 2]!.url}/piece/${piece.cid}`);
      expect(new Uint8Array(await elsewhere.arrayBuffer())).to.deep.equal(piece.payload);
    }

    const views = await Promise.all(deals.map((id) => net.contracts.lens.dealOf(id)));
    const { period } = TIERS[0]!;
    const first = Math.max(...views.map(({ firstEpoch }) => Number(firstEpoch)));
    const toWindow = async (window: number) =>
      net.mine(first + (window - 1) * period + 2 - (await net.provider.getBlockNumber()));
    const proven = async (window: bigint) =>
      (await net.contracts.lens.dealsOf(deals)).every(({ lastProven }) => lastProven >= window);
    const said = () => running.map((one) => one.said().slice(-2_000)).join("\n");

    await net.provider.send("evm_setIntervalMining", [1]);
    await toWindow(1);
    await until(() => proven(1n), 60_000, said);

    // What they have signed for the second window is in no block when one of them dies, and is lost on the way.
    await net.automine(false);
    await net.provider.send("evm_setIntervalMining", [0]);
    await toWindow(2);
    await until(async () => (await net.provider.send("txpool_status", [])).pending !== "0x0", 60_000, said);
    const died = performance.now();
    await keepers[0].command.stop("SIGKILL");
    await net.provider.send("anvil_dropAllTransactions", []);
    await net.provider.send("evm_setIntervalMining", [1]);
    await until(() => proven(2n), 90_000, said);
    expect(performance.now() - died).to.be.lessThan(60_000);

    const events = await net.contracts.market.queryFilter(net.contracts.market.filters.Proven());
    const windows = events.map(({ args }) => `${args[0]} ${args[1]}`);
    expect(new Set(windows).size).to.equal(windows.length);
    const stopping = [nodes[0], nodes[1], keepers[1]].map(({ command }) => command.stop("SIGTERM"));
    expect(await Promise.all(stopping)).to.deep.equal([0, 0, 0]);
  });
}
