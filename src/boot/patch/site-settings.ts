import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { unfitValue } from './machine-values.ts';

/** What a machine is told of its build, in both phases and in either cache mode. */
export interface SiteSettings {
  /** Name of the site, for the console; 1 to 64 letters, digits, . _ and -. */
  readonly site: string;
  /** Names this build on the disk, the console and the receipt; 1 to 64 letters, digits, . _ and -. */
  readonly buildId: string;
  /** Where the cache is. */
  readonly location: 'usb' | 'installDisk';
  /** The disk the install writes to, /dev/…; undefined: the one install-to-disk.sh names. */
  readonly installDisk: string | undefined;
}

/** Where the settings lie on the machine. */
export const SITE_FILE = '/etc/edgefab/site.env';

const WORD = /^[A-Za-z0-9._-]{1,64}$/;
const DEVICE = /^\/dev\/[A-Za-z0-9/._:+-]+$/;

/** Makes sure that every setting is safe to be read by a shell script. Throws USAGE_INVALID. */
export function checkSiteSettings({ site, buildId, installDisk }: SiteSettings): void {
  for (const [what, value] of [
    ['site', site],
    ['build id', buildId],
  ] as const) {
    if (!WORD.test(value)) throw unfitValue(what, value, '1 to 64 letters, digits, . _ and -');
  }
  if (installDisk !== undefined && (!DEVICE.test(installDisk) || installDisk.split('/').includes('..')))
    throw unfitValue('install disk', installDisk, 'a path like /dev/sda');
}

/** Renders the settings file (systemd's EnvironmentFile). */
export function renderSiteEnvironment({ site, buildId, location, installDisk }: SiteSettings): string {
  return [
    `EDGEFAB_SITE=${site}`,
    `EDGEFAB_BUILD_ID=${buildId}`,
    `EDGEFAB_LOCATION=${location}`,
    `EDGEFAB_INSTALL_DISK=${installDisk ?? ''}`,
    '',
  ].join('\n');
}

/** Reads out of a config which build an earlier patch said it is; undefined for one that was not patched. */
export function buildIdOf(ignition: Ignition): string | undefined {
  return /^EDGEFAB_BUILD_ID=(.+)$/m.exec(fileText(ignition, SITE_FILE) ?? '')?.[1];
}
