import { expect } from "chai";
import { AbiCoder } from "ethers";
import { holdfast } from "../support/cli.js";
import { actAs, commandsOn, jsonOf } from "../support/cli-net.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";
import { placeActors, placeMiner, type SetCode } from "../support/filecoin.js";
import { removeFolders } from "../support/pieces.js";

const MINER = 1_234n;

describe("holdfast provider bind", function () {
  this.timeout(120_000);
  let chain: DevChain;
  let restore: () => void;
  afterEach(async () => {
    restore();
    await chain.stop();
  });
  after(removeFolders);

  it("binds a miner once, says what to seal with, and takes it back", async () => {
    chain = await startDevChain({
      ...{ chainId: 31_415_926, sealedTiers: [2] },
      prepare: async (provider, account) => {
        const setCode: SetCode = (address, code) => provider.send("anvil_setCode", [address, code]);
        await placeActors(setCode, account);
        await placeMiner(MINER, setCode, account);
      },
    });
    restore = await commandsOn(chain);
    const account = await chain.account();
    const { sectors } = chain.contracts;
    const bad = await holdfast(["provider", "bind", "f3abc"]);
    expect(bad.status).to.equal(1);
    expect(bad.stderr).to.match(/error: "f3abc" is no miner actor\nhint: .*f01234/);
    actAs(account);
    const unknown = await holdfast(["provider", "bind", "f01234"]);
    expect([unknown.status, unknown.stderr.includes("is no registered provider")]).to.deep.equal([1, true]);
    expect(unknown.stderr).to.contain(account.address);
    const profile = {
      name: "",
      url: "http://127.0.0.1:9",
      peerId: "",
      region: "0x000000000000",
      tiers: 1,
      offerUri: "",
    };
    await (await chain.contracts.registry.connect(account).register(profile)).wait();
    const bound = jsonOf(await holdfast(["provider", "bind", "f01234", "--json"]));
    expect(bound).to.deep.equal({
      ...{ provider: account.address, miner: "f01234", bound: true, notify: chain.deployment.chainProofs },
      payload: AbiCoder.defaultAbiCoder().encode(["address", "bytes"], [account.address, "0x"]),
    });
    expect(await sectors!.isBound(account.address, MINER)).to.equal(true);
    const nonce = await account.getNonce();
    const again = await holdfast(["provider", "bind", "t01234"]);
    expect(again.status, again.stderr).to.equal(0);
    expect(again.stdout).to.contain("already bound");
    expect(await account.getNonce()).to.equal(nonce);
    const strange = await holdfast(["provider", "bind", "f099"]);
    expect([strange.status, strange.stderr.includes("NotAMiner(99)")]).to.deep.equal([1, true]);
    jsonOf(await holdfast(["provider", "unbind", "1234", "--json"]));
    expect(await sectors!.isBound(account.address, MINER)).to.equal(false);
  });

  it("is refused where no tier is proven by sectors", async () => {
    chain = await startDevChain();
    restore = await commandsOn(chain);
    actAs(await chain.account());
    const { status, stderr } = await holdfast(["provider", "bind", "f01234"]);
    expect([status, stderr.includes("docs/filecoin.md")]).to.deep.equal([1, true]);
  });
});
