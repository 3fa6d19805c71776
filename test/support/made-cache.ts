import { join } from 'node:path';
import type { Lock, LockedImage } from '../../src/mirror/resolve/lock.ts';
import { openStore } from '../../src/mirror/store/store.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { digestFor } from './locked-image.ts';
import { madeUpBytes } from './made-up-bytes.ts';

/** Images by source, each with its blobs by name and size; the same name and size is the same blob. */
export type MadeImages = Readonly<Record<string, Readonly<Record<string, number>>>>;

function manifestOf(blobs: LockedImage['blobs'], source: string): Buffer {
  const [config, ...layers] = blobs.map(({ digest, sizeBytes }) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest,
    size: sizeBytes,
  }));
  const annotations = { source };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers, annotations }));
}

function blobBytes(name: string, size: number): Buffer {
  return madeUpBytes(size, name);
}

/** The lock of made-up images. */
export function madeLock(images: MadeImages): Lock {
  return {
    arch: 'x86_64',
    inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
    images: Object.entries(images).map(([source, content]) => {
      const blobs = Object.entries(content).map(([name, sizeBytes]) => ({
        digest: digestOf(blobBytes(name, sizeBytes)),
        sizeBytes,
      }));
      const digest = digestOf(manifestOf(blobs, source));
      return {
        source,
        digest,
        archDigest: digest,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        sizeBytes: blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0),
        blobs,
        roles: ['additional'] as const,
        requiredBy: ['a test'],
      };
    }),
  };
}

/** Fills a folder with a complete cache of made-up images, no registry asked. */
export async function makeCache(folder: string, images: MadeImages, name = 'cache'): Promise<string> {
  const root = join(folder, name);
  const lock = madeLock(images);
  const store = await openStore(root, { writer: 'edgefab/test', sectorBytes: 512 });
  await store.begin(lock);
  for (const content of Object.values(images)) {
    for (const [blob, sizeBytes] of Object.entries(content)) {
      const bytes = blobBytes(blob, sizeBytes);
      const target = await store.openBlob({ digest: digestOf(bytes), sizeBytes });
      await target.write(bytes);
      await target.finish();
    }
  }
  for (const image of lock.images) {
    await store.writeManifest(image.digest, manifestOf(image.blobs, image.source));
  }
  await store.complete(lock);
  return root;
}
