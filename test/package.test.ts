import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Interface } from "ethers";
import manifest from "../package.json" with { type: "json" };
import * as abis from "../src/abi.js";

const ROOT = new URL("..", import.meta.url);
const IMPORT = /^(?:import|export)\s[^;"]*?\sfrom\s"([^"]+)"/gm;

/** Paths of all modules that `entries` need, types included, and the packages that they name. */
async function closure(entries: readonly string[]): Promise<{ files: Set<string>; packages: Set<string> }> {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = async (url: URL): Promise<void> => {
    const path = relative(fileURLToPath(ROOT), fileURLToPath(url));
    if (files.has(path)) return;
    files.add(path);
    if (path.startsWith("typechain-types/")) return; // generated, and packed as a whole
    for (const [, name = ""] of (await readFile(url, "utf8")).matchAll(IMPORT)) {
      if (name.startsWith(".")) await visit(new URL(name.replace(/\.js$/, ".ts"), url));
      else if (!name.startsWith("#")) packages.add(name);
    }
  };
  for (const entry of entries) await visit(new URL(entry, ROOT));
  for (const conditions of Object.values(manifest.imports)) {
    for (const entry of Object.values(conditions)) await visit(new URL(entry, ROOT));
  }
  return { files, packages };
}

describe("package", () => {
  const modules = Object.values(manifest.exports).filter((path) => path.endsWith(".ts"));

  it("exports modules that exist, and packs everything they need", async () => {
    const { files } = await closure(modules);
    expect([...files]).to.include.members(["src/protocol/index.ts", "typechain-types/index.ts"]);
    const packed = manifest.files.filter((path) => !path.startsWith("!"));
    const left = [...files].filter((path) => !packed.some((folder) => path.startsWith(`${folder}/`)));
    expect(left).to.deep.equal([]);
  });

  it("depends on every package that these name", async () => {
    const { packages } = await closure(modules);
    const names = [...packages].filter((name) => !name.startsWith("node:"));
    const owners = names.map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
    expect(Object.keys(manifest.dependencies)).to.include.members(owners);
  });

  it("exports ABIs in which every entry point and error can be looked up", () => {
    const { storageMarketAbi, vaultAbi, providerRegistryAbi, marketLensAbi, randomnessAbi, randaoRandomnessAbi } = abis;
    const market = new Interface(storageMarketAbi);
    for (const name of ["open", "prove", "proveMany", "settle", "restore", "extend", "terminate"]) {
      expect(market.getFunction(name), name).to.not.equal(null);
    }
    expect(market.getError("InvalidProof")).to.not.equal(null);
    expect(new Interface(vaultAbi).getFunction("depositAndApprove")).to.not.equal(null);
    expect(new Interface(providerRegistryAbi).getFunction("provision")).to.not.equal(null);
    expect(new Interface(marketLensAbi).getFunction("dealsOf")).to.not.equal(null);
    expect(new Interface(randomnessAbi).getFunction("seed")).to.not.equal(null);
    expect(new Interface(randaoRandomnessAbi).getFunction("checkpoint")).to.not.equal(null);
  });
});
