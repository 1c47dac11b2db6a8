import { InvalidArgumentError } from "commander";
import { blockscout, etherscan } from "../../scripts/deploy/explorers/etherscan.js";
import type { ExplorerClient } from "../../scripts/deploy/explorers/explorer.js";
import { PACE } from "../../scripts/deploy/explorers/http.js";
import { Sourcify } from "../../scripts/deploy/explorers/sourcify.js";
import { EXPLORER_FACTS, EXPLORERS, type Explorer, explorerApi } from "../chain/explorers.js";
import { HoldfastError } from "../errors.js";
import { keepSecret, keepSecretsOfUrl } from "../secrets.js";

/** The explorers that sources go to, and those that they do not, with the reason. */
export interface ChosenExplorers {
  readonly clients: readonly ExplorerClient[];
  readonly leftOut: readonly { readonly explorer: string; readonly why: string }[];
}

/** `sourcify,blockscout` on a command line. */
export function parseExplorers(text: string): Explorer[] {
  const names = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((name) => name !== "");
  const unknown = names.find((name) => !EXPLORERS.includes(name as Explorer));
  if (unknown === undefined && names.length > 0) return [...new Set(names as Explorer[])];
  throw new InvalidArgumentError(`known are ${EXPLORERS.join(", ")}, with commas between them.`);
}

/**
 * The explorers of a chain that are named, or all of which an API is known, with a key where it wants one. Settings win over what is
 * known of a chain.
 *
 * @throws HoldfastError `INVALID_SETTING` where a URL is none, `MISSING_SETTING` where one that is named can't be asked, or none is left
 */
export function chooseExplorers(
  chainId: number,
  named: readonly Explorer[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): ChosenExplorers {
  const clients: ExplorerClient[] = [];
  const leftOut: { explorer: string; why: string }[] = [];
  for (const explorer of named ?? EXPLORERS) {
    const { title, urlVariable, keyVariable } = EXPLORER_FACTS[explorer];
    const url = environment[urlVariable] || explorerApi(explorer, chainId);
    const key = keyVariable && environment[keyVariable];
    if (url === undefined)
      leftOut.push({ explorer: title, why: `none is known for chain ${chainId}, and ${urlVariable} names none` });
    else if (keyVariable && !key) leftOut.push({ explorer: title, why: `${keyVariable} is not set` });
    else clients.push(clientOf(explorer, chainId, checked(url, urlVariable), key || ""));
  }
  if (clients.length > 0 && (named === undefined || leftOut.length === 0)) return { clients, leftOut };
  const reasons = leftOut.map(({ explorer, why }) => `${explorer}: ${why}`).join("; ");
  throw new HoldfastError("MISSING_SETTING", "sources can't be sent where they should be", reasons);
}

function clientOf(explorer: Explorer, chainId: number, url: string, key: string): ExplorerClient {
  const pace = { ...PACE, gapMs: EXPLORER_FACTS[explorer].gapMs };
  if (explorer === "sourcify") return new Sourcify(url, chainId, pace);
  if (explorer === "blockscout") return blockscout(url, pace);
  keepSecret(key);
  return etherscan(url, chainId, key, pace);
}

function checked(url: string, variable: string): string {
  keepSecretsOfUrl(url);
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  // Not repeated in the message: it may hold a password.
  throw new HoldfastError("INVALID_SETTING", `${variable} is no http: or https: URL`, `mend ${variable}`);
}
