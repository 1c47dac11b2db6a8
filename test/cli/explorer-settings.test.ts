import { expect } from "chai";
import { EXPLORERS, explorerApi } from "../../src/chain/explorers.js";
import { NETWORKS } from "../../src/chain/networks.js";
import { chooseExplorers, parseExplorers } from "../../src/cli/explorer-settings.js";
import { HoldfastError } from "../../src/errors.js";

const titles = (chainId: number, environment: Record<string, string>, named?: ReturnType<typeof parseExplorers>) =>
  chooseExplorers(chainId, named, environment).clients.map(({ title }) => title);

describe("explorers that sources go to", () => {
  it("each public network has Sourcify and Blockscout, those of Ethereum Etherscan with a key", () => {
    for (const { name, chainId } of NETWORKS.filter((network) => network.name !== "local")) {
      const isFilecoin = chainId === 314 || chainId === 314_159;
      expect(titles(chainId, {}), name).to.deep.equal(["Sourcify", "Blockscout"]);
      const all = ["Sourcify", "Blockscout", ...(isFilecoin ? [] : ["Etherscan"])];
      expect(titles(chainId, { ETHERSCAN_API_KEY: "a-key-of-mine" }), name).to.deep.equal(all);
      for (const explorer of EXPLORERS) {
        const url = explorerApi(explorer, chainId);
        expect(url ?? "https://none", `${name} ${explorer}`).to.match(/^https:\/\/.*[^/]$/);
      }
    }
  });

  it("a chain that nobody else sees has those of the settings, and no other", () => {
    expect(titles(31_337, { BLOCKSCOUT_API_URL: "http://127.0.0.1:4000/api" })).to.deep.equal(["Blockscout"]);
    // A setting that is left empty is none.
    const empty = { SOURCIFY_API_URL: "", BLOCKSCOUT_API_URL: "", ETHERSCAN_API_KEY: "a-key-of-mine" };
    const attempt = () => chooseExplorers(31_337, undefined, empty);
    expect(attempt).to.throw(HoldfastError).with.property("code", "MISSING_SETTING");
    expect(attempt).to.throw(HoldfastError).with.property("hint").that.includes("BLOCKSCOUT_API_URL");
  });

  it("those that are named are all asked, or none", () => {
    expect(titles(314_159, {}, parseExplorers("Blockscout"))).to.deep.equal(["Blockscout"]);
    expect(titles(314, {}, parseExplorers("blockscout,sourcify, blockscout"))).to.deep.equal([
      "Blockscout",
      "Sourcify",
    ]);
    const attempt = () => titles(314, { ETHERSCAN_API_KEY: "a-key-of-mine" }, parseExplorers("sourcify,etherscan"));
    expect(attempt).to.throw(HoldfastError).with.property("code", "MISSING_SETTING");
    for (const text of ["", ",", "sourcify,filfox"]) expect(() => parseExplorers(text)).to.throw(/known are sourcify/);
  });
});
