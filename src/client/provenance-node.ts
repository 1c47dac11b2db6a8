/** Provenance of files and folders on disk, in Node. */

export { readC2pa } from "../provenance/c2pa/index.js";
export { openSetFile, SetFile, writeSetFile } from "../provenance/sets/file-node.js";
export {
  type AnchoredFolder,
  anchorFolder,
  croissantPathOf,
  type DatasetWords,
  type FolderClaims,
  recordIri,
  setPathOf,
} from "./folder-set-node.js";
export { type HashedFile, type HashFolderOptions, hashFile, hashFolder } from "./hash-folder-node.js";
export { type HintOptions, type Hints, hintsOf } from "./hints-node.js";
export { type Note, notePathOf, readNote, writeNote } from "./note-node.js";
export { type FileReport, readCredentials, type VerifyFileOptions, verifyFile } from "./verify-node.js";
