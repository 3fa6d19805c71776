import { mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type Digest, digestHex, digestOf } from '../../oci/digest.ts';
import type { LockedImage } from '../resolve/lock.ts';
import { asDiskFull } from './disk-full.ts';
import { dirViewName, storePaths } from './store-paths.ts';

/** What one `dir:` view shows: a manifest, the child of a list that is kept, and the blobs. */
export interface DirView {
  readonly repository: string;
  readonly digest: Digest;
  /** The kept child manifest when `digest` is a list. */
  readonly child?: Digest;
  readonly blobs: readonly Digest[];
}

/** The views of an image: one of the manifest it runs from, and one of the list where it is pulled by a list. */
export function dirViewsOf({ source, digest, archDigest, blobs }: LockedImage): DirView[] {
  const digests = blobs.map((blob) => blob.digest);
  const own = { repository: source, digest: archDigest, blobs: digests };
  return digest === archDigest
    ? [own]
    : [own, { repository: source, digest, child: archDigest, blobs: digests }];
}

/** The links of a view: entry name to where it points, as it is written into the link. */
export function dirViewLinks(root: string, view: DirView): ReadonlyMap<string, string> {
  const target = join(root, dirViewName(view.repository, view.digest));
  const to = (digest: Digest): string => relative(target, storePaths.blob(root, digest));
  return new Map([
    ['manifest.json', to(view.digest)],
    ...(view.child === undefined
      ? []
      : ([[`${digestHex(view.child)}.manifest.json`, to(view.child)]] as const)),
    ...view.blobs.map((blob): [string, string] => [digestHex(blob), to(blob)]),
  ]);
}

/** The content of a `version` file (containers/image, directory transport). */
const VERSION = 'Directory Transport Version: 1.1\n';

/**
 * Writes one skopeo `dir:` view out of relative symlinks into the blob pool, and gives the folder its name
 * last. A view that is there already is left alone: its name is its content. Layout: `manifest.json`, for a
 * list also `HEX.manifest.json` of the kept child, and each blob by its hex name (containers/image,
 * directory/directory_transport.go). Returns the view's path relative to the root.
 */
export async function writeDirView(root: string, view: DirView): Promise<string> {
  const name = dirViewName(view.repository, view.digest);
  const target = join(root, name);
  if (await isThere(target)) return name;
  // By its whole name: several views are built at once, and one digest may be in several repositories.
  const building = join(storePaths.temporary(root), `view-${digestHex(digestOf(Buffer.from(name)))}`);
  try {
    await mkdir(dirname(target), { recursive: true });
    // What a run that was killed left; no other run writes here now.
    await rm(building, { recursive: true, force: true });
    await mkdir(building);
    await writeFile(join(building, 'version'), VERSION);
    for (const [entry, to] of dirViewLinks(root, view)) await symlink(to, join(building, entry));
    await rename(building, target);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw asDiskFull(error, target);
  }
  return name;
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
