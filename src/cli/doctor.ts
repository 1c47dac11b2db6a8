/** `holdfast doctor`. */
import type { Command } from "commander";
import { isDevelopmentChain } from "../chain/block-time.js";
import type { Deployment } from "../chain/deployment.js";
import { readDeployment } from "../chain/deployment-node.js";
import { examine, type Finding, failure, notesAt } from "../chain/doctor/index.js";
import { findDeployment } from "../chain/find-deployment-node.js";
import { networkNamed, networkOf } from "../chain/networks.js";
import { HoldfastError } from "../errors.js";
import { isKeyNamed, keySourceFrom } from "../keys/index.js";
import { accountText } from "./account-text.js";
import { hasLocalBuild, localBuild } from "./artifacts.js";
import { type ChainFlags, chainCommand, chainIdAtFirst, commandLogger, printResult, rpcUrls } from "./context.js";
import { table } from "./table.js";

/** What `holdfast doctor --json` prints. */
export interface DoctorReport {
  readonly network: string | null;
  readonly chainId: number;
  readonly failed: number;
  readonly warnings: number;
  readonly findings: readonly Finding[];
}

/** `holdfast doctor --network NAME [--deployment FILE] [--json]`. */
export function doctorCommand(): Command {
  return chainCommand("doctor")
    .description(
      "look at everything that has to be right on a network before you act there: endpoints, deployment and its code, seeds, " +
        "tokens, gas, and the account of the key that is set. Sends nothing; exit status 1 if anything failed",
    )
    .action(doctor);
}

async function doctor(flags: ChainFlags): Promise<void> {
  const urls = rpcUrls(flags);
  const { chainId, deployment, finding } = await subjectOf(flags, urls);
  const network = networkOf(chainId);
  const key = await keyOf(chainId);
  const build = hasLocalBuild() ? localBuild() : undefined;
  const found = await examine({
    ...{ urls, chainId, network, deployment, build, account: key.address, logger: commandLogger("silent") },
  });
  const findings = [finding, ...key.findings, ...found];
  const count = (state: Finding["state"]) => findings.filter((one) => one.state === state).length;
  const [failed, warnings] = [count("failed"), count("warning")];
  printResult<DoctorReport>(flags, { network: network?.name ?? null, chainId, failed, warnings, findings }, linesOf);
  if (failed === 0) return;
  const { todo } = findings.find(({ state }) => state === "failed")!;
  throw new HoldfastError("NOT_READY", `${failed} of ${findings.length} checks failed`, todo);
}

/** The chain that is meant, and its deployment: that there is none keeps nobody from looking at the rest. */
async function subjectOf({ network, deployment: file }: ChainFlags, urls: readonly string[]) {
  const notes = notesAt("");
  const named = network ? networkNamed(network).chainId : undefined;
  try {
    const found: { deployment: Deployment; file: string } =
      file && named === undefined
        ? { deployment: await readDeployment(file), file }
        : await findDeployment(named ?? (await chainIdAtFirst(urls)), { file });
    const { deployment } = found;
    const seen = `${found.file}: the market ${deployment.market} of block ${deployment.block}`;
    return { chainId: deployment.chainId, deployment, finding: notes.ok("deployment", seen) };
  } catch (error) {
    const chainId = named ?? (await chainIdAtFirst(urls));
    return { chainId, deployment: undefined, finding: failure(notes, "deployment", error) };
  }
}

/** The key that commands would act with, opened where nobody has to be asked for its password. */
async function keyOf(chainId: number): Promise<{ address?: string; findings: Finding[] }> {
  const notes = notesAt("");
  if (!isKeyNamed(process.env)) {
    return { findings: [notes.note("key", "none is set: reading needs none, acting does", "see docs/keys.md")] };
  }
  try {
    const source = keySourceFrom(process.env);
    const address = source.asks === true ? await source.address() : (await source.open()).address;
    const seen = `${accountText(address, chainId)}, ${source.label}`;
    if (source.development && !isDevelopmentChain(chainId)) {
      const todo = "use a keystore: `holdfast keys import`";
      return { address, findings: [notes.warning("key", `${seen}, is in the clear`, todo)] };
    }
    const asked = source.asks === true ? "; its password will be asked for" : "";
    return { address, findings: [notes.ok("key", `${seen}${asked}`)] };
  } catch (error) {
    return { findings: [failure(notes, "key", error)] };
  }
}

function linesOf({ findings, failed, warnings }: DoctorReport): string[] {
  const rows = findings.map(({ state, at, what, seen, todo }) => [
    state,
    at,
    what,
    todo === "" ? seen : `${seen}: ${todo}`,
  ]);
  const columns = [
    { title: "" },
    { title: "endpoint" },
    { title: "check" },
    { title: "what was seen, and what to do" },
  ];
  return [...table(columns, rows), "", `${findings.length} checks, ${failed} failed, ${warnings} warnings`];
}
