/** What `holdfast provider init` brings the registry to. */
import { amountText, parseAmountOf, readToken, type Token } from "../client/tokens.js";
import { HoldfastError } from "../errors.js";
import { type Enrolment, type EnrolmentStep, enrol, type Stake, stakeOf } from "../provider/index.js";
import { nodePolicy } from "../provider/policy/index.js";
import { type Session, tell } from "./context.js";
import type { NodeFolder } from "./node-folder.js";
import { notesOnKeys, wantedSigner } from "./provider-keys.js";
import type { InitFlags } from "./provider-options.js";
import type { Asker } from "./questions.js";

/**
 * What is to be registered: what a folder says, and what is asked for besides. Nothing is sent.
 *
 * @throws HoldfastError `MISSING_SETTING`, `INVALID_AMOUNT`, and what {@link nodePolicy} throws
 * @throws what opening a key throws, and asking the chain
 */
export async function planEnrolment(
  asker: Asker,
  session: Session,
  { settings, policy: file }: Pick<NodeFolder, "settings" | "policy">,
  flags: InitFlags,
): Promise<Enrolment> {
  const { chain } = session;
  const { policy } = await nodePolicy(file, chain);
  const url = settings.publicUrl;
  if (url === undefined) {
    throw new HoldfastError("MISSING_SETTING", "node.yaml has no publicUrl", "clients find the node by it: add it");
  }
  const named = { option: "--name", text: "Name that clients read", fallback: "" };
  const name = await asker.ask(flags.name ?? (await nameOf(session)), named, String);
  const token = await readToken(chain.provider, policy.token);
  const amount = await askStake(asker, session, flags, token);
  const stakes = await stakesOf(session, { token: token.address, amount });
  const { peerId, ...signer } = await wantedSigner(session, flags.signer);
  const [region] = policy.regions ?? [];
  const profile = {
    ...{ name, url, tiers: policy.tiers.map(({ tier }) => tier) },
    ...(region !== undefined && { region }),
    ...(peerId !== undefined && { peerId }),
  };
  return { profile, stakes, ...signer, ...(flags.payee !== undefined && { payee: flags.payee }) };
}

/** Brings the registry to it. @throws ChainError where the chain refuses a step */
export async function register(session: Session, enrolment: Enrolment): Promise<EnrolmentStep[]> {
  const steps = await enrol(session.access, enrolment);
  for (const note of await notesOnKeys(session)) tell(note);
  return steps;
}

/** The name that it is registered by. */
async function nameOf({ access }: Session): Promise<string | undefined> {
  const { registry } = access.contracts;
  return (await registry.isRegistered(access.address)) ? (await registry.profileOf(access.address)).name : undefined;
}

/** What the market has of it already is enough, where nothing else is said. */
async function askStake(asker: Asker, { access, chain }: Session, flags: InitFlags, token: Token): Promise<bigint> {
  const { minStake, stakeToken } = chain.deployment;
  const least = max(await stakeOf(access, token.address), token.address === stakeToken ? minStake : 0n);
  const fallback = least > 0n ? { fallback: least.toString() } : {};
  const text = `Stake for the market to hold ("500 ${token.symbol}")`;
  return asker.ask(flags.stake, { option: "--stake", text, ...fallback }, (amount) => parseAmountOf(amount, token));
}

/** With what the market asks of every provider, in its own token. */
async function stakesOf({ chain }: Session, own: Stake): Promise<Stake[]> {
  const { stakeToken, minStake } = chain.deployment;
  const least = { token: stakeToken, amount: minStake };
  const stakes = own.token === stakeToken ? [{ ...own, amount: max(own.amount, minStake) }] : [own, least];
  const wanted = stakes.filter(({ amount }) => amount > 0n);
  for (const { token, amount } of wanted) {
    tell(`stake for the market to hold: ${amountText(amount, await readToken(chain.provider, token))}`);
  }
  return wanted;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
