import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import manifest from "../../package.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);
/** Imports that stay when types are erased: `import type` and `export type` are gone. */
const IMPORT = /^(?:import|export)\s(?!type\s)(?:[^;"]*?\sfrom\s)?"([^"]+)"/gm;

/** What a browser gets for an import of the package's own. */
function portable(name: string): string {
  return manifest.imports[name as keyof typeof manifest.imports].default;
}

/** Every module that `entry` loads, with what each asks for from outside. */
async function closure(entry: URL): Promise<{ files: string[]; packages: Map<string, string> }> {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const visit = async (url: URL): Promise<void> => {
    if (files.has(url.href)) return;
    files.add(url.href);
    for (const [, name = ""] of (await readFile(url, "utf8")).matchAll(IMPORT)) {
      if (name.startsWith("#")) await visit(new URL(portable(name), ROOT));
      else if (name.startsWith(".")) await visit(new URL(name.replace(/\.js$/, ".ts"), url));
      else packages.set(name, relative(fileURLToPath(ROOT), fileURLToPath(url)));
    }
  };
  await visit(entry);
  return { files: [...files], packages };
}

describe("client: in a browser", () => {
  it("loads nothing of Node's", async () => {
    const { files, packages } = await closure(new URL("src/client/index.ts", ROOT));
    expect(files.some((file) => file.endsWith("src/chain/contracts.ts"))).to.equal(true);
    expect([...packages.keys()]).to.include.members(["ethers", "multiformats", "zod"]);
    expect([...packages].filter(([name]) => name.startsWith("node:") || name === "pino")).to.deep.equal([]);
  });

  it("would notice if it did", async () => {
    const { packages } = await closure(new URL("src/client/file-node.ts", ROOT));
    expect([...packages.keys()]).to.include("node:fs/promises");
  });
});
