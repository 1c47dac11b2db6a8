/** Windows that Filecoin itself proves: of pieces that a miner has sealed for the provider (docs/filecoin.md). */
import { hexlify, type Log, zeroPadValue } from "ethers";
import type { Chain } from "../chain/chain.js";
import { chainError } from "../chain/errors.js";
import { Mutex } from "../chain/mutex.js";
import { HoldfastError } from "../errors.js";
import { NODE_SIZE, treeHeight } from "../piece/index.js";
import { sectorEvidence } from "../protocol/index.js";
import { idText, OVERLAP } from "./deals.js";
import type { Duty } from "./duty.js";
import { Places } from "./places.js";
import type { Outcome, ProofSubmitter } from "./submit.js";

/** FIP-0112's number of a sector that is neither faulty nor terminated. */
const ACTIVE = 1n;

/** Proofs at a time, each a transaction of its own: nodes keep few of one account that wait for a block. */
const AT_ONCE = 16;

/** A sector that a miner said it has sealed the piece into. */
interface Sector {
  readonly miner: bigint;
  readonly sector: bigint;
}

export interface SectorProverOptions {
  readonly chain: Chain;
  /** Address of the provider. */
  readonly provider: string;
  readonly submitter: ProofSubmitter;
}

/**
 * Proves windows by sectors. What was sealed is read from the chain's events, and only where somebody asks: for deals whose
 * bytes can't be read.
 */
export class SectorProver {
  readonly #o: SectorProverOptions;
  readonly #syncing = new Mutex();
  readonly #places = new Places(AT_ONCE);
  /** By the piece's root and padded size, the last sealed first. */
  readonly #sealed = new Map<string, Sector[]>();
  /** Every event up to here is known. */
  #readTo: number;

  constructor(options: SectorProverOptions) {
    this.#o = options;
    this.#readTo = options.chain.deployment.block - 1;
  }

  /**
   * Proves a window by any sector that has the piece and is active.
   *
   * @returns undefined where the tier can't be proven so, or nobody has sealed the piece
   * @throws HoldfastError `SECTOR_LOST` where none of its sectors is active; {@link ProofSubmitter.submitByChain}'s errors
   */
  async prove(duty: Duty, signal: AbortSignal): Promise<Outcome | undefined> {
    if (((this.#o.chain.deployment.chainTiers >> duty.deal.tier) & 1) === 0) return undefined;
    await this.#places.enter();
    try {
      signal.throwIfAborted();
      return await this.#prove(duty, signal);
    } finally {
      this.#places.leave();
    }
  }

  async #prove({ deal, window }: Duty, signal: AbortSignal): Promise<Outcome | undefined> {
    const { submitter } = this.#o;
    await this.#syncing.run(() => this.#sync(signal));
    const sectors = this.#sealed.get(keyOf(hexlify(deal.root), sizeOf(deal.leafCount))) ?? [];
    if (sectors.length === 0) return undefined;
    for (const sector of sectors) {
      const evidence = await this.#evidenceOf(sector);
      if (evidence !== undefined) return submitter.submitByChain({ id: deal.id, window }, evidence, signal);
    }
    throw lost(deal.id, sectors);
  }

  /** Undefined where the sector is not active, or its miner does not say. */
  async #evidenceOf({ miner, sector }: Sector): Promise<string | undefined> {
    const { sectors } = this.#o.chain.contracts;
    try {
      const { status, location } = await sectors!.locate(miner, sector);
      return status === ACTIVE ? sectorEvidence({ miner, sector, location }) : undefined;
    } catch (error) {
      if (chainError(error, "locate a sector").revert !== undefined) return undefined;
      throw error;
    }
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { chain, provider } = this.#o;
    const { sectors } = chain.contracts;
    const head = await chain.provider.getBlockNumber();
    const { topicHash } = sectors!.interface.getEvent("Sealed");
    const filter = { address: chain.deployment.chainProofs, topics: [topicHash, zeroPadValue(provider, 32)] };
    for await (const { logs, to } of chain.follower.logs(filter, this.#readTo + 1, head, signal)) {
      for (const log of logs) this.#note(log);
      this.#readTo = Math.max(this.#readTo, Math.min(to, head - OVERLAP));
    }
  }

  #note(log: Log): void {
    const { miner, root, sector, size } = this.#o.chain.contracts.sectors!.interface.parseLog(log)!.args;
    const key = keyOf(root, size);
    const known = this.#sealed.get(key) ?? [];
    if (known.some((one) => one.miner === miner && one.sector === sector)) return;
    this.#sealed.set(key, [{ miner, sector }, ...known]);
  }
}

/** Bytes of the padded piece. */
function sizeOf(leafCount: bigint): bigint {
  return BigInt(NODE_SIZE) << BigInt(treeHeight(leafCount));
}

function keyOf(root: string, size: bigint): string {
  return `${root}/${size}`;
}

function lost(id: bigint, sectors: readonly Sector[]): HoldfastError {
  const named = sectors.map(({ miner, sector }) => `${sector} of f0${miner}`).join(", ");
  const message = `The piece of deal ${idText(id)} can't be read, and no sector of it is active: ${named}`;
  return new HoldfastError("SECTOR_LOST", message, "Declare the sector recovered, or restore the piece's bytes.");
}
