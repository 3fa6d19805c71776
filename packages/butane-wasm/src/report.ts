/** One finding about a config. Lines and columns count from 1; `path` is `$.storage.files.0.mode`. */
export interface ReportEntry {
  readonly kind: 'error' | 'warning' | 'info';
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
}

/** What Butane or Ignition said; `isFatal` when one of the entries is an error. */
export interface Report {
  readonly entries: readonly ReportEntry[];
  readonly isFatal: boolean;
}

/** Makes a report of entries, fatal when one of them is an error. */
export function reportOf(entries: readonly ReportEntry[]): Report {
  return { entries, isFatal: entries.some((entry) => entry.kind === 'error') };
}

/**
 * Sorts entries by their place, those without a line last: Butane and Ignition find unused keys in a
 * random order.
 */
export function inOrder(entries: readonly ReportEntry[]): ReportEntry[] {
  const { MAX_SAFE_INTEGER: none } = Number;
  return entries.toSorted(
    (a, b) =>
      (a.line ?? none) - (b.line ?? none) ||
      (a.column ?? none) - (b.column ?? none) ||
      (a.message < b.message ? -1 : Number(a.message > b.message)),
  );
}
