/**
 * Records that are anchored in a set, one by one.
 *
 * @packageDocumentation
 */
import { anchorStruct, recordStruct } from "../protocol/index.js";
import type { Membership, SetHead } from "../provenance/sets/index.js";
import { ask, type ChainAccess } from "./funds.js";

/**
 * Registers a record that a set has in it, as of the set's time: it can be a parent then, be attested and be shown by itself.
 * Anybody may; the record stays its registrant's. Where it is registered already, this costs nothing.
 *
 * @returns the record's id
 * @throws ChainError with `revert.name` `NotInSet`, `AlreadyWithdrawn` where the set was, `UnknownParent`
 * @example
 * await registerMember(access, parseMembership(await readFile("a.jpg.proof.json", "utf8")));
 */
export async function registerMember(
  { contracts: { provenance }, sender }: ChainAccess,
  { membership, head }: { readonly membership: Membership; readonly head: SetHead },
): Promise<string> {
  const { id, record, index, proof } = membership;
  const { form } = await ask("read a record", provenance.stateOf(id));
  if (form !== 0n) return id;
  const call = [recordStruct(record), anchorStruct(head.set), index] as const;
  await sender.send(
    await provenance.registerAnchored.populateTransaction(...call, [...proof]),
    "register a record of a set",
  );
  return id;
}
