import { toBeHex } from "ethers";
import type { Edge, EdgeKind, RecordKind, Verdict } from "../../../src/protocol/index.js";
import { NO_HASH } from "../../../src/protocol/index.js";
import type { Known, KnownRecord, KnownSet, Said } from "../../../src/provenance/known.js";
import { drawLineage, type Lineage, lineageOf } from "../../../src/provenance/lineage/index.js";

/** Ids as numbers, to be read in a test: what they are of is of no account here. */
export const idOf = (n: number): string => toBeHex(n, 32);

export const REGISTRANT = toBeHex(0xa11ce, 20);
export const ATTESTER = toBeHex(0xb0b, 20);
export const NOW = 1_800_000_000n;

type Changes = Partial<Omit<KnownRecord, "form" | "record" | "id">> & Partial<KnownRecord["record"]>;

/** A record of some kind that came from others, by their ids. */
export function recordOf(id: string, parents: readonly [string, EdgeKind][] = [], changes: Changes = {}): KnownRecord {
  const { block = 1, withdrawn, supersededBy, said = [], anchoredIn, deals = [], ...claimed } = changes;
  const registrant = changes.registrant ?? REGISTRANT;
  return {
    form: "record",
    id,
    registrant,
    block,
    said,
    deals,
    ...(withdrawn === undefined ? {} : { withdrawn }),
    ...(supersededBy === undefined ? {} : { supersededBy }),
    ...(anchoredIn === undefined ? {} : { anchoredIn }),
    record: {
      registrant,
      contentHash: id,
      size: 1_000_000n,
      pieceId: NO_HASH,
      cid: "0x",
      parents: parents.map(([parent, kind]): Edge => ({ parent, kind })),
      kind: "derived",
      license: "CC-BY-4.0",
      aiTraining: "allowed",
      manifestHash: NO_HASH,
      ...claimed,
    },
  };
}

/** A set of a thousand records. */
export function setOf(id: string, changes: Partial<Omit<KnownSet, "form" | "id">> = {}): KnownSet {
  const set = { registrant: REGISTRANT, root: id, count: 1000n, parents: [], kind: "aggregated", license: "" } as const;
  return {
    form: "set",
    id,
    registrant: REGISTRANT,
    block: 1,
    said: [],
    set: { ...set, aiTraining: "allowed", manifestHash: NO_HASH },
    ...changes,
  };
}

/** What somebody said; by default a dispute of the whole that does not expire. */
export function saidBy(
  attester: string,
  verdict: Exclude<Verdict, "none"> = "disputes",
  more: Partial<Said> = {},
): Said {
  return { attester, topic: NO_HASH, verdict, expires: 0n, reason: "", block: 2, ...more };
}

/** By id. */
export function knownOf(...all: readonly Known[]): Map<string, Known> {
  return new Map(all.map((it) => [it.id, it]));
}

/** The records and sets of docs/lineage.svg, by what they are. Ids look like hashes, so that the drawing does. */
export const SAMPLE_IDS = Object.fromEntries(
  [
    ["photo", "5e1f0c6ab2"],
    ["scan", "91d7e3405c"],
    ["archive", "c40b8812fe"],
    ["page", "2f6a90d1b7"],
    ["lost", "e8830f5519"],
    ["crop", "0a77c2e46d"],
    ["cropAgain", "b19e64f803"],
    ["captions", "7cd2150ea9"],
    ["corpus", "38f4ab97c1"],
    ["model", "d65309b7e2"],
    ["picture", "4b8e2d6f10"],
    ["collage", "a3c91e7054"],
    ["report", "61f0d84b2c"],
    ["print", "f72b5a38d6"],
  ].map(([name, start]) => [name!, `0x${start}${"0123456789abcdef".repeat(4).slice(0, 50)}${start!.slice(6)}`]),
) as Readonly<Record<SampleName, string>>;

export type SampleName =
  | "photo"
  | "scan"
  | "archive"
  | "page"
  | "lost"
  | "crop"
  | "cropAgain"
  | "captions"
  | "corpus"
  | "model"
  | "picture"
  | "collage"
  | "report"
  | "print";

const id = SAMPLE_IDS;
const kind = (it: RecordKind) => ({ kind: it });

/**
 * A newsroom's lineage: a corpus of photographs, one of them withdrawn, and of pages out of an archive; a model that was
 * trained on it, pictures by the model, and what became of them.
 */
export const SAMPLE: ReadonlyMap<string, Known> = knownOf(
  recordOf(id.photo, [], { ...kind("original"), withdrawn: "a person in it objects", aiTraining: "refused" }),
  recordOf(id.scan, [], { ...kind("original"), license: "CC0-1.0" }),
  setOf(id.archive),
  recordOf(id.page, [], {
    ...kind("original"),
    license: "LicenseRef-archive",
    aiTraining: "constrained",
    anchoredIn: id.archive,
  }),
  recordOf(id.crop, [[id.photo, "revision"]], { ...kind("edited"), supersededBy: id.cropAgain, aiTraining: "refused" }),
  recordOf(id.cropAgain, [[id.crop, "revision"]], { ...kind("edited"), aiTraining: "unstated" }),
  recordOf(
    id.captions,
    [
      [id.scan, "derivation"],
      [id.lost, "derivation"],
    ],
    { license: "", aiTraining: "unstated" },
  ),
  recordOf(
    id.corpus,
    [
      [id.page, "component"],
      [id.cropAgain, "component"],
      [id.captions, "component"],
    ],
    {
      ...kind("aggregated"),
      license: "CC-BY-4.0 AND LicenseRef-archive",
    },
  ),
  recordOf(id.model, [[id.corpus, "training"]], {
    ...kind("trained-on"),
    license: "Apache-2.0",
    aiTraining: "constrained",
  }),
  recordOf(
    id.picture,
    [
      [id.model, "input"],
      [id.scan, "input"],
    ],
    {
      ...kind("generated"),
      license: "CC0-1.0",
      said: [saidBy(ATTESTER, "disputes", { reason: "shows what never was" })],
    },
  ),
  recordOf(
    id.collage,
    [
      [id.picture, "component"],
      [id.scan, "component"],
    ],
    { ...kind("derived"), license: "CC-BY-SA-4.0" },
  ),
  recordOf(id.report, [[id.model, "input"]], {
    ...kind("generated"),
    license: "CC-BY-NC-SA-4.0",
    aiTraining: "refused",
  }),
  recordOf(
    id.print,
    [
      [id.collage, "derivation"],
      [id.collage, "revision"],
    ],
    { ...kind("edited"), license: "CC-BY-SA-4.0" },
  ),
);

/** A refusal upstream of a model: what `checkRights` finds in it. */
const SAMPLE_CONFLICTS = [{ child: id.model, parent: id.corpus }];

export const sampleLineage = (): Lineage => lineageOf(SAMPLE, id.corpus, NOW);

/** What docs/lineage.svg is. */
export const drawSample = (): string => drawLineage(sampleLineage(), { conflicts: SAMPLE_CONFLICTS });

export const SAMPLE_DRAWING = new URL("../../../docs/lineage.svg", import.meta.url);
