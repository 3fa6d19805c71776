import type { Place } from '../../errors.ts';
import type { FieldPath } from '../../formats/field-path.ts';
import type { YamlDocument } from '../../formats/yaml-document.ts';
import { parseReference } from '../../oci/reference.ts';
import { type ImageSetDocument, parseImageSetDocument } from './document.ts';
import type { AdditionalImage, HelmChart, IgnoredKey, ImageSet, OperatorPackage } from './image-set.ts';

type Mirror = NonNullable<ImageSetDocument['mirror']>;
type At = (...path: FieldPath) => Place;

/** Keys that only steer where oc-mirror writes to. */
const TARGET_KEYS = [
  'targetCatalog',
  'targetName',
  'targetTag',
  'targetCatalogSourceTemplate',
  'originalRef',
  'targetRepo',
];

/**
 * Parses what an ImageSetConfiguration, v1alpha2 or v2alpha1, means to edgefab. `file` is its name in faults and
 * places. Throws IMAGESET_INVALID with all faults together.
 */
export function parseImageSet(text: string, file: string): ImageSet {
  const { value, document } = parseImageSetDocument(text, file);
  const { apiVersion, mirror = {} } = value;
  const at: At = (...path) => document.placeOf(['mirror', ...path]);
  return {
    apiVersion,
    file,
    platform: platformOf(mirror, at),
    operators: (mirror.operators ?? []).map((operator, index) => ({
      catalog: operator.catalog,
      full: operator.full ?? false,
      skipDependencies: operator.skipDependencies ?? false,
      packages: (operator.packages ?? []).map(packageOf),
      place: at('operators', index, 'catalog'),
    })),
    additionalImages: (mirror.additionalImages ?? []).map(({ name }, index) =>
      image(name, at('additionalImages', index, 'name')),
    ),
    blockedImages: (mirror.blockedImages ?? []).map(({ name }, index) => ({
      name,
      place: at('blockedImages', index, 'name'),
    })),
    helm: helmOf(mirror, at),
    samples: (mirror.samples ?? []).map(({ name }, index) => ({ name, place: at('samples', index, 'name') })),
    ignored: ignoredKeys(value, document),
  };
}

function image(name: string, place: Place): AdditionalImage {
  return { reference: parseReference(name), place };
}

function platformOf({ platform = {} }: Mirror, at: At): ImageSet['platform'] {
  const listed = 'platforms' in platform ? (platform.platforms ?? []) : [];
  const asksKubeVirt = 'kubeVirtContainer' in platform && platform.kubeVirtContainer === true;
  return {
    ...(platform.release === undefined
      ? {}
      : { release: image(platform.release, at('platform', 'release')) }),
    channels: (platform.channels ?? []).map((channel, index) => ({
      name: channel.name,
      type: channel.type ?? 'ocp',
      ...rangeOf(channel),
      shortestPath: channel.shortestPath ?? false,
      full: channel.full ?? false,
      place: at('platform', 'channels', index, 'name'),
    })),
    // oc-mirror v2 takes the multi payload for platforms, and of its lists those architectures.
    architectures: listed.length > 0 ? ['multi'] : [...new Set(platform.architectures ?? [])],
    ...(platform.graph === true ? { graph: { place: at('platform', 'graph') } } : {}),
    ...(asksKubeVirt ? { kubeVirtContainer: { place: at('platform', 'kubeVirtContainer') } } : {}),
  };
}

interface RangeKeys {
  readonly minVersion?: string | undefined;
  readonly maxVersion?: string | undefined;
  readonly minBundle?: string | undefined;
}

function rangeOf({ minVersion, maxVersion, minBundle }: RangeKeys) {
  return {
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(minBundle === undefined ? {} : { minBundle }),
  };
}

type ParsedPackage = NonNullable<NonNullable<Mirror['operators']>[number]['packages']>[number];

function packageOf(item: ParsedPackage): OperatorPackage {
  const { defaultChannel } = item;
  const bundles = 'bundles' in item ? (item.bundles ?? []) : [];
  return {
    name: item.name,
    ...rangeOf(item),
    channels: (item.channels ?? []).map((channel) => ({ name: channel.name, ...rangeOf(channel) })),
    ...(defaultChannel === undefined ? {} : { defaultChannel }),
    bundles: bundles.map(({ name }) => name),
  };
}

function helmOf({ helm = {} }: Mirror, at: At): HelmChart[] {
  const chart = (
    { name, version, path }: { name: string; version?: string | undefined; path?: string | undefined },
    place: Place,
    repository?: string,
  ): HelmChart => ({
    name,
    ...(version === undefined ? {} : { version }),
    ...(repository === undefined ? {} : { repository }),
    ...(path === undefined ? {} : { path }),
    place,
  });
  const remote = (helm.repositories ?? []).flatMap(({ name, url, charts = [] }, index) =>
    charts.length === 0
      ? // oc-mirror takes every chart of a repository that names none.
        [chart({ name: `${name}/*` }, at('helm', 'repositories', index, 'name'), url)]
      : charts.map((item, of) => chart(item, at('helm', 'repositories', index, 'charts', of, 'name'), url)),
  );
  const local = (helm.local ?? []).map((item, index) => chart(item, at('helm', 'local', index, 'name')));
  return [...remote, ...local];
}

function ignoredKeys(value: ImageSetDocument, document: YamlDocument): IgnoredKey[] {
  const entries: [FieldPath, object][] = [
    [[], value],
    ...(value.mirror?.operators ?? []).map((item, index): [FieldPath, object] => [
      ['mirror', 'operators', index],
      item,
    ]),
    ...(value.mirror?.additionalImages ?? []).map((item, index): [FieldPath, object] => [
      ['mirror', 'additionalImages', index],
      item,
    ]),
  ];
  return entries.flatMap(([path, item]) =>
    Object.keys(item)
      .filter((key) => key === 'storageConfig' || key === 'archiveSize' || TARGET_KEYS.includes(key))
      .map((key) => ({ key, place: document.placeOf([...path, key], 'key') })),
  );
}
