import { checkCacheId, checkPartitionLabel, checkPinnedImage, checkView } from './machine-values.ts';

/** When an image must be in the machine's store: for the bootstrap, for the installed node, or for both. */
export type Phase = 'live' | 'installed' | 'both';

/** An image the machine loads from its cache disk. */
export interface PreloadImage {
  /** HOST/PATH@sha256:HEX, the name it is loaded under. */
  readonly reference: string;
  /** The folder of its `dir:` view, relative to the cache's root. */
  readonly view: string;
  readonly phase: Phase;
}

/** What the loader on the machine is told. */
export interface PreloadSettings {
  readonly images: readonly PreloadImage[];
  readonly cacheLabel: string;
  readonly cacheId: string | undefined;
  readonly releaseImage: string;
}

/** Makes sure that every setting is safe to be read by a shell script. Throws USAGE_INVALID. */
export function checkPreloadSettings(settings: PreloadSettings): void {
  checkPartitionLabel(settings.cacheLabel);
  checkCacheId(settings.cacheId);
  for (const { reference, view } of settings.images) {
    checkPinnedImage('image to preload', reference);
    checkView(reference, view);
  }
}

/** Renders the list one phase of the loader reads: `phase reference view` a line, sorted, each image once. */
export function renderPreloadList(images: readonly PreloadImage[], phase: 'live' | 'installed'): string {
  const lines = images
    .filter((image) => image.phase === phase || image.phase === 'both')
    .map((image) => `${phase} ${image.reference} ${image.view}\n`);
  const title = '# Made by edgefab, read by edgefab-preload.sh: phase, image, folder in the cache\n';
  return title + [...new Set(lines)].sort().join('');
}

/** Renders the settings file of the loader's unit (systemd's EnvironmentFile). */
export function renderPreloadEnvironment(settings: PreloadSettings): string {
  return [
    `EDGEFAB_LABEL=${settings.cacheLabel}`,
    `EDGEFAB_CACHE_ID=${settings.cacheId ?? ''}`,
    `EDGEFAB_RELEASE_IMAGE=${settings.releaseImage}`,
    '',
  ].join('\n');
}
