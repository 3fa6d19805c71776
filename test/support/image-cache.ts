import { join } from 'node:path';
import type { Lock, LockedImage } from '../../src/mirror/resolve/lock.ts';
import { openStore } from '../../src/mirror/store/store.ts';
import { digestFor } from './locked-image.ts';
import { blobsOf, type MadeImage, type MadeList } from './made-image.ts';

/** An image as a cache holds it; of a list, the first image is the child that is kept. */
export interface CachedImage extends Pick<Partial<LockedImage>, 'tag' | 'signatures'> {
  readonly source: string;
  readonly image: MadeImage | MadeList;
}

function childOf(image: MadeImage | MadeList): MadeImage {
  if (!('images' in image)) return image;
  const [child] = image.images;
  if (child === undefined) throw new RangeError('the list has images');
  return child;
}

/** The lock of images that container engines take. */
export function lockOfImages(images: readonly CachedImage[]): Lock {
  return {
    arch: 'x86_64',
    inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
    images: images.map(({ image, ...rest }) => {
      const child = childOf(image);
      const blobs = blobsOf(child).map(({ digest, bytes }) => ({ digest, sizeBytes: bytes.length }));
      return {
        ...rest,
        digest: image.digest,
        archDigest: child.digest,
        mediaType: image.mediaType,
        sizeBytes: blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        blobs,
        roles: ['additional'],
        requiredBy: ['a test'],
      };
    }),
  };
}

/** Fills a cache with images that container engines take, no registry asked; gives its root. */
export async function makeImageCache(
  folder: string,
  images: readonly CachedImage[],
  name = 'cache',
): Promise<string> {
  const root = join(folder, name);
  const lock = lockOfImages(images);
  const store = await openStore(root, { writer: 'edgefab/test', sectorBytes: 512 });
  await store.begin(lock);
  for (const { image } of images) {
    const child = childOf(image);
    for (const { digest, bytes } of blobsOf(child)) {
      const target = await store.openBlob({ digest, sizeBytes: bytes.length });
      await target.restart();
      await target.write(bytes);
      await target.finish();
    }
    await store.writeManifest(child.digest, child.manifest);
    await store.writeManifest(image.digest, image.manifest);
  }
  await store.complete(lock);
  return root;
}
