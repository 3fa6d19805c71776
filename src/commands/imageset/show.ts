import { Args } from '@oclif/core';
import { readText } from '../../factory/read-text.ts';
import type { ImageSet, VersionRange } from '../../mirror/imageset/image-set.ts';
import { parseImageSet } from '../../mirror/imageset/parse.ts';
import { formatReference } from '../../oci/reference.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { tableLines } from '../terminal/table.ts';

export default class ImagesetShow extends EdgefabCommand {
  static override summary = 'Check an ImageSetConfiguration and show what it asks for';
  static override description =
    'Reads v1alpha2 and v2alpha1. A key the version does not have is a fault with its line and the nearest key. ' +
    'Asks no registry: edgefab plan says what the set stands for.';
  static override examples = ['<%= config.bin %> imageset show imagesets/4.13.1.yaml'];
  static override args = {
    file: Args.file({ description: 'an ImageSetConfiguration', required: true }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImagesetShow);
    this.begin(flags);
    const imageSet = parseImageSet(await readText(args.file), args.file);
    this.print(`${args.file}: ${imageSet.apiVersion}`);
    for (const line of tableLines(['WHAT', 'NAME', 'CHANNEL', 'VERSION'], rowsOf(imageSet))) this.print(line);
    for (const { key, place } of imageSet.ignored)
      this.say(
        'info',
        `${place.file}:${place.line}: ${key} says where oc-mirror writes to; edgefab needs it not`,
      );
    for (const what of unsupported(imageSet))
      this.say('warn', `${what} is not supported: edgefab plan and precache refuse this image set`);
    return { kind: 'ImageSet', imageSet };
  }
}

function versions({ minVersion, maxVersion, minBundle }: VersionRange, none: string): string {
  if (minVersion !== undefined && minVersion === maxVersion) return minVersion;
  const from = minVersion ?? minBundle;
  if (from === undefined && maxVersion === undefined) return none;
  return [from === undefined ? '' : `from ${from}`, maxVersion === undefined ? '' : `up to ${maxVersion}`]
    .join(' ')
    .trim();
}

function rowsOf(set: ImageSet): string[][] {
  const { platform, operators, additionalImages, blockedImages } = set;
  const release = platform.release === undefined ? [] : [formatReference(platform.release.reference)];
  return [
    ...release.map((image) => ['release', image]),
    ...platform.channels.map((channel) => [
      'release',
      channel.type,
      channel.name,
      versions(channel, channel.full ? 'all' : 'newest') + (channel.shortestPath ? ', shortest path' : ''),
    ]),
    ...platform.architectures.map((name) => ['architecture', name]),
    ...operators.flatMap(({ catalog, full, packages }) => [
      ['catalog', catalog, '', full ? 'all versions' : ''],
      ...packages.flatMap((item) =>
        item.channels.length === 0
          ? [
              [
                'operator',
                item.name,
                'each',
                item.bundles.join(', ') || versions(item, full ? 'all' : 'newest'),
              ],
            ]
          : item.channels.map((channel) => [
              'operator',
              item.name,
              channel.name,
              versions(channel, versions(item, full ? 'all' : 'newest')),
            ]),
      ),
    ]),
    ...additionalImages.map(({ reference }) => ['additional', formatReference(reference)]),
    ...blockedImages.map(({ name }) => ['blocked', name]),
  ];
}

function unsupported({ platform, helm, samples }: ImageSet): string[] {
  return [
    ...(platform.graph === undefined ? [] : ['the update graph image']),
    ...(platform.kubeVirtContainer === undefined ? [] : ['the KubeVirt container']),
    ...helm.map(({ name }) => `the Helm chart ${name}`),
    ...samples.map(({ name }) => `the sample image ${name}`),
  ];
}
