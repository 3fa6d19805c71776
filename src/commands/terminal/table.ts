import { showText } from '../../formats/shown-text.ts';

/** Names of packages, bundles and channels are shorter; what is longer comes from no real catalog. */
const MAX_CELL = 120;

/** Lays out rows under headings, in columns two blanks apart. Cells may be foreign text: each is one printable line. */
export function tableLines(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [headings, ...rows.map((row) => row.map((cell) => showText(cell, MAX_CELL)))];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
