import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { keySourceFrom, writeKeystore } from "../../src/keys/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const CHEAP = { N: 1_024, r: 8, p: 1 };

describe("keys: which account one is of", () => {
  const provingAddress = async (settings: Record<string, string>) => keySourceFrom(settings, "proving").address();
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
    const { address: _, ...rest } = JSON.parse(await readFile(path, "utf8"));
    for (const text of ["{}", "no json", JSON.stringify(rest), JSON.stringify({ ...rest, address: "0x12" })]) {
      const nameless = join(folder, "nameless.json");
      await writeFile(nameless, text, { mode: 0o600 });
      await expectError("KEYSTORE_INVALID", () => provingAddress({ HOLDFAST_KEYSTORE: nameless }));
    }
  });
});
