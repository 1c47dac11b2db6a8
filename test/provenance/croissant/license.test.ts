import { expect } from "chai";
import { licenseUrl, parseContentSize, spdxOfLicense } from "../../../src/provenance/croissant/index.js";
import { CURRENT_IDS } from "../../../src/provenance/rights/spdx.js";

describe("croissant: licences", () => {
  const known: readonly (readonly [license: string, id: string])[] = [
    ["MIT", "MIT"],
    [" afl-3.0 ", "AFL-3.0"],
    ["MIT OR Apache-2.0", "MIT OR Apache-2.0"],
    ["LicenseRef-ours", "LicenseRef-ours"],
    ["https://spdx.org/licenses/CC-BY-4.0", "CC-BY-4.0"],
    ["http://spdx.org/licenses/cc-by-4.0.html", "CC-BY-4.0"],
    ["https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"],
    ["https://creativecommons.org/licenses/by-nc-sa/4.0/deed.de", "CC-BY-NC-SA-4.0"],
    ["http://www.creativecommons.org/licenses/by-sa/3.0/de/legalcode", "CC-BY-SA-3.0-DE"],
    ["https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"],
    ["https://creativecommons.org/publicdomain/zero/1.0/legalcode.txt", "CC0-1.0"],
    ["https://creativecommons.org/publicdomain/mark/1.0/deed.en", "CC-PDM-1.0"],
    ["https://opensource.org/licenses/MIT", "MIT"],
    ["https://opensource.org/license/apache-2-0", "Apache-2.0"],
    ["https://opensource.org/license/bsd-3-clause/", "BSD-3-Clause"],
    ["https://opensource.org/licenses/BSD-3-Clause", "BSD-3-Clause"],
    ["https://opensource.org/license/agpl-v3", "AGPL-3.0"],
    ["https://opensource.org/license/isc-license-txt", "ISC"],
    ["https://www.apache.org/licenses/LICENSE-2.0.html#section", "Apache-2.0"],
    ["http://apache.org/licenses/LICENSE-2.0", "Apache-2.0"],
    ["https://www.gnu.org/licenses/gpl-3.0.en.html", "GPL-3.0"],
    ["https://www.gnu.org/licenses/old-licenses/lgpl-2.1.txt", "LGPL-2.1"],
    ["https://www.gnu.org/licenses/fdl-1.3.html", "GFDL-1.3"],
    ["https://www.mozilla.org/en-US/MPL/2.0/", "MPL-2.0"],
    ["https://opendatacommons.org/licenses/odbl/1-0/", "ODbL-1.0"],
    ["https://opendatacommons.org/licenses/by/", "ODC-By-1.0"],
    ["https://opendatacommons.org/licenses/pddl/summary/", "PDDL-1.0"],
    ["https://cdla.dev/permissive-2-0/", "CDLA-Permissive-2.0"],
    ["https://cdla.io/sharing-1-0", "CDLA-Sharing-1.0"],
  ];
  for (const [license, id] of known) {
    it(`finds ${id} in ${license}`, () => expect(spdxOfLicense(license)).to.equal(id));
  }

  const unknown = [
    "",
    "NONE",
    "all rights reserved",
    "https://commoncrawl.org/terms-of-use",
    "https://spdx.org/licenses/NoSuchLicence",
    "https://creativecommons.org/licenses/by/9.9/",
    "https://creativecommons.org/licenses/by-sa/3.0/xx/",
    "https://evil.example/https://spdx.org/licenses/MIT",
    "https://opensource.org/license/constructor",
    "https://opendatacommons.org/licenses/",
    `https://spdx.org/licenses/${"a".repeat(100_000)}`,
  ];
  for (const license of unknown) {
    it(`finds nothing in ${license.slice(0, 60)}`, () => expect(spdxOfLicense(license)).to.equal(undefined));
  }

  it("writes ids as spdx.org's URLs, from which they are found again, and leaves the rest alone", () => {
    for (const id of CURRENT_IDS) expect(spdxOfLicense(licenseUrl(id))).to.equal(id);
    expect(licenseUrl("apache-2.0")).to.equal("https://spdx.org/licenses/Apache-2.0");
    for (const license of ["https://example.org/terms", "MIT OR Apache-2.0", "LicenseRef-ours"]) {
      expect(licenseUrl(license)).to.equal(license);
    }
  });
});

describe("croissant: contentSize", () => {
  const sizes: readonly (readonly [text: string, bytes: bigint | undefined])[] = [
    ["117743 B", 117743n],
    ["0", 0n],
    [" 12 bytes ", 12n],
    ["1 byte", 1n],
    ["10.5 KB", 10500n],
    ["10.5kb", 10500n],
    ["10.5 KiB", 10752n],
    ["1.0005 KB", 1000n],
    ["3 MB", 3_000_000n],
    ["97.73 TiB", 107_455_271_382_548n],
    ["16 EiB", 1n << 64n],
    ["5 kilobytes", undefined],
    ["1.5 B", undefined],
    ["1.5", undefined],
    ["5 iB", undefined],
    ["-5 B", undefined],
    ["1,000 B", undefined],
    ["1e3", undefined],
    ["B", undefined],
    ["", undefined],
    ["9".repeat(31), undefined],
  ];
  for (const [text, bytes] of sizes) {
    it(`reads ${JSON.stringify(text)} as ${bytes ?? "no size"}`, () => expect(parseContentSize(text)).to.equal(bytes));
  }
});
