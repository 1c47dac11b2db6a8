import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { amountText, parseAmountOf, readToken, readTokens } from "../../src/client/tokens.js";
import { TestToken__factory } from "../../typechain-types/index.js";
import { expectError } from "../piece/helpers.js";
import { type DevChain, startDevChain } from "../support/dev-chain.js";

const DOLLAR = { address: ZeroAddress, symbol: "TUSD", decimals: 6 };

describe("cli: amounts of tokens", () => {
  let chain: DevChain;

  before(async () => {
    chain = await startDevChain();
  });
  after(() => chain.stop());

  it("writes amounts with decimals and symbol", () => {
    expect(amountText(1_250_000n, DOLLAR)).to.equal("1.25 TUSD");
    expect(amountText(3_000_000n, DOLLAR)).to.equal("3 TUSD");
    expect(amountText(1n, DOLLAR)).to.equal("0.000001 TUSD");
    expect(amountText(0n, DOLLAR)).to.equal("0 TUSD");
    expect(amountText(17n, { ...DOLLAR, decimals: 0 })).to.equal("17 TUSD");
  });

  it("reads them back", async () => {
    expect(parseAmountOf("1.25 TUSD", DOLLAR)).to.equal(1_250_000n);
    expect(parseAmountOf("3TUSD", DOLLAR)).to.equal(3_000_000n);
    expect(parseAmountOf("0.000001 TUSD", DOLLAR)).to.equal(1n);
    expect(parseAmountOf("3000", DOLLAR)).to.equal(3_000n);
    for (const wrong of [
      "",
      "-1",
      "1e3",
      "0x10",
      "1,5 TUSD",
      ".5 TUSD",
      "1. TUSD",
      "1.2345678 TUSD",
      "1.5",
      "1 USD",
      "all",
    ]) {
      await expectError("INVALID_AMOUNT", async () => parseAmountOf(wrong, DOLLAR));
    }
  });

  it("asks a token for its name and decimals, and counts the coin in ether's", async () => {
    const deployer = await chain.account();
    const token = await new TestToken__factory(deployer).deploy("Evil", "A\u001b[31m\nB\u202e", 6);
    const address = await token.getAddress();
    expect(await readToken(chain.provider, address)).to.deep.equal({ address, symbol: "A[31mB", decimals: 6 });
    expect(await readToken(chain.provider, ZeroAddress)).to.include({ symbol: "coin", decimals: 18 });
    const nameless = await new TestToken__factory(deployer).deploy("", "", 2);
    expect((await readToken(chain.provider, await nameless.getAddress())).symbol).to.equal("tokens");
  });

  it("counts what names no decimals in base units", async () => {
    const { vault } = chain.deployment;
    const tokens = await readTokens(chain.provider, [vault, ZeroAddress, vault]);
    expect([...tokens.keys()]).to.deep.equal([vault, ZeroAddress]);
    expect(amountText(17n, tokens.get(vault)!)).to.equal("17 base units");
  });
});
