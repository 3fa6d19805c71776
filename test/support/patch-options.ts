import type { PatchOptions } from '../../src/boot/patch/patch-ignition.ts';
import type { PreloadImage } from '../../src/boot/patch/preload-list.ts';

/** A made-up image whose digest is one letter over and over. */
export function preloadImage(letter: string, phase: PreloadImage['phase']): PreloadImage {
  const hex = letter.repeat(64);
  return {
    reference: `quay.io/made-up/${letter}@sha256:${hex}`,
    view: `views/dir/quay.io/made-up/${letter}@sha256-${hex}`,
    phase,
  };
}

/** Options of a patch with one image of each phase. */
export const PATCH_OPTIONS: PatchOptions = {
  hostname: 'bip',
  cacheMode: 'preload',
  images: [preloadImage('b', 'both'), preloadImage('a', 'live'), preloadImage('c', 'installed')],
  cacheId: 'cache-1',
};
