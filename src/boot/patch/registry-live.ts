import type { Ignition } from '../ignition/ignition.ts';
import { dropinChange, fileChange, unitChange } from './changes.ts';
import type { Overlays } from './overlay.ts';
import type { RegistryCertificates } from './registry-certificates.ts';
import { registryFiles, registryOrder, registryUnits } from './registry-files.ts';
import { checkRegistrySettings, type RegistrySettings } from './registry-settings.ts';
import { type Change, type Step, textUnknown } from './step.ts';

const NAME = 'registry-live';

/**
 * What pulls in the live system, and all else waits for. The others come after these: crio-configure requires
 * release-image, kubelet is after it, install-to-disk is after bootkube.
 */
const CONSUMERS = ['release-image.service', 'bootkube.service'];

/** From 4.19 on the node image is pulled first, by a unit that is a plain file and runs without a network. */
const PULL_UNIT = 'node-image-pull.service';

function assertUnit(ignition: Ignition, name: string): void {
  const unit = ignition.units.find((each) => each.name === name);
  if (unit?.contents?.includes('ExecStart=') === true) return;
  throw textUnknown({
    step: NAME,
    where: ignition.where,
    path: name,
    expected: 'a unit with ExecStart=',
    found: unit?.contents,
    wanted: 'a drop-in that lets it wait for edgefab-registry-ready.service',
  });
}

/**
 * Plans the registry in the live system: it serves the cache on loopback before anything is pulled, with no
 * network up. Throws INSTALLER_TEXT_UNKNOWN, USAGE_INVALID and CERTIFICATES_INVALID.
 */
export function registryLive(
  ignition: Ignition,
  settings: RegistrySettings,
  certificates: RegistryCertificates,
  overlays: Overlays,
): Step {
  checkRegistrySettings(settings);
  for (const name of CONSUMERS) assertUnit(ignition, name);
  const pullsNodeImage = ignition.files.some((file) => file.path === `/etc/systemd/system/${PULL_UNIT}`);
  const dropin = registryOrder(overlays);
  const changes: Change[] = [
    ...registryFiles(settings, certificates, overlays).map(fileChange),
    ...registryUnits('live', overlays).map(unitChange),
    ...[...CONSUMERS, ...(pullsNodeImage ? [PULL_UNIT] : [])].map((unit) => dropinChange(unit, dropin)),
  ];
  return {
    name: NAME,
    why: 'the bootstrap pulls everything from the cache, by a registry on loopback',
    changes,
  };
}
