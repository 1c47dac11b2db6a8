/**
 * Block headers as the chain hashes them: RLP, rebuilt from what `eth_getBlockByNumber` answers.
 *
 * `RandaoRandomness.checkpoint` takes a header in this form. Nodes seldom serve raw headers (`debug_getRawHeader`), and
 * the fields of the JSON answer are all that is needed.
 */
import { encodeRlp, getBytes, keccak256, stripZerosLeft, toBeHex } from "ethers";
import { HoldfastError } from "../errors.js";

/**
 * The header part of the answer of `eth_getBlockByNumber`, as JSON-RPC spells it: `0x`-prefixed hex, quantities without
 * leading zeros. Other members of the answer (`transactions`, `size`, …) are ignored.
 */
export interface HeaderJson {
  readonly hash?: string | null;
  readonly parentHash: string;
  readonly sha3Uncles: string;
  readonly miner: string;
  readonly stateRoot: string;
  readonly transactionsRoot: string;
  readonly receiptsRoot: string;
  readonly logsBloom: string;
  readonly difficulty: string;
  readonly number: string;
  readonly gasLimit: string;
  readonly gasUsed: string;
  readonly timestamp: string;
  readonly extraData: string;
  readonly mixHash: string;
  readonly nonce: string;
  /** Since London. */
  readonly baseFeePerGas?: string | null;
  /** Since Shanghai. */
  readonly withdrawalsRoot?: string | null;
  /** Since Cancun. */
  readonly blobGasUsed?: string | null;
  /** Since Cancun. */
  readonly excessBlobGas?: string | null;
  /** Since Cancun. */
  readonly parentBeaconBlockRoot?: string | null;
  /** Since Prague. */
  readonly requestsHash?: string | null;
  /** Since Amsterdam (EIP-7928). */
  readonly blockAccessListHash?: string | null;
}

type FieldName = Exclude<keyof HeaderJson, "hash">;

/** How a field is encoded: a number without leading zeros, or bytes as they stand (of a fixed length, where given). */
type Field = readonly [name: FieldName, kind: "quantity"] | readonly [name: FieldName, kind: "bytes", length?: number];

/** The fields that every header has, in the order in which they are hashed. */
const BASE_FIELDS: readonly Field[] = [
  ["parentHash", "bytes", 32],
  ["sha3Uncles", "bytes", 32],
  ["miner", "bytes", 20],
  ["stateRoot", "bytes", 32],
  ["transactionsRoot", "bytes", 32],
  ["receiptsRoot", "bytes", 32],
  ["logsBloom", "bytes", 256],
  ["difficulty", "quantity"],
  ["number", "quantity"],
  ["gasLimit", "quantity"],
  ["gasUsed", "quantity"],
  ["timestamp", "quantity"],
  ["extraData", "bytes"],
  ["mixHash", "bytes", 32],
  ["nonce", "bytes", 8],
];

/**
 * The fields that forks appended: London's at index 15, then Shanghai's, Cancun's three, Prague's (21 fields with it),
 * Amsterdam's. A header has a prefix of this list: a fork never left out what an earlier one had added.
 */
const FORK_FIELDS: readonly Field[] = [
  ["baseFeePerGas", "quantity"],
  ["withdrawalsRoot", "bytes", 32],
  ["blobGasUsed", "quantity"],
  ["excessBlobGas", "quantity"],
  ["parentBeaconBlockRoot", "bytes", 32],
  ["requestsHash", "bytes", 32],
  ["blockAccessListHash", "bytes", 32],
];

/**
 * The RLP encoding of a block's header: the preimage of its hash.
 *
 * Fields of forks that the block predates may be absent or null. Where the answer has a `hash`, the encoding is checked
 * against it, so a header format that this module does not know (another chain's extra fields) is an error here and
 * not a reverted transaction.
 *
 * @param block - The answer of `eth_getBlockByNumber(number, false)`.
 * @returns `0x`-prefixed hex, about 600 bytes.
 * @throws {HoldfastError} `HEADER_FIELD` where a field is missing, malformed, or present though an earlier fork's is
 *   not; `HEADER_HASH` where the encoding does not hash to `block.hash`.
 *
 * @example
 * ```ts
 * const block = await provider.send("eth_getBlockByNumber", [toQuantity(epoch), false]);
 * await randomness.checkpoint(epoch, encodeHeader(block));
 * ```
 */
export function encodeHeader(block: HeaderJson): string {
  const fields = [...BASE_FIELDS, ...presentForkFields(block)];
  const rlp = encodeRlp(fields.map((field) => encodeField(block, field)));
  const hash = keccak256(rlp);
  if (block.hash != null && hash !== block.hash.toLowerCase()) {
    throw new HoldfastError(
      "HEADER_HASH",
      `The ${fields.length} known header fields of block ${block.number} hash to ${hash}, not to ${block.hash}`,
      "The chain's headers have fields unknown here: deploy with another randomness source, or update Holdfast.",
    );
  }
  return rlp;
}

function presentForkFields(block: HeaderJson): readonly Field[] {
  const firstAbsent = FORK_FIELDS.findIndex(([name]) => block[name] == null);
  if (firstAbsent === -1) return FORK_FIELDS;
  const stray = FORK_FIELDS.slice(firstAbsent).find(([name]) => block[name] != null);
  if (stray !== undefined) {
    throw fieldError(block, FORK_FIELDS[firstAbsent]![0], `is missing, though the later ${stray[0]} is there`);
  }
  return FORK_FIELDS.slice(0, firstAbsent);
}

function encodeField(block: HeaderJson, [name, kind, length]: Field): string {
  const value: unknown = block[name];
  if (typeof value !== "string") throw fieldError(block, name, "is missing");
  if (kind === "quantity") {
    if (!/^0x[0-9a-f]{1,64}$/i.test(value)) throw fieldError(block, name, `is not a quantity: ${value}`);
    return stripZerosLeft(toBeHex(BigInt(value)));
  }
  if (!/^0x([0-9a-f]{2})*$/i.test(value)) throw fieldError(block, name, `is not hex bytes: ${value}`);
  if (length !== undefined && getBytes(value).length !== length) {
    throw fieldError(block, name, `has ${getBytes(value).length} bytes instead of ${length}`);
  }
  return value;
}

function fieldError(block: HeaderJson, name: FieldName, what: string): HoldfastError {
  return new HoldfastError(
    "HEADER_FIELD",
    `The header field ${name} of block ${block.number} ${what}`,
    "Pass the answer of eth_getBlockByNumber unchanged, from a node that serves every header field.",
  );
}
