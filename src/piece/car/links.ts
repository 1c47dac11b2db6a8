import { decode } from "@ipld/dag-pb";
import { CID } from "multiformats/cid";
import { malformedFolder, unsupported } from "./faults.js";

const RAW = 0x55;
const DAG_PB = 0x70;
const DAG_CBOR = 0x71;

/** CBOR's major types that matter here. */
const BYTES = 2;
const TEXT = 3;
const TAG = 6;
const SIMPLE = 7;
/** The tag of a CID in DAG-CBOR, in front of bytes that begin with a zero. */
const CID_TAG = 42;

/**
 * The CIDs that a block names, in their order, whatever they mean: of raw blocks none, of DAG-PB and DAG-CBOR all.
 *
 * @param bytes - that hash to `cid`
 * @throws HoldfastError `FOLDER_MALFORMED`, `CAR_UNSUPPORTED` for other codecs
 */
export function blockLinks(cid: CID, bytes: Uint8Array): CID[] {
  if (cid.code === RAW) return [];
  if (cid.code !== DAG_PB && cid.code !== DAG_CBOR) throw unsupported(`the codec 0x${cid.code.toString(16)} of ${cid}`);
  try {
    return cid.code === DAG_PB ? decode(bytes).Links.map(({ Hash }) => Hash) : [...cborLinks(bytes)];
  } catch (cause) {
    throw malformedFolder(`the block ${cid} is not what its codec says`, cause);
  }
}

/**
 * DAG-CBOR has definite lengths only, so its items can be gone through one after the other without a stack, however deep they
 * lie in each other.
 */
function* cborLinks(bytes: Uint8Array): Generator<CID> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let tagged = false;
  for (let at = 0; at < bytes.length; ) {
    const major = view.getUint8(at) >> 5;
    const head = headAt(view, at);
    at = head.end;
    const isCid = tagged;
    if (isCid && major !== BYTES) throw new Error("a CID that is no bytes");
    tagged = major === TAG && head.value === CID_TAG;
    if (major !== BYTES && major !== TEXT) continue;
    if (head.value > bytes.length - at) throw new Error("bytes that end early");
    const content = bytes.subarray(at, at + head.value);
    if (isCid && content[0] !== 0) throw new Error("a CID without its prefix");
    if (isCid) yield CID.decode(content.subarray(1));
    at += head.value;
  }
  if (tagged) throw new Error("a CID that ends early");
}

/** Reads an item's head. A float, of major type 7, is all head. @throws RangeError at the end of the bytes */
function headAt(view: DataView, at: number): { value: number; end: number } {
  const [major, info] = [view.getUint8(at) >> 5, view.getUint8(at) & 31];
  if (info < 24) return { value: info, end: at + 1 };
  if (info === 24) return { value: view.getUint8(at + 1), end: at + 2 };
  if (info === 25) return { value: view.getUint16(at + 1), end: at + 3 };
  if (info === 26) return { value: view.getUint32(at + 1), end: at + 5 };
  if (info !== 27) throw new Error(major === SIMPLE ? "a break" : "an indefinite length");
  return { value: Number(view.getBigUint64(at + 1)), end: at + 9 };
}
