import { join } from "node:path";
import { expect } from "chai";
import { Wallet } from "ethers";
import { startLocalChain } from "../../scripts/profiles/local-chain.js";
import { isNullRound } from "../../scripts/profiles/null-rounds.js";
import { profileNamed } from "../../scripts/profiles/profiles.js";
import { partsOf } from "../../src/chain/deployment.js";
import { readDeployment } from "../../src/chain/deployment-node.js";
import { connectChain } from "../../src/chain/provider.js";
import { filecoinAddress } from "../../src/protocol/index.js";
import { StorageMarket__factory } from "../../typechain-types/index.js";
import { holdfast } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const CHAIN_ID = 314_159;
/** More blocks than come between two looks at the chain. */
const CONFIRMATIONS = 12;

describe("holdfast deploy to Filecoin", function () {
  this.timeout(300_000);
  const before = { ...process.env };
  after(async () => {
    for (const name of ["CALIBRATION_RPC_URL", "HOLDFAST_PRIVATE_KEY"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    await removeFolders();
  });

  it("waits for confirmations across null rounds, and names every address as Filecoin does, too", async () => {
    const chain = await startLocalChain({ ...profileNamed("filecoin"), chainId: CHAIN_ID });
    const provider = await connectChain(chain.url, CHAIN_ID);
    try {
      const wallet = Wallet.createRandom();
      Object.assign(process.env, { CALIBRATION_RPC_URL: chain.url, HOLDFAST_PRIVATE_KEY: wallet.privateKey });
      const file = join(await tempFolder(), "deployment.json");
      const out = ["--out", file, "--confirmations", String(CONFIRMATIONS)];
      // An account that the chain does not know yet.
      const early = await holdfast(["deploy", "--network", "calibration", ...out, "--dry-run", "--json"]);
      expect(BigInt(jsonOf(early).estimate.cost)).to.be.above(0n);
      const empty = await holdfast(["deploy", "--network", "calibration", ...out]);
      expect(empty.status).to.equal(1);
      expect(empty.stderr)
        .to.match(/has 0 base units of tFIL/)
        .and.to.include("faucet");
      await provider.send("anvil_setBalance", [wallet.address, `0x${(10n ** 22n).toString(16)}`]);
      await provider.send("evm_setIntervalMining", [0.3]);
      const dry = await holdfast(["deploy", "--network", "calibration", ...out, "--dry-run", "--json"]);
      expect(BigInt(jsonOf(dry).estimate.gas)).to.be.within(20_000_000n, 25_000_000n);
      const { status, stdout, stderr } = await holdfast(["deploy", "--network", "calibration", ...out]);
      expect(status, stderr).to.equal(0);
      expect(stderr).to.include(filecoinAddress(wallet.address, CHAIN_ID));
      const deployment = await readDeployment(file);
      for (const part of partsOf(deployment)) {
        expect(stdout).to.include(`${deployment[part]}  ${filecoinAddress(deployment[part], CHAIN_ID)}`);
        expect(isNullRound(deployment.build!.blocks[part]!)).to.equal(false);
      }
      const { vault, registry, market, lens, requests } = deployment.build!.blocks;
      const inTurn = [vault, registry, market, lens, requests] as number[];
      const apart = inTurn.slice(1).map((block, i) => block - inTurn[i]!);
      expect(Math.min(...apart), `${apart}`).to.be.at.least(CONFIRMATIONS);
      expect(deployment.randomnessKind).to.equal("drand");
      // The archive tier, by what asks the chain's actors.
      expect(deployment.chainTiers).to.equal(4);
      const contract = StorageMarket__factory.connect(deployment.market, provider);
      expect(await contract.chainProofs()).to.equal(deployment.chainProofs);
      const verified = await holdfast(["verify-deployment", "--network", "calibration", "--deployment", file]);
      expect(verified.status, verified.stderr).to.equal(0);
      expect(verified.stderr).not.to.include("not known");
    } finally {
      provider.destroy();
      await chain.stop();
    }
  });
});
