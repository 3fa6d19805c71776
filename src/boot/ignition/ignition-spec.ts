import { EdgefabError } from '../../errors.ts';
import { parseReleaseVersion } from '../../formats/release-version.ts';

/**
 * The newest Ignition spec each OpenShift minor (4.x) reads, by the table of Butane specs and Ignition specs in
 * Butane's documentation (docs/specs.md and the release notes up to 0.26.0): what `variant: openshift` of that
 * version is translated to. The Ignition inside a live image may read one more; the cluster then does not.
 */
const SPEC_OF_MINOR: Readonly<Record<number, string>> = {
  12: '3.2.0',
  13: '3.2.0',
  14: '3.4.0',
  15: '3.4.0',
  16: '3.4.0',
  17: '3.4.0',
  18: '3.4.0',
  19: '3.5.0',
  20: '3.5.0',
  21: '3.5.0',
};
const OLDEST = 12;
const NEWEST_SPEC = '3.5.0';

/**
 * The newest Ignition spec a release reads. A release after 4.21 reads at least what 4.21 does. Throws
 * RELEASE_UNKNOWN for a text that is no version, and for releases before 4.12.
 */
export function ignitionSpecOf(release: string): string {
  const version = parseReleaseVersion(release);
  const known =
    version !== undefined && (version.major > 4 || (version.major === 4 && version.minor >= OLDEST));
  if (!known) {
    throw new EdgefabError(`release version: got "${release.slice(0, 60)}", want 4.${OLDEST}.0 or newer`, {
      code: 'RELEASE_UNKNOWN',
    });
  }
  return version.major === 4 ? (SPEC_OF_MINOR[version.minor] ?? NEWEST_SPEC) : NEWEST_SPEC;
}

/** Orders two 3.x spec versions; the unfinished version of a spec (`-experimental`) is before the finished one. */
export function compareSpecs(a: string, b: string): number {
  const [left, right] = [a, b].map((spec) => /^3\.(\d+)\.(\d+)(-experimental)?$/.exec(spec));
  const at = (index: number): number => Number(left?.[index] ?? 0) - Number(right?.[index] ?? 0);
  return at(1) || at(2) || Number(left?.[3] === undefined) - Number(right?.[3] === undefined);
}
