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

/** A list of one child only, as the store keeps the lists of images for other machines too. */
function sparseList(manifest: Uint8Array): Buffer {
  const platform = { architecture: 'amd64', os: 'linux' };
  const docker = 'application/vnd.docker.distribution.manifest';
  const child = {
    mediaType: `${docker}.v2+json`,
    size: manifest.length,
    digest: `sha256:${sha256(manifest)}`,
    platform,
  };
  const foreign = {
    ...child,
    digest: `sha256:${'0'.repeat(64)}`,
    platform: { ...platform, architecture: 's390x' },
  };
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: `${docker}.list.v2+json`, manifests: [foreign, child] }),
  );
}

/** Makes a small image of one layer with the given content, as a view inside a cache folder. */
export async function makeDirView(
  cache: string,
  name: string,
  content: string,
  { list = false } = {},
): Promise<DirView> {
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
  const top = list ? sparseList(manifest) : manifest;
  const hex = sha256(top);
  const view = `views/dir/quay.io/${name}@sha256-${hex}`;
  const folder = join(cache, view);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(folder, 'manifest.json'), top);
  if (list) writeFileSync(join(folder, `${sha256(manifest)}.manifest.json`), manifest);
  writeFileSync(join(folder, sha256(config)), config);
  const layerFile = join(folder, sha256(layer));
  writeFileSync(layerFile, layer);
  return { reference: `quay.io/${name}@sha256:${hex}`, view, layer: layerFile };
}
