import { isFlat } from './site-network.ts';
import type { SiteEntry, SiteKeys } from './site-schema.ts';

type Fields = Record<string, unknown>;

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mergeMaps(under: Fields, over: Fields): Fields {
  const merged: Fields = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = merged[key];
    merged[key] = isMap(below) && isMap(value) ? mergeMaps(below, value) : value;
  }
  return merged;
}

type Network = NonNullable<SiteKeys['network']>;

function defaultNetwork(network: Network, site: Network): Network {
  const { interfaces, dns, ...flat } = network;
  const kept: Network = { ...(dns === undefined ? {} : { dns }) };
  if (site.interfaces !== undefined) return kept;
  if (isFlat(site) || interfaces === undefined) return { ...kept, ...flat };
  return { ...kept, interfaces };
}

/**
 * Lays a site over the factory's defaults: maps key by key, lists and scalars replaced. Where a key has
 * two forms (`installDisk` byId or path, `network` interfaces or flat), the site's form replaces the other.
 */
export function mergeSite(defaults: SiteKeys, site: SiteEntry): SiteEntry {
  const under: SiteKeys = { ...defaults };
  if (site.installDisk !== undefined) delete under.installDisk;
  if (site.network !== undefined && under.network !== undefined)
    under.network = defaultNetwork(under.network, site.network);
  // Both sides passed the same schema, key by key, so the merged map is one of its values.
  return mergeMaps(under, site) as SiteEntry;
}
