import { join } from 'node:path';
import { type LiveIso, liveIsoOf } from '../../boot/install-config/coreos-stream.ts';
import { EdgefabError } from '../../errors.ts';
import { quoteText } from '../../formats/shown-text.ts';
import type { Host } from '../../host/host.ts';
import { type Keyring, verifyLargeFile } from '../../mirror/resolve/signature/verify-openpgp.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { shownUrl } from '../../oci/failure.ts';
import { download } from './download.ts';
import { parseWebAddress } from './mirror-layout.ts';
import type { DownloadOptions } from './transfer.ts';
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
  /** Whose signature the ISO must have, where its stream names one. */
  readonly keyring?: Keyring;
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

const MAX_SIGNATURE_BYTES = 64 * 1024;

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
  { installer, arch, target, mirror, workFolder, overwrite, keyring }: IsoRequest,
  web: WebClient,
  options: DownloadOptions,
  host: Pick<Host, 'run' | 'now' | 'sleep'>,
): Promise<FetchedIso> {
  const iso = await liveIsoOf(installer, arch, workFolder, host);
  const { url, name } = isoAddress(iso, mirror);
  const file = 'file' in target ? target.file : join(target.folder, name);
  const digest = parseDigest(`sha256:${iso.sha256}`);
  const check =
    keyring === undefined || iso.signature === undefined
      ? undefined
      : await isoCheck(isoAddress({ location: iso.signature }, mirror).url, keyring, web, options, host);
  const { state } = await download(
    {
      url,
      path: file,
      digest,
      maxBytes: MAX_ISO_BYTES,
      overwrite,
      ...(check === undefined ? {} : { check }),
    },
    web,
    options,
    host,
  );
  return { file, state, digest, url: shownUrl(url), release: iso.release };
}

/** Fetches the signature first: it is small, and without it the ISO is of no use. */
async function isoCheck(
  url: URL,
  keyring: Keyring,
  web: WebClient,
  { signal }: DownloadOptions,
  host: Pick<Host, 'now'>,
): Promise<(partial: string) => Promise<void>> {
  const place = { url: shownUrl(url) };
  const signature = await web.read(url, MAX_SIGNATURE_BYTES, { signal });
  if (signature === undefined)
    throw new EdgefabError(`the live ISO has a signature, but ${place.url} is not there`, {
      code: 'SIGNATURE_MISSING',
      place,
      suggestions: ['Copy the signature to the mirror too, or leave out --keyring'],
    });
  return async (partial) => {
    try {
      await verifyLargeFile(partial, signature, keyring, host);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'it cannot be read';
      throw new EdgefabError(
        `${place.url}: no key of ${keyring.where} (${keyring.fingerprints.join(', ')}) vouches for the live ISO: ${why}`,
        {
          code: 'SIGNATURE_INVALID',
          place,
          suggestions: ['Add the key of the publisher of the ISO to the keyring, if you trust it'],
        },
      );
    }
  };
}
