import { readFileSync } from "node:fs";
import { expect } from "chai";
import { type LockPackages, missingEntries } from "../../scripts/complete-lockfile.js";

const parent = (optionalDependencies: Record<string, string>, more = {}) => ({ optionalDependencies, ...more });

describe("lockfile", () => {
  it("is complete: else npm ci refuses it (run `npm run lockfile`)", () => {
    const lock = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"));
    expect(Object.keys(lock.packages).length).to.be.greaterThan(100);
    expect(missingEntries(lock.packages)).to.deep.equal({});
  });

  it("gets what is missing for other platforms, told by the names", () => {
    const packages: LockPackages = {
      "node_modules/a": parent({ "@a/cli-linux-x64-musl": "1.2.3", "a-darwin-amd64": "1.2.3" }, { dev: true }),
    };
    expect(missingEntries(packages)).to.deep.equal({
      "node_modules/@a/cli-linux-x64-musl": {
        ...{ version: "1.2.3", os: ["linux"], cpu: ["x64"], libc: ["musl"], dev: true, optional: true },
      },
      "node_modules/a-darwin-amd64": { version: "1.2.3", os: ["darwin"], cpu: ["x64"], dev: true, optional: true },
    });
  });

  it("keeps what is there, beside the parent or above it", () => {
    const packages: LockPackages = {
      "node_modules/a/node_modules/b": parent({
        "x-linux-x64": "1.0.0",
        "y-linux-x64": "1.0.0",
        "z-linux-x64": "1.0.0",
      }),
      "node_modules/a/node_modules/b/node_modules/x-linux-x64": {},
      "node_modules/a/node_modules/y-linux-x64": {},
      "node_modules/z-linux-x64": {},
    };
    expect(missingEntries(packages)).to.deep.equal({});
  });

  for (const [name, version] of [
    ["fsevents", "2.3.3"],
    ["a-linux", "1.0.0"],
    ["a-linux-x64", "^1.0.0"],
  ] as const) {
    it(`guesses nothing about ${name}@${version}`, () => {
      expect(() => missingEntries({ "node_modules/a": parent({ [name]: version }) })).to.throw(/lock it by hand/);
    });
  }
});
