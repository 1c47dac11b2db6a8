import { CID } from "multiformats/cid";
import { faultOfName, MAX_FOLDER_DEPTH } from "../../piece/car/index.js";
import { invalid } from "../app.js";
import { type Format, negotiate } from "./accept.js";

/** How much of what lies at the end of the path is sent. */
export type Scope = "block" | "entity" | "all";

/** Bytes `from` up to and with `to`; negative ones count from the end, and no `to` is the end. */
export interface EntityBytes {
  readonly from: bigint;
  readonly to: bigint | undefined;
}

/** What a request to `/ipfs/` asks for. */
export interface GatewayRequest {
  readonly cid: CID;
  /** Names to follow below the CID. */
  readonly names: readonly string[];
  readonly format: Format;
  readonly scope: Scope;
  readonly bytes: EntityBytes | undefined;
  readonly dups: boolean;
  /** The URL that says of this answer what the request said in its headers; undefined where its own does. */
  readonly location: string | undefined;
}

/** Longer than any CID that is of use; one that holds its bytes itself could have any length. */
const MAX_CID_LENGTH = 256;

const PREFIX = "/ipfs/";
const PARAMETERS = ["format", "dag-scope", "entity-bytes", "car-version", "car-order", "car-dups"] as const;

/**
 * Reads a request by the specification of trustless gateways.
 *
 * @throws HoldfastError `INVALID_REQUEST`, `NOT_ACCEPTABLE`
 * @example
 * parseRequest(new URL("http://x/ipfs/bafy…/a.txt?format=car&dag-scope=entity"), undefined);
 */
export function parseRequest(url: URL, accept: string | undefined): GatewayRequest {
  const query = readQuery(url);
  const { cid, names } = readPath(url.pathname);
  const wish = negotiate(query.format, accept);
  if (wish.format === "raw") {
    if (names.length > 0) throw invalid("a block has no path: ask for it by its CID, or for format=car");
    const location = query.format === undefined ? at(url, { format: "raw" }) : undefined;
    return { cid, names, format: "raw", scope: "block", bytes: undefined, dups: false, location };
  }
  oneOf("car-version", query["car-version"] ?? "1", ["1"]);
  oneOf("car-order", query["car-order"] ?? "dfs", ["dfs", "unk"]);
  const bytes = query["entity-bytes"] === undefined ? undefined : readEntityBytes(query["entity-bytes"]);
  const scope = oneOf("dag-scope", query["dag-scope"] ?? "all", ["block", "entity", "all"]);
  const byHeader = query["car-dups"] === undefined && wish.dups === true;
  const dups = oneOf("car-dups", query["car-dups"] ?? (wish.dups ? "y" : "n"), ["y", "n"]) === "y";
  const said = query.format !== undefined && !byHeader;
  const location = said ? undefined : at(url, { format: "car", ...(byHeader ? { "car-dups": "y" } : {}) });
  // Bytes imply the entity, as the specification has it.
  return { cid, names, format: "car", scope: bytes ? "entity" : scope, bytes, dups, location };
}

/** A CID as it may stand in a URL. @throws HoldfastError `INVALID_REQUEST` */
export function readCid(text: string): CID {
  try {
    if (text.length <= MAX_CID_LENGTH) return CID.parse(text);
  } catch {
    // The same as one that is too long.
  }
  throw invalid(`${JSON.stringify(text.slice(0, 80))} is no CID`);
}

function readQuery({ searchParams }: URL): Partial<Record<(typeof PARAMETERS)[number], string>> {
  const query: Partial<Record<(typeof PARAMETERS)[number], string>> = {};
  for (const name of PARAMETERS) {
    const [value, another] = searchParams.getAll(name);
    if (another !== undefined) throw invalid(`${name} comes more than once`);
    if (value !== undefined) query[name] = value;
  }
  return query;
}

function readPath(pathname: string): { cid: CID; names: string[] } {
  const [cid = "", ...rest] = pathname.slice(PREFIX.length).split("/");
  // One slash at the end means the same folder.
  if (rest.at(-1) === "") rest.pop();
  const names = rest.map(readName);
  if (names.length > MAX_FOLDER_DEPTH) throw invalid(`the path is deeper than ${MAX_FOLDER_DEPTH} folders`);
  return { cid: readCid(cid), names };
}

function readName(text: string): string {
  let name: string;
  try {
    name = decodeURIComponent(text);
  } catch {
    throw invalid("the path is not percent-encoded UTF-8");
  }
  const fault = faultOfName(name);
  if (fault) throw invalid(`a name in the path can't be one: ${fault}`);
  return name;
}

function readEntityBytes(text: string): EntityBytes {
  const [, from, to] = /^(-?\d{1,18}):(\*|-?\d{1,18})$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw invalid("entity-bytes is no range such as 0:1023, 5:* or -1024:*");
  const bytes = { from: BigInt(from), to: to === "*" ? undefined : BigInt(to) };
  const comparable = bytes.to !== undefined && bytes.from < 0n === bytes.to < 0n;
  if (comparable && bytes.from > (bytes.to as bigint)) throw invalid("entity-bytes ends before it begins");
  return bytes;
}

function oneOf<T extends string>(name: string, value: string, served: readonly T[]): T {
  const found = served.find((one) => one === value);
  if (found !== undefined) return found;
  throw invalid(`${name} is ${JSON.stringify(value.slice(0, 40))}, and can be ${served.join(", ")}`);
}

function at({ pathname, search }: URL, said: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(search);
  for (const [name, value] of Object.entries(said)) query.set(name, value);
  return `${pathname}?${query}`;
}
