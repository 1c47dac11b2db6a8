/** What `holdfast provider init` can be told. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { regionBytes } from "../protocol/index.js";
import { scalars } from "../provider/policy/index.js";
import type { ChainFlags } from "./context.js";
import { parseAddress } from "./values.js";

/** The options of `holdfast provider init`. What is undefined was not given. */
export interface InitFlags extends ChainFlags {
  readonly dir: string;
  readonly name?: string;
  readonly url?: string;
  readonly region?: string;
  readonly price?: string;
  readonly stake?: string;
  readonly token?: string;
  readonly tier?: readonly string[];
  readonly signer?: string;
  readonly payee?: string;
  readonly listen?: string;
  readonly yes?: boolean;
  readonly register: boolean;
}

/** Where a node listens that was told nothing else. */
export const DEFAULT_LISTEN = "127.0.0.1:8080";

/** Adds them to a command. */
export function withInitOptions(command: Command): Command {
  const tiers = (text: string, before: readonly string[] = []) => [...before, text];
  const options = [
    new Option("--name <text>", "what clients read"),
    new Option("--url <origin>", "where clients reach the node: https://node.example").argParser(parseOrigin),
    new Option("--region <code>", "where pieces lie: DE, US-CA").argParser(parseRegionCode),
    new Option("--price <amount>", 'of a GiB for 30 days: base units, or "0.02 USDC"'),
    new Option("--stake <amount>", "stake that the market is to have; what is there counts, and is the default"),
    new Option("--token <address>", "to be paid in, and to stake; the market's own by default").argParser(parseAddress),
    new Option("--tier <tier>", "to offer, by index or name; may be repeated; all by default").argParser(tiers),
    new Option(
      "--signer <address>",
      "account whose key signs deals on the node; that of HOLDFAST_TERMS_…, or the one that is registered, by default",
    ).argParser(parseAddress),
    new Option("--payee <address>", "account that is paid; the one that is registered by default").argParser(
      parseAddress,
    ),
    new Option("--listen <host:port>", `where the node listens; ${DEFAULT_LISTEN} by default`).argParser(parseListen),
    new Option("--yes", "ask nothing, and take the defaults"),
    new Option("--no-register", "write the folder only; nothing is sent"),
  ];
  for (const option of options) command.addOption(option);
  return command;
}

/** An origin, without a path. */
export function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href;
  if (isOrigin) return url.origin;
  throw new InvalidArgumentError("It has to be an origin, without a path: https://node.example.");
}

/** ISO 3166, or nothing. */
export function parseRegionCode(text: string): string {
  try {
    if (text !== "") regionBytes(text);
    return text;
  } catch {
    throw new InvalidArgumentError("It has to be an ISO 3166 code in capitals: DE, US-CA.");
  }
}

function parseListen(text: string): string {
  if (scalars.listen.safeParse(text).success) return text;
  throw new InvalidArgumentError("It has to be HOST:PORT.");
}
