import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestHex, digestOf } from '../../src/oci/digest.ts';

/** An image in a cache folder: the name it is loaded under, and its `dir:` view relative to the cache. */
export interface ToolImage {
  readonly reference: string;
  readonly view: string;
}

const PROGRAM = '/usr/bin/docker-registry';
const LOADER = '/lib64/ld-linux-x86-64.so.2';
const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';

/** Whether the double can be made here: Debian's docker-registry on x86_64. */
export const HAS_DISTRIBUTION_DOUBLE = [PROGRAM, LOADER, LIBC].every((path) => {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
});

/**
 * Makes a double of the pinned distribution image: Debian's docker-registry 2.8 with the libraries it wants, as
 * a `dir:` view in a cache folder. It differs from the real one in its program's path and in having no other
 * files; like it, it has a volume, a start script's name as entrypoint and a port.
 */
export async function makeDistributionImage(cache: string, program = 'bin/registry'): Promise<ToolImage> {
  const tar = pack();
  const add = (name: string, path: string): void => {
    tar.entry({ name, mode: 0o755, mtime: new Date(0) }, readFileSync(path));
  };
  add(program, PROGRAM);
  add(LOADER.slice(1), LOADER);
  add(LIBC.slice(1), LIBC);
  tar.finalize();
  const plain = await buffer(tar);
  const layer = gzipSync(plain, { level: 1 });
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {
        Entrypoint: ['/entrypoint.sh'],
        Cmd: ['/etc/docker/registry/config.yml'],
        Volumes: { '/var/lib/registry': {} },
        ExposedPorts: { '5000/tcp': {} },
      },
      rootfs: { type: 'layers', diff_ids: [digestOf(plain)] },
    }),
  );
  const oci = 'application/vnd.oci.image';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${oci}.manifest.v1+json`,
      config: { mediaType: `${oci}.config.v1+json`, size: config.length, digest: digestOf(config) },
      layers: [{ mediaType: `${oci}.layer.v1.tar+gzip`, size: layer.length, digest: digestOf(layer) }],
    }),
  );
  const hex = digestHex(digestOf(manifest));
  const view = `views/dir/docker.io/library/registry@sha256-${hex}`;
  mkdirSync(join(cache, view), { recursive: true });
  writeFileSync(join(cache, view, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(cache, view, 'manifest.json'), manifest);
  for (const bytes of [config, layer]) writeFileSync(join(cache, view, digestHex(digestOf(bytes))), bytes);
  return { reference: `docker.io/library/registry@sha256:${hex}`, view };
}
