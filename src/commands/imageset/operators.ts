import { Args, Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import { type CatalogListing, listCatalog } from '../../mirror/resolve/catalog/list-catalog.ts';
import { loadCatalog } from '../../mirror/resolve/catalog-images.ts';
import { parseReference } from '../../oci/reference.ts';
import { EdgefabCommand } from '../terminal/edgefab-command.ts';
import { parseArchitecture } from '../terminal/parse-architecture.ts';
import { openRegistry, registryFlags } from '../terminal/registry-flags.ts';
import { tableLines } from '../terminal/table.ts';

export default class ImagesetOperators extends EdgefabCommand {
  static override summary =
    'List the operators of a catalog, the channels of one, or the versions of a channel';
  static override description =
    'Reads the catalog out of its index image, as oc-mirror list operators does. A name the catalog does not have is ' +
    'answered with those it has and the nearest one.';
  static override examples = [
    '<%= config.bin %> imageset operators registry.redhat.io/redhat/redhat-operator-index:v4.18',
    '<%= config.bin %> imageset operators registry.redhat.io/redhat/redhat-operator-index:v4.18 --package lvms-operator',
  ];
  static override args = {
    catalog: Args.string({ description: 'a catalog image', required: true }),
  };
  static override flags = {
    ...registryFlags,
    package: Flags.string({ description: 'list the channels of this operator' }),
    channel: Flags.string({ description: 'list the versions of this channel of --package' }),
    arch: Flags.string({ description: 'architecture of the index image to read', default: 'x86_64' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImagesetOperators);
    this.begin(flags);
    const { package: name, channel } = flags;
    if (channel !== undefined && name === undefined)
      throw new EdgefabError('--channel needs --package: which operator has the channel?', {
        code: 'USAGE_INVALID',
      });
    const architecture = parseArchitecture(flags.arch);
    const reference = parseReference(args.catalog);
    const client = await openRegistry(flags);
    try {
      const catalog = await loadCatalog(reference, client, { architecture, signal: this.signal });
      const listing = listCatalog(catalog, {
        ...(name === undefined ? {} : { package: name }),
        ...(channel === undefined ? {} : { channel }),
      });
      for (const line of listingLines(listing, channel !== undefined)) this.print(line);
      return { kind: 'CatalogListing', catalog: args.catalog, ...listing };
    } finally {
      client.close();
    }
  }
}

function listingLines({ packages, channels, versions }: CatalogListing, ofChannel: boolean): string[] {
  if (ofChannel)
    return tableLines(
      ['VERSION', 'BUNDLE'],
      versions.map(({ version, bundle }) => [version, bundle]),
    );
  const top = tableLines(
    ['NAME', 'DISPLAY NAME', 'DEFAULT CHANNEL'],
    packages.map(({ name, displayName, defaultChannel }) => [name, displayName, defaultChannel]),
  );
  if (channels.length === 0) return top;
  const below = tableLines(
    ['PACKAGE', 'CHANNEL', 'HEAD'],
    channels.map((row) => [row.package, row.channel, row.head ?? '(no single head)']),
  );
  return [...top, '', ...below];
}
