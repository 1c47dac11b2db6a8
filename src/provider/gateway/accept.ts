import { HoldfastError } from "../../errors.js";
import { invalid } from "../app.js";

/** What the gateway answers with: one block, or a CAR of many. */
export type Format = "raw" | "car";

/** One kind of answer that a client takes. */
interface Wish {
  readonly format: Format;
  /** Whether blocks are to come as often as they occur; undefined where it does not say. */
  readonly dups: boolean | undefined;
}

const RAW = "application/vnd.ipld.raw";
const CAR = "application/vnd.ipld.car";
const WILDCARDS: ReadonlySet<string> = new Set(["*/*", "application/*"]);

/**
 * Which format is asked for: by the query, or, where that says nothing, by the Accept header (RFC 9110, section 12.5.1).
 *
 * @throws HoldfastError `NOT_ACCEPTABLE` where it is another, `INVALID_REQUEST` where nothing says which: a client that does
 *   not know of the gateway's formats could make nothing of either
 */
export function negotiate(format: string | undefined, accept = ""): Wish {
  const ranges = rangesOf(accept);
  const wishes = ranges.flatMap(({ type, params }) => wishOf(type, params) ?? []);
  if (format === "raw") return { format, dups: undefined };
  if (format === "car") return wishes.find((wish) => wish.format === "car") ?? { format, dups: undefined };
  if (format !== undefined) throw notAcceptable(format);
  if (wishes[0]) return wishes[0];
  if (ranges.length > 0 && !ranges.some(({ type }) => WILDCARDS.has(type))) throw notAcceptable(accept);
  throw invalid("the request says no format: add ?format=raw or ?format=car");
}

function wishOf(type: string, params: ReadonlyMap<string, string>): Wish | undefined {
  if (type === RAW) return { format: "raw", dups: undefined };
  const dups = params.get("dups");
  const served =
    type === CAR &&
    ["1", undefined].includes(params.get("version")) &&
    ["dfs", "unk", undefined].includes(params.get("order")) &&
    ["y", "n", undefined].includes(dups);
  return served ? { format: "car", dups: dups === undefined ? undefined : dups === "y" } : undefined;
}

/** The media ranges of the header, the most wanted first. */
function rangesOf(accept: string): { type: string; params: Map<string, string> }[] {
  const ranges = accept
    .split(",")
    .map((range) => range.split(";").map((part) => part.trim().toLowerCase()))
    .filter(([type]) => type !== "")
    .map(([type = "", ...params]) => ({ type, params: new Map(params.map(pair)) }));
  const weight = ({ params }: { params: Map<string, string> }) => Number(params.get("q") ?? 1) || 0;
  return ranges.filter((range) => weight(range) > 0).sort((a, b) => weight(b) - weight(a));
}

function pair(text: string): [string, string] {
  const at = text.indexOf("=");
  const [name, value] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  return [name.trim(), value.trim().replace(/^"(.*)"$/, "$1")];
}

function notAcceptable(what: string): HoldfastError {
  const shown = JSON.stringify(what.slice(0, 200));
  return new HoldfastError("NOT_ACCEPTABLE", `${shown} is not served`, `ask for ${RAW} or ${CAR}, version 1`);
}
