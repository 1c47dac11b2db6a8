import { profileNamed } from "../../scripts/profiles/profiles.js";
import { testDemoOn } from "../support/e2e-demo.js";
import { testOutgrownOn } from "../support/e2e-outgrown.js";

describe("on a chain like Base: 2 s a block, finality after 300", function () {
  this.timeout(300_000);

  describe("holdfast demo", () => testDemoOn(profileNamed("base")));
  describe("a provider that has outgrown one machine", () => testOutgrownOn(profileNamed("base")));
});
