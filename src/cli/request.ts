/** The commands about requests of the open market. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { tierIndex } from "../chain/tiers.js";
import { fileBlob } from "../client/blob-node.js";
import {
  actOnReplica,
  cancelRequest,
  dealIdText,
  findRequests,
  type ReplicaAction,
  type RequestStatus,
  type RequestWishes,
  readRequest,
  refundRequest,
  requestIdFrom,
  requestStatus,
} from "../client/index.js";
import { amountText, parseAmountOf, readToken, readTokens, type Token } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { commit } from "../piece/index.js";
import type { StorageRequest } from "../protocol/index.js";
import { type ChainFlags, chainCommand, printResult, type Session, tell, withChain, withClient } from "./context.js";
import { shortId } from "./deals.js";
import { ROW_COLUMNS, requestLines, requestReport, requestRow } from "./request-report.js";
import { type ServeFlags, withServing, withSource } from "./serving.js";
import { table } from "./table.js";
import { parseAddress, parseCount } from "./values.js";
import { parseRegion } from "./wishes.js";

const ID_HELP = "id of the request, or its first digits where they name one";
const MAX_EXPIRY_HOURS = 24 * 366;

interface PostFlags extends ChainFlags, ServeFlags {
  readonly dataUri?: string;
  readonly tier: string;
  readonly periods: number;
  readonly maxPeriods?: number;
  readonly replicas: number;
  readonly startPrice?: string;
  readonly maxPrice: string;
  readonly ramp?: number;
  readonly token?: string;
  readonly collateral?: string;
  readonly minStake?: string;
  readonly maxEgressPrice?: string;
  readonly region?: readonly string[];
  readonly hours: number;
  readonly repair?: boolean;
}

/** `holdfast request post FILE (--data-uri URI | --serve) --periods N --max-price AMOUNT …`. */
export function requestPostCommand(): Command {
  const regions = (text: string, before: readonly string[] = []) => [...before, parseRegion(text)];
  const command = chainCommand("post")
    .description("ask the open market to store a file: the price rises until providers take it")
    .argument("<file>", "the file to store")
    .option("--data-uri <uri>", "where providers fetch it: a URL, or piece: and the URL of a provider that has it")
    .option("--tier <tier>", "tier of the market's table, by index or name", "0")
    .requiredOption("--periods <n>", "periods that each replica is paid for", parseCount)
    .option("--max-periods <n>", "up to where a replica may be extended; as many as are paid by default", parseCount)
    .option("--replicas <n>", "how many providers are wanted, at most 32", parseCount, 1)
    .requiredOption("--max-price <amount>", 'the most that a period of a replica may cost: base units, or "1.5 USDC"')
    .option("--start-price <amount>", "what it may cost at first; nothing by default")
    .option("--ramp <blocks>", "blocks over which the price rises; a period of the tier by default", parseCount)
    .addOption(new Option("--token <address>", "what to pay with; the market's own by default").argParser(parseAddress))
    .option("--collateral <amount>", "what a provider stakes behind its replica; a period's highest price by default")
    .option("--min-stake <amount>", "what a provider has locked besides while its replica lives; nothing by default")
    .option("--max-egress-price <amount>", "the most that reading a GiB may cost; no limit by default")
    .addOption(new Option("--region <code>", "where replicas may lie: DE, US-CA; may be repeated").argParser(regions))
    .option("--hours <n>", "how long it can be filled", parseHours, 24)
    .option("--repair", "have a replica that defaults posted again, without your doing");
  return withServing(command).action((path: string, flags: PostFlags) => post(path, flags));
}

async function post(path: string, flags: PostFlags): Promise<void> {
  if ((flags.dataUri === undefined) === (flags.serve !== true)) {
    const hint = "give --data-uri URI, or --serve to serve the file from here";
    throw new HoldfastError("INVALID_OPTIONS", "one place has to be named where providers fetch the bytes", hint);
  }
  const payload = await fileBlob(path);
  await withClient(flags, async (session) => {
    const commitment = await commit(payload.stream());
    const send = async (dataUri: string) => {
      const { client } = session;
      const { id, request, pieceCid } = await client.request(commitment, await wishesFrom(flags, dataUri, session));
      const report = { id: dealIdText(id), pieceCid, dataUri, expires: request.expires };
      tell(`request ${report.id} is posted`);
      return report;
    };
    const report =
      flags.dataUri === undefined ? await withSource(payload, flags, session, send) : await send(flags.dataUri);
    printResult(flags, report, ({ id, pieceCid }) => [`request   ${id}`, `pieceCid  ${pieceCid}`]);
  });
}

