/** Whose key signs a provider's deals, and who is paid, as `holdfast provider init` registers it. */
import { ZeroAddress } from "ethers";
import { isDevelopmentChain } from "../chain/block-time.js";
import { type KeySigner, keySourceFrom, publicKeyOf } from "../keys/index.js";
import { peerIdOf } from "../provider/index.js";
import type { Session } from "./context.js";

/** What is to be registered. What is undefined stays what it is. */
export interface WantedSigner {
  /** Zero: the provider's own key alone. */
  readonly signer?: string;
  /** Of the signer's key; empty where that is not known here, and what is registered is of another key. */
  readonly peerId?: string;
}

/**
 * The account that is to sign deals: the one that is named, or whose key the settings name for terms, or the one that is
 * registered, and with none of these the provider's own.
 *
 * @param named - by an option
 * @throws what opening a key throws, and asking the chain
 */
export async function wantedSigner(session: Session, named: string | undefined): Promise<WantedSigner> {
  const { access, signer: own } = session;
  const { registry } = access.contracts;
  const registered = await registry.signerOf(access.address);
  const terms = named === undefined ? await termsKey(own) : undefined;
  const address = named ?? terms?.address ?? (registered === ZeroAddress ? own.address : registered);
  const key = [terms, own].find((one) => one?.address === address);
  const peerId = key === undefined ? await otherPeerId(session) : await peerIdOfKey(key);
  const isOwn = address === own.address;
  return {
    ...(isOwn ? registered !== ZeroAddress && { signer: ZeroAddress } : { signer: address }),
    ...(peerId !== undefined && { peerId }),
  };
}

/** The key for terms, where it is another than the provider's own. */
async function termsKey(own: KeySigner): Promise<KeySigner | undefined> {
  const source = keySourceFrom(process.env, "terms");
  if (source.label === keySourceFrom(process.env).label) return undefined;
  const key = await source.open();
  return key.address === own.address ? undefined : key;
}

/** Where the signer's key is elsewhere: what is registered stays, but for the Peer ID of the provider's own key. */
async function otherPeerId({ access, signer: own }: Session): Promise<string | undefined> {
  const { registry } = access.contracts;
  if (!(await registry.isRegistered(access.address))) return undefined;
  const { peerId } = await registry.profileOf(access.address);
  return peerId !== "" && peerId === (await peerIdOfKey(own)) ? "" : undefined;
}

async function peerIdOfKey(key: KeySigner): Promise<string> {
  return peerIdOf(await publicKeyOf(key));
}

/** What an operator had better change, as the registry has it. Nothing on a developer's own chain. */
export async function notesOnKeys({ access, chain }: Session): Promise<string[]> {
  const { registry } = access.contracts;
  if (isDevelopmentChain(chain.deployment.chainId)) return [];
  const [signer, payee, { peerId }] = await Promise.all([
    registry.signerOf(access.address),
    registry.payeeOf(access.address),
    registry.profileOf(access.address),
  ]);
  return [
    ...(signer === ZeroAddress
      ? ["the provider's own key signs its deals: take another with --signer, and keep this one off the node"]
      : []),
    ...(peerId === "" ? ["no Peer ID is registered: do it again with the signer's key as HOLDFAST_TERMS_…"] : []),
    ...(payee === access.address ? ["the provider's own account is paid: name another with --payee"] : []),
  ];
}
