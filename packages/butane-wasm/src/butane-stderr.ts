import { inOrder, type ReportEntry } from './report.ts';

const ENTRY = /^(error|warning|info)(?: at (?:(\$[^,]*?)(?:, )?)?(?:line (\d+) col (\d+))?)?: (.*)$/u;
const YAML_LINE = /(?:\byaml: |^ +)line (\d+): (.*)$/u;

/** Butane's standard error taken apart: what it found, and the line it ended with. */
export interface ButaneStderr {
  readonly entries: readonly ReportEntry[];
  readonly summary: string;
}

/**
 * Parses what `butane --raw-errors` prints: one `KIND at PATH, line L col C: MESSAGE` a finding, then
 * a closing line. What is told only in the closing line
 * (broken YAML, an unknown variant) becomes an entry too.
 */
export function parseButaneStderr(stderr: string): ButaneStderr {
  const entries: ReportEntry[] = [];
  let summary = '';
  for (const text of stderr.split('\n')) {
    const found = ENTRY.exec(text);
    if (found === null) {
      const yaml = YAML_LINE.exec(text);
      if (yaml !== null) entries.push({ kind: 'error', message: yaml[2] ?? text, line: Number(yaml[1]) });
      if (text !== '' && !text.startsWith(' ')) summary = text;
      continue;
    }
    const [, kind, path, line, column, message = ''] = found;
    entries.push({
      kind: kind as ReportEntry['kind'],
      message,
      ...(line === undefined ? {} : { line: Number(line) }),
      ...(column === undefined ? {} : { column: Number(column) }),
      ...(path === undefined ? {} : { path }),
    });
  }
  if (summary.startsWith('Error ') && !entries.some((entry) => entry.kind === 'error')) {
    entries.push({ kind: 'error', message: summary });
  }
  return { entries: inOrder(entries), summary };
}
