/**
 * Sets: the files of a folder, anchored by one transaction, each with a proof of its own. Pure; runs in Node and in
 * browsers. What needs Node's file system is in `file-node.ts`.
 *
 * @packageDocumentation
 */
export { type BuiltSet, buildSet, type SetPlan } from "./build.js";
export {
  domainOf,
  type Membership,
  type Registry,
  type SetContent,
  type SetHead,
  type SharedClaims,
  verifyMembership,
} from "./claims.js";
export { formatMembership, type ProvenMembership, parseMembership } from "./portable.js";
export { recordIds } from "./record-ids.js";
