import { expect } from "chai";
import { odrlPolicy } from "../../../src/provenance/rights/index.js";
import { CONTEXT, file, manifest, readJson } from "./support.js";

const action = (iri: string) => ({ "odrl:action": { "@id": iri } });
const training = action("odrl:ai-training");
const permission = (rule: object) => ({ "@type": "odrl:Offer", "odrl:permission": rule });
const prohibition = (rule: object) => ({ "@type": "odrl:Offer", "odrl:prohibition": rule });
const constraint = { "odrl:leftOperand": { "@id": "odrl:purpose" }, "odrl:operator": { "@id": "odrl:eq" } };

const usageOf = async (usageInfo: unknown) => (await readJson(manifest({ usageInfo }))).usage;
const said = async (usageInfo: unknown) => (await readJson(manifest({ usageInfo }))).aiTraining;

describe("croissant: permitted use", () => {
  it("reads terms of a vocabulary, as in the specification's first example", async () => {
    const term = { "@type": "DefinedTerm", name: "General Research Use", termCode: "DUO_0000042", url: "duo:0000042" };
    expect(await usageOf([term])).to.deep.equal([
      { form: "term", name: "General Research Use", code: "DUO_0000042", url: "duo:0000042" },
    ]);
    expect(await usageOf(["https://example.org/terms", { "@id": "https://example.org/policy" }])).to.deep.equal([
      { form: "reference", target: "https://example.org/terms" },
      { form: "reference", target: "https://example.org/policy" },
    ]);
    expect(await said([term])).to.equal(undefined);
  });

  it("reads ODRL policies, as in its second", async () => {
    const context = { ...CONTEXT, duo: "http://purl.obolibrary.org/obo/DUO_" };
    const usageInfo = {
      "@type": ["CreativeWork", "odrl:Offer"],
      name: "DUO Usage Policy",
      "odrl:permission": {
        "@type": "odrl:Permission",
        "odrl:action": { "@id": "duo:0000006", name: "Health or Medical or Biomedical Use" },
        "odrl:constraint": [
          {
            "@type": "odrl:Constraint",
            name: "Non-commercial use only",
            "odrl:operator": { "@id": "odrl:eq" },
            "odrl:rightOperand": { "@id": "duo:0000018" },
          },
        ],
      },
    };
    const { usage, aiTraining } = await readJson(manifest({ "@context": context, usageInfo }));
    expect(usage).to.deep.equal([
      {
        form: "policy",
        name: "DUO Usage Policy",
        rules: [
          {
            kind: "permission",
            // JSON-LD 1.1 takes no term for a prefix that ends in "_", whatever the specification's example means.
            actions: ["duo:0000006"],
            constraints: [
              {
                name: "Non-commercial use only",
                operator: "http://www.w3.org/ns/odrl/2/eq",
                rightOperand: "duo:0000018",
              },
            ],
            duties: [],
          },
        ],
      },
    ]);
    expect(aiTraining).to.equal(undefined);
  });

  const cases: readonly (readonly [what: string, usageInfo: unknown, expected: string | undefined])[] = [
    ["nothing", undefined, undefined],
    ["a permission", permission(training), "allowed"],
    ["a permission in other words", permission(action("https://w3id.org/dpv/ai#ModelTraining")), "allowed"],
    ["a permission under a condition", permission({ ...training, "odrl:constraint": constraint }), "constrained"],
    ["a permission with a duty", permission({ ...training, "odrl:duty": action("odrl:attribute") }), "constrained"],
    [
      "a permission beside an obligation",
      { ...permission(training), "odrl:obligation": action("odrl:pay") },
      "constrained",
    ],
    [
      "a permission whose action is refined",
      permission({
        "odrl:action": {
          "http://www.w3.org/1999/02/22-rdf-syntax-ns#value": { "@id": "odrl:ai-training" },
          "odrl:refinement": constraint,
        },
      }),
      "constrained",
    ],
    ["a permission of something else", permission(action("odrl:distribute")), undefined],
    ["a permission of something wider", permission(action("odrl:use")), undefined],
    ["a prohibition", prohibition(training), "refused"],
    ["a prohibition as text", prohibition({ "odrl:action": "odrl:ai-training" }), "refused"],
    ["a prohibition of something wider", prohibition(action("http://www.w3.org/ns/tdmrep#mine")), "refused"],
    ["a prohibition of something else", prohibition(action("odrl:sell")), undefined],
    ["a prohibition under a condition", prohibition({ ...training, "odrl:constraint": constraint }), "constrained"],
    ["a prohibition of some training", prohibition(action("odrl:gen-ai")), "constrained"],
    ["both", [permission(training), prohibition(training)], "refused"],
    ["both in one", { ...permission(training), ...prohibition(training) }, "refused"],
    ["two permissions", [permission(training), permission({ ...training, "odrl:duty": training })], "constrained"],
    ["an obligation alone", { "odrl:obligation": training }, undefined],
  ];
  for (const [what, usageInfo, expected] of cases) {
    it(`makes ${expected ?? "no statement"} of ${what}`, async () => {
      expect(await said(usageInfo)).to.equal(expected);
      const distribution = [file("a", { usageInfo }), file("b")];
      const { files, aiTraining } = await readJson(manifest({ distribution }));
      expect(files.map((it) => it.aiTraining)).to.deep.equal([expected, undefined]);
      expect(aiTraining).to.equal(undefined);
    });
  }

  it("understands the policies that records are given", async () => {
    for (const use of ["allowed", "constrained", "refused"] as const) {
      const { permission, prohibition } = odrlPolicy("urn:holdfast:record:0x12", use)!;
      const rule = (permission ?? prohibition)![0]!;
      const entry = {
        "odrl:action": { "@id": rule.action },
        ...(rule.duty && { "odrl:duty": action("odrl:reviewPolicy") }),
      };
      expect(await said({ [permission ? "odrl:permission" : "odrl:prohibition"]: entry })).to.equal(use);
    }
  });
});
