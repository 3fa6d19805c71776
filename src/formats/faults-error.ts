import { EdgefabError, type ErrorCode, type Fault } from '../errors.ts';

/** More than anyone reads at once; the rest show after these are mended. */
const MAX_SHOWN = 100;

/** Writes `file:line:col  field: message`, with the parts that are known. A CSV cell is `file:line:column-name`. */
export function formatFault({ place, message }: Fault): string {
  const { file, line, col, field } = place;
  const inCsv = line !== undefined && col === undefined && field !== undefined;
  const where = [file, line, inCsv ? field : col].filter((part) => part !== undefined).join(':');
  const what = field === undefined || inCsv ? message : `${field}: ${message}`;
  return where === '' ? what : `${where}  ${what}`;
}

/** Compares faults in reading order: file, line, column. */
export function compareFaults(a: Fault, b: Fault): number {
  const [fileA, fileB] = [a.place.file ?? '', b.place.file ?? ''];
  if (fileA !== fileB) return fileA < fileB ? -1 : 1;
  return (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.col ?? 0) - (b.place.col ?? 0);
}

/**
 * Makes one error of all faults of an input, in the order given, each on a line of its own; `what` names the
 * input ("factory.yaml"). The faults stay readable one by one in `error.faults`.
 */
export function faultsError(
  what: string,
  faults: readonly Fault[],
  options: { readonly code: ErrorCode; readonly suggestions?: readonly string[] },
): EdgefabError {
  const lines = faults.slice(0, MAX_SHOWN).map((fault) => `  ${formatFault(fault)}`);
  if (faults.length > MAX_SHOWN) lines.push(`  … and ${faults.length - MAX_SHOWN} more`);
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  return new EdgefabError(`${what} has ${count}:\n${lines.join('\n')}`, {
    code: options.code,
    suggestions: options.suggestions ?? [],
    place: faults[0]?.place ?? {},
    faults,
  });
}
