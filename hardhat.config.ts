import { createRequire } from "node:module";
import hardhatToolboxMochaEthers from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { configVariable, defineConfig } from "hardhat/config";
import { NETWORKS } from "./src/chain/networks.js";

const require = createRequire(import.meta.url);

// The compiler comes from npm as WASM: reproducible, and nothing is downloaded when it is first used.
const compiler = {
  version: "0.8.30",
  path: require.resolve("solc/soljson.js"),
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    // For the test that both parts of the market agree on where everything lies.
    outputSelection: { "*": { "*": ["storageLayout"] } },
  },
};

export default defineConfig({
  plugins: [hardhatToolboxMochaEthers],
  solidity: {
    // One set of settings: what is tested, measured and deployed is the same bytecode.
    profiles: { default: compiler, production: compiler },
    // Fuzz tests compile apart from contracts/, so that changing one does not compile the other again.
    splitTestsCompilation: true,
  },
  // For Hardhat's own tasks (`npx hardhat console --network sepolia`): endpoints from the environment or Hardhat's keystore.
  networks: Object.fromEntries(
    NETWORKS.map(({ name, chainId, rpc, rpcVariable }) => [
      name,
      { type: "http" as const, chainId, url: configVariable(rpcVariable, { default: rpc }) },
    ]),
  ),
  typechain: { outDir: "typechain-types" },
  paths: { tests: { mocha: "test", solidity: "test/solidity" } },
  test: {
    mocha: { timeout: 120_000 },
    solidity: {
      profiles: {
        // A handler foretells every outcome, so a revert in one is a failure. Thirteen campaigns of this length take
        // seconds; `--test-profile long` is for a night.
        default: { fuzz: { runs: 256 }, invariant: { runs: 6, depth: 60, failOnRevert: true } },
        long: { fuzz: { runs: 20_000 }, invariant: { runs: 200, depth: 250, failOnRevert: true } },
        // Lines are covered by the first runs; the rest would only be slow in instrumented code.
        coverage: { fuzz: { runs: 32 }, invariant: { runs: 1, depth: 40, failOnRevert: true } },
      },
    },
  },
});
