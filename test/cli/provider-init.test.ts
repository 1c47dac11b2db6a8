import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { formatDeployment } from "../../src/chain/deployment.js";
import { priceDifferences } from "../../src/cli/provider-differences.js";
import { peerIdOf } from "../../src/provider/index.js";
import { parsePolicy } from "../../src/provider/policy/index.js";
import { holdfast, type Outcome } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { STAKE, type StorageNet, startStorageNet } from "../support/storage-net.js";

/** Not one of a developer's: what is told of keys is told. */
const CHAIN_ID = 777;

const MADE = ["deployment.json", "policy.yaml", "node.yaml"];

describe("cli: provider init, done again", () => {
  let net: StorageNet;
  let restore: () => void;
  let owner: Wallet;
  let dir: string;

  before(async () => {
    net = await startStorageNet({ chainId: CHAIN_ID });
    restore = await commandsOn(net);
  });
  beforeEach(async () => {
    owner = await net.rich();
    actAs(owner);
    dir = join(await tempFolder(), "node");
  });
  afterEach(() => {
    delete process.env.HOLDFAST_TERMS_PRIVATE_KEY;
  });
  after(async () => {
    restore();
    await net.stop();
    await removeFolders();
  });

  const run = (...args: string[]) => holdfast(["provider", "init", "--dir", dir, ...args, "--json"]);
  const options = () => ["--url", "https://node.example", "--region", "DE", "--token", net.token];
  const make = (...args: string[]) => run(...options(), "--price", "30 TUSD", "--stake", `${STAKE}`, ...args);
  const registered = () => net.contracts.registry.isRegistered(owner.address);
  const peerId = async () => (await net.contracts.registry.profileOf(owner.address)).peerId;
  const peerIdOfWallet = ({ signingKey }: Pick<Wallet, "signingKey">) => peerIdOf(signingKey.publicKey);

  function refused({ status, stderr }: Outcome, text: string | RegExp): void {
    expect(status, stderr).to.equal(1);
    expect(stderr).to.match(new RegExp(text));
    expect(stderr).not.to.contain("defect");
  }

  describe("the market", () => {
    it("is that of the folder, and another one is refused", async () => {
      jsonOf(await make("--no-register"));
      const other = join(dir, "other.json");
      const vault = net.deployment.registry;
      await writeFile(other, formatDeployment({ ...net.deployment, chainId: 31_337, vault }));
      await rm(join(dir, "node.yaml"));
      const text = await readFile(join(dir, "deployment.json"), "utf8");
      await writeFile(join(dir, "deployment.json"), await readFile(other, "utf8"));
      // The folder is of chain 31337; endpoint and HOLDFAST_DEPLOYMENT are of 777.
      refused(await make(), /on chain 777, and deployment\.json .* on chain 31337 \(other: chainId, vault\)/);
      expect(await registered()).to.equal(false);
      expect(existsSync(join(dir, "node.yaml"))).to.equal(false);
      await writeFile(join(dir, "deployment.json"), text);
      jsonOf(await make());
      expect(await registered()).to.equal(true);
    });

    it("need not be named again", async () => {
      jsonOf(await make("--no-register"));
      const named = process.env.HOLDFAST_DEPLOYMENT!;
      delete process.env.HOLDFAST_DEPLOYMENT;
      try {
        const { steps } = jsonOf(await run("--stake", `${STAKE}`));
        expect(steps).to.deep.equal(["registered", "stake provisioned"]);
      } finally {
        process.env.HOLDFAST_DEPLOYMENT = named;
      }
    });
  });

  describe("the folder", () => {
    it("is written only when everything is known", async () => {
      refused(await run(...options(), "--price", "30 TUSD"), "--stake is missing");
      expect(existsSync(dir)).to.equal(false);
      refused(await run(...options(), "--price", "30 TUSD", "--stake", "5 EUR"), "is no amount of TUSD");
      expect(existsSync(dir)).to.equal(false);
      const report = jsonOf(await make());
      expect(report.written).to.deep.equal(MADE);
      expect(report.steps).to.deep.equal(["registered", "stake provisioned"]);
    });

    it("says what it says: each option that differs is told, and nothing is done", async () => {
      jsonOf(await make("--no-register"));
      const files = () => Promise.all(MADE.map((name) => readFile(join(dir, name), "utf8")));
      const before = await files();
      const differing = ["--url", "https://other.example", "--region", "FR", "--listen", "0.0.0.0:80", "--tier", "0"];
      const outcome = await run(...differing, "--price", "9999", "--stake", `${STAKE}`);
      for (const part of [
        "--url is https://other.example, and publicUrl https://node.example",
        "--listen is 0.0.0.0:80, and listen 127.0.0.1:8080",
        "--region is FR, and the first of regions DE",
        "--tier is \\S+, and tiers \\S+,",
        "--price is .* a period of tier \\w+, and its price .* TUSD",
      ]) {
        refused(outcome, part);
      }
      refused(await run("--token", net.deployment.market, "--stake", "1"), "--token is 0x\\w+, and token 0x\\w+");
      expect(await files()).to.deep.equal(before);
      expect(await registered()).to.equal(false);
      // The same options, and none at all, are what the folder says.
      expect(jsonOf(await run(...options(), "--listen", "127.0.0.1:8080", "--stake", "0")).steps).to.deep.equal([
        "registered",
      ]);
    });

    it("gets a file that it has lost, and keeps the others", async () => {
      jsonOf(await make());
      const settings = await readFile(join(dir, "node.yaml"), "utf8");
      await rm(join(dir, "policy.yaml"));
      refused(await holdfast(["provider", "status", "--dir", dir]), /policy\.yaml is missing[\s\S]*provider init/);
      refused(await run(), "--price is missing");
      const mended = jsonOf(await run("--price", "30 TUSD", "--region", "DE", "--token", net.token));
      expect([mended.written, mended.steps]).to.deep.equal([["policy.yaml"], []]);
      expect(await readFile(join(dir, "node.yaml"), "utf8")).to.equal(settings);
      await rm(join(dir, "deployment.json"));
      expect(jsonOf(await run()).written).to.deep.equal(["deployment.json"]);
    });

    it("asks a provider that has stake for none", async () => {
      jsonOf(await make());
      expect(jsonOf(await run()).steps).to.deep.equal([]);
      const more = jsonOf(await run("--stake", `${STAKE + 1n}`));
      expect(more.steps).to.deep.equal(["stake provisioned"]);
    });
  });

  describe("keys", () => {
    const OWN_SIGNS = "own key signs its deals";
    const OWN_PAID = "own account is paid";

    it("of the registry are kept, and told of, where the settings name none", async () => {
      const [terms, payee] = [Wallet.createRandom(), Wallet.createRandom()];
      process.env.HOLDFAST_TERMS_PRIVATE_KEY = terms.privateKey;
      const first = await make("--payee", payee.address);
      expect(jsonOf(first).steps).to.include.members(["signer set", "payee set"]);
      expect(await peerId()).to.equal(peerIdOfWallet(terms));
      delete process.env.HOLDFAST_TERMS_PRIVATE_KEY;
      const again = await run();
      expect(jsonOf(again).steps).to.deep.equal([]);
      expect(await peerId()).to.equal(peerIdOfWallet(terms));
      for (const { stderr } of [first, again]) {
        expect(stderr).not.to.contain(OWN_SIGNS);
        expect(stderr).not.to.contain(OWN_PAID);
      }
    });

    it("have their own Peer ID, and none where they are not here", async () => {
      const [signer, other] = [Wallet.createRandom(), Wallet.createRandom()];
      const own = await make();
      jsonOf(own);
      expect(own.stderr).to.contain(OWN_SIGNS).and.to.contain(OWN_PAID);
      expect(await peerId()).to.equal(peerIdOfWallet(owner));
      const named = await run("--signer", signer.address);
      expect(jsonOf(named).steps).to.deep.equal(["profile updated", "signer set"]);
      expect(await peerId()).to.equal("");
      expect(named.stderr).to.contain("no Peer ID is registered").and.not.to.contain(OWN_SIGNS);
      process.env.HOLDFAST_TERMS_PRIVATE_KEY = signer.privateKey;
      expect(jsonOf(await run()).steps).to.deep.equal(["profile updated"]);
      expect(await peerId()).to.equal(peerIdOfWallet(signer));
      jsonOf(await run("--signer", other.address));
      expect(await peerId()).to.equal("");
    });

    it("are set right where the Peer ID is that of the owner's, and go where the owner is to sign alone", async () => {
      const signer = Wallet.createRandom();
      jsonOf(await make("--signer", signer.address));
      const registry = net.contracts.registry.connect(owner);
      const { name, url, region, tiers, offerUri } = await registry.profileOf(owner.address);
      const profile = { name, url, region, tiers, offerUri, peerId: peerIdOfWallet(owner) };
      await (await registry.updateProfile(profile)).wait();
      expect(jsonOf(await run("--signer", signer.address)).steps).to.deep.equal(["profile updated"]);
      expect(await peerId()).to.equal("");
      const alone = jsonOf(await run("--signer", owner.address));
      expect(alone.steps).to.deep.equal(["profile updated", "signer set"]);
      expect(await registry.signerOf(owner.address)).to.match(/^0x0+$/);
      expect(await peerId()).to.equal(peerIdOfWallet(owner));
    });
  });
});

describe("cli: a price and that of a policy", () => {
  const token = { address: "", symbol: "TUSD", decimals: 6 };
  const policy = parsePolicy("tiers: { 0: { price: 100, collateral: 1 } }");
  const tiers = [{ period: 7_200, window: 10, challenges: 1, maxMisses: 1 }];
  const found = (price: bigint, blockSeconds: number, chainId = 1) =>
    priceDifferences(price, policy, token, { chainId, tiers }, blockSeconds);

  it("are the same while blocks take about as long as they did", () => {
    expect(found(3_000n, 12)).to.deep.equal([]);
    expect(found(3_000n, 12.5)).to.deep.equal([]);
    expect(found(3_000n, 11.3)).to.deep.equal([]);
    expect(found(3_000n, 48, 31_337)).to.deep.equal([]);
  });

  it("differ where a person has changed one", () => {
    for (const price of [2_400n, 3_600n, 9_999_999n, 1n]) expect(found(price, 12), `${price}`).to.have.length(1);
    expect(found(3_600n, 12)[0]).to.equal("--price is 0.00012 TUSD a period of tier 0, and its price 0.0001 TUSD");
    expect(found(3_000_000n, 12, 31_337)).to.have.length(1);
  });
});
