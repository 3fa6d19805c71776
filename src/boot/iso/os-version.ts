/** What a live ISO boots, as far as its volume id tells. Absent parts were not told. */
export interface OsVersion {
  readonly name: 'RHCOS' | 'FCOS' | 'SCOS';
  /** The build, as the volume id has it: `418.94.202501221327-0`, `41.20250117.3.0`. */
  readonly version: string;
  /** The OpenShift or OKD minor release it was built for. */
  readonly release?: string;
  /** What it was built from: `RHEL 9.4`, `Fedora 41`. */
  readonly base?: string;
  /** The Fedora CoreOS stream. */
  readonly stream?: string;
}

const NAMES: readonly (readonly [prefix: string, name: OsVersion['name'], base: string])[] = [
  ['rhcos-', 'RHCOS', 'RHEL'],
  ['rhel-coreos-', 'RHCOS', 'RHEL'],
  ['scos-', 'SCOS', 'CentOS Stream'],
  ['centos-stream-coreos-', 'SCOS', 'CentOS Stream'],
  ['fedora-coreos-', 'FCOS', 'Fedora'],
];

// Fedora CoreOS numbers its streams in the third part of a version (fedora-coreos-tracker, Design.md).
const FEDORA_STREAMS: Readonly<Record<string, string>> = {
  '1': 'next',
  '2': 'testing',
  '3': 'stable',
  '10': 'next-devel',
  '20': 'testing-devel',
  '91': 'rawhide',
  '92': 'branched',
  dev: 'developer build',
};

// 418.94.202501221327-0: OpenShift 4.18 on RHEL 9.4; of CentOS Stream, which has no minor releases, 418.9.
const BY_RELEASE = /^4(\d{1,2})\.(\d)(\d*)\.\d{8,}-\d+/;
// 9.6.20250826-1, 10.0.20250628-0: since OpenShift 4.19 the OS has a version of its own.
const BY_BASE = /^(\d{1,2})\.(\d{1,2})\.\d{8}-\d+/;
const FEDORA = /^(\d{2})\.\d{8}\.(\d{1,2}|dev)\./;

/**
 * Parses the volume id of a live ISO, or the longer name it was cut from; undefined when it is not one that CoreOS
 * images have.
 */
export function parseOsVersion(volumeId: string): OsVersion | undefined {
  const found = NAMES.find(([prefix]) => volumeId.startsWith(prefix));
  if (found === undefined) return undefined;
  const [prefix, name, base] = found;
  const version = volumeId.slice(prefix.length);
  const fedora = FEDORA.exec(version);
  if (name === 'FCOS') {
    if (fedora === null) return { name, version };
    const stream = FEDORA_STREAMS[fedora[2] ?? ''];
    return { name, version, base: `${base} ${fedora[1]}`, ...(stream === undefined ? {} : { stream }) };
  }
  const byRelease = BY_RELEASE.exec(version);
  if (byRelease !== null) {
    const [, minor, major, point] = byRelease;
    return {
      name,
      version,
      release: `4.${minor}`,
      base: `${base} ${major}${point === '' || name === 'SCOS' ? '' : `.${point}`}`,
    };
  }
  const byBase = BY_BASE.exec(version);
  if (byBase === null) return { name, version };
  const [, major, point] = byBase;
  return { name, version, base: `${base} ${major}${name === 'SCOS' ? '' : `.${point}`}` };
}
