import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { EdgefabError } from '../../../errors.ts';
import { compileGoPattern } from './go-pattern.ts';

/** A pattern that drops the images it matches anywhere. */
export interface ImageFilter {
  readonly pattern: RegExp;
  /** As the user wrote it. */
  readonly text: string;
  /** Where it stands: `image-filters.yaml:4`. */
  readonly where: string;
}

/** Far more than any filter file has. */
const MAX_FILTER_BYTES = 1024 * 1024;

interface Written {
  readonly text: string;
  readonly line: number;
}

function fault(file: string, line: number | undefined, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`${file}${line === undefined ? '' : `:${line}`}: ${what}`, {
    code: 'FILTER_INVALID',
    place: { file, ...(line === undefined ? {} : { line }) },
    suggestions: ['Write a list named patterns, one regular expression each'],
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Reads `patterns: […]` or a bare list; undefined when the text is neither, but lines. */
function yamlPatterns(text: string, file: string): Written[] | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent' });
  const { contents } = document;
  if (!isMap(contents) && !isSeq(contents)) return undefined;
  const problem = document.errors[0];
  if (problem !== undefined)
    throw fault(file, problem.linePos?.[0].line, problem.message.split('\n')[0] ?? '');
  const lineOf = (node: unknown): number | undefined =>
    isScalar(node) && node.range != null ? lines.linePos(node.range[0]).line : undefined;
  let list: unknown = contents;
  if (isMap(contents)) {
    const other = contents.items.find(({ key }) => !isScalar(key) || key.value !== 'patterns');
    if (other !== undefined)
      throw fault(
        file,
        lineOf(other.key),
        `${isScalar(other.key) ? String(other.key.value) : 'a key'} is not known here, want patterns`,
      );
    list = contents.get('patterns', true);
    if (isScalar(list) && list.value === null) return [];
  }
  if (!isSeq(list)) throw fault(file, lineOf(list), 'patterns is not a list');
  return list.items.map((item) => {
    const line = lineOf(item);
    if (!isScalar(item) || line === undefined || typeof item.value !== 'string')
      throw fault(file, line, 'a pattern is not a text: put it in quotes');
    return { text: item.value, line };
  });
}

function linePatterns(text: string): Written[] {
  return text
    .split('\n')
    .map((line, at) => ({ text: line.trim(), line: at + 1 }))
    .filter((each) => each.text !== '' && each.text !== '---' && !each.text.startsWith('#'));
}

/** Compiles one pattern. Throws FILTER_INVALID for one that is empty: it would drop everything. */
function compile({ text, line }: Written, file: string): ImageFilter {
  if (text === '') throw fault(file, line, 'a pattern is empty and would drop every image');
  try {
    return { pattern: compileGoPattern(text), text, where: `${file}:${line}` };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it cannot be read';
    throw fault(file, line, `pattern "${text.slice(0, 200)}": ${why}`, cause);
  }
}

/**
 * Reads a filter file: telco-ran-tools' YAML (`patterns:` and a list), a bare YAML list, or one pattern a line with
 * `#` comments. Patterns are Go regular expressions. Throws FILTER_INVALID with file and line.
 */
export function parseFilterFile(text: string, file: string): ImageFilter[] {
  if (text.length > MAX_FILTER_BYTES)
    throw fault(file, undefined, `has ${text.length} characters, want at most ${MAX_FILTER_BYTES}`);
  const written = yamlPatterns(text, file) ?? linePatterns(text);
  return written.map((each) => compile(each, file));
}

/** Compiles an image set's `blockedImages`, whose names are patterns in v1 and v2. Throws FILTER_INVALID. */
export function blockedImageFilters(
  blocked: readonly { readonly name: string; readonly line: number }[],
  file: string,
): ImageFilter[] {
  return blocked.map(({ name, line }) => compile({ text: name, line }, file));
}
