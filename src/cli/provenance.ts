/** The commands that say what one thinks of records, one's own and others'. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { attest, dealIdFrom, dealIdText, linkDeals, revoke, supersede, withdraw } from "../client/index.js";
import { HoldfastError } from "../errors.js";
import { ProvenanceBook } from "../provenance/book.js";
import { idsIn, parseTopic, recordIdFrom } from "./claims.js";
import { type ChainFlags, chainCommand, printResult, type Session, tell, withClient } from "./context.js";

const ID_HELP = "id of the record or set, or its first digits where they name one";
const REASON_HELP = "why; it is public, for good: no personal data";
interface AttestFlags extends ChainFlags {
  readonly dispute?: boolean;
  readonly topic?: string;
  readonly reason?: string;
  readonly expires?: bigint;
}

/** `holdfast provenance attest ID [--dispute] [--topic T] [--reason R] [--expires DATE]`. */
export function attestCommand(): Command {
  return subjectCommand("attest", "vouch for somebody else's record or set, or dispute it")
    .option("--dispute", "dispute it, where the default is to vouch for it")
    .addOption(topicOption())
    .option("--reason <text>", REASON_HELP)
    .addOption(new Option("--expires <date>", "when it stops counting: 2027-01-31").argParser(parseDate))
    .action((text: string, { dispute, topic, reason, expires, ...flags }: AttestFlags) =>
      onSubject(flags, text, async ({ access }, id) => {
        const verdict = dispute ? "disputes" : "vouches";
        const more = { ...(topic && { topic }), ...(reason && { reason }), ...(expires && { expires }) };
        await attest(access, id, { verdict, ...more });
        return { id, verdict, attester: access.address };
      }),
    );
}

/** `holdfast provenance revoke ID [--topic T] [--reason R]`. */
export function revokeCommand(): Command {
  return subjectCommand("revoke", "take back what you have said of a record or set")
    .addOption(topicOption())
    .option("--reason <text>", REASON_HELP)
    .action((text: string, { topic, reason, ...flags }: AttestFlags) =>
      onSubject(flags, text, async ({ access }, id) => {
        const revoked = await revoke(access, id, topic, reason);
        if (!revoked) tell("there was nothing to take back");
        return { id, revoked };
      }),
    );
}

/** `holdfast provenance withdraw ID [--reason R]`. */
export function withdrawCommand(): Command {
  return subjectCommand("withdraw", "stand by a record or set of yours no longer, for good; it stays readable")
    .option("--reason <text>", REASON_HELP)
    .action((text: string, { reason, ...flags }: AttestFlags) =>
      onSubject(flags, text, async ({ access }, id) => {
        if (!(await withdraw(access, id, reason))) tell("it was withdrawn before, for the reason given then");
        return { id, withdrawn: true };
      }),
    );
}

/** `holdfast provenance supersede ID BY`. */
export function supersedeCommand(): Command {
  return subjectCommand("supersede", "put a later record or set of yours in the place of one, for good")
    .argument("<by>", ID_HELP)
    .action((text: string, by: string, flags: ChainFlags) =>
      onSubject(flags, text, async ({ access }, id, book) => {
        const successor = await recordIdFrom(by, idsIn(book));
        await supersede(access, id, successor);
        return { id, supersededBy: successor };
      }),
    );
}

/** `holdfast provenance link ID DEAL…`. */
export function linkCommand(): Command {
  return subjectCommand("link", "name deals by which the piece of a record of yours is held")
    .argument("<deal...>", "ids of the deals, or their first digits")
    .action((text: string, deals: readonly string[], flags: ChainFlags) =>
      onSubject(flags, text, async ({ access, chain }, id, book) => {
        const known = book.known.get(id);
        if (known?.form !== "record") throw new HoldfastError("NOT_A_RECORD", `${id} is no record`, "name a record");
        const ids: bigint[] = [];
        for (const deal of deals) ids.push(await dealIdFrom(chain, deal));
        await linkDeals(access, known.record, ids);
        return { id, deals: ids.map(dealIdText) };
      }),
    );
}

function subjectCommand(name: string, description: string): Command {
  return chainCommand(name).description(description).argument("<id>", ID_HELP);
}

function topicOption(): Option {
  return new Option("--topic <text>", "what it is about: origin, licence, …; the whole by default").argParser(
    parseTopic,
  );
}

/** Acts on the record or set that a text names, and prints what came of it. */
function onSubject<R extends object>(
  flags: ChainFlags,
  text: string,
  act: (session: Session, id: string, book: ProvenanceBook) => Promise<R>,
): Promise<void> {
  return withClient(flags, async (session) => {
    const book = await ProvenanceBook.open(session.chain);
    const result = await act(session, await recordIdFrom(text, idsIn(book)), book);
    printResult(flags, result, (done) => Object.entries(done).map(([what, value]) => `${what.padEnd(12)}  ${value}`));
  });
}

function parseDate(text: string): bigint {
  const time = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError("It has to be a date, 2027-01-31, or with a time of UTC.");
  return BigInt(Math.floor(time / 1_000));
}
