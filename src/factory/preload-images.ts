import type { PreloadImage } from '../boot/patch/preload-list.ts';
import type { ImageRole, Lock } from '../mirror/resolve/lock.ts';
import { dirViewName } from '../mirror/store/store-paths.ts';

/**
 * In which phase each role is asked for. What the bootstrap runs of a release has the role `bootstrap` too; the rest
 * of a release would not fit into the RAM of a live system. Nobody runs a tool in this mode.
 */
const PHASE_OF_ROLE: Readonly<Record<ImageRole, 'both' | 'installed'>> = {
  bootstrap: 'both',
  release: 'installed',
  os: 'installed',
  operator: 'installed',
  additional: 'installed',
  tool: 'installed',
};

/** Lists what a machine loads from its cache: every image under the digest it is pulled by, a list's and a child's. */
export function preloadImages(lock: Lock): PreloadImage[] {
  // A signature is served beside its image; nobody loads it.
  const signatures = new Set(lock.images.flatMap((image) => image.signatures ?? []));
  return lock.images.flatMap((image) => {
    if (signatures.has(image.digest)) return [];
    if (image.roles.every((role) => role === 'tool')) return [];
    // The operating system is never run from the image store: what pulls it asks a registry, in the live phase too.
    const installed = image.roles.includes('os');
    const phase =
      image.roles.some((role) => PHASE_OF_ROLE[role] === 'both') && !installed ? 'both' : 'installed';
    return [...new Set([image.digest, image.archDigest])].map((digest) => ({
      reference: `${image.source}@${digest}`,
      view: dirViewName(image.source, digest),
      phase,
    }));
  });
}
