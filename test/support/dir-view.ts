import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** A made-up image as skopeo's `dir:` transport reads it. */
export interface DirView {
  readonly reference: string;
  /** Relative to the cache. */
  readonly view: string;
  /** The layer's file, absolute. */
  readonly layer: string;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Makes a small image of one layer with the given content, as a view inside a cache folder. */
export async function makeDirView(cache: string, name: string, content: string): Promise<DirView> {
  const tar = pack();
  tar.entry({ name: 'content.txt', mtime: new Date(0) }, content);
  tar.finalize();
  const plain = await buffer(tar);
  const layer = gzipSync(plain);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(plain)}`] },
    }),
  );
  const docker = 'application/vnd.docker';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${docker}.distribution.manifest.v2+json`,
      config: {
        mediaType: `${docker}.container.image.v1+json`,
        size: config.length,
        digest: `sha256:${sha256(config)}`,
      },
      layers: [
        {
          mediaType: `${docker}.image.rootfs.diff.tar.gzip`,
          size: layer.length,
          digest: `sha256:${sha256(layer)}`,
        },
      ],
    }),
  );
  const hex = sha256(manifest);
  const view = `views/dir/quay.io/${name}@sha256-${hex}`;
  const folder = join(cache, view);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(folder, 'manifest.json'), manifest);
  writeFileSync(join(folder, sha256(config)), config);
  const layerFile = join(folder, sha256(layer));
  writeFileSync(layerFile, layer);
  return { reference: `quay.io/${name}@sha256:${hex}`, view, layer: layerFile };
}
