import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { holdfast } from "../support/cli.js";
import { jsonOf } from "../support/cli-net.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const FIXTURES = "test/provenance";

describe("cli: provenance manifest", () => {
  let folder: string;
  before(async () => {
    folder = await tempFolder();
  });
  after(removeFolders);

  const manifest = (path: string, ...args: string[]) => holdfast(["provenance", "manifest", path, ...args]);

  it("prints what another maker's Croissant manifest says", async () => {
    const report = jsonOf(await manifest(`${FIXTURES}/croissant/fixtures/titanic-1.0.croissant`, "--json"));
    expect(report).to.include({ type: "croissant", name: "Titanic" });
    expect(report.files).to.be.greaterThan(0);
    expect((await manifest(`${FIXTURES}/croissant/fixtures/titanic-1.0.croissant`)).stdout).to.match(
      /^Croissant {3}Titanic\n/,
    );
  });

  it("prints what content credentials say, altered ones too", async () => {
    const report = jsonOf(await manifest(`${FIXTURES}/c2pa/fixtures/generated.png`, "--json"));
    expect(report).to.include({ type: "c2pa", state: "valid", aiTraining: "refused", kind: "generated" });
    expect((await manifest(`${FIXTURES}/c2pa/fixtures/generated.png`)).stdout).to.include(
      "suggests    --kind generated",
    );
  });

  it("says what is wrong with hostile manifests, soon", async () => {
    for (const [name, bytes, error] of [
      ["deep", `{"@context":{},"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}`, /^error: .*(deep|nest)/i],
      ["text", "no JSON at all", /^error: .*JSON/],
      ["plain", `{"name":"no context"}`, /^error: this is no Croissant manifest/],
      ["latin1", new Uint8Array([0x7b, 0xe9, 0x7d]), /^error: .*UTF-8/],
    ] as const) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      const start = performance.now();
      const { status, stderr } = await manifest(path);
      expect(status, name).to.equal(1);
      expect(stderr, name).to.match(error);
      expect(performance.now() - start).to.be.below(15_000);
    }
    const huge = join(folder, "huge");
    await writeFile(huge, new Uint8Array(65 << 20).fill(0x20));
    expect((await manifest(huge)).stderr).to.match(/^error: .*(large|bytes|MiB)/);
  });
});
