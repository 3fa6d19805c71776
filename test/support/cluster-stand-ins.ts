import { CALLS, type MachineFile } from './coreos-double.ts';

/** Units of the installer's live phase that need a cluster, or a machine that is more than its files: not enabled. */
export const LEFT_OUT: readonly string[] = [
  'approve-csr.service',
  'progress.service',
  'chown-gatewayd-key.service',
];

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
export const OSTREE_DOUBLE: MachineFile = script(
  '/usr/local/sbin/ostree',
  `echo "ostree $*" >>${CALLS}
case "$1 \${2:-}" in
  'container image') mkdir -p /var/ostreecontainer; ref=\${*: -1}; skopeo copy --quiet "docker://\${ref#*docker://}" "dir:/var/ostreecontainer/pulled" ;;
  'refs --repo') [[ $* == *--create* ]] || echo ostree/container/image/docker_x ;;
esac`,
);

/** What stands in for the cluster services of the live phase: bootkube runs all images it is named and does no more. */
export function clusterStandIns(names: readonly string[]): readonly MachineFile[] {
  return [
    bootkube(names),
    dropin('bootkube.service', 'ExecStart=\nExecStart=/usr/local/sbin/double-bootkube\nRestart=no'),
    dropin(
      'kubelet.service',
      'Type=oneshot\nExecStart=\nExecStart=/bin/true\nRestart=no\nRemainAfterExit=yes',
    ),
    dropin('node-image-overlay.service', 'ExecStart=\nExecStart=/bin/true'),
    OSTREE_DOUBLE,
    script('/usr/local/sbin/rpm-ostree', `echo '{"deployments":[{"version":"made-up"}]}'`),
  ];
}
