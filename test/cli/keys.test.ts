import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { keystoreSource, passwordFile } from "../../src/keys/index.js";
import { filecoinAddress } from "../../src/protocol/index.js";
import { holdfast, type Outcome } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

describe("cli: keys", function () {
  this.timeout(60_000);
  let folder: string;
  let password: string;
  const before = { ...process.env };

  beforeEach(async () => {
    folder = await tempFolder();
    password = join(folder, "password");
    await writeFile(password, "correct horse battery", { mode: 0o600 });
    process.env.HOLDFAST_KEYS = join(folder, "keys");
    process.env.HOLDFAST_PASSWORD_FILE = password;
    delete process.env.HOLDFAST_PRIVATE_KEY;
  });
  after(async () => {
    for (const name of ["HOLDFAST_KEYS", "HOLDFAST_PASSWORD_FILE", "HOLDFAST_PRIVATE_KEY"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    await removeFolders();
  });

  const silentOn = ({ stdout, stderr }: Outcome, secret: string) => {
    expect(stdout + stderr).not.to.include(secret.slice(2));
    expect(stdout + stderr).not.to.include("correct horse");
  };

  it("makes one, lists it, and acts with it", async () => {
    const made = await holdfast(["keys", "new", "proving", "--json"]);
    const { address, path } = jsonOf(made);
    expect(path).to.equal(join(folder, "keys", "proving.json"));
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    const signer = (await keystoreSource(path, passwordFile(password)).open()) as Wallet;
    expect(signer.address).to.equal(address);
    silentOn(made, signer.privateKey);
    expect(jsonOf(await holdfast(["keys", "list", "--json"])).keys).to.deep.equal([{ name: "proving", path, address }]);
    const listed = await holdfast(["keys", "list"]);
    expect(listed.stdout, `${listed.status} ${listed.stderr}`).to.match(new RegExp(`proving +${address} +ok +${path}`));
    const named = await holdfast(["keys", "list", "--network", "calibration"]);
    expect(named.stdout).to.include(`${address}  ${filecoinAddress(address, 314_159)}`);
    const nowhere = await holdfast(["keys", "new", "other", "--network", "mars"]);
    expect(nowhere.status).to.equal(1);
    expect(nowhere.stderr).to.match(/^error: there is no network "mars"/);
    expect(jsonOf(await holdfast(["keys", "list", "--json"])).keys).to.have.length(1);
    const again = await holdfast(["keys", "new", "proving"]);
    expect(again.status).to.equal(1);
    expect(again.stderr).to.match(/already/);
  });

  it("takes one in from a file or the environment", async () => {
    const wallet = Wallet.createRandom();
    const file = join(folder, "key");
    await writeFile(file, `${wallet.privateKey.slice(2)}\n`, { mode: 0o600 });
    const made = await holdfast(["keys", "import", "a", "--key-file", file, "--json"]);
    expect(jsonOf(made).address).to.equal(wallet.address);
    silentOn(made, wallet.privateKey);
    expect(await readFile(jsonOf(made).path, "utf8")).not.to.include(wallet.privateKey.slice(2));
    process.env.HOLDFAST_PRIVATE_KEY = wallet.privateKey;
    expect(jsonOf(await holdfast(["keys", "import", "b", "--from-env", "--json"])).address).to.equal(wallet.address);
    await writeFile(file, "0x1234");
    const short = await holdfast(["keys", "import", "c", "--key-file", file]);
    expect(short.stderr).to.match(/no private key/);
    await chmod(file, 0o644);
    const exposed = await holdfast(["keys", "import", "c", "--key-file", file]);
    expect(exposed.stderr).to.match(/0644[\s\S]*chmod 600/);
    await writeFile(password, "short");
    expect((await holdfast(["keys", "new", "d"])).stderr).to.match(/fewer than 10/);
  });

  it("asks for nothing where nobody is there to ask", async () => {
    process.env.HOLDFAST_PASSWORD_FILE = "";
    const { status, stderr } = await holdfast(["keys", "new", "x"]);
    expect(status).to.equal(1);
    expect(stderr).to.match(/no terminal[\s\S]*HOLDFAST_PASSWORD_FILE/);
  });
});
