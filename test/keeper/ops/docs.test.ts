import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { parse } from "yaml";
import { Metrics } from "../../../src/keeper/ops/metrics.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(new URL(path, `file://${ROOT}`), "utf8");

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

/** Names that a registry serves: a histogram has three. */
async function served(): Promise<{ names: Set<string>; labels: Map<string, readonly string[]> }> {
  const metrics = await new Metrics().registry.getMetricsAsJSON();
  const names = metrics.flatMap(({ name, type }) =>
    String(type) === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  );
  const instruments = new Metrics().registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[];
  return { names: new Set(names), labels: new Map(instruments.map(({ name, labelNames }) => [name, labelNames])) };
}

const namesIn = (text: string): string[] => [...new Set(text.match(/\bholdfast_[a-z_]+/g) ?? [])];

describe("docs/ops", () => {
  const dashboard = JSON.parse(read("docs/ops/grafana-dashboard.json")) as {
    title: string;
    uid: string;
    panels: Panel[];
  };
  const rules = (parse(read("docs/ops/alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (one) => one.rules,
  );
  const page = read("docs/ops/README.md");

  it("asks for no metric that is not served", async () => {
    const { names } = await served();
    for (const file of ["docs/ops/grafana-dashboard.json", "docs/ops/alerts.yaml"]) {
      const asked = namesIn(read(file));
      expect(asked.length, file).to.be.greaterThan(5);
      expect(
        asked.filter((name) => !names.has(name)),
        file,
      ).to.deep.equal([]);
    }
  });

  it("shows every metric, and explains it", async () => {
    const { names, labels } = await served();
    const shown = new Set(dashboard.panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => namesIn(expr))));
    const stem = (name: string) => name.replace(/_(bucket|sum|count)$/, "");
    const stems = new Set([...names].map(stem));
    expect(
      [...stems].filter((name) => ![...shown].map(stem).includes(name)),
      "on the dashboard",
    ).to.deep.equal([]);
    expect(
      [...labels.keys()].filter((name) => !page.includes(`\`${name}\``)),
      "in README.md",
    ).to.deep.equal([]);
  });

  it("groups by labels that there are", async () => {
    const { labels } = await served();
    const known = new Set([...[...labels.values()].flat(), "le", "instance", "job"]);
    const exprs = [
      ...rules.map(({ expr }) => expr),
      ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ];
    for (const expr of exprs) {
      const used = [...expr.matchAll(/by \(([^)]*)\)|\{([a-z_]+)(?:=|!)/g)].flatMap(([, by, one]) =>
        (by ?? one ?? "").split(/, */),
      );
      expect(
        used.filter((label) => label !== "" && !known.has(label)),
        expr,
      ).to.deep.equal([]);
      expect((expr.match(/\(/g) ?? []).length, expr).to.equal((expr.match(/\)/g) ?? []).length);
    }
  });

  it("says of each alert what to do", () => {
    expect(rules.length).to.be.greaterThan(5);
    for (const { alert, for: wait, labels, annotations } of rules) {
      expect(wait, alert).to.match(/^\d+[smh]$/);
      expect(["page", "ticket"], alert).to.include(labels.severity);
      expect(annotations.summary, alert).not.to.equal("");
      expect(page, alert).to.include(`### ${alert}`);
    }
  });

  it("has panels that lie beside each other, under ids of their own", () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).to.equal(dashboard.panels.length);
    const cells = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).to.be.at.most(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x}/${y}`), title).to.equal(false);
          cells.add(`${x}/${y}`);
        }
      }
    }
  });

  it("is the only place in src/keeper/ops that knows prom-client", () => {
    const users = globSync("src/**/*.ts", { cwd: ROOT }).filter((path) => /from "prom-client"/.test(read(path)));
    expect(users).to.deep.equal(["src/keeper/ops/metrics.ts"]);
  });
});
