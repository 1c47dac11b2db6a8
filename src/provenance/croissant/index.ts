/**
 * Croissant manifests of data sets (MLCommons, versions 1.1 and 1.0): read from strangers, written, changed. Pure: no
 * network, no file system. See docs/manifests.md.
 *
 * @packageDocumentation
 */
export { MAX_ENTRY_VALUES } from "./expand.js";
export { licenseUrl, spdxOfLicense } from "./license.js";
export { type JsonObject, MAX_MANIFEST_BYTES, MAX_MANIFEST_DEPTH, MAX_MANIFEST_VALUES } from "./parse.js";
export { readCroissant } from "./read.js";
export { parseContentSize } from "./size.js";
export type {
  Creator,
  CroissantDataset,
  FileObject,
  FileSet,
  NewDataset,
  NewDatasetHeader,
  NewFile,
  NewFileSet,
  StatedUse,
} from "./types.js";
export { type CroissantChanges, type FileChanges, updateCroissant } from "./update.js";
export type { Usage, UsageConstraint, UsageRule } from "./usage.js";
export { CROISSANT_1_0, CROISSANT_1_1, CROISSANT_CONTEXT } from "./vocabulary.js";
export { croissantChunks, fileIdOf, writeCroissant } from "./write.js";
