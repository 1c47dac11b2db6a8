import { expect } from "chai";
import { getAddress, hexlify, ZeroAddress } from "ethers";
import fc from "fast-check";
import { HoldfastError } from "../../src/errors.js";
import { filecoinAddress, fromFilecoinAddress, isFilecoin, requireNoAlias } from "../../src/protocol/index.js";

/** Of FIP-0048's own text and Filecoin's documentation. */
const KNOWN = ["0xd388aB098ed3E84c0D808776440B48F685198498", "f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy"] as const;
const ALIAS = "0xff000000000000000000000000000000000004d2";

describe("Filecoin's addresses", () => {
  it("are those that Filecoin's own documents give", () => {
    const [account, text] = KNOWN;
    expect(filecoinAddress(account, 314)).to.equal(text);
    expect(filecoinAddress(account.toLowerCase(), 314n)).to.equal(text);
    expect(fromFilecoinAddress(text)).to.equal(account);
  });

  it("begin with t on test networks, and are nothing on other chains", () => {
    const [account, text] = KNOWN;
    for (const chainId of [314_159, 31_415_926]) {
      expect(filecoinAddress(account, chainId)).to.equal(`t${text.slice(1)}`);
      expect(isFilecoin(chainId)).to.equal(true);
    }
    expect(fromFilecoinAddress(`t${text.slice(1)}`)).to.equal(account);
    expect(fromFilecoinAddress(text.toUpperCase())).to.equal(account);
    for (const chainId of [1, 31_337, 84_532]) expect(filecoinAddress(account, chainId)).to.equal(undefined);
  });

  it("lead back to any account", () => {
    const accounts = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => getAddress(hexlify(bytes)));
    fc.assert(
      fc.property(accounts, (account) => {
        const text = filecoinAddress(account, 314)!;
        expect(text).to.match(/^f410f[a-z2-7]{39}$/);
        expect(fromFilecoinAddress(text)).to.equal(account);
      }),
    );
    expect(fromFilecoinAddress(filecoinAddress(ZeroAddress, 314)!)).to.equal(ZeroAddress);
  });

  it("have a checksum: no single letter can be another", () => {
    const [, text] = KNOWN;
    for (let at = 5; at < text.length; at++) {
      const wrong = `${text.slice(0, at)}${text[at] === "a" ? "b" : "a"}${text.slice(at + 1)}`;
      expect(() => fromFilecoinAddress(wrong), wrong)
        .to.throw(HoldfastError, "its checksum differs")
        .with.property("code", "INVALID_ADDRESS");
    }
  });

  it("of other kinds have no Ethereum form, and whoever gives one is told what to give", () => {
    for (const [text, message] of [
      [
        "f01234",
        `f01234 is the id of an actor: its alias in Ethereum's form (${getAddress(ALIAS)}) is refused by the market`,
      ],
      ["t01234", "is the id of an actor"],
      ["f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za", "is an f1 address, which has no Ethereum form"],
      ["f2plku564ddywnmb5b2ky7dhk4mb6uacsxuuev3pi", "is an f2 address, which has no Ethereum form"],
      ["t3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss4a", "is an f3 address"],
      ["f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gm", "is no f410 address of an account"],
      ["f432f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", "is no f410 address of an account"],
    ] as const) {
      expect(() => fromFilecoinAddress(text), text)
        .to.throw(HoldfastError, message)
        .with.property("code", "INVALID_ADDRESS");
    }
    for (const text of ["", "0x", "f", "f5abc", "holdfast.eth", "fred", "f410F…"]) {
      expect(fromFilecoinAddress(text), text).to.equal(undefined);
    }
  });

  it("of an actor's alias is its id, which nobody may act as", () => {
    expect(filecoinAddress(ALIAS, 314)).to.equal("f01234");
    expect(filecoinAddress(ALIAS, 314_159)).to.equal("t01234");
    expect(() => requireNoAlias(ALIAS)).to.throw(HoldfastError, "alias of the Filecoin actor f01234");
    expect(() => requireNoAlias(KNOWN[0])).not.to.throw();
  });
});
