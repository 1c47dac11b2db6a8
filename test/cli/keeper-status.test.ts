import { join } from "node:path";
import { expect } from "chai";
import { writeKeystore } from "../../src/keys/index.js";
import { holdfast } from "../support/cli.js";
import { commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const CHEAP = { N: 1_024, r: 8, p: 1 };

describe("cli: keeper status", function () {
  this.timeout(120_000);
  let net: StorageNet;
  let restore: () => void;
  let folder: string;
  let dir: string;

  before(async () => {
    net = await startStorageNet();
    folder = await tempFolder();
    dir = join(folder, "keeper");
    restore = await commandsOn(net, { HOLDFAST_KEYS: folder });
    jsonOf(await holdfast(["keeper", "init", "--dir", dir, "--json"]));
  });
  afterEach(() => {
    delete process.env.HOLDFAST_KEYSTORE;
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  it("shows account and balance without a password", async () => {
    const wallet = await net.account();
    await writeKeystore(folder, "proving", wallet, "correct horse", CHEAP);
    process.env.HOLDFAST_KEYSTORE = "proving";
    const { account, accountProblem } = jsonOf(await holdfast(["keeper", "status", "--dir", dir, "--json"]));
    expect([account.address, accountProblem]).to.deep.equal([wallet.address, null]);
    expect(BigInt(account.balance)).to.equal(await net.provider.getBalance(wallet));
  });

  it("says why it does not know the account, and everything else all the same", async () => {
    process.env.HOLDFAST_KEYSTORE = "nobodys";
    const lost = jsonOf(await holdfast(["keeper", "status", "--dir", dir, "--json"]));
    expect(lost).to.deep.include({ account: null, due: [], keeper: null });
    expect(lost.accountProblem.code).to.equal("KEY_FILE_UNREADABLE");
    delete process.env.HOLDFAST_KEYSTORE;
    const { stdout } = await holdfast(["keeper", "status", "--dir", dir]);
    expect(stdout).to.match(/account {3}there is no key to act with\n.*due/s);
  });
});
