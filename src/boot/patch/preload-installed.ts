import { manifestChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import type { Overlays } from './overlay.ts';
import type { PreloadSettings } from './preload-list.ts';
import { preloadFiles } from './preload-live.ts';
import type { Step } from './step.ts';

/**
 * Plans the loading of images on the installed node, before anything there pulls: by a MachineConfig manifest,
 * which the node's first Ignition config and the cluster both get.
 */
export function preloadInstalled(settings: PreloadSettings, overlays: Overlays): Step {
  const manifest = machineConfigManifest({
    name: '99-edgefab-preload',
    files: preloadFiles(settings, 'installed', overlays),
    units: [
      {
        name: 'edgefab-preload.service',
        enabled: true,
        contents: overlays['installed/edgefab-preload.service'],
      },
    ],
  });
  return {
    name: 'preload-installed',
    why: 'the installed node finds its images in the store after the reboot, and again after a power cut',
    changes: [manifestChange(manifest)],
  };
}
