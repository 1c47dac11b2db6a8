/** What `holdfast provider init` makes of a folder, before anything of it is written. */
import { measureBlockSeconds } from "../chain/block-time.js";
import { tierIndex } from "../chain/tiers.js";
import { parseAmountOf, readToken } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { parsePolicy } from "../provider/policy/index.js";
import type { Session } from "./context.js";
import { type NodeFiles, type NodeFolder, type NodeParts, parseSettings, providerOf } from "./node-folder.js";
import { policyText, settingsText } from "./node-template.js";
import { DEFAULT_LISTEN, type InitFlags, parseOrigin, parseRegionCode } from "./provider-options.js";
import type { Asker } from "./questions.js";

/** A folder as it will be. */
export interface FolderDraft extends Pick<NodeFolder, "settings" | "policy"> {
  /** What is missing of it. */
  readonly files: NodeFiles;
}

/** @throws HoldfastError `NO_PROVIDER`, `WRONG_SIGNER` where a folder is that of somebody else */
export function requireOwn({ dir, settings }: NodeParts, account: string): void {
  if (settings === undefined) return;
  const provider = providerOf({ dir, settings });
  if (provider === account) return;
  const message = `the folder is of ${provider}, and the key is that of ${account}`;
  throw new HoldfastError("WRONG_SIGNER", message, "name another folder with --dir, or the provider's own key");
}

/**
 * Asks for what neither the folder nor an option says. Nothing is written.
 *
 * @throws HoldfastError `MISSING_SETTING`, `UNKNOWN_TIER`, `INVALID_AMOUNT`
 */
export async function draftFolder(
  asker: Asker,
  session: Session,
  parts: NodeParts,
  flags: InitFlags,
): Promise<FolderDraft> {
  const settings = parts.settings === undefined ? await settingsFile(asker, session, flags) : undefined;
  const policy = parts.policy === undefined ? await policyFile(asker, session, flags) : undefined;
  return {
    settings: parts.settings ?? parseSettings(settings!),
    policy: parts.policy ?? parsePolicy(policy!),
    files: {
      ...(settings !== undefined && { settings }),
      ...(policy !== undefined && { policy }),
      deployment: session.chain.deployment,
    },
  };
}

async function settingsFile(asker: Asker, { access }: Session, flags: InitFlags): Promise<string> {
  const where = { option: "--url", text: "Where clients reach the node (https://…)" };
  const url = await asker.ask(flags.url, where, parseOrigin);
  return settingsText({ provider: access.address, url, listen: flags.listen ?? DEFAULT_LISTEN });
}

async function policyFile(asker: Asker, { chain }: Session, flags: InitFlags): Promise<string> {
  const { deployment, provider } = chain;
  const token = await readToken(provider, flags.token ?? deployment.stakeToken);
  const lies = { option: "--region", text: "Where pieces lie (DE, US-CA)", fallback: "" };
  const region = await asker.ask(flags.region, lies, parseRegionCode);
  const costs = { option: "--price", text: `Price of a GiB for 30 days ("0.02 ${token.symbol}")` };
  const price = await asker.ask(flags.price, costs, (text) => parseAmountOf(text, token));
  const all = deployment.tiers.map((_, tier) => tier);
  const tiers = flags.tier?.map((tier) => tierIndex(tier, deployment)) ?? all;
  return policyText({ token, price, region, tiers }, deployment, await measureBlockSeconds(provider));
}
