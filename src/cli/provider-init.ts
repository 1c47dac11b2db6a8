/** `holdfast provider init`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { isDevelopmentChain, measureBlockSeconds } from "../chain/block-time.js";
import { tierIndex } from "../chain/tiers.js";
import { amountText, parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { keySourceFrom, publicKeyOf } from "../keys/index.js";
import { regionBytes } from "../protocol/index.js";
import { type EnrolmentStep, enrol, peerIdOf, type Stake } from "../provider/index.js";
import { nodePolicy, scalars } from "../provider/policy/index.js";
import { type ChainFlags, chainCommand, printResult, type Session, tell, withClient } from "./context.js";
import {
  dirOption,
  isNodeFolder,
  type NodeFolder,
  providerOf,
  readNodeFolder,
  writeNodeFolder,
} from "./node-folder.js";
import { type Answers, policyText, settingsText } from "./node-template.js";
import { type Asker, openAsker } from "./questions.js";
import { parseAddress } from "./values.js";

interface InitFlags extends ChainFlags {
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
  readonly listen: string;
  readonly yes?: boolean;
  readonly register: boolean;
}

/** What `holdfast provider init --json` prints. */
export interface InitReport {
  readonly provider: string;
  readonly dir: string;
  /** Files that were written; the others were there. */
  readonly written: readonly string[];
  /** What was done on the chain. */
  readonly steps: readonly EnrolmentStep[];
}

const INIT_HELP = `
It acts with the provider's own key (HOLDFAST_KEYSTORE), which owns the stake and need not be on the machine that the node runs on:
copy the folder there. Where the folder is there already, --price, --url, --region, --token, --tier and --listen are not looked at: what its
files say is what is registered. So after a change of node.yaml or policy.yaml, do it again.`;

/** `holdfast provider init [--dir DIR] [--url URL] [--price AMOUNT] [--stake AMOUNT] …`. */
export function providerInitCommand(): Command {
  const tiers = (text: string, before: readonly string[] = []) => [...before, text];
  return chainCommand("init")
    .description("make a provider's folder, register the provider and stake; what is not given is asked for")
    .addOption(dirOption())
    .option("--name <text>", "what clients read")
    .addOption(
      new Option("--url <origin>", "where clients reach the node: https://node.example").argParser(parseOrigin),
    )
    .addOption(new Option("--region <code>", "where pieces lie: DE, US-CA").argParser(parseRegionCode))
    .option("--price <amount>", 'of a GiB for 30 days: base units, or "0.02 USDC"')
    .option("--stake <amount>", "stake that the market is to have; what is there counts")
    .addOption(
      new Option("--token <address>", "to be paid in, and to stake; the market's own by default").argParser(
        parseAddress,
      ),
    )
    .addOption(
      new Option("--tier <tier>", "to offer, by index or name; may be repeated; all by default").argParser(tiers),
    )
    .addOption(
      new Option(
        "--signer <address>",
        "account whose key signs deals on the node; HOLDFAST_TERMS_… by default",
      ).argParser(parseAddress),
    )
    .addOption(
      new Option("--payee <address>", "account that is paid; the provider's own by default").argParser(parseAddress),
    )
    .addOption(
      new Option("--listen <host:port>", "where the node listens").default("127.0.0.1:8080").argParser(parseListen),
    )
    .option("--yes", "ask nothing, and take the defaults")
    .option("--no-register", "write the folder only; nothing is sent")
    .addHelpText("after", INIT_HELP)
    .action((flags: InitFlags) =>
      withClient(flags, async (session) => {
        const report = await init(session, flags);
        printResult(flags, report, initLines);
      }),
    );
}

async function init(session: Session, flags: InitFlags): Promise<InitReport> {
  const asker = openAsker(flags.yes === true);
  try {
    const written = isNodeFolder(flags.dir) ? [] : await write(asker, session, flags);
    const folder = await readNodeFolder(flags.dir);
    const provider = providerOf(folder);
    if (provider !== session.access.address) {
      const message = `the folder is of ${provider}, and the key is that of ${session.access.address}`;
      throw new HoldfastError("WRONG_SIGNER", message, "name another folder with --dir, or the provider's own key");
    }
    const steps = flags.register ? await register(asker, session, folder, flags) : [];
    return { provider, dir: folder.dir, written, steps };
  } finally {
    asker.close();
  }
}

