import { buildCatalog } from '../../../../src/mirror/resolve/catalog/build-catalog.ts';
import type { Catalog } from '../../../../src/mirror/resolve/catalog/catalog.ts';
import { readCatalogDocument } from '../../../../src/mirror/resolve/catalog/catalog-document.ts';

type Entry = string | { name: string; replaces?: string; skips?: string[]; skipRange?: string };

export interface MadeUpPackage {
  /** The first channel is the default one unless said otherwise. */
  readonly defaultChannel?: string;
  readonly channels: Readonly<Record<string, readonly Entry[]>>;
  /** Versions of bundles whose name does not end in `.vVERSION`. */
  readonly versions?: Readonly<Record<string, string>>;
  readonly priorities?: Readonly<Record<string, number>>;
  /** Entries that get no bundle document. */
  readonly withoutBundle?: readonly string[];
  readonly properties?: Readonly<Record<string, readonly unknown[]>>;
  readonly extraBundles?: readonly string[];
}

/** The JSON documents of a package: bundle NAME gets image REG/PACKAGE/bundle:NAME and two related images. */
export function documentsOf(name: string, made: MadeUpPackage): unknown[] {
  const channels = Object.entries(made.channels);
  const names = new Set(
    channels.flatMap(([, entries]) =>
      entries.map((entry) => (typeof entry === 'string' ? entry : entry.name)),
    ),
  );
  for (const extra of made.extraBundles ?? []) names.add(extra);
  const bundles = [...names].filter((bundle) => !made.withoutBundle?.includes(bundle));
  return [
    { schema: 'olm.package', name, defaultChannel: made.defaultChannel ?? channels[0]?.[0] ?? '' },
    ...channels.map(([channel, entries]) => ({
      schema: 'olm.channel',
      package: name,
      name: channel,
      entries: entries.map((entry) => (typeof entry === 'string' ? { name: entry } : entry)),
      properties:
        made.priorities?.[channel] === undefined
          ? []
          : [{ type: 'olm.channel', value: { channelName: channel, priority: made.priorities[channel] } }],
    })),
    ...bundles.map((bundle) => ({
      schema: 'olm.bundle',
      package: name,
      name: bundle,
      image: `quay.io/edge/${name}-bundle:${bundle.replaceAll('+', '_')}`,
      properties: [
        {
          type: 'olm.package',
          value: { packageName: name, version: made.versions?.[bundle] ?? bundle.replace(/^.*?\.v/, '') },
        },
        ...(made.properties?.[bundle] ?? []),
      ],
      relatedImages: [
        { name: 'bundle', image: `quay.io/edge/${name}-bundle:${bundle.replaceAll('+', '_')}` },
        { name: 'manager', image: `quay.io/edge/${name}:${bundle.replaceAll('+', '_')}` },
        { name: 'proxy', image: 'quay.io/edge/kube-rbac-proxy:1' },
      ],
    })),
  ];
}

export function catalogOf(packages: Readonly<Record<string, MadeUpPackage>>): Catalog {
  const documents = Object.entries(packages).flatMap(([name, made]) => documentsOf(name, made));
  const read = documents.flatMap((document) => {
    const fault = (field: string, what: string): Error => new Error(`${field} ${what}`);
    return readCatalogDocument(document, fault, (text) => text) ?? [];
  });
  return buildCatalog(
    [{ path: 'configs/made-up.json', documents: read }],
    'registry.example/catalog:v1',
    '/configs',
  );
}
