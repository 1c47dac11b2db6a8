/** `holdfast provider bind` and `unbind`: letting a Filecoin miner's sectors prove a provider's deals (docs/filecoin.md). */
import type { Command } from "commander";
import type { SectorProofs } from "../../typechain-types/index.js";
import { HoldfastError } from "../errors.js";
import { sealPayload } from "../protocol/index.js";
import { accountText } from "./account-text.js";
import { type ChainFlags, chainCommand, printResult, type Session, withClient } from "./context.js";

const MAX_ACTOR_ID = 2n ** 63n;

/** `holdfast provider bind MINER`. */
export function minerBindCommand(): Command {
  return chainCommand("bind")
    .description("let what a miner actor has sealed for the provider prove its deals, and say what to seal with")
    .argument("<miner>", "the miner actor: f01234, t01234 or 1234")
    .action((miner: string, flags: ChainFlags) => change(miner, flags, "bind"));
}

/** `holdfast provider unbind MINER`. */
export function minerUnbindCommand(): Command {
  return chainCommand("unbind")
    .description("take that back: its sectors prove nothing for the provider any more")
    .argument("<miner>", "the miner actor: f01234, t01234 or 1234")
    .action((miner: string, flags: ChainFlags) => change(miner, flags, "unbind"));
}

async function change(text: string, flags: ChainFlags, method: "bind" | "unbind"): Promise<void> {
  const miner = parseMiner(text);
  await withClient(flags, async (session) => {
    const { access } = session;
    const sectors = sectorsOf(session);
    const wanted = method === "bind";
    if (wanted) await requireRegistered(session);
    const isSo = (await sectors.isBound(access.address, miner)) === wanted;
    if (!isSo) {
      const { interface: abi } = sectors;
      const data = wanted ? abi.encodeFunctionData("bind", [miner]) : abi.encodeFunctionData("unbind", [miner]);
      await access.sender.send({ to: session.chain.deployment.chainProofs, data }, `${method} miner f0${miner}`);
    }
    const notify = session.chain.deployment.chainProofs;
    const result = { provider: access.address, miner: `f0${miner}`, bound: wanted, notify };
    const { chainId } = session.chain.deployment;
    printResult(flags, { ...result, payload: sealPayload(access.address) }, (told) => linesOf(told, chainId, isSo));
  });
}

/**
 * The miner tells of a sector once, to whomever the payload names: by another of a provider's keys, nothing would ever be proven.
 *
 * @throws HoldfastError `NOT_A_PROVIDER`
 */
async function requireRegistered({ access, chain }: Session): Promise<void> {
  if (await access.contracts.registry.isRegistered(access.address)) return;
  const account = accountText(access.address, chain.deployment.chainId);
  const hint = "bind with the key that owns the stake; `holdfast provider init` registers it";
  throw new HoldfastError("NOT_A_PROVIDER", `${account} is no registered provider`, hint);
}

interface Told {
  readonly provider: string;
  readonly miner: string;
  readonly bound: boolean;
  readonly notify: string;
  readonly payload: string;
}

function linesOf({ provider, miner, bound, notify, payload }: Told, chainId: number, isSo: boolean): string[] {
  const said = `miner ${miner} is ${isSo ? "already " : ""}${bound ? "bound to" : "not bound to"} ${accountText(provider, chainId)}`;
  return bound
    ? [said, `in the piece's notify: address ${accountText(notify, chainId)}`, `payload ${payload}`]
    : [said];
}

/** @throws HoldfastError `NOT_FILECOIN` where no tier of the deployment can be proven so */
function sectorsOf({ access, chain }: Session): SectorProofs {
  const { sectors } = access.contracts;
  if (sectors !== undefined) return sectors;
  const message = `no tier of the market on chain ${chain.deployment.chainId} is proven by sectors`;
  throw new HoldfastError("NOT_FILECOIN", message, "see docs/filecoin.md: it takes a deployment on Filecoin");
}

/** @throws HoldfastError `INVALID_MINER` */
export function parseMiner(text: string): bigint {
  const [, digits] = /^(?:[ft]0)?(\d{1,19})$/.exec(text) ?? [];
  if (digits !== undefined && BigInt(digits) < MAX_ACTOR_ID) return BigInt(digits);
  const message = `${JSON.stringify(text)} is no miner actor`;
  throw new HoldfastError("INVALID_MINER", message, "give its id: f01234, t01234 or 1234");
}
