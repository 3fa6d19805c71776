import type { InstallerRun } from '../boot/install-config/run-installer.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import { architectureOf } from '../oci/architecture.ts';
import { formatReference } from '../oci/reference.ts';
import type { Factory } from './factory.ts';

/**
 * Says which installer a factory needs: of its release's version, for its architecture, made for the very release
 * image that it names by digest, or that its lock holds. A release image by digest is also what it is told to install.
 */
export function installerOf(
  { release, media }: Pick<Factory, 'release' | 'media'>,
  lock: Pick<Lock, 'release'> | undefined,
): Pick<InstallerRun, 'installer' | 'version' | 'releaseDigest' | 'arch' | 'releaseImage'> {
  const locked = lock?.release;
  const version = release.version ?? locked?.version;
  const digest = release.image?.digest ?? locked?.digest;
  const arch = architectureOf(release.arch);
  return {
    installer: media?.installer ?? 'openshift-install',
    ...(version === undefined ? {} : { version }),
    ...(digest === undefined ? {} : { releaseDigest: digest }),
    ...(arch === undefined ? {} : { arch }),
    ...(release.image?.digest === undefined ? {} : { releaseImage: formatReference(release.image) }),
  };
}
