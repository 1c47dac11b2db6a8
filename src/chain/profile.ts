/** What a provider's profile says, where a profile that can't be read must not keep anybody from the rest. */
import type { Contracts } from "./contracts.js";
import { chainError } from "./errors.js";

/**
 * The URL in a provider's profile; empty where it has none that can be read. Anybody can have deals without being registered,
 * or register a text that is no UTF-8: that must not get in the way of who asks after all providers of a piece.
 *
 * @throws ChainError where the chain can't be asked
 */
export async function providerUrl({ registry }: Pick<Contracts, "registry">, provider: string): Promise<string> {
  const doing = "read a provider's profile";
  const profile = await registry.profileOf(provider).catch((error: unknown) => {
    const failed = chainError(error, doing);
    if (failed.revert?.name === "NotRegistered") return undefined;
    throw failed;
  });
  try {
    return profile?.url ?? "";
  } catch {
    // ethers reads texts when they are asked for.
    return "";
  }
}
