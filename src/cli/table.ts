/** Columns for people; programs ask for `--json`. */

/** A column that is aligned to its right edge, as numbers are read best. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/**
 * Lines of a table: the titles, then the rows, each column as wide as its widest cell.
 *
 * @example
 * table([{ title: "deal" }, { title: "missed", right: true }], [["0x1234", "2"]]); // ["deal    missed", "0x1234       2"]
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) =>
    columns
      .map(({ right }, i) => (right ? (row[i] ?? "").padStart(widths[i] ?? 0) : (row[i] ?? "").padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
