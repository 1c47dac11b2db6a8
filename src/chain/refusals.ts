/**
 * What nodes say of a transaction that they do not take. Only what is listed here means that a node has not taken it: whatever
 * else it says, it may have.
 */
import type { RpcRefusal } from "./rpc-http.js";

/** It has these very bytes already. Lotus says so by the last of these, Nethermind by one word. */
const KNOWN =
  /already ?known|already imported|known transaction|already in mempool|existing txn? with same hash|message with nonce already exists/i;

/** Its nonce is used in a block. Geth, Erigon, Anvil and Lotus (“message nonce too low”); ethers' own words; Nethermind. */
const NONCE_USED = /nonce too low|nonce has already been used|nonce is too low|\bOldNonce\b/i;

/** Its nonce is another's that waits. Geth, Erigon and Anvil; ethers; Erigon; Nethermind; Lotus. */
const NONCE_IN_USE =
  /replacement (transaction )?(is )?underpriced|replacement fee too low|could not replace existing tx|\bReplacementNotAllowed\b|replace by fee has too low GasPremium/i;

/** Texts of definite refusals. Each is given before the node keeps anything, in the sources that are named. */
const REFUSED: readonly RegExp[] = [
  // geth, core/error.go: what the state and the rules of the chain say of it. Anvil has the same words (eth/error.rs).
  /insufficient funds|gas uint64 overflow|intrinsic gas too low|transaction type not supported/i,
  /max (priority )?fee per gas (higher than|less than)|max initcode size exceeded|nonce has max value|sender not an eoa/i,
  // geth, core/txpool/errors.go and validation.go: what its pool says of it.
  /invalid sender|transaction underpriced|txpool is full|account limit exceeded|exceeds block gas limit|negative value/i,
  /oversized data|future transaction tries to replace pending|address already reserved|gapped-nonce tx from delegated/i,
  /in-flight transaction limit reached|transaction gas limit too high|floor data gas/i,
  // geth, internal/ethapi: before its pool sees it.
  /exceeds the configured cap|only replay-protected|invalid chain id for signer|rlp: /i,
  // Erigon, txnprovider/txpool/txpoolcfg: the reasons for which it discards.
  /^underpriced$|fee too low|(pending|basefee|queued) sub-pool is full|initcode too large|gas limit (is )?too high/i,
  // Nethermind, TxPool/AcceptTxResult.cs: each is one word, with what it knows behind it.
  /^(FailedToResolveSender|FeeTooLow|FeeTooLowToCompete|GasLimitExceeded|InsufficientFunds|Int256Overflow)\b/,
  /^Invalid(,|$)|^(NonceGap|NonceTooFarInFuture|MaxTxSizeExceeded|SenderIsContract|NotSupportedTxType)\b/,
  // Lotus, chain/messagepool/messagepool.go.
  /message too big|cannot send more filecoin than will ever exist|gas fee cap too low|not enough funds/i,
  /message had invalid to address|too many pending messages for actor|unfulfilled nonce gap|not valid for block inclusion/i,
  // A node that does not know the method (geth's words, and those of the JSON-RPC specification).
  /the method \S+ does not exist|^method not found/i,
];

/** Whether these very bytes are there already: that is success. */
export const isKnown = (text: string): boolean => KNOWN.test(text);

/** Whether another transaction, or these very bytes, are in a block under this nonce. */
export const isNonceUsed = (text: string): boolean => NONCE_USED.test(text);

/** Whether the nonce is another transaction's, in a block or on its way. */
export const isNonceTakenBy = (text: string): boolean => NONCE_USED.test(text) || NONCE_IN_USE.test(text);

/**
 * Whether whoever says this has not taken the transaction, and never had.
 *
 * @example
 * isDefiniteRefusal("transaction underpriced"); // true
 * isDefiniteRefusal("Internal error"); // false
 */
export function isDefiniteRefusal(text: string): boolean {
  return isNonceTakenBy(text) || REFUSED.some((pattern) => pattern.test(text));
}

/**
 * Of what several nodes said, all of which refused: what leaves it open whether one has taken it counts most, then that the
 * nonce is used, which a node that is behind does not know.
 */
export function weightiestRefusal(refusals: readonly RpcRefusal[]): RpcRefusal | undefined {
  return (
    refusals.find(({ message }) => !isDefiniteRefusal(message)) ??
    refusals.find(({ message }) => isNonceUsed(message)) ??
    refusals[0]
  );
}
