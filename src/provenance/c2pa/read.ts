import { X509Certificate } from "node:crypto";
import { HoldfastError } from "../../errors.js";
import { runEngine } from "./engine.js";
import { mimeTypeOf, SNIFFED_BYTES } from "./formats.js";
import { reportOf } from "./report.js";
import { plainText } from "./text.js";
import type { C2paReport } from "./types.js";

/** The largest asset that is read: all of it lies in memory, twice. */
export const MAX_C2PA_ASSET_BYTES = 256 << 20;

/** Milliseconds that reading an asset may take unless told otherwise. Hashing the largest one takes a few seconds. */
export const C2PA_TIME_LIMIT = 60_000;

export interface C2paOptions {
  /** Certificates, in PEM, that signers' certificates have to lead to for an asset to be trusted. None by default. */
  readonly trustAnchors?: string;
  /** Milliseconds, from when its turn comes; {@link C2PA_TIME_LIMIT} by default. */
  readonly timeLimit?: number;
}

/** What c2pa-rs says of assets that have no manifest within; a remote one is not fetched. */
const ABSENT = /^C2pa\((JumbfNotFound|RemoteManifestUrl\()/;
const UNSUPPORTED = /^C2pa\(UnsupportedType\)/;

/**
 * Reads and verifies the C2PA manifest of an image, sound, film or PDF: its signature, that nothing was changed since,
 * and what it claims. A changed asset is no error but a report whose `state` is `invalid`.
 *
 * Nothing is fetched: no remote manifest, no revocation list. Whoever wants signers vouched for has to say by whom. In Node
 * only: c2pa-rs runs as WASM in a thread, one asset at a time.
 *
 * @returns undefined where the asset has no manifest, or only a link to one
 * @throws HoldfastError `C2PA_UNSUPPORTED`, `C2PA_ASSET_TOO_LARGE`, `C2PA_UNREADABLE` where container or manifest are broken
 * or take too long, `C2PA_TRUST_ANCHORS` where these are no certificates
 * @example
 * const report = await readC2pa(await fileBlob("photo.jpg"));
 * console.log(report?.state, report?.signer.commonName);
 */
export async function readC2pa(asset: Blob, options: C2paOptions = {}): Promise<C2paReport | undefined> {
  const { trustAnchors, timeLimit = C2PA_TIME_LIMIT } = options;
  const mimeType = mimeTypeOf(new Uint8Array(await asset.slice(0, SNIFFED_BYTES).arrayBuffer()));
  if (mimeType === undefined) throw unsupported();
  if (asset.size > MAX_C2PA_ASSET_BYTES) {
    const message = `the asset is ${asset.size} bytes, and C2PA manifests are read up to ${MAX_C2PA_ASSET_BYTES}`;
    throw new HoldfastError("C2PA_ASSET_TOO_LARGE", message, "verify it with c2patool");
  }
  const settings = settingsFor(trustAnchors);
  const load = async () => ({ mimeType, bytes: new Uint8Array(await asset.arrayBuffer()), settings });
  const answer = await runEngine(load, timeLimit);
  if ("fault" in answer) {
    if (ABSENT.test(answer.fault)) return undefined;
    throw UNSUPPORTED.test(answer.fault) ? unsupported() : unreadable(answer.fault);
  }
  const { json, label, manifestHash } = answer.found;
  try {
    return reportOf(json, label, mimeType, manifestHash);
  } catch (cause) {
    throw unreadable("c2pa-rs describes it in a way that isn't understood", cause);
  }
}

/** Settings of c2pa-rs, in JSON: check everything, fetch nothing. */
function settingsFor(trustAnchors: string | undefined): string {
  return JSON.stringify({
    verify: { verify_trust: true, verify_timestamp_trust: true, remote_manifest_fetch: false, ocsp_fetch: false },
    core: { max_decompressed_manifest_size_in_mb: 32, allowed_network_hosts: [], decode_identity_assertions: false },
    ...(trustAnchors !== undefined && { trust: { trust_anchors: checkedAnchors(trustAnchors) } }),
  });
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** c2pa-rs passes over certificates that it can't read, and then trusts nobody: better to say so. */
function checkedAnchors(pem: string): string {
  const certificates = pem.match(CERTIFICATE) ?? [];
  try {
    if (certificates.length === 0) throw new Error("there is none");
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (cause) {
    const message = "the trust anchors are not certificates in PEM";
    throw new HoldfastError("C2PA_TRUST_ANCHORS", message, "name a PEM file of root certificates", { cause });
  }
  return certificates.join("\n");
}

function unsupported(): HoldfastError {
  const message = "the file is of no type in which C2PA manifests are read";
  return new HoldfastError(
    "C2PA_UNSUPPORTED",
    message,
    "JPEG, PNG, WebP, TIFF, HEIF, MP4, MP3, WAV, PDF are among those",
  );
}

function unreadable(why: string, cause?: unknown): HoldfastError {
  const message = `the C2PA manifest, or the file around it, can't be read: ${plainText(why).slice(0, 300)}`;
  return new HoldfastError("C2PA_UNREADABLE", message, "get the file again from where it came from", { cause });
}
