import { parseReleaseVersion } from '../../../formats/release-version.ts';

/** A payload component that bootkube.sh of stock bootstrap-in-place configs pulls on platform none. */
interface BootstrapComponent {
  readonly name: string;
  /** The first minor release whose bootkube.sh asks for it, where that is later than the oldest known. */
  readonly since?: string;
}

const OLDEST = '4.12';
/** From here on the live system fetches the operating system image as well (node-image-pull.service). */
const LIVE_OS_SINCE = '4.19';

// openshift/installer, data/data/bootstrap/files/usr/local/bin/bootkube.sh.template, release-4.12 to 4.21.
const COMPONENTS: readonly BootstrapComponent[] = [
  { name: 'cloud-credential-operator' },
  { name: 'cluster-authentication-operator', since: '4.19' },
  { name: 'cluster-bootstrap' },
  { name: 'cluster-config-api', since: '4.15' },
  { name: 'cluster-config-operator' },
  { name: 'cluster-etcd-operator' },
  { name: 'cluster-ingress-operator' },
  { name: 'cluster-kube-apiserver-operator' },
  { name: 'cluster-kube-controller-manager-operator' },
  { name: 'cluster-kube-scheduler-operator' },
  { name: 'cluster-node-tuning-operator', since: '4.13' },
  { name: 'cluster-policy-controller' },
  { name: 'etcd' },
  { name: 'hyperkube' },
  { name: 'machine-config-operator' },
  { name: 'pod' },
];

function rankOf(minorRelease: string): number {
  const [major, minor] = minorRelease.split('.').map(Number);
  return (major ?? 0) * 1000 + (minor ?? 0);
}

export interface BootstrapTable {
  /** `4.18`. */
  readonly minor: string;
  readonly names: readonly string[];
  readonly osInLivePhase: boolean;
}

/**
 * Gives the components the bootstrap phase of a release pulls, for when no ignition is at hand; a release newer
 * than the table gets its last row. Undefined for a version that is older than 4.12 or not semantic.
 */
export function bootstrapTable(version: string): BootstrapTable | undefined {
  const parsed = parseReleaseVersion(version);
  if (parsed === undefined) return undefined;
  const minor = `${parsed.major}.${parsed.minor}`;
  const rank = rankOf(minor);
  if (rank < rankOf(OLDEST)) return undefined;
  return {
    minor,
    names: COMPONENTS.filter(({ since = OLDEST }) => rankOf(since) <= rank).map(({ name }) => name),
    osInLivePhase: rank >= rankOf(LIVE_OS_SINCE),
  };
}
