/**
 * Sending the client's transactions.
 *
 * @packageDocumentation
 */
import type { Signer } from "ethers";
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
        await signer.estimateGas(call);
        const receipt = await (await signer.sendTransaction(call)).wait();
        if (receipt === null)
          throw new ChainError("NO_RECEIPT", `Failed to ${doing}`, "Look the hash up.", "retry", undefined);
        return { status: "mined", receipt, replacements: 0 };
      } catch (error) {
        const failed = chainError(error, doing);
        if (failed.failure === "done" && failed.revert) return { status: "done", revert: failed.revert };
        throw failed;
      }
    },
  };
}
