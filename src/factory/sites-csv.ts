import type { Fault, Place } from '../errors.ts';
import { checkValue, type Origin } from '../formats/checked-value.ts';
import { type CsvRecord, parseCsv } from '../formats/csv.ts';
import type { FieldPath } from '../formats/field-path.ts';
import { nearMatch } from '../formats/near-match.ts';
import { knownKeys, schemasAt } from '../formats/schema-walk.ts';
import { showText } from '../formats/shown-text.ts';
import { salvageSite } from './salvage-site.ts';
import type { PlacedEntry } from './site-origin.ts';
import { siteEntrySchema } from './site-schema.ts';

/** Between the items of a list in one cell; no address, path or host name edgefab takes in a CSV has one. */
const LIST_SEPARATOR = ';';
const MAX_ROWS = 20_000;
const MAX_INDEX = 15;

type Kind = 'text' | 'number' | 'boolean' | 'list';

interface Column {
  readonly name: string;
  readonly path: FieldPath;
  readonly kind: Kind;
}

function kindAt(path: FieldPath): Kind | 'map' | undefined {
  const types = schemasAt(siteEntrySchema, path).map(({ schema }) => schema._zod.def);
  const [def] = types;
  switch (def?.type) {
    case undefined:
      return undefined;
    case 'number':
    case 'boolean':
      return def.type;
    case 'array': {
      const inner = kindAt([...path, 0]);
      return inner === 'text' ? 'list' : 'map';
    }
    case 'object':
    case 'union':
      return 'map';
    default:
      return 'text';
  }
}

/** Every dotted key name a column can have, lists of maps left out. */
function columnNames(path: FieldPath = []): string[] {
  return knownKeys(siteEntrySchema, path).flatMap((key) => {
    const below = [...path, key];
    return kindAt(below) === 'map' ? columnNames(below) : [below.join('.')];
  });
}

function parseColumn(name: string): { column: Column } | { message: string } {
  const path = name.split('.').map((part) => (/^(?:0|[1-9][0-9]?)$/.test(part) ? Number(part) : part));
  const kind = path.some((part) => typeof part === 'number' && part > MAX_INDEX) ? undefined : kindAt(path);
  if (kind === 'map') return { message: `found a column for a whole map, expected one for each of its keys` };
  if (kind !== undefined) return { column: { name, path, kind } };
  const known = columnNames();
  const near = nearMatch(name, known);
  return {
    message: `unknown column${near === undefined ? `, expected some of ${known.join(', ')}` : ` (did you mean ${near}?)`}`,
  };
}

function cellValue(text: string, kind: Kind): unknown {
  switch (kind) {
    case 'number':
      return /^[0-9]{1,15}$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'list':
      return text.split(LIST_SEPARATOR).map((item) => item.trim());
    case 'text':
      return text;
    default:
      return kind satisfies never;
  }
}

type Tree = Record<string | number, unknown>;

function setAt(root: Tree, path: FieldPath, value: unknown): void {
  let node = root;
  path.forEach((part, at) => {
    if (at === path.length - 1) node[part] = value;
    else {
      node[part] ??= typeof path[at + 1] === 'number' ? [] : {};
      node = node[part] as Tree;
    }
  });
}

function startsWith(path: FieldPath, prefix: FieldPath): boolean {
  return prefix.every((part, index) => path[index] === part);
}

function rowOrigin(file: string, line: number, columns: readonly Column[]): Origin {
  const placeOf = (path: FieldPath): Place => {
    if (path.length === 0) return { file, line };
    const column = columns.find((candidate) => startsWith(path, candidate.path));
    return { file, line, field: column?.name ?? path.join('.') };
  };
  return { placeOf, sourceOf: () => undefined };
}

/**
 * Reads sites from a CSV text: the first record names the columns by dotted key (`network.address`), each
 * further one is a site; an empty cell is an absent key, a list in a cell is separated by `;`. Faults name
 * `file:line:column-name`.
 */
export function parseSitesCsv(text: string, file: string): { entries: PlacedEntry[]; faults: Fault[] } {
  const parsed = parseCsv(text);
  const faults: Fault[] = parsed.faults.map(({ line, message }) => ({ place: { file, line }, message }));
  const [header, ...rows] = parsed.records;
  if (header === undefined)
    return { entries: [], faults: [...faults, { place: { file, line: 1 }, message: 'no header row' }] };
  if (rows.length === 0)
    faults.push({ place: { file, line: header.line }, message: 'no sites after the header row' });
  if (rows.length > MAX_ROWS)
    return {
      entries: [],
      faults: [{ place: { file }, message: `found ${rows.length} rows, expected at most ${MAX_ROWS}` }],
    };
  const columns: (Column | undefined)[] = [];
  const names = new Set<string>();
  for (const cell of header.cells) {
    const name = cell.trim();
    const result = names.has(name) ? { message: 'found this column twice' } : parseColumn(name);
    names.add(name);
    columns.push('column' in result ? result.column : undefined);
    if ('message' in result)
      faults.push({ place: { file, line: header.line, field: showText(name) }, message: result.message });
  }
  const entries: PlacedEntry[] = [];
  for (const row of rows) {
    const entry = rowEntry(row, columns, file, faults);
    if (entry !== undefined) entries.push(entry);
  }
  return { entries, faults };
}

function rowEntry(
  { line, cells }: CsvRecord,
  columns: readonly (Column | undefined)[],
  file: string,
  faults: Fault[],
): PlacedEntry | undefined {
  if (cells.length !== columns.length) {
    faults.push({
      place: { file, line },
      message: `found ${cells.length} cells, expected ${columns.length}`,
    });
    return undefined;
  }
  const raw: Tree = {};
  const known = columns.filter((column) => column !== undefined);
  columns.forEach((column, index) => {
    const text = cells[index]?.trim() ?? '';
    if (column !== undefined && text !== '') setAt(raw, column.path, cellValue(text, column.kind));
  });
  const origin = rowOrigin(file, line, known);
  const checked = checkValue(raw, siteEntrySchema, origin);
  // A header at fault leaves keys out of every row: only the header is told.
  const whole = known.length === columns.length;
  if (checked.ok) return { keys: checked.value, origin, whole };
  faults.push(...checked.faults);
  const keys = salvageSite(raw);
  return keys === undefined ? undefined : { keys, origin, whole: false };
}
