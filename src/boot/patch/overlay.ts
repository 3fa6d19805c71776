import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { packagedText } from '../../packaged.ts';

/** The files that run on the machine, by their path under `overlays/`. */
export const OVERLAY_FILES = [
  'scripts/edgefab-disk.sh',
  'scripts/edgefab-preload.sh',
  'scripts/edgefab-release-image.sh',
  'scripts/edgefab-clock.sh',
  'scripts/edgefab-cache.sh',
  'scripts/edgefab-registry.sh',
  'scripts/edgefab-registry-ready.sh',
  'units/edgefab-clock.service',
  'units/edgefab-registry.service',
  'units/edgefab-registry-v6.service',
  'units/edgefab-registry-ready.service',
  'units/registry-order.conf',
  'live/edgefab-cache.service',
  'live/edgefab-preload.service',
  'live/release-image-order.conf',
  'live/release-image-local-first.conf',
  'live/node-image-pull-order.conf',
  'installed/edgefab-cache.service',
  'installed/edgefab-preload.service',
  'scripts/edgefab-coreos-installer.sh',
  'scripts/edgefab-reinstall-guard.sh',
  'scripts/edgefab-after-install.sh',
  'scripts/edgefab-keep-cache.sh',
  'scripts/edgefab-drop-cache.sh',
  'scripts/edgefab-resolv.sh',
  'scripts/edgefab-status.sh',
  'scripts/edgefab-files.sh',
  'live/edgefab-files.service',
  'live/files-required.conf',
  'live/cache-released.conf',
  'live/install-to-disk-path.conf',
  'live/install-to-disk-after.conf',
  'live/edgefab-reinstall-guard.service',
  'live/reinstall-guard-required.conf',
  'live/edgefab-status.service',
  'installed/edgefab-keep-cache.service',
  'installed/edgefab-drop-cache.service',
  'installed/cache-released.conf',
  'installed/edgefab-dns.service',
  'installed/edgefab-networkmanager.conf',
  'installed/edgefab-status.service',
  'both/edgefab-status.path',
] as const;

export type OverlayFile = (typeof OVERLAY_FILES)[number];

/** The texts of all overlay files. */
export type Overlays = Readonly<Record<OverlayFile, string>>;

/** Loads the files that run on the machine, from the package or from another folder. Throws FILE_UNREADABLE. */
export async function loadOverlays(folder?: string): Promise<Overlays> {
  const texts = await Promise.all(
    OVERLAY_FILES.map(async (name) => {
      const path = join(folder ?? 'overlays', name);
      try {
        return [name, folder === undefined ? packagedText(path) : await readFile(path, 'utf8')] as const;
      } catch (cause) {
        throw new EdgefabError(`the overlay file ${path} cannot be read`, {
          code: 'FILE_UNREADABLE',
          suggestions: ['The installation of edgefab is incomplete: install it again'],
          place: { file: path },
          cause,
        });
      }
    }),
  );
  return Object.fromEntries(texts) as Overlays;
}
