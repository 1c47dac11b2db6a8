import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { parse } from "yaml";
import { Metrics } from "../../../src/keeper/ops/metrics.js";
import { evaluate, type Series } from "../../support/promql/evaluate.js";
import { labelsOf } from "../../support/promql/labels.js";
import { parsePromql } from "../../support/promql/parse.js";

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

  it("joins nothing whose labels can't be the same", async () => {
    const { labels } = await served();
    const known = (metric: string) => {
      if (metric === "up") return [];
      const stem = metric.replace(/_(bucket|sum|count)$/, "");
      const own = labels.get(metric) ?? labels.get(stem);
      return metric.endsWith("_bucket") && own !== undefined ? [...own, "le"] : own;
    };
    const check = (expr: string) => labelsOf(parsePromql(expr), known);
    for (const { expr } of rules) check(expr);
    for (const { targets = [] } of dashboard.panels) for (const { expr } of targets) check(expr);
    // It can fail: these would never ring, or never be read.
    for (const [expr, why] of [
      ["holdfast_duties_open > 0 and increase(holdfast_duty_trouble_total[30m]) > 0", /never the same/],
      [
        'holdfast_duties_open > 0 and sum by (instance) (holdfast_duties_done_total{own="true"}) == 0',
        /never the same/,
      ],
      ["sum by (code) (holdfast_duties_open)", /no label code/],
      ['holdfast_healthy{chck="duties"} == 0', /no label chck/],
      ["increase(holdfast_duties_missed_total) > 0", /needs a range/],
      ["sum(holdfast_duties_open", /too early/],
    ] as const) {
      expect(() => check(expr), expr).to.throw(why);
    }
  });

  describe("alerts", () => {
    const NOW = 7_200;
    const keeper = { instance: "a:9464", job: "holdfast" };
    /** A series that was scraped each minute, up to now: with one value, or another one for its last minutes. */
    const series = (
      metric: string,
      more: Record<string, string>,
      value: number,
      before?: number,
      minutes = 5,
    ): Series => {
      const labels = { ...keeper, ...more };
      const at = Array.from({ length: 121 }, (_, i) => i * 60);
      const samples = at.map((when) => [when, when > NOW - minutes * 60 ? value : before] as const);
      return { metric, labels, samples: samples.filter((one): one is [number, number] => one[1] !== undefined) };
    };
    const healthy = (check: string, ok: boolean) => series("holdfast_healthy", { check }, ok ? 1 : 0, 1);
    const rings = (name: string, ...scraped: Series[]): boolean => {
      const { expr } = rules.find(({ alert }) => alert === name)!;
      return (evaluate(parsePromql(expr), scraped, NOW) as unknown[]).length > 0;
    };

    it("ring where a window was missed, also one that was found at the start, or is told by nobody", () => {
      const missed = (value: number, before?: number) => series("holdfast_duties_missed_total", {}, value, before);
      const fine = healthy("duties", true);
      expect(rings("HoldfastWindowMissed", missed(4, 4), fine)).to.equal(false);
      expect(rings("HoldfastWindowMissed", missed(5, 4), fine)).to.equal(true);
      expect(rings("HoldfastWindowMissed", missed(0), fine), "a start").to.equal(false);
      expect(rings("HoldfastWindowMissed", missed(2), fine), "a start with what was missed before").to.equal(true);
      expect(rings("HoldfastWindowMissed", missed(0, 0), healthy("duties", false))).to.equal(true);
    });

    it("ring where proofs are late", () => {
      const open = series("holdfast_duties_open", {}, 1, 1);
      const none = [series("holdfast_duties_done_total", { own: "true" }, 7, 7)];
      const trouble = (value: number, before?: number) =>
        series("holdfast_duty_trouble_total", { code: "MISSING_PIECE" }, value, before);
      expect(rings("HoldfastProofsLate", open, ...none, trouble(1))).to.equal(true);
      expect(rings("HoldfastProofsLate", open, ...none, trouble(2, 1))).to.equal(true);
      expect(rings("HoldfastProofsLate", open, ...none, trouble(1, 1)), "that was long ago").to.equal(false);
      const some = series("holdfast_duties_done_total", { own: "true" }, 8, 7);
      expect(rings("HoldfastProofsLate", open, some, trouble(2, 1))).to.equal(false);
    });

    it("ring for one keeper that is gone among others, and where none is asked", () => {
      const up = (instance: string, value: number) => series("up", { instance }, value, 1);
      expect(rings("HoldfastKeeperGone", up("a", 1), up("b", 1))).to.equal(false);
      expect(rings("HoldfastKeeperGone", up("a", 1), up("b", 0))).to.equal(true);
      expect(rings("HoldfastKeeperGone", series("up", { job: "node" }, 1, 1))).to.equal(true);
    });

    it("ring for a stranger who was there at the start, for a keeper that stands still, for misses that stay", () => {
      const strange = series("holdfast_doppelganger_transactions_total", { account: "0x1" }, 3);
      expect(rings("HoldfastDoppelganger", strange, healthy("keys", true))).to.equal(false);
      expect(rings("HoldfastDoppelganger", strange, healthy("keys", false))).to.equal(true);
      expect(rings("HoldfastKeeperStuck", healthy("looks", true))).to.equal(false);
      expect(rings("HoldfastKeeperStuck", healthy("looks", false))).to.equal(true);
      const held = (code: string) => series("holdfast_misses_held_deals", { code }, 2);
      const both = (code: string) => [
        rings("HoldfastNotRestored", held(code)),
        rings("HoldfastRestoreLimit", held(code)),
      ];
      expect([both("NO_STAKE"), both("RESTORE_LIMIT")]).to.deep.equal([
        [true, false],
        [false, true],
      ]);
    });
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
