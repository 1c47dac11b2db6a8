import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import { HoldfastError } from "../../../src/errors.js";
import { MAX_C2PA_ASSET_BYTES, readC2pa } from "../../../src/provenance/c2pa/index.js";
import { expectError } from "../../piece/helpers.js";
import { runs } from "../../support/effort.js";
import { blobOf, fixture, reportOn, testRoot } from "./helpers.js";

const UNTRUSTED = "signingCredential.untrusted";
const codes = (problems: readonly { code: string }[]) => problems.map(({ code }) => code);
const ISSUED = ["original.jpg", "edited.jpg", "generated.png", "collage.webp"];

describe("C2PA: an asset as it was signed", () => {
  it("is valid, by a signer whom nobody vouches for", async () => {
    for (const name of ISSUED) {
      const report = await reportOn(name);
      expect(report.state, name).to.equal("valid");
      expect(codes(report.problems), name).to.deep.equal([UNTRUSTED]);
    }
  });

  it("is trusted where the signer's certificate leads to a trust anchor", async () => {
    const trustAnchors = await testRoot();
    for (const name of ISSUED) {
      const report = await reportOn(name, { trustAnchors });
      expect(report.state, name).to.equal("trusted");
      expect(report.problems, name).to.deep.equal([]);
    }
  });

  it("is not trusted for another read's anchors", async () => {
    await reportOn("original.jpg", { trustAnchors: await testRoot() });
    expect((await reportOn("original.jpg")).state).to.equal("valid");
  });

  it("says who signed what, and what was done", async () => {
    const { actions, signer, claimGenerators, ...report } = await reportOn("edited.jpg");
    expect(signer).to.deep.equal({
      commonName: "Holdfast test signer",
      organisation: "Holdfast tests",
      algorithm: "Es256",
    });
    expect(claimGenerators).to.deep.equal(["Holdfast test camera 1.0"]);
    expect(report).to.include({ title: "edited.jpg", format: "image/jpeg" }).and.not.have.property("aiTraining");
    expect(report.label).to.match(/^urn:c2pa:/);
    expect(report.instanceId).to.match(/^xmp.iid:/);
    expect(actions).to.deep.equal([
      { action: "c2pa.opened" },
      { action: "c2pa.color_adjustments", when: "2026-01-02T03:04:05Z", softwareAgent: "Holdfast test editor 2.0" },
      { action: "c2pa.edited", description: "a circle was added" },
    ]);
  });

  it("says where generated content is from, and that it may not be trained on", async () => {
    const report = await reportOn("generated.png");
    expect(report.actions).to.deep.equal([
      {
        action: "c2pa.created",
        digitalSourceType: "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        softwareAgent: "Holdfast test model 3.0",
      },
    ]);
    expect(report.aiTraining).to.equal("refused");
  });

  it("names its ingredients, and how their own manifests fare", async () => {
    const [parent, ...others] = (await reportOn("edited.jpg")).ingredients;
    expect(others).to.deep.equal([]);
    expect(parent).to.include({
      title: "original.jpg",
      relationship: "parentOf",
      format: "image/jpeg",
      state: "valid",
    });
    expect(codes(parent?.problems ?? [])).to.deep.equal([UNTRUSTED]);
    const trusted = await reportOn("collage.webp", { trustAnchors: await testRoot() });
    expect(trusted.ingredients.map(({ title, relationship, state }) => [title, relationship, state])).to.deep.equal([
      ["plain.jpg", "componentOf", undefined],
      ["generated.png", "componentOf", "trusted"],
    ]);
    expect(trusted.ingredients.flatMap(({ problems }) => problems)).to.deep.equal([]);
  });

  it("gives the hash of the manifest store that its maker's tool wrote", async () => {
    const stores = JSON.parse((await fixture("stores.json")).toString("utf8")) as Record<string, string>;
    expect(Object.keys(stores)).to.deep.equal(ISSUED);
    for (const [name, hash] of Object.entries(stores)) expect((await reportOn(name)).manifestHash).to.equal(hash);
  });

  it("reads several at once, each as if it were alone", async () => {
    const alone = [await reportOn("edited.jpg"), await reportOn("generated.png")];
    expect(await Promise.all([reportOn("edited.jpg"), reportOn("generated.png")])).to.deep.equal(alone);
  });
});

