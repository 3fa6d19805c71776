import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { parseExactRelease } from '../../mirror/imageset/release-sources.ts';
import type { Lock } from '../../mirror/resolve/lock.ts';
import { loadKeyring } from '../../mirror/resolve/signature/verify-openpgp.ts';
import type { Factory } from '../factory.ts';
import { installerOf } from '../installer-of.ts';
import type { MediaRequest } from './fetch-media.ts';

/** What the user asked for; the rest is the factory's to say. Architectures are machine names. */
export interface MediaWishes {
  readonly release?: string | undefined;
  readonly arch?: string | undefined;
  readonly mirror?: string | undefined;
  readonly isoMirror?: string | undefined;
  /** The folder for what the factory gives no place. */
  readonly folder?: string | undefined;
  readonly keyring?: string | undefined;
  readonly parts: MediaRequest['parts'];
  readonly machine: string;
  readonly overwrite: boolean;
}

const INSTALLER = 'openshift-install';

/**
 * Plans what to fetch for a factory (its release, its places) or for a release alone. Throws USAGE_INVALID when
 * the two name different releases or nobody names one, FILE_UNREADABLE and KEYRING_INVALID.
 */
export async function mediaRequest(
  wishes: MediaWishes,
  source: { readonly factory: Factory; readonly lock: Lock | undefined } | undefined,
): Promise<MediaRequest> {
  const { parts, machine, overwrite, mirror, isoMirror, keyring } = wishes;
  const wanted = source === undefined ? undefined : installerOf(source.factory, source.lock);
  const version = releaseOf(wishes.release, wanted?.version, source?.factory.file);
  const media = source?.factory.media;
  const beside = source === undefined ? '.' : dirname(resolve(source.factory.file));
  const folder = resolve(wishes.folder ?? join(beside, 'media'));
  const own = join(folder, INSTALLER);
  // One that is used as it is may also be on PATH, where a build looks for it.
  const unnamed = parts === 'iso' && !existsSync(own) ? INSTALLER : own;
  return {
    release: {
      version: parseExactRelease(version),
      arch: wishes.arch ?? source?.factory.release.arch ?? 'x86_64',
      ...(mirror === undefined ? {} : { mirror }),
      ...(keyring === undefined ? {} : { keyring: await loadKeyring(keyring) }),
    },
    ...(wanted?.releaseDigest === undefined ? {} : { releaseDigest: wanted.releaseDigest }),
    installer: media?.installer ?? unnamed,
    folder,
    liveIso: media === undefined ? { folder } : { file: media.liveIso },
    ...(isoMirror === undefined ? {} : { isoMirror }),
    parts,
    machine,
    overwrite,
  };
}

function releaseOf(asked: string | undefined, known: string | undefined, file: string | undefined): string {
  if (asked !== undefined && known !== undefined && asked !== known)
    throw new EdgefabError(`--release is ${asked}, but ${file} is for ${known}`, {
      code: 'USAGE_INVALID',
      suggestions: ['Leave one of them out, or change the release of the factory'],
    });
  const version = asked ?? known;
  if (version !== undefined) return version;
  throw new EdgefabError(`${file} names its release by image only: which version is it?`, {
    code: 'USAGE_INVALID',
    suggestions: [
      'Say it with --release 4.18.9 beside --factory',
      'Or run edgefab resolve, whose lock says it',
    ],
  });
}
