/**
 * Keys: in encrypted files, with remote signers, and how to add another place.
 *
 * @packageDocumentation
 */
export { type KeyEntry, keystorePath, keystoreSource, listKeystores, writeKeystore } from "./keystore-node.js";
export { type PasswordSource, passwordFile, passwordPrompt, passwordTwice, passwordValue } from "./password-node.js";
export { PayloadSigner, type SignPayload } from "./payload-signer.js";
export { publicKeyOf } from "./public-key.js";
export { type RemoteSignerOptions, remoteSignerSource } from "./remote.js";
export { requireSeparate } from "./roles.js";
export { isKeyNamed, keySourceFrom, keysFolder, passwordFrom } from "./settings-node.js";
export { KEY_ROLES, type KeyRole, type KeySigner, type KeySource } from "./types.js";
