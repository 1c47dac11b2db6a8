/**
 * Everything that a registry knows, from its events.
 *
 * @packageDocumentation
 */
import type { Provider } from "ethers";
import type { Contracts } from "../chain/contracts.js";
import type { Deployment } from "../chain/deployment.js";
import { chainError } from "../chain/errors.js";
import { logsBetween } from "../chain/logs.js";
import { Mutex } from "../chain/mutex.js";
import { type ProvenanceEvent, provenanceEvent } from "./events.js";
import type { Known, KnownRecord, KnownSet, Said } from "./known.js";

/** What reading provenance takes. */
export interface ProvenanceReader {
  readonly contracts: Contracts;
  readonly deployment: Deployment;
}

/** Blocks below the head that are read again the next time: a node may be behind, or the chain be reorganised. */
const OVERLAP = 64;

/**
 * The records and sets of a registry, with what was said and done about them since. The first look reads all of its
 * events, a page at a time; later ones read what is new.
 *
 * @example
 * const book = await ProvenanceBook.open(chain);
 * const claims = book.ofContent(contentHash); // everybody's, oldest first
 */
export class ProvenanceBook {
  readonly #reader: ProvenanceReader;
  /** What was asked of the node first must not take the place of what was asked later. */
  readonly #refreshing = new Mutex();
  #events: ProvenanceEvent[] = [];
  #from: number;
  #known: ReadonlyMap<string, Known> = new Map();
  #contents: ReadonlyMap<string, readonly KnownRecord[]> = new Map();

  private constructor(reader: ProvenanceReader) {
    this.#reader = reader;
    this.#from = reader.deployment.block;
  }

  /** @throws ChainError where the chain can't be asked */
  static async open(reader: ProvenanceReader): Promise<ProvenanceBook> {
    const book = new ProvenanceBook(reader);
    await book.refresh();
    return book;
  }

  /** By id, in the order of their registration. */
  get known(): ReadonlyMap<string, Known> {
    return this.#known;
  }

  /** Whatever anybody has registered of these bytes, oldest first. @param contentHash - 32 bytes in hex */
  ofContent(contentHash: string): readonly KnownRecord[] {
    return this.#contents.get(contentHash.toLowerCase()) ?? [];
  }

  /** The records that `wanted` says yes to, oldest first. */
  records(wanted: (record: KnownRecord) => boolean): KnownRecord[] {
    return [...this.#known.values()].filter((known) => known.form === "record" && wanted(known)) as KnownRecord[];
  }

  /** Reads what has come since. @throws ChainError where the chain can't be asked; the book stays as it was then */
  async refresh(): Promise<void> {
    await this.#refreshing.run(async () => {
      try {
        await this.#sync();
      } catch (error) {
        throw chainError(error, "read the provenance registry");
      }
      this.#known = knownFrom(this.#events);
      this.#contents = contentsOf(this.#known.values());
    });
  }

  async #sync(): Promise<void> {
    const { contracts, deployment } = this.#reader;
    const { provenance } = contracts;
    const provider = provenance.runner?.provider as Provider;
    const head = await provider.getBlockNumber();
    // What was read of the newest blocks is read anew: some of it may be on no chain any more.
    const kept = this.#events.filter(({ block }) => block < this.#from);
    for await (const { logs } of logsBetween(provider, { address: deployment.provenance }, this.#from, head)) {
      for (const log of logs) {
        const event = provenanceEvent(log);
        if (event !== undefined) kept.push(event);
      }
    }
    this.#events = kept;
    this.#from = Math.max(deployment.block, head - OVERLAP + 1);
  }
}

function contentsOf(known: Iterable<Known>): Map<string, KnownRecord[]> {
  const contents = new Map<string, KnownRecord[]>();
  for (const each of known) {
    if (each.form !== "record") continue;
    const { contentHash } = each.record;
    const same = contents.get(contentHash);
    if (same) same.push(each);
    else contents.set(contentHash, [each]);
  }
  return contents;
}

/** A record or a set while its events are read. */
interface Draft {
  readonly base: KnownRecord | KnownSet;
  anchoredIn?: string;
  withdrawn?: string;
  supersededBy?: string;
  /** By attester and topic, in the order in which they were said last. */
  readonly said: Map<string, Said>;
  readonly deals: bigint[];
}

/**
 * Puts events together, in time that grows with their number.
 *
 * @param events - all of a registry's, in the order of the chain
 */
export function knownFrom(events: Iterable<ProvenanceEvent>): Map<string, Known> {
  const drafts = new Map<string, Draft>();
  for (const event of events) {
    const { id, block } = event;
    if (event.name === "registered") {
      const { record } = event;
      const base = { form: "record", id, registrant: record.registrant, block, record, said: [], deals: [] } as const;
      drafts.set(id, { base, said: new Map(), deals: [] });
    } else if (event.name === "anchored") {
      const { set } = event;
      const base = { form: "set", id, registrant: set.registrant, block, set, said: [] } as const;
      drafts.set(id, { base, said: new Map(), deals: [] });
    } else {
      const draft = drafts.get(id);
      if (draft !== undefined) amend(draft, event);
    }
  }
  return new Map([...drafts].map(([id, draft]) => [id, finished(draft)]));
}

type LaterEvent = Exclude<ProvenanceEvent, { name: "registered" | "anchored" }>;

function amend(draft: Draft, event: LaterEvent): void {
  switch (event.name) {
    case "fromSet":
      draft.anchoredIn = event.set;
      return;
    case "withdrawn":
      draft.withdrawn = event.reason;
      return;
    case "superseded":
      draft.supersededBy = event.by;
      return;
    case "linked":
      draft.deals.push(event.dealId);
      return;
    case "attested":
      draft.said.delete(keyOf(event.said));
      draft.said.set(keyOf(event.said), event.said);
      return;
    case "revoked": {
      const said = draft.said.get(keyOf(event));
      if (said) draft.said.set(keyOf(event), { ...said, revoked: event.reason });
    }
  }
}

const keyOf = ({ attester, topic }: Pick<Said, "attester" | "topic">) => `${attester} ${topic}`;

function finished({ base, said, deals, ...later }: Draft): Known {
  const known = { ...base, ...later, said: [...said.values()] };
  return known.form === "record" ? { ...known, deals } : known;
}
