import type { Ignition } from '../ignition/ignition.ts';
import { dropinChange, fileChange, unitChange } from './changes.ts';
import type { Overlays } from './overlay.ts';
import type { Step } from './step.ts';

/** The kernel argument with which a technician has the same build installed once more. */
export const REINSTALL_KARG = 'edgefab.reinstall=1';

const GUARD = 'edgefab-reinstall-guard.service';
const PULL_UNIT = '/etc/systemd/system/node-image-pull.service';

/**
 * All that begins the install. The two that only look on are among them because each of their restarts would
 * ask for bootkube again, and so for the guard.
 */
const GUARDED = [
  'release-image.service',
  'kubelet.service',
  'bootkube.service',
  'install-to-disk.service',
  'approve-csr.service',
  'progress.service',
] as const;

/**
 * Plans the end of the reinstall loop, for a machine that starts the boot stick before its disk. After
 * coreos-installer has ended well the live system leaves the build id on the disk's boot file system and, on
 * UEFI, puts the disk first in the boot order; a live system that finds its own build id there stops before
 * anything begins, unless the kernel argument REINSTALL_KARG is given. Reads EDGEFAB_BUILD_ID,
 * EDGEFAB_INSTALL_DISK and EDGEFAB_LOCATION from SITE_FILE, which the status line writes.
 */
export function reinstallGuardStep(ignition: Ignition, overlays: Overlays): Step {
  const pullsNodeImage = ignition.files.some((file) => file.path === PULL_UNIT);
  const guarded = [...GUARDED, ...(pullsNodeImage ? ['node-image-pull.service'] : [])];
  return {
    name: 'reinstall-guard',
    why: `a boot stick left in the machine does not wipe the node it has installed (${REINSTALL_KARG} does)`,
    changes: [
      fileChange({
        path: '/usr/local/bin/edgefab-reinstall-guard.sh',
        mode: 0o755,
        text: overlays['scripts/edgefab-reinstall-guard.sh'],
      }),
      fileChange({
        path: '/usr/local/bin/edgefab-after-install.sh',
        mode: 0o755,
        text: overlays['scripts/edgefab-after-install.sh'],
      }),
      unitChange({
        name: GUARD,
        enabled: true,
        contents: overlays['live/edgefab-reinstall-guard.service'],
      }),
      ...guarded.map((unit) =>
        dropinChange(unit, {
          name: '20-edgefab-guard.conf',
          contents: overlays['live/reinstall-guard-required.conf'],
        }),
      ),
      dropinChange('install-to-disk.service', {
        name: '30-edgefab-after.conf',
        contents: overlays['live/install-to-disk-after.conf'],
      }),
    ],
  };
}
