/** Whether the options of `holdfast provider init` say what a folder says that is there already. */
import { isDevelopmentChain, measureBlockSeconds } from "../chain/block-time.js";
import type { Chain } from "../chain/chain.js";
import { type Deployment, formatDeployment } from "../chain/deployment.js";
import { tierIndex, tierName } from "../chain/tiers.js";
import { amountText, parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { type PolicyFile, scalars } from "../provider/policy/index.js";
import { tell } from "./context.js";
import type { NodeParts, NodeSettings } from "./node-folder.js";
import { pricePerPeriod } from "./node-template.js";
import type { InitFlags } from "./provider-options.js";

/** By so much may the time of 200 blocks move a price, on a chain and on a developer's own. */
const [DRIFT, DEVELOPMENT_DRIFT] = [1.1, 10];

/**
 * Lets nothing pass that was given and would not be done: the files of a folder stay as they are.
 *
 * @throws HoldfastError `FOLDER_DIFFERS` naming every option that says other than the folder
 * @throws HoldfastError `UNKNOWN_TIER`, `INVALID_AMOUNT`
 */
export async function requireSame(flags: InitFlags, parts: NodeParts, chain: Chain): Promise<void> {
  const { settings, policy, deployment } = parts;
  // Of another market, nothing else can be compared.
  if (deployment !== undefined) requireMarket(parts, deployment, chain.deployment);
  const found = [
    ...(settings === undefined ? [] : settingsDifferences(flags, settings)),
    ...(policy === undefined ? [] : await policyDifferences(flags, policy, chain)),
  ];
  if (found.length > 0) throw differs(parts, found);
}

function requireMarket(parts: NodeParts, there: Deployment, asked: Deployment): void {
  const read = (deployment: Deployment): Record<string, unknown> => JSON.parse(formatDeployment(deployment));
  const [ours, theirs] = [read(there), read(asked)];
  const members = Object.keys(ours).filter((name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name]));
  if (members.length === 0) return;
  const texts = `--deployment is ${marketText(asked)}, and deployment.json ${marketText(there)}`;
  throw differs(parts, [`${texts} (other: ${members.join(", ")})`]);
}

function marketText({ chainId, market }: Deployment): string {
  return `of the market ${market} on chain ${chainId}`;
}

function settingsDifferences({ url, listen }: InitFlags, settings: NodeSettings): string[] {
  const { publicUrl } = settings;
  const { host, port } = settings.listen;
  const asked = listen === undefined ? settings.listen : scalars.listen.parse(listen);
  const isSameUrl = url === undefined || (publicUrl !== undefined && new URL(publicUrl).href === new URL(url).href);
  return [
    ...(isSameUrl ? [] : [`--url is ${url}, and publicUrl ${publicUrl ?? "missing"}`]),
    ...(asked.host === host && asked.port === port ? [] : [`--listen is ${listen}, and listen ${host}:${port}`]),
  ];
}

async function policyDifferences(flags: InitFlags, policy: PolicyFile, chain: Chain): Promise<string[]> {
  const { deployment, provider } = chain;
  const { token: address = deployment.stakeToken, regions: [region = ""] = [] } = policy;
  const found: string[] = [];
  if (flags.region !== undefined && flags.region !== region) {
    found.push(`--region is ${flags.region || "none"}, and the first of regions ${region || "none"}`);
  }
  const names = (tiers: readonly string[]) => {
    const rows = new Set(tiers.map((tier) => tierIndex(tier, deployment)));
    return [...rows].sort((a, b) => a - b).map((tier) => tierName(tier, deployment));
  };
  const [asked, offered] = [flags.tier, Object.keys(policy.tiers ?? {})].map((tiers) => tiers && names(tiers).join());
  if (asked !== undefined && asked !== offered) found.push(`--tier is ${asked}, and tiers ${offered || "none"}`);
  if (flags.token !== undefined && flags.token !== address) {
    // An amount of another token is not compared.
    return [...found, `--token is ${flags.token}, and token ${address}`];
  }
  if (flags.price === undefined) return found;
  const token = await readToken(provider, address);
  const price = parseAmountOf(flags.price, token);
  return [...found, ...priceDifferences(price, policy, token, deployment, await measureBlockSeconds(provider))];
}

/**
 * Tiers whose price is another than a price for 30 days would be. How long a block takes is measured anew each time, so one that is
 * near is told of, and taken.
 *
 * @param price - of a GiB for 30 days, in base units
 */
export function priceDifferences(
  price: bigint,
  { tiers = {} }: PolicyFile,
  token: Token,
  deployment: Pick<Deployment, "chainId" | "tiers">,
  blockSeconds: number,
): string[] {
  const drift = isDevelopmentChain(deployment.chainId) ? DEVELOPMENT_DRIFT : DRIFT;
  return Object.entries(tiers).flatMap(([name, offer]) => {
    const { period } = deployment.tiers[tierIndex(name, deployment)]!;
    const [asked, there] = [pricePerPeriod(price, period, blockSeconds), parseAmountOf(offer.price, token)];
    if (asked === there) return [];
    const each = `--price is ${amountText(asked, token)} a period of tier ${name}`;
    const [low, high] = asked < there ? [asked, there] : [there, asked];
    // A price of few base units is rounded.
    if (Number(high) > Number(low) * drift + 1) return [`${each}, and its price ${amountText(there, token)}`];
    tell(`${each}, as blocks come now: the ${amountText(there, token)} of policy.yaml stay`);
    return [];
  });
}

function differs({ dir }: NodeParts, found: readonly string[]): HoldfastError {
  const hint = "change its files by hand, or leave out what they say: the files are what is registered";
  return new HoldfastError(
    "FOLDER_DIFFERS",
    `${dir} is there already, and says something else: ${found.join("; ")}`,
    hint,
  );
}
