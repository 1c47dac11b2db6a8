import { expect } from "chai";
import { type C2paReport, kindFromC2pa } from "../../../src/provenance/c2pa/index.js";
import { reportOf } from "../../../src/provenance/c2pa/report.js";
import { reportOn } from "./helpers.js";

/** The report on one manifest of c2pa-rs's JSON. */
function reportWith(manifest: object, results: object = {}): C2paReport {
  const store = { manifests: { a: manifest }, validation_state: "Valid", validation_results: results };
  return reportOf(JSON.stringify(store), "a", "image/png", "00");
}

const training = (label: string, entries: object) =>
  reportWith({ assertions: [{ label, data: { entries } }] }).aiTraining;

const IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/";

describe("C2PA: permission to train", () => {
  it("is the most restrictive of what is said of training", () => {
    const generative = (one: string, other: string) =>
      training("cawg.training-mining", {
        "cawg.ai_training": { use: one },
        "cawg.ai_generative_training": { use: other },
      });
    expect(generative("allowed", "allowed")).to.equal("allowed");
    expect(generative("allowed", "constrained")).to.equal("constrained");
    expect(generative("notAllowed", "constrained")).to.equal("refused");
    expect(generative("allowed", "notAllowed")).to.equal("refused");
  });

  it("is read in C2PA's form and CAWG's, out of all assertions", () => {
    expect(training("c2pa.training-mining", { "c2pa.ai_training": { use: "notAllowed" } })).to.equal("refused");
    expect(training("c2pa.training-mining__2", { "c2pa.ai_generative_training": { use: "allowed" } })).to.equal(
      "allowed",
    );
    const both = ["allowed", "notAllowed"].map((use, i) => ({
      label: `cawg.training-mining${i === 0 ? "" : "__1"}`,
      data: { entries: { "cawg.ai_training": { use } } },
    }));
    expect(reportWith({ assertions: both }).aiTraining).to.equal("refused");
  });

  it("is missing where nothing is said of training", () => {
    expect(reportWith({}).aiTraining).to.equal(undefined);
    expect(training("cawg.training-mining", {})).to.equal(undefined);
    expect(training("cawg.training-mining", { "cawg.data_mining": { use: "notAllowed" } })).to.equal(undefined);
    expect(training("some.training-mining", { "cawg.ai_training": { use: "notAllowed" } })).to.equal(undefined);
  });

  it("has to be asked for where what is said is not understood", () => {
    for (const entry of [{ use: "perhaps" }, {}, "notAllowed", null, { use: 1 }]) {
      expect(training("cawg.training-mining", { "cawg.ai_training": entry })).to.equal("constrained");
    }
  });
});

