import type { z } from 'zod/v4';
import type { Fault, Place } from '../errors.ts';
import { describeIssue } from './describe-issue.ts';
import { compareFaults } from './faults-error.ts';
import type { FieldPath } from './field-path.ts';

/** A value a schema accepted, or everything it did not accept. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Where a value was written, down to its parts. */
export interface Origin {
  /** Finds a value, or its key; the nearest parent that exists when there is none. */
  placeOf(path: FieldPath, part?: 'key' | 'value'): Place;
  /** The scalar as it was written (4.10, not 4.1), when the path leads to one. */
  sourceOf(path: FieldPath): string | undefined;
}

/** Checks a value against a schema; every fault is placed, names the field, what was found and expected. */
export function checkValue<T>(data: unknown, schema: z.ZodType<T>, origin: Origin): Checked<T> {
  const result = schema.safeParse(data);
  if (result.success) return { ok: true, value: result.data };
  const sourceOf = (path: FieldPath): string | undefined => origin.sourceOf(path);
  const faults = new Map<string, Fault>();
  for (const issue of result.error.issues) {
    for (const { path, part, message } of describeIssue(issue, { schema, data, sourceOf })) {
      const place = origin.placeOf(path, part);
      // Two checks on one value (a pattern, then its meaning) say the same thing.
      faults.set(`${place.field} ${message}`, { place, message });
    }
  }
  return { ok: false, faults: [...faults.values()].sort(compareFaults) };
}
