import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { showText } from '../../formats/shown-text.ts';
import type { Host } from '../../host/host.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { shownUrl } from '../../oci/failure.ts';
import { download } from './download.ts';
import { fileDigest } from './file-digest.ts';
import { loadInstallerRecord, writeInstallerRecord } from './installer-record.ts';
import { installerArchive } from './mirror-layout.ts';
import { fetchChecksums, type WantedRelease } from './release-checksums.ts';
import type { DownloadOptions } from './transfer.ts';
import { unpackInstaller } from './unpack-installer.ts';
import type { WebClient } from './web-client.ts';

export interface InstallerRequest {
  readonly release: WantedRelease;
  /** Where the program goes. */
  readonly path: string;
  /** The architecture it is to run on, a machine name. */
  readonly machine: string;
  /** Replaces a program that edgefab did not fetch. */
  readonly overwrite: boolean;
}

export interface FetchedInstaller {
  readonly file: string;
  readonly state: 'fetched' | 'kept';
  readonly digest: Digest;
  readonly archive: { readonly url: string; readonly digest: Digest };
  /** The fingerprint of the key that vouches for it; null when nobody was asked. */
  readonly signedBy: string | null;
}

/** Real ones have some 400 MB. */
const MAX_ARCHIVE_BYTES = 4 * 1024 ** 3;

/**
 * Gets the installer of a release: its archive is held against the release's checksums, and only the program is
 * unpacked. One that is there already and came from that very archive is kept. Throws what fetching the
 * checksums, downloading and unpacking throw; TARGET_EXISTS for a program edgefab did not put there.
 */
export async function fetchInstaller(
  { release, path, machine, overwrite }: InstallerRequest,
  web: WebClient,
  options: DownloadOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): Promise<FetchedInstaller> {
  const { signal } = options;
  const { folder, sums, signedBy } = await fetchChecksums(release, web, { signal }, host);
  const version = release.version.text;
  const name = installerArchive(new Set(sums.keys()), version, { release: release.arch, machine });
  if (name === undefined) throw noInstaller(folder, sums, machine);
  const url = new URL(name, folder);
  const archive = { url: shownUrl(url), digest: parseDigest(`sha256:${sums.get(name)}`) };
  const result = { file: path, archive, signedBy: signedBy ?? null };

  const there = await fileDigest(path, signal);
  const record = there === undefined ? undefined : await loadInstallerRecord(path);
  const isOurs = record !== undefined && record.digest === there;
  if (there !== undefined && isOurs && record.archive.digest === archive.digest)
    return { ...result, state: 'kept', digest: there };
  if (there !== undefined && !isOurs && !overwrite) {
    throw new EdgefabError(`${path} is there already, and edgefab did not fetch it`, {
      code: 'TARGET_EXISTS',
      suggestions: [
        'Use it as it is: --iso-only',
        'Replace it: --overwrite',
        'Or move it away and run the same command again',
      ],
      place: { file: path },
    });
  }
  await mkdir(dirname(path), { recursive: true });
  const packed = join(dirname(path), name);
  const wanted = { url, path: packed, digest: archive.digest, maxBytes: MAX_ARCHIVE_BYTES, overwrite };
  const { state } = await download(wanted, web, options, host);
  const digest = await unpackInstaller(packed, path, signal, (program) =>
    writeInstallerRecord(path, {
      version,
      arch: release.arch,
      digest: program,
      archive: { name, digest: archive.digest },
    }),
  );
  // One that was there before is the user's.
  if (state === 'fetched') await rm(packed, { force: true });
  return { ...result, state: 'fetched', digest };
}

function noInstaller(folder: URL, sums: ReadonlyMap<string, string>, machine: string): EdgefabError {
  const found = [...sums.keys()].filter((name) => name.startsWith('openshift-install'));
  return new EdgefabError(
    `${shownUrl(folder)} has no installer that runs on this machine (Linux on ${machine}); it has ${
      found.length === 0 ? 'none at all' : showText(found.slice(0, 20).join(', '), 400)
    }`,
    {
      code: 'DOWNLOAD_UNKNOWN',
      place: { url: shownUrl(folder) },
      suggestions: ['Run edgefab fetch on a machine that has one, and carry the folder here'],
    },
  );
}
