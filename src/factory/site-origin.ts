import type { Origin } from '../formats/checked-value.ts';
import type { FieldPath } from '../formats/field-path.ts';
import type { SiteEntry } from './site-schema.ts';

/** A checked entry of `sites`, from YAML or a CSV row, that knows where its values were written. */
export interface PlacedEntry {
  readonly keys: SiteEntry;
  readonly origin: Origin;
  /** False when only the sound parts of a faulty entry are left: enough to look for duplicates. */
  readonly whole: boolean;
}

/** The factory's `defaults`, with their places. */
export interface PlacedDefaults {
  readonly keys: Omit<SiteEntry, 'name'>;
  readonly origin: Origin;
  readonly whole: boolean;
}

function holds(value: unknown, path: FieldPath): boolean {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return false;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current !== undefined;
}

/** Finds where a merged value came from: the site itself, else the defaults, else where it is missing. */
export function siteOrigin(entry: PlacedEntry, defaults: PlacedDefaults): Origin {
  const of = (path: FieldPath): Origin =>
    !holds(entry.keys, path) && holds(defaults.keys, path) ? defaults.origin : entry.origin;
  return {
    placeOf: (path, part) => of(path).placeOf(path, part),
    sourceOf: (path) => of(path).sourceOf(path),
  };
}
