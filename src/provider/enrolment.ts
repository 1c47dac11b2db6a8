/** Becoming a provider: profile, signer, payee, stake. */

import { type ContractTransaction, getAddress } from "ethers";
import type { ProfileStructOutput } from "../../typechain-types/ProviderRegistry.js";
import { ask, type ChainAccess, fund } from "../client/funds.js";
import { HoldfastError } from "../errors.js";
import { NO_REGION, regionBytes } from "../protocol/index.js";

/** What the registry tells clients of a provider. */
export interface EnrolledProfile {
  readonly name: string;
  /** Where its node is: the root of an origin. */
  readonly url: string;
  /** ISO 3166; without it, none is claimed. */
  readonly region?: string;
  /** libp2p Peer ID of the node's key. Where it is not known, the one that is registered stays for as long as the signer does. */
  readonly peerId?: string;
  /** Rows of the market's table that it offers, each under 8: the registry has a bit for each. */
  readonly tiers: readonly number[];
}

/** An amount of a token, in base units. */
export interface Stake {
  readonly token: string;
  readonly amount: bigint;
}

export interface Enrolment {
  readonly profile: EnrolledProfile;
  /** Stake that the market is to have of it; what is there counts. */
  readonly stakes: readonly Stake[];
  /** The account that signs deals, another than the provider's own; zero: none but that. */
  readonly signer?: string;
  /** The account that is paid. */
  readonly payee?: string;
}

/** What was done, in the order that it was. */
export type EnrolmentStep = "registered" | "profile updated" | "signer set" | "payee set" | "stake provisioned";

/**
 * Brings the registry to what is wanted, as the account of `access`. What is so already costs nothing, so it can be done again
 * after it broke off, and to change something.
 *
 * @returns what it took
 * @throws HoldfastError `INVALID_REGION`, `INVALID_TIER`
 * @throws ChainError where the chain refuses a step; the ones before it are done
 * @example
 * const profile = { name: "Example", url: "https://node.example", region: "DE", tiers: [0, 1] };
 * await enrol(access, { profile, stakes: [{ token, amount: 500_000_000n }], signer });
 */
export async function enrol(access: ChainAccess, wanted: Enrolment): Promise<EnrolmentStep[]> {
  const steps: EnrolmentStep[] = [];
  const { registry } = access.contracts;
  const done = async (step: EnrolmentStep, call: Promise<ContractTransaction>) => {
    await access.sender.send(await call, `become a provider (${step})`);
    steps.push(step);
  };
  const isRegistered = await ask("read the registry", registry.isRegistered(access.address));
  const now = isRegistered ? await ask("read the profile", registry.profileOf(access.address)) : undefined;
  const { signer, payee } = wanted;
  // What is not named stays what it is: a signer that was replaced can never sign again.
  const signs = signer === undefined ? undefined : await ask("read the signer", registry.signerOf(access.address));
  const changesSigner = signer !== undefined && signs !== getAddress(signer);
  const profile = profileFor(wanted.profile, now, changesSigner);
  if (now === undefined) await done("registered", registry.register.populateTransaction(profile));
  else if (!isSame(profile, now)) await done("profile updated", registry.updateProfile.populateTransaction(profile));
  if (changesSigner) await done("signer set", registry.setSigner.populateTransaction(signer));
  if (payee !== undefined && (await ask("read the payee", registry.payeeOf(access.address))) !== getAddress(payee))
    await done("payee set", registry.setPayee.populateTransaction(payee));
  for (const { token, amount } of wanted.stakes) {
    const missing = amount - (await stakeOf(access, token));
    if (missing <= 0n) continue;
    await fund(access, token, missing, access.deployment.registry);
    await done("stake provisioned", registry.provision.populateTransaction(access.deployment.market, token, missing));
  }
  return steps;
}

/** Stake that the market has of an account, locked or free, in base units. */
export async function stakeOf(
  { contracts, deployment, address }: Pick<ChainAccess, "contracts" | "deployment" | "address">,
  token: string,
): Promise<bigint> {
  const { free, locked } = await ask(
    "read the stake",
    contracts.registry.provisionOf(address, deployment.market, token),
  );
  return free + locked;
}

/** What is not named stays what it is. A Peer ID is that of the signer's key, and goes with it. */
function profileFor(
  { name, url, region, peerId, tiers }: EnrolledProfile,
  now: ProfileStructOutput | undefined,
  changesSigner: boolean,
) {
  const unknown = tiers.find((tier) => tier > 7);
  if (unknown !== undefined) {
    throw new HoldfastError("INVALID_TIER", `the registry lists no tier ${unknown}`, "tiers 0 to 7 can be listed");
  }
  return {
    ...{ name, url },
    peerId: peerId ?? (changesSigner ? undefined : now?.peerId) ?? "",
    region: region === undefined ? NO_REGION : regionBytes(region),
    tiers: BigInt(tiers.reduce((bits, tier) => bits | (1 << tier), 0)),
    offerUri: now?.offerUri ?? "",
  };
}

function isSame(wanted: ReturnType<typeof profileFor>, now: ProfileStructOutput): boolean {
  const { name, url, peerId, region, tiers } = now;
  return (
    [name === wanted.name, url === wanted.url, peerId === wanted.peerId, region === wanted.region].every(Boolean) &&
    tiers === wanted.tiers
  );
}
