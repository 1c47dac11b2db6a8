/**
 * Verifying a file on disk, with what lies beside it and what is within it.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import type { ProvenanceBook, ProvenanceReader } from "../provenance/book.js";
import { type C2paOptions, type C2paReport, mimeTypeOf, readC2pa, SNIFFED_BYTES } from "../provenance/c2pa/index.js";
import { contentOf } from "../provenance/content.js";
import { credentialFindings, withCredentials } from "../provenance/credentials.js";
import type { Finding } from "../provenance/findings.js";
import { folderInCar, namesBlocks } from "../provenance/folder-in-car.js";
import { type VerifyOptions, type VerifyReport, verifyContent } from "../provenance/verify.js";
import { fileBlob } from "./blob-node.js";
import { type HintOptions, hintsOf } from "./hints-node.js";

export interface VerifyFileOptions
  extends Omit<VerifyOptions, "member" | "folder" | "manifests">,
    Pick<HintOptions, "set" | "proof">,
    Pick<C2paOptions, "trustAnchors"> {}

export interface FileReport extends VerifyReport {
  /** What the file's own content credentials say; undefined where it has none. */
  readonly credentials: C2paReport | undefined;
}

/** What content credentials are not read for: their absence says nothing against the file. */
const PASSED_OVER: ReadonlySet<string> = new Set(["C2PA_UNSUPPORTED", "C2PA_ASSET_TOO_LARGE"]);

/**
 * Verifies a file: recomputes every hash from its bytes, looks for its record on the chain, or for a set beside it that
 * has it, and reads its content credentials.
 *
 * @throws HoldfastError `FILE_UNREADABLE`, and what `hintsOf` throws
 * @throws ChainError where the chain can't be asked
 * @example
 * const { outcome } = await verifyFile(chain, await ProvenanceBook.open(chain), "photo.jpg", { now });
 */
export async function verifyFile(
  reader: ProvenanceReader,
  book: ProvenanceBook,
  path: string,
  { set, proof, trustAnchors, ...options }: VerifyFileOptions,
): Promise<FileReport> {
  const blob = await fileBlob(path, { mayBeEmpty: true });
  const content = await contentOf(blob);
  const { chainId, provenance: registry } = reader.deployment;
  const beside = { chainId, registry, ...(set !== undefined && { set }), ...(proof !== undefined && { proof }) };
  const { passedOver, manifest, ...hints } = await hintsOf(path, content.contentHash, beside);
  const within = await credentialsOf(blob, trustAnchors === undefined ? {} : { trustAnchors });
  const folder = book.ofContent(content.contentHash).some(namesBlocks) ? await folderInCar(blob) : undefined;
  const report = await verifyContent(reader, book, content, {
    ...{ ...hints, ...options },
    ...(folder !== undefined && { folder }),
    manifests: [manifest, within.manifest].filter((found) => found !== undefined),
  });
  const judged = within.credentials === undefined ? [] : credentialFindings(within.credentials, report.records);
  const outcome = withCredentials(report.outcome, judged);
  const notes = passedOver.map((message): Finding => ({ level: "note", code: "HINT_PASSED_OVER", message }));
  const findings = [...report.findings, ...judged, ...within.notes, ...notes];
  return { ...report, outcome, credentials: within.credentials, findings };
}

/**
 * The content credentials within a file; undefined where it has none, or is of a kind or size that they are not read from.
 *
 * @throws HoldfastError `C2PA_UNREADABLE`, `C2PA_TRUST_ANCHORS`
 */
export async function readCredentials(blob: Blob, options: C2paOptions = {}): Promise<C2paReport | undefined> {
  const prefix = new Uint8Array(await blob.slice(0, SNIFFED_BYTES).arrayBuffer());
  if (mimeTypeOf(prefix) === undefined) return undefined;
  try {
    return await readC2pa(blob, options);
  } catch (error) {
    if (error instanceof HoldfastError && PASSED_OVER.has(error.code)) return undefined;
    throw error;
  }
}

/** The credentials within a file, the hash of the manifest that they are in, and what stood in the way. */
async function credentialsOf(
  blob: Blob,
  options: C2paOptions,
): Promise<{ credentials: C2paReport | undefined; manifest?: string; notes: readonly Finding[] }> {
  try {
    const credentials = await readCredentials(blob, options);
    const manifest = credentials === undefined ? {} : { manifest: `0x${credentials.manifestHash}` };
    return { credentials, ...manifest, notes: [] };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "C2PA_UNREADABLE") throw error;
    const finding = { level: "note", code: "CREDENTIALS_UNREADABLE", message: error.message } as const;
    return { credentials: undefined, notes: [finding] };
  }
}
