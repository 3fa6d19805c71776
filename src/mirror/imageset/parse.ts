import { z } from 'zod/v4';
import type { Place } from '../../errors.ts';
import type { Checked } from '../../formats/checked-value.ts';
import { checkYaml } from '../../formats/checked-yaml.ts';
import { faultsError } from '../../formats/faults-error.ts';
import type { FieldPath } from '../../formats/field-path.ts';
import { parseYamlDocument, type YamlDocument } from '../../formats/yaml-document.ts';
import { parseReference } from '../../oci/reference.ts';
import type { AdditionalImage, HelmChart, IgnoredKey, ImageSet, OperatorPackage } from './image-set.ts';
import { imageSetV1Schema, imageSetV2Schema } from './schema.ts';

type Parsed = z.infer<typeof imageSetV1Schema> | z.infer<typeof imageSetV2Schema>;
type Mirror = NonNullable<Parsed['mirror']>;
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

const API_VERSIONS = [
  imageSetV1Schema.shape.apiVersion.value,
  imageSetV2Schema.shape.apiVersion.value,
] as const;

/** Checks a set against its own version; one without a known version is told both. */
function checkSet(document: YamlDocument): Checked<Parsed> {
  const { data } = document;
  const apiVersion =
    typeof data === 'object' && data !== null && 'apiVersion' in data ? data.apiVersion : undefined;
  if (apiVersion === API_VERSIONS[0]) return checkYaml<Parsed>(document, imageSetV1Schema);
  if (apiVersion === API_VERSIONS[1]) return checkYaml<Parsed>(document, imageSetV2Schema);
  // Never passes: the version is one of neither. All else is checked as the newer version.
  const either = imageSetV2Schema.extend({ apiVersion: z.enum(API_VERSIONS) });
  return checkYaml(document, either) as Checked<Parsed>;
}

/**
 * Parses an ImageSetConfiguration, v1alpha2 or v2alpha1 (openshift/oc-mirror). `file` is its name in faults
 * and places. Throws IMAGESET_INVALID with all faults together; keys the version does not have are faults.
 */
export function parseImageSet(text: string, file: string): ImageSet {
  const document = parseYamlDocument(text, { file, code: 'IMAGESET_INVALID' });
  const checked = checkSet(document);
  if (!checked.ok) throw faultsError(file, checked.faults, { code: 'IMAGESET_INVALID' });
  const { apiVersion, mirror = {} } = checked.value;
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
    ignored: ignoredKeys(checked.value, document),
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
  const remote = (helm.repositories ?? []).flatMap(({ url, charts = [] }, index) =>
    charts.map((item, of) => chart(item, at('helm', 'repositories', index, 'charts', of, 'name'), url)),
  );
  const local = (helm.local ?? []).map((item, index) => chart(item, at('helm', 'local', index, 'name')));
  return [...remote, ...local];
}

function ignoredKeys(value: Parsed, document: YamlDocument): IgnoredKey[] {
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
