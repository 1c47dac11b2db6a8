/** What is deployed, in which order, from what. */
import { buildModule } from "@nomicfoundation/ignition-core";
import { ZeroAddress } from "ethers";
import { CONTRACTS, contractOf } from "../../src/chain/contract-names.js";
import { type DeployOptions, marketConfig } from "../../src/chain/deploy.js";

/** The same contracts as `deployHoldfast` of src/chain, for Ignition, which goes on where it was interrupted. */
export function holdfastModule(options: DeployOptions) {
  return buildModule("Holdfast", (m) => {
    const vault = m.contract(CONTRACTS.vault);
    const registry = m.contract(CONTRACTS.registry, [vault]);
    const randomness = m.contract(contractOf("randomness", options.randomnessKind));
    const config = marketConfig(options);
    const asked = config.chainTiers > 0 ? { chainProofs: m.contract(CONTRACTS.chainProofs) } : {};
    const market = m.contract(CONTRACTS.market, [
      { vault, registry, randomness, chainProofs: ZeroAddress, ...asked, ...config },
    ]);
    const lens = m.contract(CONTRACTS.lens, [market]);
    const requests = m.contract(CONTRACTS.requests, [market, lens]);
    const provenance = m.contract(CONTRACTS.provenance, [lens]);
    return { vault, registry, randomness, ...asked, market, lens, requests, provenance };
  });
}
