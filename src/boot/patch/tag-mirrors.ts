import { EdgefabError } from '../../errors.ts';
import { isLineOrLater, type ReleaseVersion } from '../../formats/release-version.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import type { RepositoryMirror } from '../install-config/repository-mirror.ts';
import { unfitValue } from './machine-values.ts';
import { manifestFile } from './manifest-file.ts';

/** An image the cluster is to find by its tag. */
export interface TaggedImage {
  /** HOST/PATH:TAG */
  readonly reference: string;
  /** The digest the tag stands for in the lock, `sha256:HEX`. */
  readonly digest: string;
}

// HOST may carry a port, so the tag is after the last colon, behind the last slash.
const TAGGED = /^([^\s@]+\/[^\s@:/]+):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/;

function repositoryOf({ reference }: TaggedImage): string {
  const repository = TAGGED.exec(reference)?.[1];
  if (repository === undefined) throw unfitValue('image by tag', reference, 'HOST/PATH:TAG');
  return repository;
}

/**
 * Renders the manifest that sets mirrors for pulls by tag; undefined when no image is wanted by one. Signatures need
 * none: they are fetched from the place that served the image. Throws MODE_UNSUPPORTED on releases without
 * tag mirrors (before 4.13), naming the digest to use, and USAGE_INVALID for an image without a mirror.
 */
export function tagMirrors(
  tagged: readonly TaggedImage[],
  mirrors: readonly RepositoryMirror[],
  version: ReleaseVersion,
): NewFile | undefined {
  if (tagged.length === 0) return undefined;
  const sources = [...new Set(tagged.map(repositoryOf))].sort();
  if (!isLineOrLater(version, 4, 13)) {
    const pinned = tagged.map((image) => `${repositoryOf(image)}@${image.digest}`).sort();
    throw new EdgefabError(
      `release ${version.text} has no mirrors for tags, so a cluster without a network cannot find ${tagged.map(({ reference }) => reference).join(', ')}`,
      {
        code: 'MODE_UNSUPPORTED',
        suggestions: pinned.map((reference) => `Name the image by its digest: ${reference}`),
      },
    );
  }
  const items = sources.map((source) => {
    const found = mirrors.filter((each) => each.source === source).map(({ mirror }) => mirror);
    if (found.length === 0) throw unfitValue('image by tag', source, 'a repository that has a mirror');
    return { source, mirrors: found.sort() };
  });
  return manifestFile('/opt/openshift/openshift/99_edgefab-image-tag-mirror-set.yaml', {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageTagMirrorSet',
    metadata: { name: 'edgefab-tags' },
    spec: { imageTagMirrors: items },
  });
}
