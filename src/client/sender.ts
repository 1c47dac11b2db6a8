/**
 * Sending the client's transactions.
 *
 * @packageDocumentation
 */
import { isError, type Signer, type TransactionReceipt, type TransactionResponse } from "ethers";
import { ChainError, chainError } from "../chain/errors.js";
import type { TransactionSender } from "../chain/sender.js";

/** What sends transactions and waits for them: a `TransactionSender` in a service, {@link walletSender} in a browser. */
export type ChainSender = Pick<TransactionSender, "address" | "send">;

/**
 * Sends through a wallet that keeps its own nonces and fees, as in a browser.
 *
 * @param signer - connected to a provider
 * @example
 * const sender = walletSender(await new BrowserProvider(window.ethereum).getSigner());
 */
export function walletSender(signer: Signer): ChainSender {
  return {
    address: () => signer.getAddress(),
    async send(call, doing) {
      try {
        // Simulated first: nothing that would revert is put before a person to sign.
        const gas = await signer.estimateGas(call);
        // A fifth more, since what a call finds may change until it is in a block.
        const sent = await signer.sendTransaction({ ...call, gasLimit: gas + gas / 5n });
        return { status: "mined", ...(await landed(sent, doing)) };
      } catch (error) {
        const failed = chainError(error, doing);
        if (failed.failure === "done" && failed.revert) return { status: "done", revert: failed.revert };
        throw failed;
      }
    },
  };
}

/** A person can raise the fee in the wallet: the same call then gets into a block under another hash. */
async function landed(
  sent: TransactionResponse,
  doing: string,
): Promise<{ receipt: TransactionReceipt; replacements: number }> {
  try {
    const receipt = await sent.wait();
    if (receipt !== null) return { receipt, replacements: 0 };
  } catch (error) {
    if (!isError(error, "TRANSACTION_REPLACED") || error.reason !== "repriced") throw error;
    if (error.receipt.status === 1) return { receipt: error.receipt, replacements: 1 };
  }
  throw new ChainError(
    "NO_RECEIPT",
    `Failed to ${doing}: no success is known`,
    "Look the hash up.",
    "retry",
    undefined,
  );
}
