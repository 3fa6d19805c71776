import { EdgefabError } from '../../errors.ts';
import { parseReleaseVersion, type ReleaseVersion } from '../../formats/release-version.ts';

/** Reads the release a config installs. Throws RELEASE_UNKNOWN. */
export function releaseVersionOf(text: string): ReleaseVersion {
  const version = parseReleaseVersion(text);
  if (version !== undefined) return version;
  throw new EdgefabError(`release version: got "${text.slice(0, 100)}", want one like 4.18.9`, {
    code: 'RELEASE_UNKNOWN',
    suggestions: ['Say which release the config installs with --release'],
  });
}
