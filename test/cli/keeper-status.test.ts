import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { provingAddress } from "../../src/cli/keeper-account.js";
import { writeKeystore } from "../../src/keys/index.js";
import { expectError } from "../piece/helpers.js";
import { holdfast } from "../support/cli.js";
import { commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { type StorageNet, startStorageNet } from "../support/storage-net.js";

const CHEAP = { N: 1_024, r: 8, p: 1 };

describe("cli: the account that a keeper pays with", () => {
  let folder: string;
  let address: string;
  let path: string;

  before(async () => {
    folder = await tempFolder();
    ({ path, address } = await writeKeystore(folder, "proving", Wallet.createRandom(), "correct horse", CHEAP));
  });
  after(removeFolders);

  it("is told by the keystore, by name and by path, without a password", async () => {
    expect(await provingAddress({ HOLDFAST_KEYS: folder, HOLDFAST_KEYSTORE: "proving" })).to.equal(address);
    const other = Wallet.createRandom().privateKey;
    const own = { HOLDFAST_PROVING_KEYSTORE: path, HOLDFAST_PRIVATE_KEY: other };
    expect(await provingAddress(own), "settings of the duty come first").to.equal(address);
  });

  it("is told by the settings of a remote signer that nobody reaches, and by a key in the clear", async () => {
    const remote = { HOLDFAST_PROVING_REMOTE_SIGNER: "https://127.0.0.1:1", HOLDFAST_PROVING_ACCOUNT: address };
    expect(await provingAddress({ ...remote, HOLDFAST_KEYSTORE: "other" })).to.equal(address);
    const wallet = Wallet.createRandom();
    expect(await provingAddress({ HOLDFAST_PRIVATE_KEY: wallet.privateKey })).to.equal(wallet.address);
  });

  it("is not guessed", async () => {
    await expectError("MISSING_SETTING", () => provingAddress({}));
    await expectError("AMBIGUOUS_KEY", () => provingAddress({ HOLDFAST_KEYSTORE: "a", HOLDFAST_REMOTE_SIGNER: "b" }));
    await expectError("KEY_FILE_UNREADABLE", () => provingAddress({ HOLDFAST_KEYSTORE: join(folder, "none.json") }));
    for (const text of ["{}", "no json", '{ "address": "0x12" }']) {
      const nameless = join(folder, "nameless.json");
      await writeFile(nameless, text, { mode: 0o600 });
      await expectError("KEYSTORE_INVALID", () => provingAddress({ HOLDFAST_KEYSTORE: nameless }));
    }
  });
});

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
