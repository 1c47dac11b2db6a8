import { counts, type Known } from "../known.js";

/** How a record or a set can stand; see {@link stateOf}. */
export const NODE_STATES = ["standing", "withdrawn", "disputed", "superseded", "unknown"] as const;
export type NodeState = (typeof NODE_STATES)[number];

/**
 * How a record or a set stands at a time. Where several things are so, the one that says most against it goes first:
 *
 * 1. `withdrawn`: its registrant stands by it no longer.
 * 2. `disputed`: a third party disputes it, on whatever topic, and that counts now.
 * 3. `superseded`: its registrant puts another in its place.
 * 4. `standing`: none of these.
 *
 * `unknown`: it wasn't read, or a reorganisation took it away.
 *
 * @param now - Unix seconds
 * @param attesters - lower-case addresses of those whose disputes count; anybody's where it is left out
 */
export function stateOf(known: Known | undefined, now: bigint, attesters?: ReadonlySet<string>): NodeState {
  if (known === undefined) return "unknown";
  if (known.withdrawn !== undefined) return "withdrawn";
  const disputed = known.said.some(
    (said) => said.verdict === "disputes" && counts(said, now) && (attesters?.has(said.attester.toLowerCase()) ?? true),
  );
  if (disputed) return "disputed";
  return known.supersededBy === undefined ? "standing" : "superseded";
}

/**
 * Whether what was made from it is tainted. Not so `superseded`: that there is a newer one says nothing against the older.
 * Nor `unknown`: nothing is known against it either; it is drawn so that nobody overlooks it.
 */
export function taints(state: NodeState): boolean {
  return state === "withdrawn" || state === "disputed";
}
