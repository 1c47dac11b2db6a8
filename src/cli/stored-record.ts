/**
 * What `holdfast store` registers of what it stores.
 *
 * @packageDocumentation
 */
import { hexlify } from "ethers";
import type { CID } from "multiformats/cid";
import { ask } from "../client/funds.js";
import type { HashedFile } from "../client/hash-folder-node.js";
import { type Claims, type Deal, linkDeals, recordOf, registerRecord } from "../client/index.js";
import { writeNote } from "../client/note-node.js";
import { anchorFolder } from "../client/provenance-node.js";
import { HoldfastError } from "../errors.js";
import { type Edge, MAX_PARENTS } from "../protocol/index.js";
import { ProvenanceBook } from "../provenance/book.js";
import { type Content, contentOf } from "../provenance/content.js";
import { type ClaimFlags, claimsFrom } from "./claims.js";
import { type Session, tell } from "./context.js";

/** `--no-provenance` leaves the record out. */
export interface StoredClaimFlags extends ClaimFlags {
  readonly provenance: boolean;
}

/**
 * What is to be claimed of what is stored, checked before anything is paid for; undefined where nothing is.
 *
 * @throws HoldfastError `INVALID_LICENSE`, `INVALID_EDGE`, `UNKNOWN_RECORD`, …
 */
export async function storedClaims(
  { chain }: Pick<Session, "chain">,
  flags: StoredClaimFlags,
): Promise<Claims | undefined> {
  if (!flags.provenance) return undefined;
  const claims = await claimsFrom(flags, async () => (await ProvenanceBook.open(chain)).known.keys());
  for (const { parent } of claims.parents) {
    const { form } = await ask("read a record", chain.contracts.provenance.stateOf(parent));
    if (form !== 0n) continue;
    throw new HoldfastError("UNKNOWN_RECORD", `there is no record or set ${parent} here`, "check the id of the parent");
  }
  return claims;
}

/**
 * Registers what was stored and links it to its deals. What is stored is paid for: that it could not be registered, or
 * linked, is told, and no error.
 *
 * @param root - of a folder
 * @returns the record's id; undefined where there is none
 */
export async function registerStored(
  { access }: Pick<Session, "access">,
  payload: Blob | Content,
  claims: Claims | undefined,
  deals: readonly Pick<Deal, "id">[],
  root?: CID,
): Promise<string | undefined> {
  if (claims === undefined) return undefined;
  const register = async () => {
    const content = payload instanceof Blob ? await contentOf(payload) : payload;
    const cid = root === undefined ? {} : { cid: hexlify(root.bytes) };
    return registerRecord(access, recordOf(access.address, content, { ...claims, ...cid }));
  };
  const registered = await orTell("it is stored, and not registered", "register", register);
  if (registered === undefined) return undefined;
  const { id, record } = registered;
  tell(`record ${id} says where it came from`);
  const ids = deals.map((deal) => deal.id);
  await orTell("it is registered, and not linked to its deals", "link", () => linkDeals(access, record, ids));
  return id;
}

/**
 * Registers a folder that was stored: its files as a set, so that each can be verified, and what was stored of it, which
 * contains them. Where the set could not be anchored, that is told, and what was stored is registered without it.
 *
 * @param files - that were stored
 * @returns the ids of both; undefined where there is none
 */
export async function registerStoredFolder(
  session: Pick<Session, "access">,
  { path, files, payload, root, deals, before = [] }: StoredFolderParts,
  claims: Claims | undefined,
): Promise<{ readonly record?: string; readonly set?: string }> {
  if (claims === undefined) return {};
  const set = files.length === 0 ? undefined : await anchorStored(session, path, files, claims);
  const sets = [...new Set([...(set === undefined ? [] : [set]), ...before])];
  const whole = sets.length === 0 ? claims : containing(sets, claims);
  const record = await registerStored(session, payload, whole, deals, root);
  return { ...(record !== undefined && { record }), ...(set !== undefined && { set }) };
}

export interface StoredFolderParts {
  readonly path: string;
  readonly files: readonly HashedFile[];
  /** The CAR that was stored. */
  readonly payload: Blob | Content;
  readonly root: CID;
  readonly deals: readonly Pick<Deal, "id">[];
  /** Records and sets that it contains besides. */
  readonly before?: readonly string[];
}

/** What the account's own records say that a piece contains: records and sets that stand. */
export async function componentsOf({ access }: Pick<Session, "access">, pieceId: string): Promise<readonly string[]> {
  const book = await ProvenanceBook.open(access);
  const own = book.records(
    ({ registrant, record, withdrawn }) =>
      registrant === access.address && record.pieceId === pieceId && withdrawn === undefined,
  );
  const parts = own.flatMap(({ record }) => record.parents).filter(({ kind }) => kind === "component");
  return [...new Set(parts.map(({ parent }) => parent))].filter((id) => book.known.get(id)?.withdrawn === undefined);
}

async function anchorStored(
  { access }: Pick<Session, "access">,
  path: string,
  files: readonly HashedFile[],
  claims: Claims,
): Promise<string | undefined> {
  const anchored = await orTell("it is stored, and its files are not registered", "register", () =>
    anchorFolder(access, path, { ...claims, files }),
  );
  if (anchored === undefined) return undefined;
  const { head, setPath } = anchored;
  tell(`set ${head.id} says where its ${files.length} files came from: keep ${setPath}`);
  return head.id;
}

/** What came before the files came before the whole by way of them. */
function containing(parts: readonly string[], { license, aiTraining }: Claims): Claims {
  const parents = parts.slice(0, MAX_PARENTS).map((parent): Edge => ({ parent, kind: "component" }));
  return { kind: "aggregated", parents, ...(license && { license }), ...(aiTraining && { aiTraining }) };
}

async function orTell<T>(outcome: string, command: string, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    tell(`${outcome}: ${error.message}; see \`holdfast provenance ${command}\``);
    return undefined;
  }
}

/**
 * Notes a file's record beside it, so that `verify` knows what the file should be. It is registered: that it can't be noted is
 * told, and no error.
 *
 * @returns where it is noted; undefined where it is not
 */
export async function noteRecord({ chain }: Session, path: string, id: string): Promise<string | undefined> {
  const { chainId, provenance: registry } = chain.deployment;
  try {
    return await writeNote(path, { chainId, registry }, id);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    tell(`${error.message}: note the record's id yourself`);
    return undefined;
  }
}
