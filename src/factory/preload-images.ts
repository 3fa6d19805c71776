import type { PreloadImage } from '../boot/patch/preload-list.ts';
import type { ImageRole, Lock } from '../mirror/resolve/lock.ts';
import { dirViewName } from '../mirror/store/store-paths.ts';

/**
 * In which phase each role is asked for. What the bootstrap runs of a release has the role `bootstrap` too; the rest
 * of a release would not fit into the RAM of a live system.
 */
const PHASE_OF_ROLE: Readonly<Record<ImageRole, PreloadImage['phase']>> = {
  bootstrap: 'both',
  release: 'installed',
  os: 'installed',
  operator: 'installed',
  additional: 'installed',
  tool: 'both',
};

/** Lists what a machine loads from its cache: every image under the digest it is pulled by, a list's and a child's. */
export function preloadImages(lock: Lock): PreloadImage[] {
  // A signature is served beside its image; nobody loads it.
  const signatures = new Set(lock.images.flatMap((image) => image.signatures ?? []));
  return lock.images.flatMap((image) => {
    if (signatures.has(image.digest)) return [];
    const phases = new Set(image.roles.map((role) => PHASE_OF_ROLE[role]));
    const phase = phases.has('both') || phases.size > 1 ? 'both' : ([...phases][0] ?? 'both');
    return [...new Set([image.digest, image.archDigest])].map((digest) => ({
      reference: `${image.source}@${digest}`,
      view: dirViewName(image.source, digest),
      phase,
    }));
  });
}
