/** What a running process says of its own health, for whoever asks after it. */
import type { HealthReport } from "../keeper/index.js";

export interface OpsReport {
  readonly healthy: boolean;
  /** What is not well, for a person. */
  readonly wrong: readonly string[];
}

const TIMEOUT_MS = 3_000;

/** Base URL of where a folder's process tells its health. One that listens everywhere is asked here. */
export function opsUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  const here = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${here.includes(":") ? `[${here}]` : here}:${port}`;
}

/** Asks for it; null where nobody answers, or somebody else does. */
export async function opsReport(url: string): Promise<OpsReport | null> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
    const { healthy, checks } = (await response.json()) as HealthReport;
    const wrong = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    return { healthy, wrong };
  } catch {
    return null;
  }
}
