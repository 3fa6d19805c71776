import { EdgefabError } from '../../errors.ts';

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

// The list and the settings are read by shell scripts: only characters that mean nothing to a shell.
const REFERENCE = /^[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?\/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/;
const VIEW = /^[A-Za-z0-9._+@:-]+(?:\/[A-Za-z0-9._+@:-]+)*$/;
const CACHE_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** GPT names hold 36 characters; of those, the ones that are the same to udev, lsblk and a shell. */
const PARTITION_LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,35}$/;

function refuse(what: string, got: string, want: string): EdgefabError {
  return new EdgefabError(`${what}: got "${got.slice(0, 300)}", want ${want}`, { code: 'USAGE_INVALID' });
}

/** Makes sure a partition label needs no quoting anywhere. Throws USAGE_INVALID. */
export function checkPartitionLabel(label: string): string {
  if (PARTITION_LABEL.test(label)) return label;
  throw refuse('partition label', label, '1 to 36 letters, digits, . _ and -, the first a letter or digit');
}

/** Makes sure that every setting is safe to be read by a shell script. Throws USAGE_INVALID. */
export function checkPreloadSettings(settings: PreloadSettings): void {
  checkPartitionLabel(settings.cacheLabel);
  if (settings.cacheId !== undefined && !CACHE_ID.test(settings.cacheId))
    throw refuse('cache id', settings.cacheId, 'up to 128 letters, digits and . _ : -');
  for (const { reference, view } of settings.images) {
    if (!REFERENCE.test(reference)) throw refuse('image to preload', reference, 'HOST/PATH@sha256:HEX');
    if (!VIEW.test(view) || view.split('/').includes('..'))
      throw refuse(`view of ${reference}`, view, 'a relative path inside the cache');
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
