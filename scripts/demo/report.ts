import { formatUnits } from "ethers";

/** What the demo ends with, and what `--json` prints; amounts are decimal strings of base units. */
export interface DemoReport {
  readonly file: string;
  readonly bytes: number;
  readonly pieceCid: string;
  /** Replicas that were held by a live deal, with a proof in its last closed window, before the client ended them. */
  readonly replicasProven: number;
  /** Replicas that another provider took over after a default, with nobody's doing but the keepers'. */
  readonly repaired: number;
  /** Blocks from the default to the first proof of the deal that took over, of the latest repair; null without one. */
  readonly repairBlocks: number | null;
  /** Blocks of a period. */
  readonly periodBlocks: number;
  readonly proofs: number;
  readonly misses: number;
  readonly slashed: string;
  readonly compensation: string;
  readonly bounty: string;
  readonly paidToProviders: string;
  readonly refunded: string;
  /** Every base unit that was there at the start is in somebody's hands at the end, and each deal's books add up. */
  readonly conserved: boolean;
  readonly fetchedSha256: string;
  readonly originalSha256: string;
  readonly provenance: ProvenanceReport;
}

/** What the client registered, and what verifying it came to. */
export interface ProvenanceReport {
  /** Id of the stored file's record. */
  readonly record: string;
  /** Id of the record of a file that was made out of it, and is stored as well. */
  readonly derived: string;
  /** The stored file was verified: its record's bytes, held and proven in the last closed window, nothing against it. */
  readonly verified: boolean;
  /** The derived file was verified likewise, its source included. */
  readonly derivedVerified: boolean;
  /** A copy of the stored file with one bit flipped was found to be altered, held against its record. */
  readonly alteredDetected: boolean;
}

/** What one account had before and has after. */
export interface Holding {
  readonly name: string;
  readonly before: bigint;
  readonly after: bigint;
}

const DECIMALS = 6;

/** An amount of the demo's dollar. */
export function dollars(amount: bigint): string {
  return `${formatUnits(amount, DECIMALS)} TUSD`;
}

/** Who holds what, as a table. */
export function holdingsTable(holdings: readonly Holding[]): string {
  const total = (pick: (holding: Holding) => bigint) => holdings.reduce((sum, each) => sum + pick(each), 0n);
  const all = { name: "all", before: total((each) => each.before), after: total((each) => each.after) };
  const rows = [...holdings, all].map(({ name, before, after }) => {
    const change = after - before;
    return [name, before, after, `${change > 0n ? "+" : ""}${change}`].map(String);
  });
  const table = [["", "before", "after", "change"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join("  ");
  return table.map((row) => `  ${line(row)}`).join("\n");
}

/** Tells the story as it happens, one line at a time, with the seconds since the start. */
export class Narrator {
  readonly #start = performance.now();
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** A new part of the story. */
  chapter(title: string): void {
    this.#write(`\n${title}`);
  }

  /** Something that has just happened. */
  tell(text: string): void {
    const seconds = ((performance.now() - this.#start) / 1_000).toFixed(1);
    this.#write(`  ${seconds.padStart(5)} s  ${text}`);
  }

  /** Text as it is. */
  print(text: string): void {
    this.#write(text);
  }
}
