import { expect } from "chai";
import { Wallet } from "ethers";
import type { Chain } from "../../src/chain/chain.js";
import { requireOwnKeys, requireStakeKey } from "../../src/cli/own-keys.js";
import { expectError } from "../piece/helpers.js";

const [provider, proving, terms, payee] = Array.from({ length: 4 }, () => Wallet.createRandom().address) as [
  ...[string, string, string, string],
];

/** A chain that knows who is paid. */
function chainOf(chainId: number, paid = payee): Pick<Chain, "contracts" | "deployment"> {
  const registry = { payeeOf: async () => paid };
  return { contracts: { registry }, deployment: { chainId } } as unknown as Chain;
}

describe("cli: keys by their duties", () => {
  it("lets no key of the stake send proofs, whoever is paid", async () => {
    await requireOwnKeys(chainOf(314), provider, { proving, terms });
    const { message } = await expectError("SHARED_KEY", () =>
      requireOwnKeys(chainOf(314), provider, { proving: provider }),
    );
    expect(message).to.contain("own account, and the key for proving");
    await expectError("SHARED_KEY", () => requireOwnKeys(chainOf(314), provider, { proving: provider.toLowerCase() }));
    await expectError("SHARED_KEY", () => requireOwnKeys(chainOf(314), provider, { proving, terms: payee }));
  });

  it("wants somebody else paid where the provider's own account restores, and says so: no other key could", async () => {
    const keys = { proving, stake: provider.toLowerCase() };
    await requireOwnKeys(chainOf(314), provider, keys);
    const { message, hint } = await expectError("SHARED_KEY", () =>
      requireOwnKeys(chainOf(314, provider), provider, keys),
    );
    expect(message).to.contain("for payout and for stake");
    expect(hint)
      .to.contain("provider init --payee")
      .and.to.contain("leave `restore` out")
      .and.not.to.contain("keys new");
    // Another account's key for the stake is nothing that another payee would mend.
    const other = await expectError("SHARED_KEY", () => requireOwnKeys(chainOf(314), provider, { stake: payee }));
    expect(other.hint).to.not.contain("--payee");
  });

  it("asks nothing on a developer's own chain, nor where nobody is served", async () => {
    await requireOwnKeys(chainOf(31_337), provider, { proving: provider, terms: provider });
    await requireOwnKeys(chainOf(314), undefined, { proving: payee });
  });

  it("lets nobody but the provider bond its stake", async () => {
    requireStakeKey(provider, provider.toLowerCase());
    const { hint } = await expectError("WRONG_STAKE_KEY", async () => requireStakeKey(provider, terms));
    expect(hint).to.contain("HOLDFAST_STAKE_KEYSTORE");
  });
});
