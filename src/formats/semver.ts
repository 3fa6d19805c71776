/** A version by semver.org 2.0.0. Identifiers stay text, because numeric ones may pass 2^53. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly prerelease: readonly string[];
  readonly build: string;
}

/** Longer texts are not versions; the bound keeps the patterns below cheap on hostile input. */
const MAX_LENGTH = 256;

const NUMBER = '(0|[1-9][0-9]*)';
const PRERELEASE = '(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)';
const SUFFIX = `(?:-(${PRERELEASE}(?:\\.${PRERELEASE})*))?(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?`;
const WHOLE = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}${SUFFIX}$`);
const PARTIAL = new RegExp(`^v?${NUMBER}(?:\\.(${NUMBER}|[xX*]))?(?:\\.(${NUMBER}|[xX*]))?${SUFFIX}$`);
const DIGITS = /^[0-9]+$/;

function build(major: string, minor: string, patch: string, pre = '', meta = ''): Version | undefined {
  const version = {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    prerelease: pre === '' ? [] : pre.split('.'),
    build: meta,
  };
  const safe = [version.major, version.minor, version.patch].every(Number.isSafeInteger);
  return safe ? version : undefined;
}

/** Parses `4.13.0-202305262054+build`, or returns undefined: all three numbers, no leading `v` (semver.org §2, §9, §10). */
export function parseVersion(text: string): Version | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const found = WHOLE.exec(text);
  if (found === null) return undefined;
  const [, major = '', minor = '', patch = '', pre, meta] = found;
  return build(major, minor, patch, pre, meta);
}

/** A version of which only the first parts may be known: `4`, `4.12`, `4.12.x`. The unknown ones are 0. */
export interface PartialVersion {
  readonly version: Version;
  readonly known: 1 | 2 | 3;
}

/** Parses a version that may lack its last parts or carry a leading `v`, or returns undefined. */
export function parsePartialVersion(text: string): PartialVersion | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const found = PARTIAL.exec(text);
  if (found === null) return undefined;
  const [, major = '', , minor, , patch, pre, meta] = found;
  const known = minor === undefined ? 1 : patch === undefined ? 2 : 3;
  const version = build(major, minor ?? '0', known === 3 ? (patch ?? '0') : '0', pre, meta);
  return version === undefined ? undefined : { version, known };
}

function compareIdentifiers(a: string, b: string): number {
  const aNumeric = DIGITS.test(a);
  const bNumeric = DIGITS.test(b);
  if (aNumeric !== bNumeric) return aNumeric ? -1 : 1;
  // No leading zeros: of two numbers the longer is the greater one.
  if (aNumeric && a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Orders two versions (semver.org §11): negative when `a` comes first; build metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  const numbers = a.major - b.major || a.minor - b.minor || a.patch - b.patch;
  if (numbers !== 0) return numbers;
  if (a.prerelease.length === 0 || b.prerelease.length === 0)
    return b.prerelease.length - a.prerelease.length;
  for (const [at, left] of a.prerelease.entries()) {
    const right = b.prerelease[at];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.prerelease.length - b.prerelease.length;
}

type Operator = '<' | '<=' | '>' | '>=' | '=' | '!=';

interface Bound {
  readonly operator: Operator;
  readonly version: Version;
}

/** Alternatives (`||`), each a list of bounds that must all hold. */
export type VersionRange = readonly (readonly Bound[])[];

const OPERATORS: Readonly<Record<string, Operator>> = {
  '': '=',
  '=': '=',
  '==': '=',
  '!': '!=',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

const TERM = /\s*(>=|<=|==|!=|[<>=!])?\s*([0-9][0-9A-Za-z.+*-]*)(?:\s+|$)/y;

/** Gives the bounds of a wildcard (`4.12.x`, `4.x`): from its first version up to the next one after all of it. */
function wildcard(operator: Operator, { version, known }: PartialVersion): Bound[] | undefined {
  const next =
    known === 1 ? { ...version, major: version.major + 1 } : { ...version, minor: version.minor + 1 };
  switch (operator) {
    case '>':
      return [{ operator: '>=', version: next }];
    case '<=':
      return [{ operator: '<', version: next }];
    case '>=':
    case '<':
      return [{ operator, version }];
    case '=':
      return [
        { operator: '>=', version },
        { operator: '<', version: next },
      ];
    case '!=':
      return undefined;
    default:
      return operator satisfies never;
  }
}

function parseTerm(sign: string, text: string): Bound[] | undefined {
  const operator = OPERATORS[sign];
  if (operator === undefined) return undefined;
  const version = parseVersion(text);
  if (version !== undefined) return [{ operator, version }];
  const partial = /\.[xX*]$/.test(text) ? parsePartialVersion(text) : undefined;
  return partial === undefined ? undefined : wildcard(operator, partial);
}

/** Parses a range as `skipRange` writes it (`>=4.5.0 <4.6.0 || 4.8.x`), or returns undefined. */
export function parseVersionRange(text: string): VersionRange | undefined {
  if (text.length > 16 * MAX_LENGTH) return undefined;
  const alternatives: Bound[][] = [];
  for (const part of text.split('||')) {
    const bounds: Bound[] = [];
    TERM.lastIndex = 0;
    while (TERM.lastIndex < part.length) {
      const found = TERM.exec(part);
      if (found === null) return undefined;
      const term = parseTerm(found[1] ?? '', found[2] ?? '');
      if (term === undefined) return undefined;
      bounds.push(...term);
    }
    if (bounds.length === 0) return undefined;
    alternatives.push(bounds);
  }
  return alternatives;
}

function holds({ operator, version: bound }: Bound, version: Version): boolean {
  const order = compareVersions(version, bound);
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    default:
      return operator satisfies never;
  }
}

/** Tells whether a version lies in a range; prereleases count by plain order, as OLM's ranges have it. */
export function inRange(version: Version, range: VersionRange): boolean {
  return range.some((bounds) => bounds.every((bound) => holds(bound, version)));
}
