import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../src/boot/ignition/image-names.ts';
import { CALLS, type MachineFile } from './coreos-double.ts';
import { bootCoreos, type CoreosMachine, until } from './coreos-machine.ts';
import { liveContent } from './machine-content.ts';

/** Units of the installer that need a cluster, or a machine that is more than its files. */
const LEFT_OUT = ['approve-csr.service', 'progress.service', 'chown-gatewayd-key.service'];

function script(path: string, text: string): MachineFile {
  return { path, mode: 0o755, bytes: `#!/bin/bash\nset -euo pipefail\n${text}\n` };
}

function dropin(unit: string, text: string): MachineFile {
  return { path: `/etc/systemd/system/${unit}.d/90-double.conf`, mode: 0o644, bytes: `[Service]\n${text}\n` };
}

/** Asks for every image by the installer's own function, runs each, and leaves the stamp of the bootstrap. */
function bootkube(names: readonly string[]): MachineFile {
  return script(
    '/usr/local/sbin/double-bootkube',
    `. /usr/local/bin/release-image.sh
for name in ${names.join(' ')}; do
  image=$(image_for "$name")
  podman run --quiet --rm --net=none "$image"
  echo "bootkube has $name $image"
done
touch /opt/openshift/.bootkube.done`,
  );
}

/** rpm-ostree's part: what it is asked to pull is pulled by skopeo, through the same registries.conf. */
const OSTREE: readonly MachineFile[] = [
  script(
    '/usr/local/sbin/ostree',
    `echo "ostree $*" >>${CALLS}
case "$1 \${2:-}" in
  'container image') mkdir -p /var/ostreecontainer; ref=\${*: -1}; skopeo copy --quiet "docker://\${ref#*docker://}" "dir:/var/ostreecontainer/pulled" ;;
  'refs --repo') [[ $* == *--create* ]] || echo ostree/container/image/docker_x ;;
esac`,
  ),
  // Signs of a live system, and the deployment it was booted from.
  { path: '/run/ostree-live', mode: 0o644, bytes: '' },
  { path: '/ostree/deploy/rhcos/deploy/booted/etc/.double', mode: 0o644, bytes: '' },
  script('/usr/local/sbin/rpm-ostree', `echo '{"deployments":[{"version":"made-up"}]}'`),
];

/**
 * Boots the live system of a patched config: every file, unit and drop-in of it, under a real systemd. What needs a
 * cluster is left out; bootkube runs all its images and does no more.
 */
export async function bootLive(
  ignition: Ignition,
  partitions: readonly string[],
  extra: readonly MachineFile[] = [],
): Promise<CoreosMachine> {
  const content = liveContent(ignition);
  const names = bootstrapImageNames(ignition).map(({ name }) => name);
  return await bootCoreos(
    {
      files: [
        ...content.files,
        ...OSTREE,
        bootkube(names),
        dropin('bootkube.service', 'ExecStart=\nExecStart=/usr/local/sbin/double-bootkube\nRestart=no'),
        dropin(
          'kubelet.service',
          'Type=oneshot\nExecStart=\nExecStart=/bin/true\nRestart=no\nRemainAfterExit=yes',
        ),
        dropin('node-image-overlay.service', 'ExecStart=\nExecStart=/bin/true'),
        ...extra,
      ],
      enabled: content.enabled.filter((unit) => !LEFT_OUT.includes(unit)),
    },
    partitions,
  );
}

/** Waits for the end of the live phase: the disk is written and the restart is a minute away. */
export async function liveEnd(machine: CoreosMachine, seconds = 60): Promise<void> {
  if (await until(() => machine.text(CALLS).includes('shutdown -r'), seconds)) return;
  const log = machine.run('journalctl', '--no-pager', '--output=short-monotonic', '-n', '200').stdout;
  throw new Error(`the live phase did not end within ${seconds} s:\n${log}`);
}
