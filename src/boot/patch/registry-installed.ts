import { manifestChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import type { Overlays } from './overlay.ts';
import type { RegistryCertificates } from './registry-certificates.ts';
import { registryFiles, registryOrder, registryUnits } from './registry-files.ts';
import { checkRegistrySettings, type RegistrySettings } from './registry-settings.ts';
import type { Step } from './step.ts';

/**
 * Plans the registry on the installed node, before anything there pulls: by a MachineConfig manifest, which the
 * node's first Ignition config and the cluster both get. registries.conf is left to the machine config operator.
 * Throws USAGE_INVALID and CERTIFICATES_INVALID.
 */
export function registryInstalled(
  settings: RegistrySettings,
  certificates: RegistryCertificates,
  overlays: Overlays,
): Step {
  checkRegistrySettings(settings);
  const manifest = machineConfigManifest({
    name: '99-edgefab-registry',
    files: registryFiles(settings, certificates, overlays),
    units: registryUnits('installed', overlays),
    dropins: [{ unit: 'machine-config-daemon-pull.service', ...registryOrder(overlays) }],
  });
  return {
    name: 'registry-installed',
    why: 'the installed node pulls its operating system and its images from the cache, by a registry on loopback',
    changes: [manifestChange(manifest)],
  };
}
