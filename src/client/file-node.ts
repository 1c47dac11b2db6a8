/** What is for Node: files and folders as payloads, as the place of downloads, and as what records are about; deployment files. */
export { readDeployment, writeDeployment } from "../chain/deployment-node.js";
export { type DeploymentPlaces, type FoundDeployment, findDeployment } from "../chain/find-deployment-node.js";
export { fileBlob, fileSink } from "./blob-node.js";
export { fileSpool, type ReadFolderOptions, readFolder } from "./folder-node.js";
export * from "./provenance-node.js";
export { addToKeyring, keyFromKeyring } from "./replicas/keyring-node.js";
export {
  type LockedManifest,
  lockManifest,
  openManifest,
  readManifest,
  writeManifest,
} from "./replicas/manifest-node.js";
export { type Unpacked, type UnpackOptions, unpackFolder } from "./unpack-node.js";
