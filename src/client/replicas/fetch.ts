/**
 * Getting a file back from its unique replicas: from the first provider that serves one whole and right.
 *
 * @packageDocumentation
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { HoldfastError } from "../../errors.js";
import {
  bytesOfHex,
  type ExpectedReplica,
  type FileKey,
  hexOf,
  type ReadReplica,
  ReplicaDecryptor,
  readReplicaRange,
} from "../../replica/index.js";
import { refused } from "../http.js";
import { downloadRange } from "../providers.js";
import { type Failure, type Retrieval, type RetrieveOptions, retrieve, type Sink } from "../retrieve.js";
import type { Manifest, ManifestReplica } from "./manifest.js";

export interface FetchUniqueOptions extends RetrieveOptions {
  /** Where a provider can be reached now, by its address, as the registry knows; asked where its old URL fails. */
  readonly locate?: (provider: string) => Promise<string | undefined>;
}

/** A file that was read, and the replica that it came from. */
export interface UniqueRetrieval<T> extends Retrieval<T> {
  readonly replica: ManifestReplica;
}

/** What another replica may do better. */
const FAULTS: ReadonlySet<string> = new Set([
  "PIECE_UNAVAILABLE",
  "PROVIDER_UNREACHABLE",
  "PROVIDER_REFUSED",
  "REPLICA_CORRUPT",
  "INVALID_REPLICA",
]);

/**
 * Fetches a file: takes a replica from its provider, decrypts it as it comes, and checks the replica's PieceCID and the
 * file's SHA-256 before any of it may be used. Falls over to the next replica where a provider is gone, or lies.
 *
 * @param makeSink - called for each attempt; gets the file's own bytes
 * @throws HoldfastError `WRONG_KEY`, `FILE_UNAVAILABLE` where no replica could be read
 * @throws what the sink throws
 * @example
 * const { value } = await fetchUnique(manifest, key, memorySink);
 */
export function fetchUnique<T>(
  manifest: Manifest,
  key: FileKey,
  makeSink: () => Sink<T> | Promise<Sink<T>>,
  options: FetchUniqueOptions = {},
): Promise<UniqueRetrieval<T>> {
  return fromAny(manifest, key, options, async (replica, url) => {
    const make = async () => decrypting(await makeSink(), manifest, key, replica);
    const { value } = await retrieve(replica.pieceCid, [url], make, options);
    return value;
  });
}

/**
 * Reads a range of a file, and of a replica no more than the chunks that hold it. Each of these is authenticated for its
 * place; the PieceCID, which only the whole replica has, is not checked.
 *
 * @param offset - first byte of the file that is wanted
 * @param length - how many; the range has to lie within the file
 * @throws HoldfastError `WRONG_KEY`, `FILE_UNAVAILABLE`
 * @throws RangeError where the range leaves the file
 */
export function fetchUniqueRange(
  manifest: Manifest,
  key: FileKey,
  offset: number,
  length: number,
  options: FetchUniqueOptions = {},
): Promise<UniqueRetrieval<Uint8Array>> {
  return fromAny(manifest, key, options, (replica, url) => {
    const read: ReadReplica = async (at, bytes) => {
      const part = await downloadRange(url, replica.pieceCid, at, bytes);
      if (part.length !== bytes) throw refused(url, `it sent ${part.length} of ${bytes} bytes`);
      return part;
    };
    return readReplicaRange(read, key, expected(manifest, replica), offset, length);
  });
}

/** Tries the replicas that should be there first, then those that may be there all the same. */
async function fromAny<T>(
  manifest: Manifest,
  key: FileKey,
  { locate }: FetchUniqueOptions,
  read: (replica: ManifestReplica, url: string) => Promise<T>,
): Promise<UniqueRetrieval<T>> {
  requireKey(manifest, key);
  const failures: Failure[] = [];
  const order = ["open", "opening", "over", "lost"];
  const replicas = [...manifest.replicas].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  for (const replica of replicas) {
    for await (const url of urlsOf(replica, locate)) {
      try {
        return { value: await read(replica, url), url, replica, failures };
      } catch (error) {
        if (!(error instanceof HoldfastError) || !FAULTS.has(error.code)) throw error;
        failures.push({ url, error });
      }
    }
  }
  const reasons = failures.map(({ error }) => error.message).join("; ") || "the manifest has none";
  const hint = "try again later; the deals in the manifest say who should have it";
  throw new HoldfastError("FILE_UNAVAILABLE", `no replica could be read: ${reasons}`, hint);
}

/** The URL that the provider had, then the one that it has now. */
async function* urlsOf({ url, provider }: ManifestReplica, locate: FetchUniqueOptions["locate"]) {
  yield url;
  const now = await locate?.(provider);
  if (now !== undefined && now !== url) yield now;
}

/**
 * A sink for a replica that hands the file's bytes on.
 *
 * @param sink - its `done` is called only when the whole file was there, and right
 */
function decrypting<T>(sink: Sink<T>, manifest: Manifest, key: FileKey, replica: ManifestReplica): Sink<T> {
  const decryptor = new ReplicaDecryptor(key, expected(manifest, replica));
  const hash = sha256.create();
  return {
    async write(chunk) {
      for (const payload of await decryptor.update(chunk)) {
        hash.update(payload);
        await sink.write(payload);
      }
    },
    done() {
      decryptor.finish();
      const actual = hexOf(hash.digest());
      if (actual === manifest.file.sha256) return sink.done();
      const message = `replica ${replica.id} holds another file, with SHA-256 ${actual}`;
      throw new HoldfastError("REPLICA_CORRUPT", message, "check that the manifest is this file's");
    },
    discard: () => sink.discard(),
  };
}

function expected({ file }: Manifest, replica: ManifestReplica): ExpectedReplica {
  return { id: bytesOfHex(replica.id.slice(2)), size: file.size };
}

/** Before anything is fetched, and instead of a replica being called corrupt. */
function requireKey(manifest: Manifest, key: FileKey): void {
  if (key.id === manifest.key) return;
  const message = `the file was stored under key ${manifest.key}, not ${key.id}`;
  throw new HoldfastError("WRONG_KEY", message, "use the keyring that it was stored with");
}
