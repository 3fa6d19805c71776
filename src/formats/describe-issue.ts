import type { z } from 'zod/v4';
import type { FieldPath } from './field-path.ts';
import { nearMatch } from './near-match.ts';
import { expectedText, knownKeys, schemasAt } from './schema-walk.ts';
import { quoteText, showText } from './shown-text.ts';

type Issue = z.core.$ZodIssue;

/** One thing wrong with a value, not yet placed in a file. */
export interface IssueText {
  readonly path: FieldPath;
  /** Whether the key or the value is to be pointed at. */
  readonly part: 'key' | 'value';
  readonly message: string;
}

/** What the values came from: the data, its schema and, where known, the text of a scalar. */
export interface IssueContext {
  readonly schema: z.core.$ZodType;
  readonly data: unknown;
  readonly sourceOf: (path: FieldPath) => string | undefined;
}

const DEFAULT_MESSAGE = 'Invalid input';
function valueAt(data: unknown, path: FieldPath): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

function foundText(value: unknown, source: string | undefined, secret: boolean): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') {
    const keys = Object.keys(value);
    if (keys.length === 0) return 'an empty map';
    return secret
      ? 'a map'
      : `a map with ${keys
          .slice(0, 5)
          .map((key) => showText(key))
          .join(', ')}${keys.length > 5 ? ', …' : ''}`;
  }
  if (secret)
    return typeof value === 'string' ? `text (${value.length} characters, not shown)` : 'a value (not shown)';
  return typeof value === 'string' ? quoteText(value) : showText(source ?? String(value));
}

function mismatch(path: FieldPath, context: IssueContext, hint?: string): IssueText {
  const views = schemasAt(context.schema, path);
  const expected = [...new Set(views.map(expectedText))].join(', or ') || 'no value';
  const value = valueAt(context.data, path);
  if (value === undefined)
    return {
      path,
      part: 'value',
      message: `${path.length === 0 ? 'found nothing' : 'missing'}, expected ${expected}`,
    };
  const source = context.sourceOf(path);
  const secret = views.some((view) => view.secret);
  const wantsText =
    !secret && views.length > 0 && views.every(({ schema }) => schema._zod.def.type === 'string');
  const quotes = wantsText && typeof value === 'number' ? ` (write it in quotes: "${source ?? value}")` : '';
  return {
    path,
    part: 'value',
    message: `found ${foundText(value, source, secret)}, expected ${expected}${hint ?? quotes}`,
  };
}

function unknownKey(path: FieldPath, key: string, context: IssueContext): IssueText {
  const known = knownKeys(context.schema, path);
  const near = nearMatch(key, known);
  const expected = near === undefined ? `, expected one of ${known.join(', ')}` : ` (did you mean ${near}?)`;
  return { path: [...path, key], part: 'key', message: `unknown key${expected}` };
}

function unionIssue(path: FieldPath, branches: readonly Issue[][], context: IssueContext): IssueText[] {
  const fitting = branches.filter((issues) => !isKindFault(issues));
  const fewest = Math.min(...fitting.map((issues) => issues.length));
  const best = fitting.filter((issues) => issues.length === fewest);
  const [only] = best;
  if (only !== undefined && best.length === 1)
    return only.flatMap((issue) => describeIssue(prefixed(issue, path), context));
  const strange = best.map((issues) =>
    issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    ),
  );
  const common = (strange[0] ?? []).filter((key) => strange.every((keys) => keys.includes(key)));
  return common.length > 0 ? common.map((key) => unknownKey(path, key, context)) : [mismatch(path, context)];
}

/** Tells whether an alternative is of another kind altogether (a map where text was found). */
function isKindFault(issues: readonly Issue[]): boolean {
  return issues.some(
    ({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value'),
  );
}

function prefixed(issue: Issue, path: FieldPath): Issue {
  return { ...issue, path: [...path, ...issue.path] };
}

function fieldPath(path: readonly PropertyKey[]): FieldPath {
  return path.map((part) => (typeof part === 'number' ? part : String(part)));
}

function choiceHint(path: FieldPath, choices: readonly unknown[], context: IssueContext): string | undefined {
  const value = valueAt(context.data, path);
  const near = typeof value === 'string' ? nearMatch(value, choices.map(String)) : undefined;
  return near === undefined ? undefined : ` (did you mean ${near}?)`;
}

/**
 * Puts a validator's issue in words: what was found, what was expected, the nearest known word. A message a
 * check was given is used as it is; without one the schema's description says what was expected.
 */
export function describeIssue(issue: Issue, context: IssueContext): IssueText[] {
  const path = fieldPath(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, context));
    case 'invalid_union':
      return unionIssue(path, issue.errors, context);
    case 'invalid_value':
      return [mismatch(path, context, choiceHint(path, issue.values, context))];
    case 'custom':
      if (issue.message === DEFAULT_MESSAGE) return [mismatch(path, context)];
      return [{ path, part: 'value', message: issue.message }];
    default:
      return [mismatch(path, context)];
  }
}
