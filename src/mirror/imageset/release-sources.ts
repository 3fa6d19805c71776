import { EdgefabError } from '../../errors.ts';
import { parseReleaseVersion, type ReleaseVersion } from '../../formats/release-version.ts';
import { quoteText } from '../../formats/shown-text.ts';

/** OKD's own clusters ask for this channel, whatever their minor release. */
const OKD_CHANNEL = 'stable-scos-4';

const CATALOGS: Readonly<Record<string, string>> = {
  redhat: 'registry.redhat.io/redhat/redhat-operator-index',
  certified: 'registry.redhat.io/redhat/certified-operator-index',
  community: 'registry.redhat.io/redhat/community-operator-index',
};

/** Parses the exact version of a release, as a user gives it. Throws USAGE_INVALID. */
export function parseExactRelease(text: string): ReleaseVersion {
  const version = parseReleaseVersion(text);
  if (version !== undefined) return version;
  throw new EdgefabError(`release ${quoteText(text)} is not an exact version: want for example 4.18.9`, {
    code: 'USAGE_INVALID',
  });
}

/** Which platform a release is of, by its version: OKD's carry its name. */
export function platformType({ prerelease }: ReleaseVersion): 'ocp' | 'okd' {
  return prerelease.some((part) => part.startsWith('okd')) ? 'okd' : 'ocp';
}

/** The update channel a release is found in. Candidates are not in the stable one until they are released. */
export function releaseChannel(version: ReleaseVersion): string {
  if (platformType(version) === 'okd') return OKD_CHANNEL;
  const kind = version.prerelease.length > 0 ? 'candidate' : 'stable';
  return `${kind}-${minorOf(version)}`;
}

/** `4.18` of 4.18.9. */
export function minorOf({ major, minor }: ReleaseVersion): string {
  return `${major}.${minor}`;
}

/** The catalog image meant by `redhat`, `certified` or `community` for a release; other names are images. Throws USAGE_INVALID. */
export function operatorCatalog(catalog: string, release: ReleaseVersion): string {
  const image = CATALOGS[catalog];
  if (image === undefined) return catalog;
  if (platformType(release) === 'ocp') return `${image}:v${minorOf(release)}`;
  throw new EdgefabError(
    `OKD ${release.text} has no catalog "${catalog}": Red Hat's operators are not made for it`,
    {
      code: 'USAGE_INVALID',
      suggestions: ['Name a catalog image with --catalog, and its operators with --operators'],
    },
  );
}
