import { withFile, withFileText } from '../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';

/** What the machine-config-operator's units pull on the installed node, by digest. */
export interface NodePulls {
  readonly operator: string;
  readonly os: string;
}

/** A unit that stands in for one of a cluster node. */
export interface NodeUnit {
  readonly name: string;
  readonly contents: string;
}

interface NodeStandIn {
  readonly unit: string;
  /** What cannot run without a cluster, or is not to be had. */
  readonly instead: string;
  readonly head: string;
  readonly service: (pulls: NodePulls) => string;
  readonly install?: string;
}

interface ScriptStandIn {
  readonly script: string;
  readonly instead: string;
  readonly edit: (text: string) => string;
}

const INSTALLED_CONFIG = '/opt/edgefab-lab/installed.ign';
const CRIO = '/var/lib/crio';
const NOTHING = (): string => 'ExecStart=/bin/true';
const EVERY_BOOT = 'WantedBy=multi-user.target';

/**
 * What the machine-config-operator and the container runtime bring to the installed node: made up, with the ordering
 * that matters to whoever serves the images.
 */
const OPERATOR_UNITS: readonly NodeStandIn[] = [
  {
    unit: 'machine-config-daemon-pull.service',
    instead: 'the pull of the operator, which has its own authfile and tries for ever',
    head: 'Wants=crio-wipe.service network-online.target\nAfter=crio-wipe.service network-online.target\nBefore=machine-config-daemon-firstboot.service',
    service: ({ operator }) => `ExecStart=/usr/bin/podman pull --quiet ${operator}`,
    install: 'RequiredBy=machine-config-daemon-firstboot.service',
  },
  {
    unit: 'machine-config-daemon-firstboot.service',
    instead: 'the change to the release of the operating system, which rpm-ostree pulls; there is no ostree',
    head: 'After=machine-config-daemon-pull.service\nBefore=crio.service kubelet.service',
    service: ({ operator, os }) =>
      `ExecStart=/usr/bin/podman run --rm --net=none ${operator}\nExecStart=/usr/bin/podman pull --quiet ${os}`,
    install: EVERY_BOOT,
  },
  {
    unit: 'kubelet.service',
    instead: 'kubelet, which is not there',
    head: 'Requires=crio.service\nAfter=crio.service network-online.target',
    service: NOTHING,
    install: EVERY_BOOT,
  },
];

/** Those of the operating system's own units that Debian does not have. */
const SYSTEM_UNITS: readonly NodeStandIn[] = [
  {
    unit: 'crio-wipe.service',
    instead: '`crio wipe`: empties the store where crio did not end by itself',
    head: 'Before=crio.service',
    service: () =>
      `ExecStart=/bin/sh -c 'if [ -e ${CRIO}/clean.shutdown.supported ] && ! [ -e ${CRIO}/clean.shutdown ]; then echo "crio-wipe (stand-in): wiping storage"; rm -rf /var/lib/containers/storage; fi'`,
  },
  {
    unit: 'crio.service',
    instead: 'CRI-O: that it ran, and whether it was stopped (its clean_shutdown_file)',
    head: 'Wants=network-online.target crio-wipe.service\nAfter=network-online.target crio-wipe.service',
    service: () =>
      `ExecStart=/bin/sh -c 'mkdir -p ${CRIO} && touch ${CRIO}/clean.shutdown.supported && rm -f ${CRIO}/clean.shutdown && sync'
ExecStop=/bin/sh -c 'touch ${CRIO}/clean.shutdown && sync'`,
  },
];

/** What is changed of the made-up scripts of the live phase: they already stand in for those of the installer. */
const SCRIPTS: readonly ScriptStandIn[] = [
  {
    script: '/usr/local/bin/bootkube.sh',
    instead: 'the rendering of master.ign by the machine-config-operator of a control plane that runs',
    edit: (text) =>
      text.replace(
        /^touch \/opt\/openshift\/\.bootkube\.done$/m,
        `/usr/libexec/edgefab-lab/render-master ${INSTALLED_CONFIG} /opt/openshift/manifests /opt/openshift/openshift >/opt/openshift/master.ign\n$&`,
      ),
  },
];

function nodeUnit({ unit, head, service, install }: NodeStandIn, pulls: NodePulls): NodeUnit {
  const body = `[Unit]\nDescription=${unit} (stand-in)\n${head}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n${service(pulls)}\n`;
  return { name: unit, contents: install === undefined ? body : `${body}[Install]\n${install}\n` };
}

/** Gives the units around edgefab's on an installed node that pull its operator and its system, and wait for that. */
export function operatorUnits(pulls: NodePulls): NodeUnit[] {
  return OPERATOR_UNITS.map((each) => nodeUnit(each, pulls));
}

/** Changes a made-up config so that its live phase ends with a node that can be started. */
export function withStandIns(source: Ignition, pulls: NodePulls): Ignition {
  const units = [...OPERATOR_UNITS, ...SYSTEM_UNITS].map((each) => ({
    ...nodeUnit(each, pulls),
    ...(each.install === undefined ? {} : { enabled: true }),
  }));
  const config = { ignition: { version: '3.2.0' }, systemd: { units } };
  const scripted = SCRIPTS.reduce((ignition, { script, edit }) => {
    const text = fileText(ignition, script) ?? '';
    const edited = edit(text);
    if (edited === text) throw new RangeError(`${script} has not the text that is changed`);
    return withFileText(ignition, script, edited);
  }, source);
  return withFile(scripted, { path: INSTALLED_CONFIG, mode: 0o600, text: JSON.stringify(config) });
}
