/** A file of a machine double. */
export interface MachineFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array | string;
}

const SYSTEM = '/usr/lib/systemd/system';

function unit(name: string, lines: readonly string[], service: readonly string[]): MachineFile {
  const text = ['[Unit]', `Description=${name} (double)`, ...lines, '[Service]', ...service, ''].join('\n');
  return { path: `${SYSTEM}/${name}`, mode: 0o644, bytes: text };
}

const DONE = ['Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/true'];

function program(name: string, text: string): MachineFile {
  return { path: name, mode: 0o755, bytes: `#!/bin/bash\n${text}\n` };
}

/** Where stand-ins write a line of what they were called with. */
export const CALLS = '/run/calls';

/** As Fedora and RHEL CoreOS order their own units around the registry and those that ask it. */
const UNITS: readonly MachineFile[] = [
  unit(
    'systemd-journald.service',
    [
      'DefaultDependencies=no',
      'Requires=systemd-journald.socket',
      'After=systemd-journald.socket',
      'Before=sysinit.target',
    ],
    [
      'Type=notify',
      'ExecStart=/usr/lib/systemd/systemd-journald',
      'FileDescriptorStoreMax=4224',
      'Sockets=systemd-journald.socket',
      '[Install]',
      'WantedBy=sysinit.target',
    ],
  ),
  // Late on purpose: whoever does not wait for it has no trust.
  unit(
    'coreos-update-ca-trust.service',
    [
      'DefaultDependencies=no',
      'After=local-fs.target',
      'ConditionDirectoryNotEmpty=/etc/pki/ca-trust/source/anchors/',
    ],
    [
      'Type=oneshot',
      'RemainAfterExit=yes',
      'ExecStart=/bin/sleep 1',
      'ExecStart=/usr/local/sbin/update-ca-trust',
      '[Install]',
      'WantedBy=basic.target',
    ],
  ),
  unit(
    'NetworkManager.service',
    ['Wants=network.target', 'Before=network.target'],
    [...DONE, '[Install]', 'WantedBy=multi-user.target'],
  ),
  unit('chronyd.service', ['After=time-set.target'], [...DONE, '[Install]', 'WantedBy=multi-user.target']),
  unit('crio-wipe.service', ['Before=crio.service'], DONE),
  unit(
    'crio.service',
    ['Wants=network-online.target crio-wipe.service', 'After=network-online.target crio-wipe.service'],
    DONE,
  ),
  unit('rpc-statd.service', [], DONE),
  unit('sshd.service', [], [...DONE, '[Install]', 'WantedBy=multi-user.target']),
  unit('systemd-user-sessions.service', [], DONE),
  {
    path: `${SYSTEM}/run-ephemeral.mount`,
    mode: 0o644,
    bytes: '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=tmpfs\nWhere=/run/ephemeral\nType=tmpfs\n',
  },
];

const SETTINGS: readonly MachineFile[] = [
  // What this sandbox wants of podman and a real machine does not: runc, as crun takes no mixed cgroups; no
  // systemd; limits below what is allowed here.
  {
    path: '/etc/containers/containers.conf',
    mode: 0o644,
    bytes:
      '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\npids_limit = 0\n' +
      '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n',
  },
  {
    path: '/etc/containers/storage.conf',
    mode: 0o644,
    bytes:
      '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n',
  },
  {
    path: '/etc/systemd/system.conf',
    mode: 0o644,
    bytes:
      '[Manager]\nDefaultMemoryAccounting=no\nDefaultTasksAccounting=no\nDefaultCPUAccounting=no\nDefaultIOAccounting=no\n',
  },
  {
    path: '/etc/systemd/journald.conf',
    mode: 0o644,
    bytes:
      '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToConsole=no\nRateLimitBurst=0\nRateLimitIntervalSec=0\n',
  },
];

const PROGRAMS: readonly MachineFile[] = [
  program(
    '/usr/local/sbin/update-ca-trust',
    'cat /etc/pki/ca-trust/source/anchors/* >>/etc/ssl/certs/ca-certificates.crt',
  ),
  // Partitions of loop devices are not looked for by every kernel, and nobody here keeps their labels.
  program('/usr/local/sbin/lsblk', '[[ $1 == -d* ]] || cat /etc/double/partitions'),
  ...['shutdown', 'chcon', 'udevadm', 'agetty', 'efibootmgr'].map((name) =>
    program(`/usr/local/sbin/${name}`, `echo "${name} $*" >>${CALLS}`),
  ),
  program(
    '/usr/bin/coreos-installer',
    `echo "coreos-installer $*" >>${CALLS}
wipefs --no-act --all "\${!#}" >/dev/null`,
  ),
];

/** The parts of the operating system that are around edgefab, made up; `partitions` are lines of device and label. */
export function coreosFiles(partitions: readonly string[]): readonly MachineFile[] {
  const lines = partitions.map((line) => `${line}\n`).join('');
  return [...UNITS, ...SETTINGS, ...PROGRAMS, { path: '/etc/double/partitions', mode: 0o644, bytes: lines }];
}

/** Those of its units that are enabled. */
export const COREOS_ENABLED: readonly string[] = UNITS.filter(({ bytes }) =>
  String(bytes).includes('[Install]'),
).map(({ path }) => path.slice(SYSTEM.length + 1));
