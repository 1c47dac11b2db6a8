import { expect } from "chai";
import type { C2paReport } from "../../src/provenance/c2pa/index.js";
import { credentialFindings, withCredentials } from "../../src/provenance/credentials.js";
import type { Finding } from "../../src/provenance/findings.js";
import type { RecordReport } from "../../src/provenance/verify.js";
import { reportOn, testRoot } from "./c2pa/helpers.js";

const recordsThat = (...uses: RecordReport["aiTraining"][]) =>
  uses.map((aiTraining) => ({ aiTraining }) as RecordReport);
const codes = (report: C2paReport, ...uses: RecordReport["aiTraining"][]) =>
  credentialFindings(report, recordsThat(...uses)).map(({ code, level }) => [code, level]);
const of = (code: string, level: Finding["level"] = "warning"): Finding => ({ code, level, message: "" });

describe("provenance: content credentials beside records", () => {
  it("CREDENTIALS_UNTRUSTED, a note, where nobody vouches for an intact one's signer", async () => {
    expect(codes(await reportOn("original.jpg"))).to.deep.equal([["CREDENTIALS_UNTRUSTED", "note"]]);
    expect(codes(await reportOn("original.jpg", { trustAnchors: await testRoot() }))).to.deep.equal([]);
  });

  it("CREDENTIALS_AI_TRAINING where they refuse what a record allows; who says nothing allows nothing", async () => {
    const refusing = await reportOn("generated.png", { trustAnchors: await testRoot() });
    expect(refusing.aiTraining).to.equal("refused");
    for (const use of ["allowed", "constrained"] as const) {
      expect(codes(refusing, "refused", use), use).to.deep.equal([["CREDENTIALS_AI_TRAINING", "warning"]]);
    }
    expect(codes(refusing, "refused", "unstated")).to.deep.equal([]);
    expect(codes(refusing)).to.deep.equal([]);
    expect(codes(await reportOn("original.jpg", { trustAnchors: await testRoot() }), "allowed")).to.deep.equal([]);
  });

  it("speaks against bytes that nobody has registered where they say that it was changed, and never for any", () => {
    const broken = [of("CREDENTIALS_ALTERED")];
    expect(withCredentials("unknown", broken)).to.equal("altered");
    expect(withCredentials("verified", broken)).to.equal("warning");
    expect(withCredentials("warning", broken)).to.equal("warning");
    expect(withCredentials("altered", broken)).to.equal("altered");
    // A certificate that has expired says nothing against the bytes.
    expect(withCredentials("unknown", [of("CREDENTIALS_INVALID")])).to.equal("unknown");
    expect(withCredentials("verified", [of("CREDENTIALS_INVALID")])).to.equal("warning");
    const note = [of("CREDENTIALS_UNTRUSTED", "note")];
    for (const outcome of ["verified", "warning", "altered", "unknown"] as const) {
      expect(withCredentials(outcome, note)).to.equal(outcome);
      expect(withCredentials(outcome, [])).to.equal(outcome);
    }
    expect(withCredentials("unknown", [of("CREDENTIALS_AI_TRAINING")])).to.equal("unknown");
  });
});
