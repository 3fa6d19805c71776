import { parseAllDocuments } from 'yaml';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';

interface Mirrors {
  readonly source: string;
  readonly mirrors: readonly string[];
}

interface MirrorManifest {
  readonly kind?: string;
  readonly spec?: {
    readonly imageDigestMirrors?: readonly Mirrors[];
    readonly repositoryDigestMirrors?: readonly Mirrors[];
    readonly imageTagMirrors?: readonly Mirrors[];
  };
}

/**
 * Renders the registries.conf of the installed node from the mirror manifests of a config: a double of what the
 * machine-config-operator does (its template knows `pull-from-mirror` a mirror, from 4.13 on), no more than that.
 */
export function mcoRegistriesConf(ignition: Ignition): string {
  const manifests = ignition.files
    .filter(({ path }) => /^\/opt\/openshift\/(?:manifests|openshift)\/.*\.ya?ml$/.test(path))
    .flatMap(({ path }) => parseAllDocuments(fileText(ignition, path) ?? ''))
    .map((document) => (document.toJS() ?? {}) as MirrorManifest);
  const table = ({ source, mirrors }: Mirrors, pull: string): string =>
    [
      '[[registry]]',
      `  prefix = ""`,
      `  location = "${source}"`,
      ...mirrors.flatMap((mirror) => [
        '  [[registry.mirror]]',
        `    location = "${mirror}"`,
        `    pull-from-mirror = "${pull}"`,
      ]),
      '',
    ].join('\n');
  const parts = manifests.flatMap(({ kind, spec }) => {
    if (kind === 'ImageDigestMirrorSet')
      return (spec?.imageDigestMirrors ?? []).map((each) => table(each, 'digest-only'));
    if (kind === 'ImageContentSourcePolicy')
      return (spec?.repositoryDigestMirrors ?? []).map((each) => table(each, 'digest-only'));
    if (kind === 'ImageTagMirrorSet')
      return (spec?.imageTagMirrors ?? []).map((each) => table(each, 'tag-only'));
    return [];
  });
  return `unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]\n\n${parts.join('\n')}`;
}
