import type { DemoFile, DemoIgnitionOptions } from './demo-ignition-options.ts';

const DEFAULT_IMAGES = [
  'cluster-bootstrap',
  'cluster-config-operator',
  'cluster-etcd-operator',
  'etcd',
  'machine-config-operator',
];
const HEAD =
  "#!/usr/bin/env bash\n# Made up by edgefab: the shape of the installer's script, not its text.\nset -euo pipefail\n";

function variableOf(image: string): string {
  return `${image.toUpperCase().replaceAll('-', '_')}_IMAGE`;
}

function bootkube(images: readonly string[]): string {
  const asks = images.map((image) => `${variableOf(image)}=$(image_for ${image})`);
  const runs = images.map(
    (image) =>
      `echo "rendering with ${image}" && podman run --rm --net=host \\\n    "\${${variableOf(image)}}" \\\n    render`,
  );
  return [
    HEAD,
    '. /usr/local/bin/release-image.sh\n',
    ...asks,
    'HYPERKUBE_IMAGE=$(image_for hyperkube)',
    '',
    ...runs,
    'podman run --rm \\',
    `    "\${RELEASE_IMAGE_DIGEST}" \\`,
    `    --manifest-image="\${HYPERKUBE_IMAGE}" \\`,
    '    render',
    'touch /opt/openshift/.bootkube.done',
    '',
  ].join('\n');
}

function releaseImageScript(release: string): string {
  return `${HEAD}
if ! RELEASE_IMAGE_DIGEST=$(podman inspect ${release} --format '{{ index .RepoDigests 0 }}'); then
	RELEASE_IMAGE_DIGEST="${release}"
fi

image_for() {
    podman run --quiet --rm --net=none "\${RELEASE_IMAGE_DIGEST}" image "\${1}"
}
`;
}

function download(release: string, looksFirst: boolean): string {
  const pull = `until podman pull --quiet "$RELEASE_IMAGE"; do\n    echo "cannot pull $RELEASE_IMAGE yet"\n    sleep 5\ndone\n`;
  const guarded = `if ! podman image exists "$RELEASE_IMAGE"; then\n${pull}fi\n`;
  return `${HEAD}RELEASE_IMAGE=${release}\n${looksFirst ? guarded : pull}`;
}

function installToDisk(disk: string): string {
  return `${HEAD}
until [ -f /opt/openshift/.bootkube.done ]; do
  sleep 5
done
if [ ! -f coreos-installer.done ]; then
  coreos-installer install -n -i /opt/openshift/master.ign ${disk}
  touch coreos-installer.done
fi
shutdown -r +1 "The made-up bootstrap is complete."
touch /opt/openshift/.install-to-disk.done
`;
}

const NODE_IMAGE_PULL = `${HEAD}
. /usr/local/bin/release-image.sh

node_image=rhel-coreos
COREOS_IMAGE=$(image_for \${node_image})
ostree container image pull /var/ostreecontainer/repo ostree-unverified-image:docker://"\${COREOS_IMAGE}"
`;
const NODE_IMAGE_PULL_UNIT = `[Unit]
Description=Node Image Pull (made up)
After=network.target

[Service]
Type=oneshot
ExecStart=/usr/local/bin/node-image-pull.sh
RemainAfterExit=yes
`;

/** The scripts of a made-up config; what differs between release lines is when and how images are asked for. */
export function demoScripts(options: DemoIgnitionOptions): DemoFile[] {
  const { line = '4.18', releaseImage, imageNames = DEFAULT_IMAGES } = options;
  const script = (name: string, text: string): DemoFile => ({
    path: `/usr/local/bin/${name}`,
    mode: 0o555,
    text,
  });
  const files = [
    script('bootkube.sh', bootkube(imageNames)),
    script(
      'crio-configure.sh',
      `${HEAD}. /usr/local/bin/release-image.sh\n\necho "pause_image = $(image_for pod)"\n`,
    ),
    script('install-to-disk.sh', installToDisk(options.installDisk)),
    script('release-image-download.sh', download(releaseImage, line !== '4.13')),
    script('release-image.sh', releaseImageScript(releaseImage)),
  ];
  if (line !== '4.21') return files;
  return [
    ...files,
    script('node-image-pull.sh', NODE_IMAGE_PULL),
    { path: '/etc/systemd/system/node-image-pull.service', mode: 0o644, text: NODE_IMAGE_PULL_UNIT },
  ];
}

interface DemoUnit {
  readonly name: string;
  readonly enabled: boolean;
  readonly contents: string;
}

const ONCE = ['Type=oneshot', 'RemainAfterExit=true'];
/** Those two go on until they are through, from where they left off. */
const UNTIL_DONE = ['WorkingDirectory=/opt/openshift', 'Restart=on-failure', 'RestartSec=5s'];

function unit(
  name: string,
  enabled: boolean,
  head: readonly string[],
  service: readonly string[],
  exec: string,
): DemoUnit {
  const install = enabled ? '\n[Install]\nWantedBy=multi-user.target\n' : '';
  const contents = `[Unit]\nDescription=${name} (made up)\n${head.join('\n')}\n\n[Service]\n${service.join('\n')}\nExecStart=${exec}\n${install}`;
  return { name: `${name}.service`, enabled, contents };
}

/** The units of a made-up config and their ordering, which is the installer's. */
export const DEMO_UNITS: readonly DemoUnit[] = [
  unit(
    'release-image',
    false,
    ['Wants=network-online.target', 'After=network-online.target'],
    ONCE,
    '/usr/local/bin/release-image-download.sh',
  ),
  unit(
    'crio-configure',
    false,
    ['After=release-image.service', 'Requires=release-image.service', 'Before=crio.service'],
    ONCE,
    '/usr/local/bin/crio-configure.sh',
  ),
  unit(
    'bootkube',
    false,
    [
      'Requires=crio-configure.service',
      'After=crio-configure.service',
      'ConditionPathExists=!/opt/openshift/.bootkube.done',
    ],
    UNTIL_DONE,
    '/usr/local/bin/bootkube.sh',
  ),
  unit(
    'install-to-disk',
    true,
    [
      'Requires=bootkube.service',
      'After=bootkube.service',
      'ConditionPathExists=!/opt/openshift/.install-to-disk.done',
    ],
    UNTIL_DONE,
    '/usr/local/bin/install-to-disk.sh',
  ),
];
