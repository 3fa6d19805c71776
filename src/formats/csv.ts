/** One record of a CSV file; `line` is the line its first field begins on, from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/** A CSV text that breaks its own quoting rules; `line` is where, from 1. */
export interface CsvFault {
  readonly line: number;
  readonly message: string;
}

/**
 * Reads comma-separated values (RFC 4180): LF or CRLF line ends, double quotes around a field that holds
 * commas, quotes (doubled) or line ends. Blank lines are left out; a byte order mark is skipped. Faults are
 * returned, all of them; a faulty record is not among the records.
 */
export function parseCsv(text: string): { records: CsvRecord[]; faults: CsvFault[] } {
  const records: CsvRecord[] = [];
  const faults: CsvFault[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const start = line;
    const cells: string[] = [];
    let broken: string | undefined;
    for (;;) {
      const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
      broken ??= field.broken;
      cells.push(field.value);
      line += field.newlines;
      at = field.end;
      if (text[at] !== ',') break;
      at++;
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    line++;
    if (broken !== undefined) faults.push({ line: start, message: broken });
    else if (cells.length > 1 || cells[0]?.trim() !== '') records.push({ line: start, cells });
  }
  return { records, faults };
}

interface Field {
  readonly value: string;
  readonly end: number;
  readonly newlines: number;
  readonly broken?: string;
}

function fieldEnd(text: string, from: number): number {
  let end = from;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '\r') end++;
  return end;
}

function plainField(text: string, from: number): Field {
  const end = fieldEnd(text, from);
  const value = text.slice(from, end);
  const broken = value.includes('"') ? { broken: 'a quote inside a field that does not begin with one' } : {};
  return { value, end, newlines: 0, ...broken };
}

function quotedField(text: string, from: number): Field {
  let value = '';
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) {
      const newlines = text.slice(from).split('\n').length - 1;
      return { value, end: text.length, newlines, broken: 'a quoted field that never ends' };
    }
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    value += '"';
    at++;
  }
  const newlines = value.split('\n').length - 1;
  const end = fieldEnd(text, at);
  return end === at
    ? { value, end, newlines }
    : { value, end, newlines, broken: 'text after the closing quote of a field' };
}
