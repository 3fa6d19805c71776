import { parseVersion } from '../../../formats/semver.ts';
import {
  byName,
  type Catalog,
  type CatalogBundle,
  type CatalogChannel,
  type CatalogPackage,
} from './catalog.ts';
import type { CatalogDocument } from './catalog-document.ts';
import { catalogFault } from './catalog-fault.ts';

/** A file of the catalog and what was read from it. */
export interface ReadFile {
  readonly path: string;
  readonly documents: readonly CatalogDocument[];
}

interface Draft {
  readonly defaultChannel: string;
  readonly channels: Map<string, CatalogChannel>;
  readonly bundles: Map<string, CatalogBundle>;
}

/**
 * Joins the documents of all files to packages, in whatever order and files they come. Throws CATALOG_INVALID for
 * names given twice, for channels and bundles of a package that is not there, for versions that are not semver.
 */
export function buildCatalog(files: readonly ReadFile[], where: string, folder: string): Catalog {
  const drafts = new Map<string, Draft>();
  const fault = (file: ReadFile, what: string): Error =>
    catalogFault(where, `file ${file.path}: ${what}`, { file: file.path });
  const draftOf = (file: ReadFile, name: string, what: string): Draft => {
    const draft = drafts.get(name);
    if (draft === undefined)
      throw fault(file, `${what} belongs to package "${name}", which the catalog does not have`);
    return draft;
  };
  for (const file of files) {
    for (const document of file.documents) {
      if (document.kind !== 'package') continue;
      const { name, defaultChannel } = document;
      if (drafts.has(name)) throw fault(file, `package "${name}" is in the catalog twice`);
      drafts.set(name, { defaultChannel, channels: new Map(), bundles: new Map() });
    }
  }
  if (drafts.size === 0) throw catalogFault(where, `holds no package below ${folder}`);
  for (const file of files) {
    for (const document of file.documents) {
      if (document.kind === 'channel') {
        const { channel, packageName } = document;
        const { channels } = draftOf(file, packageName, `channel "${channel.name}"`);
        if (channels.has(channel.name))
          throw fault(file, `package "${packageName}" has channel "${channel.name}" twice`);
        channels.set(channel.name, channel);
      } else if (document.kind === 'bundle') {
        const { bundle, packageName } = document;
        const { bundles } = draftOf(file, packageName, `bundle "${bundle.name}"`);
        if (bundles.has(bundle.name))
          throw fault(file, `package "${packageName}" has bundle "${bundle.name}" twice`);
        if (parseVersion(bundle.version) === undefined)
          throw fault(file, `bundle "${bundle.name}" has version "${bundle.version}", want one like 4.13.1`);
        bundles.set(bundle.name, bundle);
      }
    }
  }
  const packages = [...drafts]
    .map(
      ([name, { defaultChannel, channels, bundles }]): CatalogPackage => ({
        name,
        defaultChannel,
        channels: [...channels.values()].sort(byName),
        bundles: [...bundles.values()].sort(byName),
      }),
    )
    .sort(byName);
  return { where, packages: new Map(packages.map((item) => [item.name, item])) };
}
