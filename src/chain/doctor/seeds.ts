/** Whether challenges can be had on this chain: the seeds of recent blocks. */
import { type JsonRpcApiProvider, toBeHex, toQuantity } from "ethers";
import { type Contracts, connect } from "../contracts.js";
import type { Deployment } from "../deployment.js";
import { encodeHeader } from "../header.js";
import { type Finding, look, type Notes, notesAt } from "./finding.js";

/** The contract of EIP-2935, which serves the hashes of the last 8,191 blocks. */
const HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935";
/** Blocks below the head: a node may run a call in the block of the head, or in the one after. */
const RECENT = 2;

/** Looks at the randomness of a deployment, as a keeper will need it. */
export async function examineSeeds(provider: JsonRpcApiProvider, deployment: Deployment): Promise<Finding[]> {
  const notes = notesAt("");
  const contracts = connect(provider, deployment);
  const kind = deployment.randomnessKind;
  return look(notes, "randomness", async () => {
    const epoch = (await provider.getBlockNumber()) - RECENT;
    if (epoch < 1) return notes.note("randomness", "the chain has too few blocks to ask for a seed");
    const seed =
      contracts.randao === undefined
        ? await look(notes, "randomness", () => plainSeed(notes, contracts, deployment, epoch))
        : await look(notes, "randomness", () => checkpoint(notes, provider, contracts, epoch));
    return kind === "drand"
      ? seed
      : [...seed, ...(await look(notes, "history", () => history(notes, provider, epoch)))];
  });
}

async function plainSeed(
  notes: Notes,
  { randomness }: Contracts,
  { randomnessKind, tiers, block }: Deployment,
  epoch: number,
): Promise<Finding> {
  await randomness.seed(epoch);
  if (randomnessKind === "blockhash") {
    const seen = `blockhash: the seed of block ${epoch} is there`;
    return notes.ok("randomness", `${seen}; for test and development chains only`);
  }
  const furthest = Math.max(block, epoch - Math.max(...tiers.map(({ window }) => window)));
  await randomness.seed(furthest);
  return notes.ok("randomness", `drand: the seeds of blocks ${furthest} and ${epoch} are there`);
}

/** A rehearsal of what a keeper sends: that the header's format is known, and that the chain vouches for it. */
async function checkpoint(
  notes: Notes,
  provider: JsonRpcApiProvider,
  { randao }: Contracts,
  epoch: number,
): Promise<Finding> {
  const header = await provider.send("eth_getBlockByNumber", [toQuantity(epoch), false]);
  if (header === null)
    return notes.failed("randomness", `the node has no block ${epoch}`, "use a node that is not behind");
  await randao!.checkpoint.staticCall(epoch, encodeHeader(header));
  const worth = await randao!.checkpointable(epoch);
  const seen = worth ? "could be checkpointed" : "is checkpointed";
  return notes.ok("randomness", `randao: block ${epoch} ${seen}; keepers do it for the blocks that need it`);
}

async function history(notes: Notes, provider: JsonRpcApiProvider, epoch: number): Promise<Finding> {
  const [served, block] = await Promise.all([
    provider.call({ to: HISTORY, data: toBeHex(epoch, 32) }).catch(() => "0x"),
    provider.getBlock(epoch),
  ]);
  if (block !== null && served === block.hash) return notes.ok("history", "EIP-2935: hashes of the last 8,191 blocks");
  const seen = "no EIP-2935: hashes of the last 256 blocks only";
  return notes.warning("history", seen, "keep a keeper running: a seed is lost where none comes within 256 blocks");
}
