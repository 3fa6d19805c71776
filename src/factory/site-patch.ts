import { basename } from 'node:path';
import { clusterNameOf } from '../boot/ignition/cluster-name.ts';
import type { Ignition } from '../boot/ignition/ignition.ts';
import type { Keyfile } from '../boot/network/render-keyfiles.ts';
import type { LocalDnsSettings } from '../boot/patch/local-dns.ts';
import type { PatchOptions, RegistryDelivery } from '../boot/patch/patch-ignition.ts';
import type { RegistryCertificates } from '../boot/patch/registry-certificates.ts';
import { REGISTRY_PORT } from '../boot/patch/registry-settings.ts';
import { EdgefabError } from '../errors.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import type { Factory } from './factory.ts';
import { preloadImages } from './preload-images.ts';
import { readText } from './read-text.ts';
import type { RegistryContent } from './registry-delivery.ts';
import type { Site } from './site.ts';

/** What a site's patch needs beyond the factory: what was made or found for this very build. */
export interface SitePatchInput {
  readonly unpatched: Ignition;
  readonly keyfiles: readonly Keyfile[];
  readonly cacheId: string | undefined;
  readonly buildId: string;
  readonly buildTime: Date;
  /** Of the registry on the machine; asked for in registry mode only. */
  readonly certificates: () => Promise<RegistryCertificates>;
  /** What the cache holds, as registry mode needs it. */
  readonly content: () => RegistryContent;
}

/** Which partition carries a site's cache. */
export function cacheLabel({ cache }: { readonly cache: Pick<Site['cache'], 'location'> }): string {
  return cache.location === 'installDisk' ? 'edgefab-node' : 'edgefab';
}

/** Brings together what a site's config is patched with. Throws FILE_UNREADABLE for the user's own files, CACHE_INCOMPLETE. */
export async function sitePatch(
  { release }: Pick<Factory, 'release'>,
  site: Site,
  lock: Lock,
  input: SitePatchInput,
): Promise<PatchOptions> {
  const { unpatched, keyfiles, cacheId } = input;
  const version = lock.release?.version ?? release.version;
  const localDns = localDnsOf(site, unpatched);
  const registry = site.cache.mode === 'registry' ? await deliveryOf(site, input) : undefined;
  return {
    hostname: site.hostname,
    build: {
      site: site.name,
      buildId: input.buildId,
      location: site.cache.location,
      installDisk: installDiskPath(site),
    },
    cacheMode: site.cache.mode,
    ...(registry === undefined ? { images: preloadImages(lock) } : { registry }),
    ...(version === undefined ? {} : { version }),
    cacheLabel: cacheLabel(site),
    ...(cacheId === undefined ? {} : { cacheId }),
    keepPartition: site.cache.location === 'installDisk',
    network: keyfiles,
    ...(localDns === undefined ? {} : { localDns }),
    ntpServers: site.ntp.servers,
    manifests: await Promise.all(
      site.manifests.map(async (path) => ({
        name: basename(path),
        text: await readText(path, { ...site.place, field: 'manifests' }),
      })),
    ),
    userOverlays: site.overlays,
  };
}

function installDiskPath({ installDisk }: Pick<Site, 'installDisk'>): string | undefined {
  if (installDisk === undefined) return undefined;
  return 'path' in installDisk ? installDisk.path : `/dev/disk/by-id/${installDisk.byId}`;
}

async function deliveryOf(site: Site, input: SitePatchInput): Promise<RegistryDelivery> {
  const { tool, repositories, tagged, catalogs } = input.content();
  return {
    settings: {
      port: REGISTRY_PORT,
      cacheLabel: cacheLabel(site),
      cacheId: input.cacheId,
      tool,
      keepOnNode: site.cache.keepOnNode,
      buildTime: input.buildTime,
    },
    certificates: await input.certificates(),
    repositories,
    tagged,
    catalogs,
  };
}

/** The names the node answers itself; undefined where the site has a server for them. */
function localDnsOf(site: Site, unpatched: Ignition): LocalDnsSettings | undefined {
  if (site.dns === 'site') return undefined;
  const named = clusterNameOf(unpatched);
  const domain = named?.domain ?? site.domain;
  if (domain === undefined) {
    throw new EdgefabError(
      `site ${site.name}: its Ignition does not say which domain its cluster is in, and the node is to answer for it`,
      {
        code: 'FACTORY_INVALID',
        suggestions: [
          'Add domain: to the site, or dns: site where a DNS server there knows api, api-int and *.apps',
        ],
        place: site.place,
      },
    );
  }
  const addresses = (site.network?.interfaces ?? []).flatMap(({ addresses: all }) =>
    all.map((address) => address.replace(/\/.*$/, '')),
  );
  const first = (wanted: boolean): string[] =>
    addresses.filter((address) => !address.includes(':') === wanted).slice(0, 1);
  return {
    clusterName: named?.clusterName ?? site.clusterName,
    domain,
    nodeAddresses: [...first(true), ...first(false)],
  };
}
