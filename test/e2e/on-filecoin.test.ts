import { profileNamed } from "../../scripts/profiles/profiles.js";
import { testDemoOn } from "../support/e2e-demo.js";
import { testOutgrownOn } from "../support/e2e-outgrown.js";

describe("on a chain like Filecoin: 30 s an epoch, null rounds, seeds from drand", function () {
  this.timeout(300_000);

  describe("holdfast demo", () => testDemoOn(profileNamed("filecoin")));
  describe("a provider that has outgrown one machine", () => testOutgrownOn(profileNamed("filecoin")));
});
