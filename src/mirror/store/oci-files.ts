import { stat } from 'node:fs/promises';
import { encodeLayoutIndex, encodeOciLayout, REF_NAME } from '../../oci/layout.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import type { LockedImage } from '../resolve/lock.ts';
import { storePaths } from './store-paths.ts';

/**
 * Makes what the OCI image layout of a cache consists of besides blobs: the bytes of `oci-layout` and `index.json`,
 * by file name. Looks at the sizes of the manifests, which must be there.
 */
export async function layoutFiles(
  root: string,
  images: readonly LockedImage[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  return new Map([
    ['oci-layout', encodeOciLayout()],
    ['index.json', encodeLayoutIndex({ manifests: await describeImages(root, images) })],
  ]);
}

async function describeImages(root: string, images: readonly LockedImage[]): Promise<Descriptor[]> {
  return await Promise.all(
    images.map(async (image) => ({
      mediaType: image.mediaType,
      digest: image.digest,
      sizeBytes: (await stat(storePaths.blob(root, image.digest))).size,
      annotations: {
        [REF_NAME]:
          image.tag === undefined ? `${image.source}@${image.digest}` : `${image.source}:${image.tag}`,
      },
    })),
  );
}
