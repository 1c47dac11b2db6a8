import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Wallet } from "ethers";
import { TransactionSender } from "../../src/chain/sender.js";
import { writeNodeFolder } from "../../src/cli/node-folder.js";
import type { ProvingKeeper } from "../../src/keeper/index.js";
import { DatabaseJournal, type DatabaseOptions } from "../../src/store/database/index.js";
import { holdfast, type Outcome } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { describeDatabases } from "../support/databases.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { bytesOf, Parties, startProving, step, stepTo } from "../support/keeping.js";
import { tempFolder } from "../support/pieces.js";

const TIER = { period: 80, window: 64, challenges: 2, maxMisses: 2 };
const DEALS = 3;

describeDatabases("cli: keeper abandon", (databases) => {
  let chain: DevChain;
  let parties: Parties;
  let old: Wallet;
  let heir: Wallet;
  let dir: string;
  let where: DatabaseOptions;
  let restore: () => void;

  before(async () => {
    chain = await startDevChain({ tiers: [TIER] });
    parties = await Parties.on(chain);
    [old, heir] = [await chain.account(), await chain.account()];
    dir = await providersFolder(parties.provider.address);
    where = await databases.create();
    if (where.dir !== undefined) where = { dir: await moved(where.dir, join(dir, "data", "index")) };
    restore = await commandsOn(chain, { DATABASE_URL: where.url ?? "" });
    actAs(heir);
  });
  after(async () => {
    restore?.();
    await chain?.stop();
  });

  async function providersFolder(provider: string): Promise<string> {
    const folder = join(await tempFolder(), "node");
    const settings = `provider: "${provider}"\n`;
    await writeNodeFolder(folder, { settings, policy: "gas: {}\n", deployment: chain.deployment });
    return folder;
  }

  async function moved(from: string, to: string): Promise<string> {
    await mkdir(join(to, ".."), { recursive: true });
    await rename(from, to);
    return to;
  }

  const abandon = (account: Wallet, ...more: string[]): Promise<Outcome> =>
    holdfast(["keeper", "abandon", account.address, "--dir", dir, ...more]);

  /** Has a keeper with a key look at some heads; gives what stood in its way. */
  async function keep(account: Wallet, act: (keeper: ProvingKeeper) => Promise<unknown>): Promise<string[]> {
    const database = await databases.open(where);
    const journal = new DatabaseJournal(database, chain.deployment.chainId);
    const options = { provider: chain.provider, signer: account, journal, logger: testLogger(), pollMs: 5 };
    const troubles: string[] = [];
    const { keeper, stop } = await startProving(parties, {
      sender: new TransactionSender(options),
      listen: (one) => one.on("trouble", ({ code }) => troubles.push(code)),
    });
    await act(keeper);
    await stop();
    await database.destroy();
    return troubles;
  }

  it("lets a new key prove what waits for a block under a stolen one", async function () {
    this.timeout(120_000);
    const terms = [];
    for (let i = 0; i < DEALS; i++) terms.push(parties.terms(await parties.pieces.add(bytesOf(i))));
    const ids = await parties.open(terms);
    const lastProven = async () =>
      Promise.all(ids.map(async (id) => Number((await chain.contracts.lens.dealOf(id)).lastProven)));
    const { firstEpoch } = await chain.contracts.lens.dealOf(ids.at(-1)!);
    await keep(old, (keeper) => stepTo(chain, Number(firstEpoch) + 1, keeper));
    const { pending } = await chain.provider.send("txpool_status", []);
    expect(BigInt(pending)).to.be.greaterThan(0n);
    // Its coin was moved: no node has any of it.
    await chain.provider.send("anvil_dropAllTransactions", []);

    const troubles = await keep(heir, (keeper) => step(chain, 2, keeper));
    expect([...new Set(troubles)]).to.deep.equal(["IN_FLIGHT"]);
    expect(await lastProven()).to.deep.equal([0, 0, 0]);

    const { account, abandoned } = jsonOf(await abandon(old, "--json"));
    expect(account).to.equal(old.address);
    const guards = abandoned.flatMap((one: { guards: string[] }) => one.guards);
    const { market } = chain.deployment;
    expect(guards).to.have.members(ids.map((id) => `prove ${market} ${id} 1`));
    expect(abandoned[0].doing).to.match(/^prove \d deals$/);
    expect(abandoned[0].hashes[0]).to.match(/^0x[0-9a-f]{64}$/);

    const twice = async (keeper: ProvingKeeper) => {
      await step(chain, 1, keeper);
      await step(chain, 1, keeper);
    };
    expect(await keep(heir, twice)).to.deep.equal([]);
    expect(await lastProven()).to.deep.equal([1, 1, 1]);
  });

  it("says so where there is nothing left to give up", async () => {
    expect(jsonOf(await abandon(old, "--json")).abandoned).to.deep.equal([]);
    const { status, stdout, stderr } = await abandon(old);
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/^nothing of 0x\w{40} is on its way, by the journal in \S+\n$/);
  });

  it("refuses what is still needed: KEY_IN_USE", async () => {
    for (const [account, what] of [
      [heir, "is the present key for proving"],
      [parties.provider, "is the provider's own account"],
    ] as const) {
      const { status, stderr } = await abandon(account);
      expect(status).to.equal(1);
      expect(stderr).to.contain(`error: ${account.address} ${what}\nhint: `);
    }
  });

  it("does nothing where it is not known which key is the present one", async () => {
    delete process.env.HOLDFAST_PRIVATE_KEY;
    const { status, stderr } = await abandon(old);
    actAs(heir);
    expect(status).to.equal(1);
    expect(stderr).to.contain("error: there is no key to act with");
  });

  it("does not take a database that is elsewhere for an empty one: NO_JOURNAL", async () => {
    const url = process.env.DATABASE_URL!;
    process.env.DATABASE_URL = "";
    const empty = await providersFolder(parties.provider.address);
    const { status, stderr } = await abandon(old, "--dir", empty);
    process.env.DATABASE_URL = url;
    expect(status).to.equal(1);
    expect(stderr).to.contain(`error: there is no journal in ${join(empty, "data", "index")}\nhint: set DATABASE_URL`);
  });
});

describe("cli: keeper abandon, as it explains itself", () => {
  it("says what it is for, and what it may cost", async () => {
    const { status, stdout } = await holdfast(["keeper", "abandon", "--help"]);
    expect(status).to.equal(0);
    for (const text of ["<address>", "--dir", "--json", "stolen", "costs the old account its gas"]) {
      expect(stdout.replaceAll(/\s+/g, " ")).to.contain(text);
    }
  });
});
