import { join } from 'node:path';
import { type LiveIso, liveIsoOf } from '../../boot/install-config/coreos-stream.ts';
import { EdgefabError } from '../../errors.ts';
import { quoteText } from '../../formats/shown-text.ts';
import type { Host } from '../../host/host.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { shownUrl } from '../../oci/failure.ts';
import { type DownloadOptions, download } from './download.ts';
import { parseWebAddress } from './mirror-layout.ts';
import type { WebClient } from './web-client.ts';

export interface IsoRequest {
  /** The installer that says which ISO is its own. */
  readonly installer: string;
  /** A machine name. */
  readonly arch: string;
  /** The file it becomes, or the folder where it keeps its own name. */
  readonly target: { readonly file: string } | { readonly folder: string };
  /** Where the ISO lies instead of where the installer says: a folder, or an address with `{file}` or `{path}`. */
  readonly mirror?: string;
  /** For the private folder the installer runs in. */
  readonly workFolder: string;
  readonly overwrite: boolean;
}

export interface FetchedIso {
  readonly file: string;
  readonly state: 'fetched' | 'kept';
  readonly digest: Digest;
  readonly url: string;
  /** The CoreOS build. */
  readonly release: string;
}

/** Real ones have 1 to 2 GB. */
const MAX_ISO_BYTES = 16 * 1024 ** 3;

/** Says where an ISO is fetched from and what it is called. Throws TOOL_FAILED for an address that is none, USAGE_INVALID. */
export function isoAddress(
  { location }: Pick<LiveIso, 'location'>,
  mirror: string | undefined,
): { readonly url: URL; readonly name: string } {
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const name = url?.pathname.slice(url.pathname.lastIndexOf('/') + 1) ?? '';
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === undefined || !isWeb || url.username !== '' || !/^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/.test(name))
    throw new EdgefabError(
      `the installer names ${quoteText(location)} as its live ISO, which is no address`,
      {
        code: 'TOOL_FAILED',
      },
    );
  if (mirror === undefined) return { url, name };
  const template = /\{(?:file|path)\}/.test(mirror) ? mirror : `${mirror.replace(/\/+$/, '')}/{file}`;
  const filled = template.replaceAll('{file}', name).replaceAll('{path}', url.pathname.slice(1));
  return { url: parseWebAddress(filled, '--iso-mirror'), name };
}

/**
 * Gets the live ISO an installer was made for, held against the digest the installer names. One that is there
 * already with that digest is kept. Throws what asking the installer and downloading throw.
 */
export async function fetchIso(
  { installer, arch, target, mirror, workFolder, overwrite }: IsoRequest,
  web: WebClient,
  options: DownloadOptions,
  host: Pick<Host, 'run' | 'now' | 'sleep'>,
): Promise<FetchedIso> {
  const iso = await liveIsoOf(installer, arch, workFolder, host);
  const { url, name } = isoAddress(iso, mirror);
  const file = 'file' in target ? target.file : join(target.folder, name);
  const digest = parseDigest(`sha256:${iso.sha256}`);
  const wanted = { url, path: file, digest, maxBytes: MAX_ISO_BYTES, overwrite };
  const { state } = await download(wanted, web, options, host);
  return { file, state, digest, url: shownUrl(url), release: iso.release };
}
