/**
 * Where data came from: records and what they mean together. Pure but for reading the chain; works in a browser. Files,
 * folders and content credentials are in `holdfast/node`.
 *
 * @packageDocumentation
 */
export { ProvenanceBook, type ProvenanceReader } from "./book.js";
export { type Content, ContentHasher, contentOf } from "./content.js";
export * from "./croissant/index.js";
export { DealsByPiece, type Holding, holdingsOf, holdingsOfKnown } from "./evidence.js";
export { type Finding, isWarning, type Shown } from "./findings.js";
export { type FolderInCar, folderInCar } from "./folder-in-car.js";
export { type Claim, claimOf, type Known, type KnownRecord, type KnownSet, type Said } from "./known.js";
export * from "./lineage/index.js";
export {
  checkRights,
  conflict,
  isSpdx,
  odrlPolicy,
  parseLicense,
  type RightsNode,
  type RightsReport,
} from "./rights/index.js";
export * from "./sets/index.js";
export {
  type Outcome,
  type RecordReport,
  rightsOf,
  type VerifyOptions,
  type VerifyReport,
  verifyContent,
} from "./verify.js";
