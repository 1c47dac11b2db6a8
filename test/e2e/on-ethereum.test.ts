import { profileNamed } from "../../scripts/profiles/profiles.js";
import { testDemoOn } from "../support/e2e-demo.js";
import { testOutgrownOn } from "../support/e2e-outgrown.js";

describe("on a chain like Ethereum: 12 s a block, seeds from RANDAO that keepers checkpoint", function () {
  this.timeout(300_000);

  describe("holdfast demo", () => testDemoOn(profileNamed("ethereum")));
  describe("a provider that has outgrown one machine", () => testOutgrownOn(profileNamed("ethereum")));
});
