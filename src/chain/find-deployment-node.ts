/** Which deployment file is a chain's: the one place that decides. */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../errors.js";
import { type Deployment, formatDeployment } from "./deployment.js";
import { readDeployment } from "./deployment-node.js";
import { networkNamed } from "./networks.js";

/** What comes with the package. */
const OWN = fileURLToPath(new URL("../../deployments", import.meta.url));

export interface FoundDeployment {
  readonly deployment: Deployment;
  /** Where it was read. */
  readonly file: string;
}

/** Where to look; each by default as the settings say. */
export interface DeploymentPlaces {
  /** The file itself: `HOLDFAST_DEPLOYMENT` by default. */
  readonly file?: string | undefined;
  /** A folder of files `<chain id>.json`: `HOLDFAST_DEPLOYMENTS`, or `deployments` of the working directory, by default. */
  readonly folder?: string | undefined;
  /** The folder that comes with the package. */
  readonly own?: string;
}

/**
 * Finds the deployment of a chain: the file that is named; in the folder that is named; in `deployments` of the working directory; or with
 * the package. What lies in the working directory takes the place of a deployment of the package only where somebody names it: money
 * goes to these contracts, and a directory may be anybody's.
 *
 * @param chain - its id, or the name of a network
 * @throws {HoldfastError} `NO_DEPLOYMENT`; `AMBIGUOUS_DEPLOYMENT` where working directory and package have two; `WRONG_CHAIN` where the file
 *   is of another chain; `INVALID_SETTING` where a folder is named that is none; `UNKNOWN_NETWORK`, `DEPLOYMENT_UNREADABLE`,
 *   `DEPLOYMENT_INVALID`.
 *
 * @example
 * ```ts
 * const { deployment } = await findDeployment("calibration");
 * ```
 */
export async function findDeployment(chain: number | string, places: DeploymentPlaces = {}): Promise<FoundDeployment> {
  const chainId = typeof chain === "string" ? networkNamed(chain).chainId : chain;
  const { file = process.env.HOLDFAST_DEPLOYMENT, own = OWN } = places;
  // A setting that is left empty is none.
  if (file) return readFor(chainId, file);
  const name = `${chainId}.json`;
  const folder = namedFolder(places);
  const [theirs, ours] = [join(folder ?? "deployments", name), join(own, name)];
  const [isTheirs, isOurs] = [existsSync(theirs), existsSync(ours) && resolve(theirs) !== ours];
  if (!isTheirs && !isOurs) throw none(chainId, resolve(theirs));
  if (!isTheirs) return readFor(chainId, ours);
  const found = await readFor(chainId, theirs);
  if (folder === undefined && isOurs) requireSame(found, await readFor(chainId, ours));
  return found;
}

/** Where the deployment of a chain is written to, where nobody says otherwise. @throws {HoldfastError} `INVALID_SETTING` */
export function deploymentPath(chainId: number): string {
  return join(namedFolder({}) ?? OWN, `${chainId}.json`);
}

function namedFolder({ folder = process.env.HOLDFAST_DEPLOYMENTS }: DeploymentPlaces): string | undefined {
  if (!folder) return undefined;
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  const message = `the folder of deployments ${folder} is none`;
  throw new HoldfastError("INVALID_SETTING", message, "mend HOLDFAST_DEPLOYMENTS, or make the folder");
}

async function readFor(chainId: number, file: string): Promise<FoundDeployment> {
  const deployment = await readDeployment(file);
  if (deployment.chainId === chainId) return { deployment, file };
  const message = `${file} is a deployment on chain ${deployment.chainId}, not on chain ${chainId}`;
  throw new HoldfastError("WRONG_CHAIN", message, "name the file of this chain, or its network");
}

function requireSame(theirs: FoundDeployment, ours: FoundDeployment): void {
  if (formatDeployment(theirs.deployment) === formatDeployment(ours.deployment)) return;
  const { chainId, market } = ours.deployment;
  const message = `${theirs.file} of the working directory is not the deployment on chain ${chainId} that comes with Holdfast (${market})`;
  throw new HoldfastError(
    "AMBIGUOUS_DEPLOYMENT",
    message,
    "name the one you mean with --deployment or HOLDFAST_DEPLOYMENT",
  );
}

function none(chainId: number, path: string): HoldfastError {
  const message = `no deployment on chain ${chainId} is known here`;
  const hint = `name its file with --deployment or HOLDFAST_DEPLOYMENT, or put it at ${path}`;
  return new HoldfastError("NO_DEPLOYMENT", message, hint);
}
