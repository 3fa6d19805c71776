import { mkdir } from 'node:fs/promises';
import { checkInstaller, type InstallerVersion } from '../../boot/install-config/check-installer.ts';
import type { Host } from '../../host/host.ts';
import { architectureOf } from '../../oci/architecture.ts';
import { type FetchedInstaller, fetchInstaller } from './fetch-installer.ts';
import { type FetchedIso, fetchIso, type IsoRequest } from './fetch-iso.ts';
import type { WantedRelease } from './release-checksums.ts';
import type { DownloadOptions } from './transfer.ts';
import type { WebClient } from './web-client.ts';

/** What a site's boot stick is made from, and where it goes. */
export interface MediaRequest {
  readonly release: WantedRelease;
  /** The release image the installer must be of, where it is known. */
  readonly releaseDigest?: string;
  /** The program, and the folder it is worked in. */
  readonly installer: string;
  readonly folder: string;
  readonly liveIso: IsoRequest['target'];
  readonly isoMirror?: string;
  readonly parts: 'all' | 'installer' | 'iso';
  /** The architecture of this machine, a machine name. */
  readonly machine: string;
  readonly overwrite: boolean;
}

export interface FetchedMedia {
  /** Undefined when one that was there was to be used. */
  readonly installer?: FetchedInstaller;
  /** What the installer says of itself. */
  readonly says: InstallerVersion;
  readonly liveIso?: FetchedIso;
}

/**
 * Gets the installer of a release and, from what it says, the live ISO that fits it. Nothing has its final name
 * before its bytes are proven. Throws what the two throw, and INSTALLER_VERSION_MISMATCH.
 */
export async function fetchMedia(
  request: MediaRequest,
  web: WebClient,
  options: DownloadOptions,
  host: Pick<Host, 'run' | 'now' | 'sleep'>,
): Promise<FetchedMedia> {
  const { release, releaseDigest, installer, folder, parts, machine, overwrite, isoMirror } = request;
  const { arch } = release;
  await mkdir(folder, { recursive: true });
  const fetched =
    parts === 'iso'
      ? undefined
      : await fetchInstaller({ release, path: installer, machine, overwrite }, web, options, host);
  const goArch = architectureOf(arch);
  const says = await checkInstaller(
    {
      installer,
      version: release.version.text,
      ...(releaseDigest === undefined ? {} : { releaseDigest }),
      ...(goArch === undefined ? {} : { arch: goArch }),
    },
    host,
  );
  const done = { ...(fetched === undefined ? {} : { installer: fetched }), says };
  if (parts === 'installer') return done;
  const iso: IsoRequest = {
    installer,
    arch,
    target: request.liveIso,
    workFolder: folder,
    overwrite,
    ...(isoMirror === undefined ? {} : { mirror: isoMirror }),
    ...(release.keyring === undefined ? {} : { keyring: release.keyring }),
  };
  return { ...done, liveIso: await fetchIso(iso, web, options, host) };
}
