import { MANIFEST_FOLDER } from './user-file-name.ts';

/** Where manifests lie; bootkube alone reads them, and it waits. */
const MANIFEST_FOLDERS = [`${MANIFEST_FOLDER}/`, '/opt/openshift/manifests/'] as const;

/** Where programs of the user and their data lie. */
const PROGRAM_FOLDERS = [
  '/usr/local/bin/',
  '/usr/local/lib/',
  '/usr/local/libexec/',
  '/usr/local/share/',
  '/opt/',
] as const;

/** The installer's own folder: keys, kubeconfigs, and what its scripts read. */
const INSTALLER_FOLDER = '/opt/openshift/';

/** Below the folders of programs, what systemd, udev, D-Bus and the like read before any unit of ours runs. */
const READ_AT_BOOT =
  /\/(?:systemd|udev|dracut|kernel|firmware|modules|NetworkManager|dbus-1|polkit-1|[^/]+\.d)\//;

/** A path as a list of a shell script holds it: absolute, plain, without white space. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9._+@:,=~-]+)+$/;

/** Tells whether only the bootstrap reads what lies at a path. */
export function isManifestPath(path: string): boolean {
  return MANIFEST_FOLDERS.some((folder) => path.startsWith(folder));
}

/** Says why nothing at this path may be fetched from the cache disk; undefined where it may. */
export function unfitPlace(path: string): string | undefined {
  if (!PLAIN_PATH.test(path) || /\/\.{1,2}(?:\/|$)/.test(path))
    return 'its path has characters, or parts, that a list of files cannot hold';
  if (isManifestPath(path)) return undefined;
  if (path.startsWith(INSTALLER_FOLDER))
    return `in ${INSTALLER_FOLDER} only manifests can be fetched late: openshift/ and manifests/`;
  const within = PROGRAM_FOLDERS.find((folder) => path.startsWith(folder));
  if (within === undefined)
    return `it lies in none of the places that nothing reads before the cache disk: ${[...PROGRAM_FOLDERS, ...MANIFEST_FOLDERS].join(' ')}`;
  if (READ_AT_BOOT.test(path.slice(within.length - 1)))
    return 'the system reads this folder while it boots, before the cache disk';
  return undefined;
}
