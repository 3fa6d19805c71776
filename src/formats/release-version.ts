/** A semantic version as releases carry it: `4.18.9`, `4.16.0-rc.1`, `4.21.0-okd-scos.3`. */
export interface ReleaseVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly prerelease: readonly string[];
  readonly text: string;
}

// semver 2.0.0, clauses 2, 9 and 10: no leading zeros in numbers; build metadata is read and has no rank.
const NUMBER = '(0|[1-9][0-9]*)';
const WORD = '(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)';
const VERSION = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${WORD}(?:\\.${WORD})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);
const DIGITS = /^[0-9]+$/;

/** Parses a release's version; undefined when the text is not a semantic version. */
export function parseReleaseVersion(text: string): ReleaseVersion | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const [major, minor, patch] = match.slice(1, 4).map(Number);
  if (![major, minor, patch].every(Number.isSafeInteger)) return undefined;
  return {
    major: major ?? 0,
    minor: minor ?? 0,
    patch: patch ?? 0,
    prerelease: match[4]?.split('.') ?? [],
    text,
  };
}

/** Compares one dot-separated part of a prerelease (clause 11.4): numbers by value, and below words. */
function compareParts(a: string, b: string): number {
  const numeric = DIGITS.test(a);
  if (numeric !== DIGITS.test(b)) return numeric ? -1 : 1;
  // A longer number without leading zeros is a larger one; no precision is lost this way.
  if (numeric && a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Orders two versions by semver precedence (clause 11): negative, zero or positive; a prerelease is below its release. */
export function compareReleaseVersions(a: ReleaseVersion, b: ReleaseVersion): number {
  const core = a.major - b.major || a.minor - b.minor || a.patch - b.patch;
  if (core !== 0) return core;
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return Math.sign(b.prerelease.length - a.prerelease.length);
  }
  for (const [at, part] of a.prerelease.entries()) {
    const other = b.prerelease[at];
    if (other === undefined) return 1;
    const order = compareParts(part, other);
    if (order !== 0) return order;
  }
  return a.prerelease.length - b.prerelease.length;
}

/** Tells whether a release is of this minor line or a later one; its candidates count as of the line. */
export function isLineOrLater(version: ReleaseVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
