import { varint } from "multiformats";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import { HoldfastError } from "../errors.js";
import { sameBytes } from "./bytes.js";
import {
  type Commitment,
  checkRoot,
  commitmentOf,
  MAX_HEIGHT,
  MIN_HEIGHT,
  NODE_SIZE,
  payloadUnder,
} from "./geometry.js";

/** Multicodec `raw`, the codec of a PieceCIDv2. */
export const RAW_CODEC = 0x55;
/** Multihash `fr32-sha256-trunc254-padbintree`: padding varint, height byte, root. */
export const PIECE_MULTIHASH = 0x1011;
/** Multicodec `fil-commitment-unsealed`, the codec of a PieceCIDv1. */
export const UNSEALED_CODEC = 0xf101;
/** Multihash `sha2-256-trunc254-padded`: the root alone. */
export const TRUNC254_MULTIHASH = 0x1012;

/**
 * The PieceCIDv2 (FRC-0069) of a commitment; `toString()` gives the usual base32 form, `bafkzcib…`.
 *
 * Height and padding follow from the size, so only root and payloadSize are read.
 *
 * @throws HoldfastError `INVALID_ROOT`, `INVALID_SIZE`, `PIECE_TOO_LARGE`
 * @example
 * encodePieceCid(await commit(bytes)).toString();
 */
export function encodePieceCid({ root, payloadSize }: Pick<Commitment, "root" | "payloadSize">): CID {
  const { height, padding } = commitmentOf(root, payloadSize);
  const heightAt = varint.encodingLength(Number(padding));
  const digest = new Uint8Array(heightAt + 1 + NODE_SIZE);
  varint.encodeTo(Number(padding), digest);
  digest[heightAt] = height;
  digest.set(root, heightAt + 1);
  return CID.createV1(RAW_CODEC, Digest.create(PIECE_MULTIHASH, digest));
}

/**
 * Reads a PieceCIDv2 strictly: the one encoding of a size that can exist, or an error. Size, leafCount and the rest
 * follow from it.
 *
 * @param cid - a CID or its string form
 * @throws HoldfastError `INVALID_PIECE_CID` for another codec or multihash, a wrong length, a padding or height that
 *   isn't the least for the size, a non-minimal varint, an impossible root, or an empty payload unless `allowEmpty`
 * @example
 * const { root, leafCount, payloadSize } = decodePieceCid("bafkzcibcaab…");
 */
export function decodePieceCid(cid: CID | string, { allowEmpty = false } = {}): Commitment {
  const parsed = parse(cid);
  if (parsed.code !== RAW_CODEC || parsed.multihash.code !== PIECE_MULTIHASH) {
    throw invalid(parsed, "its codec and multihash are not raw and fr32-sha256-trunc254-padbintree");
  }
  const commitment = readDigest(parsed);
  // One comparison settles every way to write the same piece twice: long varints, tall trees, too much padding.
  if (!sameBytes(encodePieceCid(commitment).bytes, parsed.bytes)) {
    throw invalid(parsed, "its padding and height are not the least that hold the payload");
  }
  if (commitment.payloadSize === 0n && !allowEmpty) throw invalid(parsed, "its payload has no bytes");
  return commitment;
}

function readDigest(cid: CID): Commitment {
  const { digest } = cid.multihash;
  try {
    const [padding, heightAt] = varint.decode(digest);
    const height = digest[heightAt] ?? 0;
    if (digest.length !== heightAt + 1 + NODE_SIZE || height < MIN_HEIGHT || height > MAX_HEIGHT) {
      throw invalid(cid, `a digest of ${digest.length} bytes for height ${height} is none of a piece`);
    }
    return commitmentOf(digest.slice(heightAt + 1), BigInt(payloadUnder(height) - padding));
  } catch (cause) {
    throw cause instanceof HoldfastError && cause.code === "INVALID_PIECE_CID"
      ? cause
      : invalid(cid, "its digest holds no size and root that a piece can have", cause);
  }
}

/**
 * The PieceCIDv1 of a root (`baga6ea4seaq…`): without the size, so it names a tree, not a payload.
 *
 * @throws HoldfastError `INVALID_ROOT`
 */
export function encodePieceCidV1(root: Uint8Array): CID {
  checkRoot(root);
  return CID.createV1(UNSEALED_CODEC, Digest.create(TRUNC254_MULTIHASH, root));
}

/**
 * The root in a PieceCIDv1; the size has to come from elsewhere.
 *
 * @param cid - a CID or its string form
 * @throws HoldfastError `INVALID_PIECE_CID` for another codec or multihash, or an impossible root
 */
export function decodePieceCidV1(cid: CID | string): Uint8Array {
  const parsed = parse(cid);
  if (parsed.code !== UNSEALED_CODEC || parsed.multihash.code !== TRUNC254_MULTIHASH) {
    throw invalid(parsed, "its codec and multihash are not fil-commitment-unsealed and sha2-256-trunc254-padded");
  }
  try {
    checkRoot(parsed.multihash.digest);
  } catch (cause) {
    throw invalid(parsed, "its digest can't be the root of a piece", cause);
  }
  return parsed.multihash.digest.slice();
}

function parse(cid: CID | string): CID {
  if (typeof cid !== "string") return cid;
  try {
    return CID.parse(cid);
  } catch (cause) {
    throw invalid(cid, "it is no CID", cause);
  }
}

function invalid(cid: CID | string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    "INVALID_PIECE_CID",
    `${String(cid).slice(0, 100)} is not the CID of a piece: ${reason}`,
    "give a PieceCIDv2 (bafkzcib…), as printed by `holdfast piece FILE`",
    { cause },
  );
}