async function wishesFrom(flags: PostFlags, dataUri: string, { chain }: Session): Promise<RequestWishes> {
  const { deployment, provider } = chain;
  const token = await readToken(provider, flags.token ?? deployment.stakeToken);
  const amount = (name: keyof RequestWishes, text: string | undefined) =>
    text === undefined ? {} : { [name]: parseAmountOf(text, token) };
  const now = BigInt((await provider.getBlock("latest"))?.timestamp ?? 0);
  const { periods, replicas, maxPeriods, ramp, region, repair = false, hours } = flags;
  return {
    tier: tierIndex(flags.tier, deployment),
    periods,
    replicas,
    maxPrice: parseAmountOf(flags.maxPrice, token),
    token: token.address,
    dataUri,
    repair,
    expires: now + BigInt(hours) * 3_600n,
    ...(maxPeriods === undefined ? {} : { maxPeriods }),
    ...(ramp === undefined ? {} : { rampEpochs: ramp }),
    ...(region === undefined ? {} : { regions: region }),
    ...amount("startPrice", flags.startPrice),
    ...amount("collateral", flags.collateral),
    ...amount("minStake", flags.minStake),
    ...amount("maxEgressPricePerGiB", flags.maxEgressPrice),
  };
}

interface ListFlags extends ChainFlags {
  readonly client?: string;
}

/** `holdfast request list [--client ADDRESS]`. */
export function requestListCommand(): Command {
  return chainCommand("list")
    .description("list requests, of all clients where none is named")
    .addOption(new Option("--client <address>", "requests that this account posted").argParser(parseAddress))
    .action((flags: ListFlags) =>
      withChain(flags, async (chain) => {
        const statuses: RequestStatus[] = [];
        for (const id of await findRequests(chain, flags.client)) statuses.push(await requestStatus(chain, id));
        const tokens = await readTokens(
          chain.provider,
          statuses.map(({ request }) => request.token),
        );
        printResult(flags, { requests: statuses.map(requestReport) }, () => {
          if (statuses.length === 0) return ["no requests"];
          return table(
            ROW_COLUMNS,
            statuses.map((status) => requestRow(status, tokens.get(status.request.token) as Token)),
          );
        });
      }),
    );
}

/** `holdfast request show ID`. */
export function requestShowCommand(): Command {
  return chainCommand("show")
    .description("print how a request stands, and each of its replicas")
    .argument("<id>", ID_HELP)
    .action((text: string, flags: ChainFlags) =>
      withChain(flags, async (chain) => {
        const status = await requestStatus(chain, await requestIdFrom(chain, text));
        const token = await readToken(chain.provider, status.request.token);
        printResult(flags, requestReport(status), () => requestLines(status, token, chain.deployment));
      }),
    );
}

/** `holdfast request cancel ID`. */
export function requestCancelCommand(): Command {
  return chainCommand("cancel")
    .description("take a request of yours off the market; what is filled stays")
    .argument("<id>", ID_HELP)
    .action((text: string, flags: ChainFlags) =>
      withClient(flags, async ({ chain, access }) => {
        const id = await requestIdFrom(chain, text);
        const lastEpoch = await cancelRequest(access, id);
        printResult(flags, { id: dealIdText(id), lastEpoch }, () => [
          `request ${shortId(dealIdText(id))} can be filled up to block ${lastEpoch}, then refunded`,
        ]);
      }),
    );
}

/** `holdfast request refund ID`. */
export function requestRefundCommand(): Command {
  return chainCommand("refund")
    .description("give the client back what is locked for replicas that nobody filled, after expiry or cancellation")
    .argument("<id>", ID_HELP)
    .action((text: string, flags: ChainFlags) =>
      withClient(flags, async ({ chain, access }) => {
        const id = await requestIdFrom(chain, text);
        const { request } = await readRequest(chain, id);
        const refunded = await refundRequest(access, id);
        await printMoney(flags, chain, request, { id: dealIdText(id), amount: refunded });
      }),
    );
}

/** `holdfast request terminate|release|collect|repair ID PROVIDER`. */
export function replicaCommand(action: ReplicaAction, description: string): Command {
  return chainCommand(action)
    .description(description)
    .argument("<id>", ID_HELP)
    .argument("<provider>", "address of the provider that has the replica", parseAddress)
    .action((text: string, provider: string, flags: ChainFlags) =>
      withClient(flags, async ({ chain, access }) => {
        const id = await requestIdFrom(chain, text);
        const { request } = await readRequest(chain, id);
        const collected = await actOnReplica(access, action, id, provider);
        await printMoney(flags, chain, request, { id: dealIdText(id), provider, amount: collected });
      }),
    );
}

async function printMoney(
  flags: ChainFlags,
  { provider }: Pick<Session["chain"], "provider">,
  { token: address, client }: StorageRequest,
  report: { readonly id: string; readonly provider?: string; readonly amount: bigint },
): Promise<void> {
  const token = await readToken(provider, address);
  printResult(flags, report, ({ amount }) => [`${amountText(amount, token)} went to ${client}'s account in the vault`]);
}

function parseHours(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_EXPIRY_HOURS) return Number(text);
  throw new InvalidArgumentError(`It has to be a whole number of hours, 1 to ${MAX_EXPIRY_HOURS}.`);
}