async function write(asker: Asker, { access, chain }: Session, flags: InitFlags): Promise<string[]> {
  const { deployment, provider } = chain;
  const token = await readToken(provider, flags.token ?? deployment.stakeToken);
  const where = { option: "--url", text: "Where clients reach the node (https://…)" };
  const url = await asker.ask(flags.url, where, parseOrigin);
  const lies = { option: "--region", text: "Where pieces lie (DE, US-CA)", fallback: "" };
  const region = await asker.ask(flags.region, lies, parseRegionCode);
  const costs = { option: "--price", text: `Price of a GiB for 30 days ("0.02 ${token.symbol}")` };
  const price = await asker.ask(flags.price, costs, (text) => parseAmountOf(text, token));
  const all = deployment.tiers.map((_, tier) => tier);
  const tiers = flags.tier?.map((tier) => tierIndex(tier, deployment)) ?? all;
  const answers: Answers = { provider: access.address, token, price, region, url, listen: flags.listen, tiers };
  const policy = policyText(answers, deployment, await measureBlockSeconds(provider));
  return writeNodeFolder(flags.dir, { settings: settingsText(answers), policy, deployment });
}

/** Brings the registry to what the folder says. */
async function register(
  asker: Asker,
  session: Session,
  { settings, policy: file }: NodeFolder,
  flags: InitFlags,
): Promise<EnrolmentStep[]> {
  const { access, chain } = session;
  const { policy } = await nodePolicy(file, chain);
  const url = settings.publicUrl;
  if (url === undefined) {
    throw new HoldfastError("MISSING_SETTING", "node.yaml has no publicUrl", "clients find the node by it: add it");
  }
  const named = { option: "--name", text: "Name that clients read", fallback: "" };
  const name = await asker.ask(flags.name ?? (await nameOf(session)), named, String);
  const token = await readToken(chain.provider, policy.token);
  const stakes = await stakesOf(session, { token: token.address, amount: await askStake(asker, flags, chain, token) });
  const signer = flags.signer === undefined ? await signerOf(session) : { address: flags.signer };
  const [region] = policy.regions ?? [];
  const profile = {
    ...{ name, url, tiers: policy.tiers.map(({ tier }) => tier) },
    ...(region !== undefined && { region }),
    ...("peerId" in signer && { peerId: signer.peerId }),
  };
  const own = signer.address === access.address ? {} : { signer: signer.address };
  const payee = flags.payee === undefined ? {} : { payee: flags.payee };
  const steps = await enrol(access, { profile, stakes, ...own, ...payee });
  tellOfKeys(session, signer.address, flags.payee);
  return steps;
}

/** The name that it is registered by. */
async function nameOf({ access }: Session): Promise<string | undefined> {
  const { registry } = access.contracts;
  return (await registry.isRegistered(access.address)) ? (await registry.profileOf(access.address)).name : undefined;
}

function askStake(
  asker: Asker,
  flags: InitFlags,
  { deployment: { minStake, stakeToken } }: Session["chain"],
  token: Token,
): Promise<bigint> {
  const least = token.address === stakeToken && minStake > 0n ? { fallback: minStake.toString() } : {};
  const text = `Stake for the market to hold ("500 ${token.symbol}")`;
  return asker.ask(flags.stake, { option: "--stake", text, ...least }, (amount) => parseAmountOf(amount, token));
}

/** With what the market asks of every provider, in its own token. */
async function stakesOf({ chain }: Session, own: Stake): Promise<Stake[]> {
  const { stakeToken, minStake } = chain.deployment;
  const least = { token: stakeToken, amount: minStake };
  const stakes = own.token === stakeToken ? [{ ...own, amount: max(own.amount, minStake) }] : [own, least];
  const wanted = stakes.filter(({ amount }) => amount > 0n);
  for (const { token, amount } of wanted) {
    tell(`stake for the market to hold: ${amountText(amount, await readToken(chain.provider, token))}`);
  }
  return wanted;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** The key that will sign deals. Where no other is named, that is the provider's own, which is open already. */
async function signerOf({ signer: own }: Session): Promise<{ readonly address: string; readonly peerId: string }> {
  const source = keySourceFrom(process.env, "terms");
  const signer = source.label === keySourceFrom(process.env).label ? own : await source.open();
  return { address: signer.address, peerId: peerIdOf(await publicKeyOf(signer)) };
}

function tellOfKeys({ access, chain }: Session, signer: string, payee: string | undefined): void {
  if (isDevelopmentChain(chain.deployment.chainId)) return;
  if (signer === access.address) {
    tell("the provider's own key signs its deals: take another with --signer, and keep this one off the node");
  }
  if (payee === undefined) tell("the provider's own account is paid: name another with --payee");
}

function initLines({ provider, dir, written, steps }: InitReport): string[] {
  return [
    `provider  ${provider}`,
    `folder    ${dir}${written.length === 0 ? "" : `  (${written.join(", ")} written)`}`,
    ...(steps.length === 0 ? [] : [`on chain  ${steps.join(", ")}`]),
    "",
    `look at ${dir}/policy.yaml, then: holdfast provider run --dir ${dir}`,
  ];
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href;
  if (isOrigin) return url.origin;
  throw new InvalidArgumentError("It has to be an origin, without a path: https://node.example.");
}

function parseRegionCode(text: string): string {
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
