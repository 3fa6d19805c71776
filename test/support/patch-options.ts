import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { releaseImage } from '../../src/boot/ignition/release-image.ts';
import type { KeepCacheSettings } from '../../src/boot/patch/keep-cache.ts';
import type { PatchOptions } from '../../src/boot/patch/patch-ignition.ts';
import type { PreloadImage } from '../../src/boot/patch/preload-list.ts';
import { REGISTRY_PORT } from '../../src/boot/patch/registry-settings.ts';
import type { SiteSettings } from '../../src/boot/patch/site-settings.ts';
import { makeRegistryCertificates } from './registry-leaf.ts';

/** A made-up image whose digest is one letter over and over. */
export function preloadImage(letter: string, phase: PreloadImage['phase']): PreloadImage {
  const hex = letter.repeat(64);
  return {
    reference: `quay.io/made-up/${letter}@sha256:${hex}`,
    view: `views/dir/quay.io/made-up/${letter}@sha256-${hex}`,
    phase,
  };
}

/** A made-up build for a cache on a USB disk. */
export const BUILD: SiteSettings = { site: 'bip', buildId: 'b-1', location: 'usb', installDisk: undefined };

/** Options of a patch with one image of each phase. */
export const PATCH_OPTIONS: PatchOptions = {
  hostname: 'bip',
  build: BUILD,
  cacheMode: 'preload',
  images: [preloadImage('b', 'both'), preloadImage('a', 'live'), preloadImage('c', 'installed')],
  cacheId: 'cache-1',
};

/** Options of a patch in registry mode, with all that a site can ask for around it. */
export function deliveryOptions(
  ignition: Ignition,
  options: KeepCacheSettings & { readonly version: string },
): PatchOptions {
  const { version, location, keepOnNode } = options;
  const [source = ''] = releaseImage(ignition).split('@');
  const { reference, view } = preloadImage('d', 'both');
  return {
    hostname: 'bip',
    build: { ...BUILD, location },
    cacheMode: 'registry',
    version,
    localDns: { clusterName: 'bip', domain: 'example.com', nodeAddresses: ['192.168.86.45'] },
    ntpServers: ['10.0.0.1'],
    registry: {
      settings: {
        port: REGISTRY_PORT,
        cacheLabel: location === 'usb' ? 'edgefab' : 'edgefab-node',
        cacheId: 'cache-1',
        tool: { reference, view },
        keepOnNode,
        buildTime: new Date('2026-11-21T10:00:00Z'),
      },
      certificates: makeRegistryCertificates(),
      repositories: [{ source, mirror: `localhost:${REGISTRY_PORT}/${source}` }],
      tagged: [],
      catalogs: [],
    },
  };
}
