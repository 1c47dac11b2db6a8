import { createRequire } from "node:module";
import hardhatToolboxMochaEthers from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);

// The compiler comes from npm as WASM: reproducible, and needs no download of its own.
const compiler = {
  version: "0.8.30",
  path: require.resolve("solc/soljson.js"),
  settings: { evmVersion: "cancun", optimizer: { enabled: true, runs: 200 } },
};

export default defineConfig({
  plugins: [hardhatToolboxMochaEthers],
  solidity: {
    profiles: {
      default: compiler,
      production: { ...compiler, isolated: false },
    },
  },
  typechain: { outDir: "typechain-types" },
  paths: { tests: { mocha: "test", solidity: "test/solidity" } },
  test: {
    mocha: { timeout: 120_000 },
    solidity: { fuzz: { runs: 256 } },
  },
});
