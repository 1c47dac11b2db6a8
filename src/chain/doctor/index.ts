/**
 * Everything that has to be so before anybody acts on a network with money, looked at and told of at once.
 *
 * @packageDocumentation
 */
import { formatUnits } from "ethers";
import type { Logger } from "pino";
import { type Build, compareCode } from "../compare-code.js";
import type { Deployment } from "../deployment.js";
import { namedEndpoints } from "../endpoint-names.js";
import type { Network } from "../networks.js";
import type { PoolProvider } from "../pool-provider.js";
import { examineAccount } from "./account.js";
import { type Examined, examineEndpoint } from "./endpoint.js";
import { type Finding, failure, look, notesAt } from "./finding.js";
import { coinText, type GasCosts, gasCosts } from "./gas.js";
import { examineSeeds } from "./seeds.js";
import { examineTokens } from "./tokens.js";

export type { Finding, FindingState } from "./finding.js";
export { failure, notesAt } from "./finding.js";

export interface DoctorOptions {
  readonly urls: readonly string[];
  readonly chainId: number;
  readonly network: Network | undefined;
  readonly deployment: Deployment | undefined;
  /** The contracts as they were compiled here, where they were. */
  readonly build?: Build | undefined;
  /** Whose balance and stake are looked at. */
  readonly account?: string | undefined;
  readonly logger: Logger;
}

/** Above this the endpoints are not of one mind, in seconds; two blocks are always let pass. */
const APART_SECONDS = 60;

/**
 * Looks at all endpoints of a network and, through the best of them, at what is on the chain. What fails is a finding; nothing is
 * sent.
 *
 * @throws {HoldfastError} `INVALID_ENDPOINT`
 */
export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const names = namedEndpoints(options.urls);
  const examined = await Promise.all(names.map(({ url, name }) => examineEndpoint(url.href, name, options)));
  try {
    const findings = [...logFindings(examined), ...apart(examined, options)];
    const best = bestOf(examined);
    return best === undefined ? findings : [...findings, ...(await examineChain(best, options))];
  } finally {
    for (const { provider } of examined) provider?.destroy();
  }
}

/** The one with the fewest failures; of those, the one that is furthest ahead. */
function bestOf(examined: readonly Examined[]): PoolProvider | undefined {
  const count = ({ findings }: Examined) => findings.filter(({ state }) => state === "failed").length;
  const usable = examined.filter(({ provider }) => provider !== undefined);
  return usable.sort((a, b) => count(a) - count(b) || b.head - a.head)[0]?.provider;
}

/** That one endpoint lacks old logs is a warning while another has them, and a failure where none has. */
function logFindings(examined: readonly Examined[]): Finding[] {
  const findings = examined.flatMap((one) => one.findings);
  const some = findings.some(({ what, state }) => what === "logs" && state === "ok");
  return findings.map((one) =>
    one.what === "logs" && !some && one.state === "warning" ? { ...one, state: "failed" } : one,
  );
}

function apart(examined: readonly Examined[], { network }: DoctorOptions): Finding[] {
  const heads = examined.map(({ head }) => head).filter((head) => head > 0);
  if (heads.length < 2) return [];
  const notes = notesAt("");
  const blocks = Math.max(...heads) - Math.min(...heads);
  const seen = `${blocks} blocks apart`;
  if (blocks <= Math.max(2, APART_SECONDS / (network?.blockSeconds ?? APART_SECONDS))) return [notes.ok("heads", seen)];
  return [notes.warning("heads", seen, "leave out the endpoint that is behind, or ahead: see docs/endpoints.md")];
}

async function examineChain(provider: PoolProvider, options: DoctorOptions): Promise<Finding[]> {
  const { deployment, network, build, account } = options;
  const notes = notesAt("");
  const found = [...(await examineTokens(provider, network, deployment))];
  let costs: GasCosts | undefined;
  if (deployment !== undefined) {
    if (build !== undefined) {
      found.push(...(await look(notes, "local build", () => ownBuild(provider, deployment, build))));
    }
    found.push(...(await examineSeeds(provider, deployment)));
    try {
      costs = await gasCosts(provider, deployment, account);
      found.push(notes.ok("gas", gasText(costs, network)));
    } catch (error) {
      found.push(failure(notes, "gas", error));
    }
  }
  if (account === undefined) return found;
  return [...found, ...(await examineAccount(provider, { address: account, network, deployment, costs }))];
}

async function ownBuild(provider: PoolProvider, deployment: Deployment, build: Build): Promise<Finding> {
  const notes = notesAt("");
  const wrong = (await compareCode(provider, deployment, build)).filter(({ differs }) => differs !== undefined);
  if (wrong.length === 0) return notes.ok("local build", "the code on the chain is that of these sources");
  const seen = wrong.map(({ name, differs }) => `${name}: ${differs}`).join("; ");
  const commit = deployment.build?.commit;
  const todo = `check out ${commit === undefined ? "the commit of the deployment" : commit}, or take another deployment`;
  return notes.failed("local build", seen, todo);
}

function gasText({ price, proof, scale }: GasCosts, network: Network | undefined): string {
  const times = scale < 1_500n ? "" : `, for ${scale / 1_000n} times as much gas as on an EVM`;
  const gwei = Number(formatUnits(price, "gwei")).toPrecision(4);
  return `${gwei} gwei; a proof costs about ${coinText(proof, network?.coin ?? "coin")}${times}`;
}
