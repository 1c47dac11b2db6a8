/** The commands that show records and where they came from. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { chainTime } from "../chain/time.js";
import { HoldfastError } from "../errors.js";
import { ProvenanceBook } from "../provenance/book.js";
import { holdingsOfKnown } from "../provenance/evidence.js";
import { shortId } from "../provenance/findings.js";
import { counts, type Known } from "../provenance/known.js";
import {
  countLineage,
  drawLineage,
  type Lineage,
  type LineageEdge,
  lineageJson,
  lineageOf,
  provJson,
} from "../provenance/lineage/index.js";
import { conflict, readLicense } from "../provenance/rights/index.js";
import { idsIn, recordIdFrom } from "./claims.js";
import { type ChainFlags, chainCommand, printResult, withChain } from "./context.js";
import { printable } from "./printable.js";
import { historyLines, holdingLines, knownLines, knownReport, saidLines } from "./record-report.js";
import { parseAddress } from "./values.js";

const ID_HELP = "id of the record or set, or its first digits where they name one";

/** `holdfast provenance show ID`. */
export function showCommand(): Command {
  return chainCommand("show")
    .description("print what is claimed of a record or set, what others say of it, and who holds it")
    .argument("<id>", ID_HELP)
    .addOption(attesterOption())
    .action((text: string, flags: AttesterFlags) =>
      withChain(flags, async (chain) => {
        const book = await ProvenanceBook.open(chain);
        const known = knownBy(await recordIdFrom(text, idsIn(book)), book);
        const registeredAt = Number((await chain.contracts.provenance.stateOf(known.id)).registeredAt);
        const holdings = await holdingsOfKnown(chain, book.known.values(), known);
        const now = await chainTime(chain.provider);
        const { nodes } = lineageOf(book.known, known.id, now, options(flags));
        const history = nodes.filter(({ relation }) => relation !== "descendant");
        // All that was ever said for programs, what counts now for people.
        printResult(flags, { ...knownReport(known, registeredAt), said: known.said, holdings }, () => [
          `${known.form === "set" ? "Set" : "Record"} ${known.id}`,
          ...(known.form === "record" ? [`sha-256     ${known.record.contentHash.slice(2)}`] : []),
          ...knownLines(known, registeredAt),
          ...historyLines(history),
          ...saidLines(known.said.filter((said) => counts(said, now))),
          ...(known.form === "record" || holdings.length > 0 ? holdingLines(holdings) : []),
        ]);
      }),
    );
}

interface AttesterFlags extends ChainFlags {
  readonly attester?: readonly string[];
}

interface LineageFlags extends AttesterFlags {
  readonly svg?: string;
  readonly prov?: string;
}

/** `holdfast provenance lineage ID [--svg FILE] [--prov FILE]`. */
export function lineageCommand(): Command {
  return chainCommand("lineage")
    .description("print what a record came from and what was made of it, or draw it")
    .argument("<id>", ID_HELP)
    .addOption(attesterOption())
    .option("--svg <file>", "draw it, as SVG")
    .option("--prov <file>", "write it as W3C PROV-JSON")
    .action((text: string, flags: LineageFlags) =>
      withChain(flags, async (chain) => {
        const book = await ProvenanceBook.open(chain);
        const { id } = knownBy(await recordIdFrom(text, idsIn(book)), book);
        const lineage = lineageOf(book.known, id, await chainTime(chain.provider), options(flags));
        const { chainId, provenance: registry } = chain.deployment;
        if (flags.svg !== undefined) await write(flags.svg, drawLineage(lineage, { conflicts: conflictsOf(lineage) }));
        if (flags.prov !== undefined) {
          await write(flags.prov, `${JSON.stringify(provJson(lineage, { chainId, registry }), null, 2)}\n`);
        }
        printResult(flags, lineageJson(lineage), () => lineageLines(lineage, flags));
      }),
    );
}

function lineageLines(lineage: Lineage, { svg, prov }: LineageFlags): string[] {
  const { ancestors, descendants, tainted } = countLineage(lineage);
  const line =
    (sign: string) =>
    ({ id, claim, known, state, tainted: bad, depth }: Lineage["nodes"][number]) => {
      const licence = claim?.license ? `, ${printable(claim.license)}` : "";
      const taint = bad ? ", TAINTED" : "";
      const by = known === undefined ? "" : ` by ${known.registrant}`;
      return `${"  ".repeat(Math.min(depth, 12))}${sign} ${shortId(id)} ${claim?.kind ?? "?"}${licence}${by}: ${state}${taint}`;
    };
  const of = (relation: string, sign: string) =>
    lineage.nodes.filter((node) => node.relation === relation).map(line(sign));
  return [
    ...of("ancestor", "↑").reverse(),
    ...of("self", "•"),
    ...of("descendant", "↓"),
    `${ancestors} it came from, ${descendants} made of it, ${tainted} tainted`,
    ...[svg, prov].filter((file) => file !== undefined).map((file) => `written   ${resolve(file)}`),
  ];
}

/** Edges over which licences don't go together, but for those within one hand. */
function conflictsOf({ nodes, edges }: Lineage): Pick<LineageEdge, "child" | "parent">[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return edges.filter(({ child, parent, kind }) => {
    const [from, to] = [byId.get(parent), byId.get(child)];
    if (kind === "member" || !from?.claim || !to?.claim) return false;
    if (from.known?.registrant === to.known?.registrant) return false;
    const licenses = [readLicense(from.claim.license), readLicense(to.claim.license)] as const;
    return conflict(...licenses, kind, to.claim.kind)?.severity === "conflict";
  });
}

function attesterOption(): Option {
  const addresses = (text: string, before: readonly string[] = []) => [...before, parseAddress(text)];
  return new Option("--attester <address>", "only disputes of this account; may be repeated").argParser(addresses);
}

function options({ attester }: AttesterFlags): { attesters?: readonly string[] } {
  return attester === undefined ? {} : { attesters: attester };
}

function knownBy(id: string, { known }: ProvenanceBook): Known {
  const found = known.get(id);
  if (found !== undefined) return found;
  throw new HoldfastError("UNKNOWN_RECORD", `there is no record or set ${id} here`, "check the id, and the chain");
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause) => {
    throw new HoldfastError("FILE_UNWRITABLE", `${path} cannot be written`, "check the folder", { cause });
  });
}