describe("C2PA: an asset that was changed", () => {
  it("is invalid with any byte of the picture flipped", async () => {
    for (const name of ["edited.jpg", "generated.png"]) {
      const bytes = await fixture(name);
      // The picture comes after the manifest, and ends in what a decoder needs: 12 bytes in a PNG, 2 in a JPEG.
      for (const back of [14, 60, 100]) {
        const at = bytes.length - back;
        const report = await reportOn(bytes.with(at, (bytes[at] as number) ^ 1));
        expect(report.state).to.equal("invalid");
        expect(codes(report.problems)).to.include("assertion.dataHash.mismatch");
        expect(report.title).to.equal(name);
      }
    }
  });

  it("is invalid with bytes appended, whoever is trusted", async () => {
    const longer = Buffer.concat([await fixture("original.jpg"), Buffer.from("more")]);
    const report = await reportOn(longer, { trustAnchors: await testRoot() });
    expect(report.state).to.equal("invalid");
  });

  it("is invalid where the manifest claims something else", async () => {
    const bytes = await fixture("generated.png");
    const at = bytes.indexOf("notAllowed", bytes.indexOf("cawg.ai_generative_training"));
    bytes.write("n0tAllowed", at);
    const report = await reportOn(bytes);
    expect(report.state).to.equal("invalid");
    expect(codes(report.problems)).to.include("assertion.hashedURI.mismatch");
    expect(report.manifestHash).to.not.equal((await reportOn("generated.png")).manifestHash);
  });

  it("is invalid with another's manifest", async () => {
    const [signed, plain] = [await fixture("original.jpg"), await fixture("edited.jpg")];
    const manifest = signed.subarray(0, signed.length - 1_200);
    const report = await reportOn(Buffer.concat([manifest, plain.subarray(plain.length - 1_200)]));
    expect(report.state).to.equal("invalid");
  });

  it("says which ingredient is in disorder", async () => {
    const bytes = await fixture("collage.webp");
    bytes.write("n0tAllowed", bytes.indexOf("notAllowed", bytes.indexOf("cawg.ai_generative_training")));
    const { state, ingredients } = await reportOn(bytes);
    expect(state).to.equal("invalid");
    expect(ingredients.map((ingredient) => ingredient.state)).to.deep.equal([undefined, "invalid"]);
  });

  it("property: no flipped byte makes a trusted asset say something else, and no error is a foreign one", async () => {
    const trustAnchors = await testRoot();
    const bytes = await fixture("edited.jpg");
    const { manifestHash: _, ...whole } = await reportOn(bytes, { trustAnchors });
    const flip = fc.record({ at: fc.nat(bytes.length - 1), bit: fc.nat(7) });
    await fc.assert(
      fc.asyncProperty(flip, async ({ at, bit }) => {
        const flipped = blobOf(bytes.with(at, (bytes[at] as number) ^ (1 << bit)));
        const outcome = await readC2pa(flipped, { trustAnchors }).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).to.be.instanceOf(HoldfastError);
        else if (outcome) {
          const { manifestHash: __, ...report } = outcome as Awaited<ReturnType<typeof reportOn>>;
          if (report.state !== "invalid") expect(report).to.deep.equal(whole);
        }
      }),
      { numRuns: runs(300) },
    );
  });
});

describe("C2PA: what has no manifest, or is no asset", () => {
  it("gives nothing for a picture without one, and fetches none that is elsewhere", async () => {
    for (const name of ["plain.jpg", "remote.jpg"])
      expect(await readC2pa(blobOf(await fixture(name)))).to.equal(undefined);
  });

  it("refuses types that carry none", async () => {
    for (const bytes of [
      Buffer.from("just some text"),
      Buffer.alloc(0),
      Buffer.alloc(100),
      await fixture("root.pem"),
    ]) {
      await expectError("C2PA_UNSUPPORTED", () => readC2pa(blobOf(bytes)));
    }
  });

  it("refuses files that break off, and noise", async () => {
    for (const name of ["edited.jpg", "generated.png", "collage.webp"]) {
      const bytes = await fixture(name);
      for (const part of [0.1, 0.5, 0.8]) {
        const cut = blobOf(bytes.subarray(0, bytes.length * part));
        await expectError("C2PA_UNREADABLE", () => readC2pa(cut));
      }
    }
    const noise = Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * i * 31 + 7) % 251));
    const error = await expectError("C2PA_UNREADABLE", () => readC2pa(blobOf(Buffer.from([0xff, 0xd8, 0xff]), noise)));
    expect(error.message).to.contain("Could not parse input JPEG").and.have.length.below(400);
  });

  it("refuses assets too large to hold, before it reads them", async () => {
    const start = await fixture("plain.jpg");
    const block = Buffer.alloc(1 << 20);
    const asset = new Blob([start, ...Array<Blob>(MAX_C2PA_ASSET_BYTES >> 20).fill(new Blob([block]))]);
    await expectError("C2PA_ASSET_TOO_LARGE", () => readC2pa(asset));
  });

  it("refuses trust anchors that are no certificates", async () => {
    const asset = blobOf(await fixture("original.jpg"));
    const root = await testRoot();
    const broken = root.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
    for (const trustAnchors of ["", "not pem", broken, `${root}\n${broken}`]) {
      await expectError("C2PA_TRUST_ANCHORS", () => readC2pa(asset, { trustAnchors }));
    }
  });

  it("lets the process end", async () => {
    const script = `
      import { readFileSync } from "node:fs";
      import { readC2pa } from "./src/provenance/c2pa/index.ts";
      const report = await readC2pa(new Blob([readFileSync("test/provenance/c2pa/fixtures/original.jpg")]));
      process.stdout.write(report.state);`;
    const root = new URL("../../..", import.meta.url);
    const run = ["--import", "tsx", "--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: root, timeout: 30_000 });
    expect(stdout).to.equal("valid");
  });
});
