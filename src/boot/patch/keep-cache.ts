import { manifestChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import type { OverlayFile, Overlays } from './overlay.ts';
import type { RegistrySettings } from './registry-settings.ts';
import { CACHE_UNITS } from './release-cache.ts';
import type { SiteSettings } from './site-settings.ts';
import type { Step } from './step.ts';

/** What becomes of the cache after the install. */
export type KeepCacheSettings = Pick<SiteSettings, 'location'> & Pick<RegistrySettings, 'keepOnNode'>;

interface Job {
  readonly why: string;
  readonly service: OverlayFile;
  readonly script: OverlayFile;
  readonly unit: string;
  /** Where the script lies on the node. */
  readonly path: string;
  /** Whether cache and registry stay shut after it. */
  readonly ends: boolean;
}

const KEEP: Job = {
  why: 'the node gets its own copy of the cache, and the USB disk may be removed',
  service: 'installed/edgefab-keep-cache.service',
  script: 'scripts/edgefab-keep-cache.sh',
  unit: 'edgefab-keep-cache.service',
  path: '/usr/local/bin/edgefab-keep-cache.sh',
  ends: false,
};

const DROP: Job = {
  why: 'the registry ends and the place of the cache is given back when the install is complete',
  service: 'installed/edgefab-drop-cache.service',
  script: 'scripts/edgefab-drop-cache.sh',
  unit: 'edgefab-drop-cache.service',
  path: '/usr/local/bin/edgefab-drop-cache.sh',
  ends: true,
};

/**
 * Plans what the installed node does with its cache: copies that of a USB disk to its own disk and serves from
 * there (keepOnNode), or gives it back after the install. Skipped for a cache that is on the install disk and
 * stays there.
 */
export function keepCacheStep({ location, keepOnNode }: KeepCacheSettings, overlays: Overlays): Step {
  const name = 'keep-cache';
  const job = keepOnNode ? KEEP : DROP;
  if (keepOnNode && location === 'installDisk')
    return { name, why: KEEP.why, changes: [], skipped: "the cache is on the node's own disk already" };
  const manifest = machineConfigManifest({
    name: '99-edgefab-keep-cache',
    files: [{ path: job.path, mode: 0o755, text: overlays[job.script] }],
    units: [{ name: job.unit, enabled: true, contents: overlays[job.service] }],
    dropins: job.ends
      ? CACHE_UNITS.map((unit) => ({
          unit,
          name: '30-edgefab-released.conf',
          contents: overlays['installed/cache-released.conf'],
        }))
      : [],
  });
  return { name, why: job.why, changes: [manifestChange(manifest)] };
}
