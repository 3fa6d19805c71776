import { EdgefabError } from '../../errors.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { releaseImage } from '../ignition/release-image.ts';
import { isRepository, type RepositoryMirror } from '../install-config/repository-mirror.ts';
import { fileChange } from './changes.ts';
import { digestMirrors } from './digest-mirrors.ts';
import { liveRegistriesConf } from './live-registries-conf.ts';
import { unfitValue } from './machine-values.ts';
import { checkRegistryPort } from './registry-settings.ts';
import { registryTrust } from './registry-trust.ts';
import { releaseVersionOf } from './release-version-of.ts';
import type { Step } from './step.ts';
import { type TaggedImage, tagMirrors } from './tag-mirrors.ts';

/** What a config must say so that every image is pulled from the registry on the machine. */
export interface RegistryMirrorsSettings {
  readonly port: number;
  /** Every repository of the lock; the mirror is `localhost:PORT/…`, as the registry names it. */
  readonly repositories: readonly RepositoryMirror[];
  /** The images the cluster is to find by their tag. */
  readonly tagged: readonly TaggedImage[];
  /** The certificate of the registry's CA, never its key. */
  readonly caPem: string;
  /** The release, such as 4.18.9. */
  readonly version: string;
}

function checkRepositories({ port, repositories }: RegistryMirrorsSettings): void {
  const place = `localhost:${port}/`;
  for (const { source, mirror } of repositories) {
    if (!isRepository(source))
      throw unfitValue('mirrored repository', source, 'HOST/PATH without tag or digest');
    if (!isRepository(mirror) || !mirror.startsWith(place))
      throw unfitValue(`mirror of ${source}`, mirror, `${place}PATH`);
  }
}

/** The release image is pulled first of all, by digest: mirrors set for the bootstrap know no tags. */
function checkRelease(ignition: Ignition, repositories: readonly RepositoryMirror[]): void {
  const image = releaseImage(ignition);
  const [name = '', digest] = image.split('@');
  if (digest === undefined) {
    throw new EdgefabError(
      `${ignition.where}: got the release image by tag (${image}), want it by digest: the registry on the machine is asked for digests only`,
      {
        code: 'MODE_UNSUPPORTED',
        suggestions: ['Use an openshift-install that was extracted from the release image by its digest'],
        place: { file: ignition.where, image },
      },
    );
  }
  const repository = name.replace(/:[^:/]*$/, '');
  if (repositories.some(({ source }) => source === repository)) return;
  throw new EdgefabError(
    `${ignition.where}: the release image's repository ${repository} has no mirror among the ${repositories.length} given`,
    {
      code: 'MIRROR_MISSING',
      suggestions: ['Use the lock of the release this config installs'],
      place: { file: ignition.where, image },
    },
  );
}

/**
 * Plans that both phases find every image in the registry on the machine and trust it. What the installer wrote from
 * its install-config is kept and completed: where nothing lacks, nothing changes. Throws USAGE_INVALID,
 * RELEASE_UNKNOWN, MODE_UNSUPPORTED (release by tag, tags before 4.13), MIRROR_MISSING, REGISTRY_CA_MISMATCH,
 * IGNITION_INVALID, INSTALLER_TEXT_UNKNOWN.
 */
export function registryMirrorsStep(ignition: Ignition, settings: RegistryMirrorsSettings): Step {
  const { port, repositories, tagged, caPem } = settings;
  checkRegistryPort(port);
  checkRepositories(settings);
  checkRelease(ignition, repositories);
  const version = releaseVersionOf(settings.version);
  const byTag = tagMirrors(tagged, repositories, version);
  const byDigest = digestMirrors(ignition, repositories, version, byTag !== undefined);
  return {
    name: 'registry-mirrors',
    why: `both phases pull from the registry on the machine, localhost:${port}, and trust it`,
    changes: [
      fileChange(liveRegistriesConf(ignition, repositories)),
      fileChange(byDigest),
      ...(byTag === undefined ? [] : [fileChange(byTag)]),
      ...registryTrust(ignition, caPem, port).map(fileChange),
    ],
  };
}
