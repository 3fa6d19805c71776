import { EdgefabError } from '../../errors.ts';
import { parseChecksumList } from '../../formats/checksum-list.ts';
import type { ReleaseVersion } from '../../formats/release-version.ts';
import type { Host } from '../../host/host.ts';
import { type Keyring, verifyFileSignature } from '../../mirror/resolve/signature/verify-openpgp.ts';
import { shownUrl } from '../../oci/failure.ts';
import { listedReleases, mirrorFolder, publicMirror, releasesFolder } from './mirror-layout.ts';
import type { WebClient, WebRequest } from './web-client.ts';

/** A release, and where its clients are. `arch` is a machine name. */
export interface WantedRelease {
  readonly version: ReleaseVersion;
  readonly arch: string;
  /** An address with `{arch}` and `{version}` in it; the public one when absent. */
  readonly mirror?: string;
  /** Whose signature the checksums must have; none is asked for when absent. */
  readonly keyring?: Keyring;
}

export interface ReleaseChecksums {
  readonly folder: URL;
  /** Lower-case hex by file name. */
  readonly sums: ReadonlyMap<string, string>;
  /** The fingerprint of the key that vouches for them; undefined when nobody was asked. */
  readonly signedBy: string | undefined;
}

const CHECKSUMS = 'sha256sum.txt';
/** As the publishers name the signature beside it. */
const SIGNATURES = ['sha256sum.txt.gpg', 'sha256sum.txt.sig', 'sha256sum.txt.asc'];
/** Real ones have some 5 KiB. */
const MAX_CHECKSUMS_BYTES = 64 * 1024;
/** The public list of all releases has under 1 MiB. */
const MAX_LISTING_BYTES = 8 * 1024 * 1024;

/**
 * Fetches the checksums of a release's clients and, with a keyring, verifies their signature. Throws
 * RELEASE_UNKNOWN naming what there is, CHECKSUMS_INVALID, SIGNATURE_MISSING, SIGNATURE_INVALID, and what
 * the client throws.
 */
export async function fetchChecksums(
  release: WantedRelease,
  web: WebClient,
  request: WebRequest,
  host: Pick<Host, 'now'>,
): Promise<ReleaseChecksums> {
  const { version, arch, keyring } = release;
  const template = release.mirror ?? publicMirror(version);
  const folder = mirrorFolder(template, version.text, arch);
  const url = new URL(CHECKSUMS, folder);
  const bytes = await web.read(url, MAX_CHECKSUMS_BYTES, request);
  if (bytes === undefined) throw await unknownRelease(release, template, url, web, request);
  const signedBy =
    keyring === undefined ? undefined : await verifySignature(bytes, keyring, folder, web, request, host);
  return { folder, sums: parseChecksumList(bytes.toString('utf8'), shownUrl(url)), signedBy };
}

async function verifySignature(
  bytes: Uint8Array,
  keyring: Keyring,
  folder: URL,
  web: WebClient,
  request: WebRequest,
  host: Pick<Host, 'now'>,
): Promise<string> {
  for (const name of SIGNATURES) {
    const url = new URL(name, folder);
    const signature = await web.read(url, MAX_CHECKSUMS_BYTES, request);
    if (signature === undefined) continue;
    try {
      return await verifyFileSignature(bytes, signature, keyring, host);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'it cannot be read';
      throw new EdgefabError(
        `${shownUrl(url)}: no key of ${keyring.where} (${keyring.fingerprints.join(', ')}) vouches for ${CHECKSUMS}: ${why}`,
        {
          code: 'SIGNATURE_INVALID',
          place: { url: shownUrl(url) },
          suggestions: [
            'Check that the keyring holds the key of the publisher of this release',
            'If it does, the mirror is not what it claims to be: do not use what it serves',
          ],
        },
      );
    }
  }
  throw new EdgefabError(`${shownUrl(folder)} has no signature of ${CHECKSUMS}: ${SIGNATURES.join(', ')}`, {
    code: 'SIGNATURE_MISSING',
    place: { url: shownUrl(folder) },
    suggestions: ['Copy the signature to the mirror too, or leave out --keyring to trust the mirror alone'],
  });
}

async function unknownRelease(
  { version, arch }: WantedRelease,
  template: string,
  url: URL,
  web: WebClient,
  request: WebRequest,
): Promise<EdgefabError> {
  const all = releasesFolder(template, arch);
  // Only for a better message: whatever is wrong with the listing, the release is not there.
  const listing =
    all === undefined ? undefined : await web.read(all, MAX_LISTING_BYTES, request).catch(() => undefined);
  if (request.signal.aborted) throw request.signal.reason;
  const found = listing === undefined ? [] : listedReleases(listing.toString('latin1'), version);
  return new EdgefabError(`release ${version.text} (${arch}) is not there: no ${shownUrl(url)}`, {
    code: 'RELEASE_UNKNOWN',
    place: { url: shownUrl(url) },
    suggestions: [
      ...(found.length > 0 ? [`There are: ${found.join(', ')}`] : []),
      'Check the version, or name the folder of its clients with --mirror URL ({version} and {arch} are filled in)',
    ],
  });
}
