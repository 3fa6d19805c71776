import { dropinChange, fileChange } from './changes.ts';
import type { Overlays } from './overlay.ts';
import type { SiteSettings } from './site-settings.ts';
import type { Step } from './step.ts';

/** What giving the cache back depends on. */
export type ReleaseCacheSettings = Pick<SiteSettings, 'location'>;

/** The units that open the cache, and must not do so again once it was given back. */
export const CACHE_UNITS = [
  'edgefab-cache.service',
  'edgefab-registry.service',
  'edgefab-registry-v6.service',
] as const;

/**
 * Plans how the live system lets go of a cache on the install disk: coreos-installer refuses a disk of which any
 * partition is in use, and only install-to-disk.sh knows when the bootstrap is over. So a program of the same
 * name is found before it, which ends registry and mount, makes sure that nothing holds the disk, and runs the
 * real one. Skipped for a cache on a USB disk, which the install does not touch.
 */
export function releaseCacheStep(settings: ReleaseCacheSettings, overlays: Overlays): Step {
  const name = 'release-cache';
  const why = 'nothing holds the install disk when coreos-installer writes to it';
  if (settings.location === 'usb')
    return { name, why, changes: [], skipped: 'the cache is on a disk of its own, which stays open' };
  return {
    name,
    why,
    changes: [
      fileChange({
        path: '/usr/local/bin/coreos-installer',
        mode: 0o755,
        text: overlays['scripts/edgefab-coreos-installer.sh'],
      }),
      dropinChange('install-to-disk.service', {
        name: '10-edgefab-path.conf',
        contents: overlays['live/install-to-disk-path.conf'],
      }),
      ...CACHE_UNITS.map((unit) =>
        dropinChange(unit, {
          name: '30-edgefab-released.conf',
          contents: overlays['live/cache-released.conf'],
        }),
      ),
    ],
  };
}
