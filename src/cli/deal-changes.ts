/** The commands that change a deal together with a provider. */
import { type Command, Option } from "commander";
import { tierIndex } from "../chain/tiers.js";
import { fileBlob } from "../client/blob-node.js";
import {
  type AmendStep,
  amendDeal,
  dealIdFrom,
  dealIdText,
  type MigrateOptions,
  type MigrateStep,
  migrateDeal,
  readDeal,
} from "../client/index.js";
import { amountText, parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { type ChainFlags, chainCommand, printResult, type Session, tell, withClient } from "./context.js";
import { carryInto, otherMarket } from "./deal-carry.js";
import { shortId } from "./deals.js";
import { parseAddress, parseCount } from "./values.js";
import { parseRegion } from "./wishes.js";

const ID_HELP = "id of the deal, or its first digits where they name one";

interface AmendFlags extends ChainFlags {
  readonly maxPrice: string;
}

/** `holdfast deal amend ID FILE --max-price AMOUNT`. */
export function dealAmendCommand(): Command {
  return chainCommand("amend")
    .description("put another file in the place of a deal's: the provider gets it, signs, and proves it from then on")
    .argument("<id>", ID_HELP)
    .argument("<file>", "the file that the deal is to be for")
    .requiredOption("--max-price <amount>", 'the most that a period may cost then: base units, or "1.5 USDC"')
    .action(async (text: string, path: string, flags: AmendFlags) => {
      const payload = await fileBlob(path);
      await withClient(flags, async ({ chain, access }) => {
        const id = await dealIdFrom(chain, text);
        const token = await readToken(chain.provider, (await readDeal(chain, id)).token);
        const maxPricePerPeriod = parseAmountOf(flags.maxPrice, token);
        const onProgress = (step: AmendStep) => tell(amendText(step));
        const { from, amendment, pieceCid, url } = await amendDeal(access, id, payload, {
          maxPricePerPeriod,
          onProgress,
        });
        const { pricePerPeriod, nonce } = amendment;
        printResult(flags, { id: dealIdText(id), pieceCid, url, pricePerPeriod, from, nonce }, () => [
          `deal ${shortId(dealIdText(id))} is for ${pieceCid} from window ${from} on`,
          `a period costs ${amountText(pricePerPeriod, token)} then`,
        ]);
      });
    });
}

function amendText(step: AmendStep): string {
  if (step.step === "committed") return `commitment ${step.pieceCid}`;
  if (step.step === "uploaded") return `${step.url} has the bytes and checked them`;
  return `the provider has signed amendment ${step.amendment.nonce}`;
}

interface MigrateFlags extends ChainFlags {
  readonly into?: string;
  readonly to?: string;
  readonly region?: readonly string[];
  readonly maxPrice?: string;
  readonly periods?: number;
  readonly maxPeriods?: number;
  readonly tier?: string;
  readonly file?: string;
}

/** `holdfast deal migrate ID [--into FILE] [--to ADDRESS] [--region CODE] [--max-price AMOUNT] …`. */
export function dealMigrateCommand(): Command {
  const regions = (text: string, before: readonly string[] = []) => [...before, parseRegion(text)];
  return chainCommand("migrate")
    .description(
      "move a deal to another provider, which fetches the piece and shows that it has it; or to another market",
    )
    .argument("<id>", ID_HELP)
    .option("--into <file>", "deployment file of another market of this chain, to open it in before it is ended here")
    .addOption(new Option("--to <address>", "only to this provider").argParser(parseAddress))
    .addOption(new Option("--region <code>", "where it may lie: DE, US, US-CA; may be repeated").argParser(regions))
    .option("--max-price <amount>", 'the most that a period may cost there: base units, or "1.5 USDC"; as much as now')
    .option("--periods <n>", "periods paid there; as many as the old deal gives back by default", parseCount)
    .option("--max-periods <n>", "up to where it may be extended there; as many as are paid by default", parseCount)
    .option("--tier <tier>", "tier there, by index or name; as now by default, or the one like it")
    .option("--file <path>", "the file, to hand over where the old provider does not serve it any more")
    .action(async (text: string, flags: MigrateFlags) => {
      const payload = flags.file === undefined ? undefined : await fileBlob(flags.file);
      await withClient(flags, (session) => move(session, text, payload, flags));
    });
}

async function move(session: Session, text: string, payload: Blob | undefined, flags: MigrateFlags): Promise<void> {
  const { chain, access } = session;
  const to = flags.into === undefined ? undefined : await otherMarket(chain, flags.into);
  const id = await dealIdFrom(chain, text);
  const deal = await readDeal(chain, id);
  const token = await readToken(chain.provider, deal.token);
  const wishes = { ...moveWishes(flags, token), ...(payload === undefined ? {} : { payload }) };
  if (to !== undefined) return carryInto(to, session, id, token, wishes, flags);
  const options: MigrateOptions = {
    maxPricePerPeriod: deal.pricePerPeriod,
    ...wishes,
    ...(flags.tier === undefined ? {} : { tier: tierIndex(flags.tier, chain.deployment) }),
    onProgress: (step) => tell(moveText(step, token)),
  };
  const { successor, terms, url } = await migrateDeal(access, id, options);
  const { provider, periods, pricePerPeriod } = terms;
  const report = { id: dealIdText(id), successor: dealIdText(successor), provider, url, periods, pricePerPeriod };
  printResult(flags, report, () => [
    `deal ${shortId(report.id)} goes on as ${report.successor}`,
    `with ${provider} at ${url}, ${periods} periods at ${amountText(pricePerPeriod, token)}`,
  ]);
}

/** What is said of the deal that goes on, in whichever market. */
function moveWishes({ to, region, maxPrice, periods, maxPeriods }: MigrateFlags, token: Token) {
  return {
    ...(to === undefined ? {} : { providers: [to] }),
    ...(region === undefined ? {} : { regions: region }),
    ...(maxPrice === undefined ? {} : { maxPricePerPeriod: parseAmountOf(maxPrice, token) }),
    ...(periods === undefined ? {} : { periods }),
    ...(maxPeriods === undefined ? {} : { maxPeriods }),
  };
}

function moveText(step: MigrateStep, token: Token): string {
  if (step.step === "chosen") return `${step.provider} at ${step.url} takes ${amountText(step.price, token)} a period`;
  if (step.step === "there") return `${step.url} has ${step.pieceCid}`;
  return `${step.url} does not take it: ${step.reason}`;
}