describe("C2PA: reports", () => {
  it("reads manifests of the first version", () => {
    const report = reportWith({
      claim_generator: "Old tool/1.0",
      format: "image/webp",
      assertions: [
        { label: "c2pa.actions", data: { actions: [{ action: "c2pa.edited", softwareAgent: "Old tool" }] } },
      ],
      ingredients: [{ title: "a", relationship: "parentOf", document_id: "xmp.did:1", hash: "abc" }],
    });
    expect(report).to.deep.include({ claimGenerators: ["Old tool/1.0"], format: "image/webp", signer: {} });
    expect(report.actions).to.deep.equal([{ action: "c2pa.edited", softwareAgent: "Old tool" }]);
    expect(report.ingredients).to.deep.equal([
      { title: "a", relationship: "parentOf", documentId: "xmp.did:1", hash: "abc", problems: [] },
    ]);
  });

  it("finds agents that actions only point to", () => {
    const actions = [
      { action: "c2pa.edited", softwareAgentIndex: 1 },
      { action: "c2pa.cropped", softwareAgentIndex: 7 },
    ];
    const data = { softwareAgents: [{ name: "A" }, { name: "B", version: "2" }], actions };
    expect(reportWith({ assertions: [{ label: "c2pa.actions.v2", data }] }).actions).to.deep.equal([
      { action: "c2pa.edited", softwareAgent: "B 2" },
      { action: "c2pa.cropped" },
    ]);
  });

  it("takes what is of a wrong type for missing, and keeps what is beside it", () => {
    const report = reportWith({
      title: 7,
      claim_generator_info: "a tool",
      signature_info: [],
      assertions: [null, { label: "c2pa.actions", data: { actions: [3, { action: "c2pa.opened", when: {} }] } }],
      ingredients: [1, { title: ["a"], relationship: "friendOf" }],
    });
    expect(report).to.deep.equal({
      state: "valid",
      problems: [],
      manifestHash: "00",
      label: "a",
      format: "image/png",
      claimGenerators: [],
      signer: {},
      actions: [{ action: "c2pa.opened" }],
      ingredients: [{ problems: [] }],
    });
  });

  it("shortens text, and leaves no characters in it that would deceive whoever reads it", () => {
    expect(reportWith({ title: "a\u001b[31mb\r\nc\u202etxt.exe" }).title).to.equal("a [31mb c txt.exe");
    const long = reportWith({ title: "😀".repeat(5_000) }).title as string;
    expect(long).to.equal(`${"😀".repeat(499)}…`);
  });

  it("takes the reader's word on an ingredient's signer, and the worst on all else", () => {
    const failed = (...codes: string[]) => codes.map((code) => ({ code }));
    const state = (recorded: object, today: object) => {
      const ingredient = { label: "i", active_manifest: "b", validation_results: { activeManifest: recorded } };
      const delta = { ingredientAssertionURI: "self#jumbf=/c2pa/a/c2pa.assertions/i", validationDeltas: today };
      return reportWith({ ingredients: [ingredient] }, { ingredientDeltas: [delta] }).ingredients[0]?.state;
    };
    const [trusted, untrusted] = [failed("signingCredential.trusted"), failed("signingCredential.untrusted")];
    expect(state({ success: trusted }, {})).to.equal("trusted");
    expect(state({ success: trusted }, { failure: untrusted })).to.equal("valid");
    expect(state({ failure: untrusted }, { success: trusted })).to.equal("trusted");
    expect(state({ failure: untrusted }, {})).to.equal("valid");
    expect(state({ failure: failed("assertion.dataHash.mismatch") }, { success: trusted })).to.equal("invalid");
    expect(state({ success: trusted }, { failure: failed("claimSignature.mismatch") })).to.equal("invalid");
  });
});

describe("C2PA: kinds of records", () => {
  const kind = (actions: [string, string?][], ...relationships: string[]) =>
    kindFromC2pa({
      actions: actions.map(([action, source]) => ({
        action: `c2pa.${action}`,
        ...(source && { digitalSourceType: IPTC + source }),
      })),
      ingredients: relationships.map((relationship) => ({ relationship, problems: [] }) as never),
    });

  it("fit the fixtures", async () => {
    const kinds = {
      "original.jpg": "original",
      "edited.jpg": "edited",
      "generated.png": "generated",
      "collage.webp": "aggregated",
    };
    for (const [name, due] of Object.entries(kinds)) expect(kindFromC2pa(await reportOn(name)), name).to.equal(due);
  });

  it("follow sources, ingredients and actions", () => {
    expect(kind([["created", "digitalCapture"]])).to.equal("original");
    expect(kind([["created", "digitalCreation"], ["edited"]])).to.equal("edited");
    expect(kind([["created", "trainedAlgorithmicMedia"]], "inputTo")).to.equal("generated");
    expect(kind([["created", "algorithmicMedia"]])).to.equal("generated");
    expect(kind([["opened"], ["edited", "compositeWithTrainedAlgorithmicMedia"]], "parentOf")).to.equal("edited");
    expect(kind([["opened"], ["cropped"]], "parentOf", "componentOf", "componentOf")).to.equal("edited");
    expect(kind([["opened"], ["transcoded"]], "parentOf")).to.equal("derived");
    expect(kind([["created"], ["placed"], ["placed"]], "componentOf", "componentOf")).to.equal("aggregated");
    expect(kind([["created", "compositeCapture"]])).to.equal("aggregated");
    expect(kind([["created"], ["placed"]], "componentOf")).to.equal("derived");
    expect(kind([["created"]], "inputTo")).to.equal("derived");
    expect(kind([["color_adjustments"]])).to.equal("edited");
    expect(kind([])).to.equal("original");
  });
});
