import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGES = globSync("{*.md,{contracts,deployments,docs,examples,scripts,src,test}/**/*.md}", { cwd: ROOT }).sort();

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** A page without its code, in which brackets mean other things. */
const prose = (path: string): string =>
  read(path)
    .replaceAll(/^```[\s\S]*?^```/gm, "")
    .replaceAll(/`[^`\n]*`/g, "");

/** Targets of the links of a page, except those to other sites. */
function relativeLinks(path: string): string[] {
  const targets = [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(path: string): string[] {
  const headings = [
    ...read(path)
      .replaceAll(/^```[\s\S]*?^```/gm, "")
      .matchAll(/^#+ (.+)$/gm),
  ];
  return headings.map(([, text]) =>
    (text as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function resolves(page: string, target: string): boolean {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : join(dirname(page), decodeURIComponent(path));
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || !file.endsWith(".md") || anchors(file).includes(anchor);
}

describe("documentation", () => {
  for (const page of PAGES) {
    it(`${page}: every relative link leads somewhere`, () => {
      const broken = relativeLinks(page).filter((target) => !resolves(page, target));
      expect(broken).to.deep.equal([]);
    });
  }

  it("has a page for each contract", () => {
    const contracts = globSync("contracts/*.sol", { cwd: ROOT }).filter((path) => /^contract /m.test(read(path)));
    expect(contracts).to.include("contracts/StorageMarket.sol");
    const without = contracts.filter((path) => !PAGES.includes(`docs/${basename(path, ".sol")}.md`));
    expect(without, "write docs/<contract>.md").to.deep.equal([]);
  });

  it("lists every page in docs/README.md", () => {
    const listed = relativeLinks("docs/README.md");
    const pages = PAGES.filter((path) => dirname(path) === "docs" && path !== "docs/README.md");
    const missing = pages.filter((path) => !listed.includes(basename(path)));
    expect(missing, "add a row to docs/README.md").to.deep.equal([]);
  });

  it("numbers decisions once each, in order, and lists them", () => {
    const files = PAGES.filter((path) => /^docs\/decisions\/\d/.test(path)).map((path) => basename(path));
    expect(files.map((file) => Number.parseInt(file, 10))).to.deep.equal(files.map((_, i) => i + 1));
    expect(relativeLinks("docs/decisions/README.md")).to.deep.equal(files);
    for (const [i, file] of files.entries())
      expect(read(`docs/decisions/${file}`)).to.match(new RegExp(`^# ${i + 1}\\. `));
  });
});
